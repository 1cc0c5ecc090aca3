# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 pinholes: permission without translation, behind a default deny."""
import pytest

from namespaces import CAMERA6, ELSEWHERE6, LAPTOP6, OUTSIDE6
from witness import Witness, call, connect, is_alive


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    ports = (443, 444, 9000, 9001, 9002, 9003)
    with Witness(site.camera, *[(protocol, CAMERA6, port) for port in ports
                                for protocol in ("tcp", "udp")]):
        yield


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_opens_one_port(site, daemon, protocol):
    mapping = daemon.add(f"[{CAMERA6}]:443", "--proto", protocol)
    assert mapping["internal_client"] == CAMERA6 and mapping["internal_port"] == "443"
    reply = call(site.outside, CAMERA6, 443, protocol)
    assert reply and reply.seen == reply.local and reply.at == (CAMERA6, 443)
    assert call(site.outside, CAMERA6, 444, protocol).outcome == "silence"
    other = "udp" if protocol == "tcp" else "tcp"
    assert call(site.outside, CAMERA6, 443, other).outcome == "silence"
    assert call(site.outside, LAPTOP6, 443, protocol).outcome == "silence"


def test_range(site, daemon):
    daemon.add(f"[{CAMERA6}]:9000-9003", "--proto", "both")
    for port in range(9000, 9004):
        assert call(site.outside, CAMERA6, port)
        assert call(site.outside, CAMERA6, port, "udp")
    assert call(site.outside, CAMERA6, 8999).outcome == "silence"
    assert call(site.outside, CAMERA6, 9004).outcome == "silence"


def test_for_some(site, daemon):
    daemon.add(f"[{CAMERA6}]:443", "--from", f"{OUTSIDE6}")
    assert call(site.outside, CAMERA6, 443, source=OUTSIDE6)
    assert call(site.outside, CAMERA6, 443, source=ELSEWHERE6).outcome == "silence"


def test_delete_ends_connections(site, daemon):
    mapping = daemon.add(f"[{CAMERA6}]:443")
    connection, _ = connect(site.outside, CAMERA6, 443)
    with connection:
        assert is_alive(connection)
        daemon.cli("delete", mapping["id"])
        assert not is_alive(connection)
    assert call(site.outside, CAMERA6, 443).outcome == "silence"


def test_disabled_refuses(site, daemon):
    daemon.add(f"[{CAMERA6}]:443", "--disabled=refuse", "--proto", "both")
    for protocol in ("tcp", "udp"):
        reply = call(site.outside, CAMERA6, 443, protocol)
        assert reply.outcome == "refused" and reply.seconds < 0.1


def test_limit(site, daemon):
    daemon.add(f"[{CAMERA6}]:443", "--max-connections", "1")
    connection, _ = connect(site.outside, CAMERA6, 443)
    with connection:
        assert call(site.outside, CAMERA6, 443).outcome == "silence"


def test_counters(site, daemon):
    mapping = daemon.add(f"[{CAMERA6}]:443", "--proto", "udp")
    for _ in range(3):
        assert call(site.outside, CAMERA6, 443, "udp")
    counters = daemon.mapping(mapping["id"])["counters"]
    assert counters["connections"] == 3 and counters["packets"] == 6
