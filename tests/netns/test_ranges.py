# SPDX-License-Identifier: GPL-2.0-or-later
"""Port ranges: 1:1 with an offset, at a cost that does not grow with their width."""
import pytest

from namespaces import CAMERA, GATEWAY, NVR
from ruleset import elements
from witness import Witness, call


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    ports = [9000, 9001, 9002, 9003, 9004, 8999, 1025, 3456, 40000, 61024, 5000, 5006]
    with Witness(site.nvr, *[(protocol, NVR, port) for port in ports for protocol in ("tcp", "udp")]):
        yield


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_shifted(site, daemon, protocol):
    daemon.add("8000-8003", f"{NVR}:9000", "--proto", protocol)
    for offset in range(4):
        reply = call(site.outside, GATEWAY, 8000 + offset, protocol)
        assert reply and reply.at == (NVR, 9000 + offset) and reply.seen == reply.local
    assert call(site.outside, GATEWAY, 7999, protocol).outcome == "silence"
    assert call(site.outside, GATEWAY, 8004, protocol).outcome == "silence"


def test_range_written_on_both_sides(site, daemon):
    mapping = daemon.add("8000-8003", f"{NVR}:9000-9003")
    assert mapping["internal_port"] == "9000-9003"
    assert call(site.outside, GATEWAY, 8003).at == (NVR, 9003)


def test_60000_ports(site, daemon):
    """The range's ends, its middle, and what lies beside; and how little it took. It begins behind 5351,
    which is Portwright's own."""
    daemon.add("5352-65351", f"{NVR}:1025", "--proto", "both")
    for internal in (1025, 3456, 40000):
        for protocol in ("tcp", "udp"):
            reply = call(site.outside, GATEWAY, internal - 1025 + 5352, protocol)
            assert reply and reply.at == (NVR, internal), (internal, protocol)
    reply = call(site.outside, GATEWAY, 65351)
    assert reply and reply.at == (NVR, 61024)
    assert call(site.outside, GATEWAY, 5350).outcome == "silence"
    assert call(site.outside, GATEWAY, 65352).outcome == "silence"
    text = site.gateway.nft("list", "table", "inet", "portwright")
    total = sum(len(elements(text, name)) for name in ("open4", "wide4", "source4",
                                                       "source_range4", "traffic_wide4"))
    assert total <= 150, "the number of elements must not follow the number of ports"


def test_ranges_that_are_not_powers_of_two(site, daemon):
    """5003-5009 -> 5000-5006: blocks of unequal size, no port lost or doubled."""
    daemon.add("5003-5009", f"{NVR}:5000")
    assert call(site.outside, GATEWAY, 5003).at == (NVR, 5000)
    assert call(site.outside, GATEWAY, 5009).at == (NVR, 5006)
    assert call(site.outside, GATEWAY, 5002).outcome == "silence"
    assert call(site.outside, GATEWAY, 5010).outcome == "silence"


def test_every_port_of_a_range(site, daemon):
    with Witness(site.camera, *[("udp", CAMERA, 20000 + i) for i in range(300)]):
        daemon.add("30001-30300", f"{CAMERA}:20000", "--proto", "udp")
        for i in range(300):
            assert call(site.outside, GATEWAY, 30001 + i, "udp").at == (CAMERA, 20000 + i)


def test_unshifted_range(site, daemon):
    daemon.add("9000-9003", f"{NVR}:9000")
    for port in range(9000, 9004):
        assert call(site.outside, GATEWAY, port).at == (NVR, port)


def test_disabled_range_refuses(site, daemon):
    daemon.add("8000-8003", f"{NVR}:9000", "--disabled=refuse")
    for port in (8000, 8003):
        assert call(site.outside, GATEWAY, port).outcome == "refused"
    assert call(site.outside, GATEWAY, 8004).outcome == "silence"


def test_range_beside_single_ports(site, daemon):
    with Witness(site.camera, ("tcp", CAMERA, 80)):
        daemon.add("8000-8003", f"{NVR}:9000")
        daemon.add("7999", f"{CAMERA}:80")
        daemon.add("8004", f"{CAMERA}:80")
        assert call(site.outside, GATEWAY, 7999).name == "camera"
        assert call(site.outside, GATEWAY, 8000).name == "nvr"
        assert call(site.outside, GATEWAY, 8004).name == "camera"
