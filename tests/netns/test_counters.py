# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets, bytes and connections of each mapping."""
import pytest

from namespaces import CAMERA, GATEWAY, NVR, TRUSTED
from witness import Witness, call, connect, talk


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("udp", CAMERA, 80)), \
            Witness(site.nvr, ("udp", NVR, 9000), ("udp", NVR, 9003)):
        yield


def counters(daemon, mapping):
    return daemon.mapping(mapping["id"])["counters"]


def test_zero_at_first(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80")
    assert counters(daemon, mapping) == {"packets": 0, "bytes": 0, "connections": 0}


def test_datagrams(site, daemon):
    """Each call is one datagram of 5 bytes there and one back, and a connection of its own."""
    mapping = daemon.add("8888", f"{CAMERA}:80", "--proto", "udp")
    other = daemon.add("8889", f"{CAMERA}:80", "--proto", "udp")
    for _ in range(4):
        assert call(site.outside, GATEWAY, 8888, "udp")
    seen = counters(daemon, mapping)
    assert seen["connections"] == 4 and seen["packets"] == 8
    assert seen["bytes"] > 4 * (28 + 5 + 28 + 40)
    assert counters(daemon, other)["packets"] == 0


def test_bytes_of_a_stream(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80")
    connection, _ = connect(site.outside, GATEWAY, 8888)
    with connection:
        for _ in range(10):
            assert talk(connection, b"x" * 50000)
    seen = counters(daemon, mapping)
    assert seen["connections"] == 1
    assert seen["bytes"] > 1000000


def test_restricted(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80", "--proto", "udp", "--from", "198.51.100.0/24")
    assert call(site.outside, GATEWAY, 8888, "udp", source=TRUSTED)
    assert not call(site.outside, GATEWAY, 8888, "udp")
    assert counters(daemon, mapping)["connections"] == 1
    assert counters(daemon, mapping)["packets"] == 2


def test_range_adds_up(site, daemon):
    mapping = daemon.add("8000-8003", f"{NVR}:9000", "--proto", "udp")
    for port in (8000, 8003, 8003):
        assert call(site.outside, GATEWAY, port, "udp")
    assert counters(daemon, mapping)["packets"] == 6


def test_hairpinned_count_too(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80", "--proto", "udp")
    assert call(site.laptop, GATEWAY, 8888, "udp")
    assert counters(daemon, mapping)["packets"] == 2


def test_survive_a_restart(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80", "--proto", "udp")
    assert call(site.outside, GATEWAY, 8888, "udp")
    before = counters(daemon, mapping)
    daemon.restart()
    assert counters(daemon, mapping) == before
