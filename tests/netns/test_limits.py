# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits: connections at once, and new connections a second, of one mapping."""
import contextlib

import pytest

from namespaces import CAMERA, GATEWAY, wait_until
from witness import Witness, call, connect, is_alive


@pytest.fixture(scope="module", autouse=True)
def witness(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("udp", CAMERA, 80)) as witness:
        yield witness


def test_max_connections(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--max-connections", "3")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(site.outside, GATEWAY, 8888)[0]) for _ in range(3)]
        assert call(site.outside, GATEWAY, 8888).outcome == "silence"
        assert all(is_alive(connection) for connection in held), "the limit is for new ones"


def test_max_connections_frees_a_place(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--max-connections", "1")
    first, _ = connect(site.outside, GATEWAY, 8888)
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"
    # A reset ends the connection for conntrack at once (a FIN would wait in TIME_WAIT).
    first.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SOL_SOCKET, SO_LINGER: on, 0 s
    first.close()
    wait_until("a free place", lambda: call(site.outside, GATEWAY, 8888), timeout=15)


def test_limits_are_each_mappings_own(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--max-connections", "1")
    daemon.add("8889", f"{CAMERA}:80")
    first, _ = connect(site.outside, GATEWAY, 8888)
    with first:
        assert call(site.outside, GATEWAY, 8888).outcome == "silence"
        for _ in range(5):
            assert call(site.outside, GATEWAY, 8889)


def test_limit_lifted(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80", "--max-connections", "1")
    first, _ = connect(site.outside, GATEWAY, 8888)
    with first:
        assert call(site.outside, GATEWAY, 8888).outcome == "silence"
        daemon.cli("set", mapping["id"], "max_connections=")
        assert call(site.outside, GATEWAY, 8888)
        assert is_alive(first)


def burst(site, number):
    """How many of a burst of datagrams from different ports are answered."""
    return sum(bool(call(site.outside, GATEWAY, 8888, "udp", timeout=0.03)) for _ in range(number))


def test_rate(site, daemon):
    """10/s: of 60 new flows within two seconds some 25 pass (the kernel also lets a burst of 5
    through); never all, never none."""
    daemon.add("8888", f"{CAMERA}:80", "--proto", "udp", "--rate", "10/s")
    assert 5 <= burst(site, 60) <= 45


def test_rate_spares_established(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--rate", "2/s")
    connection, _ = connect(site.outside, GATEWAY, 8888)
    with connection:
        assert all(is_alive(connection) for _ in range(200))
