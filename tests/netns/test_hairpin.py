# SPDX-License-Identifier: GPL-2.0-or-later
"""Hairpinning: the public address works from the LAN as it does from outside (RFC 4787 REQ-9)."""
import pytest

from namespaces import CAMERA, GATEWAY, LAPTOP, NVR, SERVERS
from witness import Witness, call


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("udp", CAMERA, 80)), \
            Witness(site.nvr, ("tcp", NVR, 9002)):
        yield


@pytest.mark.parametrize("firewall", ["on", "off"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_from_the_same_lan(site, make_daemon, protocol, firewall):
    daemon = make_daemon(firewall=firewall)
    daemon.add("8888", f"{CAMERA}:80", "--proto", "both")
    reply = call(site.laptop, GATEWAY, 8888, protocol)
    assert reply and reply.at == (CAMERA, 80)
    assert reply.seen[0] == GATEWAY, "the device sees the external address, so it answers to us"


def test_from_another_lan(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    reply = call(site.servers, GATEWAY, 8888, source=SERVERS[0])
    assert reply and reply.seen[0] == GATEWAY


@pytest.mark.parametrize("bridge_netfilter", [0, 1])
def test_inside_a_bridge(site, daemon, bridge_netfilter):
    """With br_netfilter (Docker loads it) the packet is turned round inside the bridge."""
    site.gateway.sysctl(f"net.bridge.bridge-nf-call-iptables={bridge_netfilter}")
    daemon.add("8888", f"{CAMERA}:80", "--proto", "both")
    for protocol in ("tcp", "udp"):
        assert call(site.laptop, GATEWAY, 8888, protocol).seen[0] == GATEWAY
    site.gateway.sysctl("net.bridge.bridge-nf-call-iptables=0")


def test_a_device_reaches_itself(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    reply = call(site.camera, GATEWAY, 8888)
    assert reply and reply.name == "camera"


def test_from_the_gateway_itself(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.gateway, GATEWAY, 8888).at == (CAMERA, 80)


def test_shifted_range(site, daemon):
    daemon.add("8000-8003", f"{NVR}:9000")
    assert call(site.laptop, GATEWAY, 8002).at == (NVR, 9002)


def test_external_source_port_of_a_mapped_endpoint(site, daemon):
    """Both ends are mapped: each sees the other's external address *and* port."""
    daemon.add("8888", f"{CAMERA}:80", "--proto", "udp")
    daemon.add("7777", f"{LAPTOP}:5000", "--proto", "udp")
    reply = call(site.laptop, GATEWAY, 8888, "udp", source=LAPTOP, source_port=5000)
    assert reply and reply.seen == (GATEWAY, 7777)


def test_restriction_holds_from_inside(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--from", "198.51.100.0/24")
    assert not call(site.laptop, GATEWAY, 8888)


def test_unmapped_port_stays_closed(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.laptop, GATEWAY, 8889).outcome == "refused"


def test_switched_off(site, make_daemon):
    daemon = make_daemon(firewall="on", hairpin="off")
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.outside, GATEWAY, 8888)
    assert not call(site.laptop, GATEWAY, 8888)
