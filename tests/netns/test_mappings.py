# SPDX-License-Identifier: GPL-2.0-or-later
"""A mapping lets in what it says and nothing else."""
import socket

import pytest

from namespaces import CAMERA, ELSEWHERE, GATEWAY, NVR, SERVERS, wait_until
from witness import Witness, call


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("tcp", CAMERA, 554), ("udp", CAMERA, 554),
                 ("tcp", CAMERA, 81)), \
            Witness(site.nvr, ("tcp", NVR, 80)), \
            Witness(site.servers, *[("tcp", address, port)
                                    for address, port in zip(SERVERS, (8080, 8090, 8091))]):
        yield


def test_tcp(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80", "--name", "Front door, web")
    assert mapping["external_port"] == "8888" and mapping["protocol"] == "tcp"
    reply = call(site.outside, GATEWAY, 8888)
    assert reply and reply.name == "camera"
    assert reply.at == (CAMERA, 80)
    assert reply.seen == reply.local, "the device sees who really called"


def test_nothing_else_is_open(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.outside, GATEWAY, 8889).outcome == "silence"
    assert call(site.outside, GATEWAY, 80).outcome == "silence"
    assert call(site.outside, GATEWAY, 8888, "udp").outcome == "silence"
    assert call(site.outside, CAMERA, 80).outcome == "silence", "the private address"


def test_udp(site, daemon):
    daemon.add("5540", f"{CAMERA}:554", "--proto", "udp")
    reply = call(site.outside, GATEWAY, 5540, "udp")
    assert reply and reply.at == (CAMERA, 554) and reply.seen == reply.local
    assert call(site.outside, GATEWAY, 5540, "tcp").outcome == "silence"


def test_both(site, daemon):
    daemon.add("5540", f"{CAMERA}:554", "--proto", "both")
    for protocol in ("tcp", "udp"):
        reply = call(site.outside, GATEWAY, 5540, protocol)
        assert reply and reply.at == (CAMERA, 554)


def test_same_port_of_each_protocol_to_different_devices(site, daemon):
    daemon.add("5540", f"{CAMERA}:554", "--proto", "udp")
    daemon.add("5540", f"{NVR}:80", "--proto", "tcp")
    assert call(site.outside, GATEWAY, 5540, "udp").name == "camera"
    assert call(site.outside, GATEWAY, 5540, "tcp").name == "nvr"


def test_several_servers_behind_one_address(site, daemon):
    for external, internal in ((8080, "192.168.2.101:8080"), (8090, "192.168.2.102:8090"),
                               (8091, "192.168.2.103:8091")):
        daemon.add(external, internal)
        host, _, port = internal.partition(":")
        assert call(site.outside, GATEWAY, external).at == (host, int(port))


def test_two_external_ports_lead_to_one_endpoint(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    daemon.add("9999", f"{CAMERA}:80")
    for port in (8888, 9999):
        assert call(site.outside, GATEWAY, port).at == (CAMERA, 80)


def test_delete(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80")
    daemon.cli("delete", mapping["id"])
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"
    assert daemon.mappings() == []


def test_delete_by_tuple(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    daemon.cli("delete", "tcp/8888")
    assert daemon.mappings() == []


def test_set_moves_it(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80")
    daemon.cli("set", mapping["id"], "external_port=8887")
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"
    assert call(site.outside, GATEWAY, 8887).at == (CAMERA, 80)
    daemon.cli("set", mapping["id"], f"internal_client={NVR}")
    assert call(site.outside, GATEWAY, 8887).name == "nvr"
    daemon.cli("set", mapping["id"], f"internal_client={CAMERA}", "internal_port=81")
    assert call(site.outside, GATEWAY, 8887).at == (CAMERA, 81)
    assert daemon.mapping(mapping["id"])["version"] == mapping["version"] + 3


def test_disabled_drops_in_silence(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80", "--disabled")
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"
    daemon.cli("enable", mapping["id"])
    assert call(site.outside, GATEWAY, 8888)
    daemon.cli("disable", mapping["id"])
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("firewall", ["on", "off"])
def test_disabled_refuses_at_once(site, make_daemon, protocol, firewall):
    daemon = make_daemon(firewall=firewall)
    mapping = daemon.add("8888", f"{CAMERA}:554", "--proto", "both", "--disabled=refuse")
    reply = call(site.outside, GATEWAY, 8888, protocol)
    assert reply.outcome == "refused"
    assert reply.seconds < 0.1
    daemon.cli("enable", mapping["id"])
    assert call(site.outside, GATEWAY, 8888, protocol)
    daemon.cli("disable", mapping["id"], "--refuse")
    assert call(site.outside, GATEWAY, 8888, protocol).outcome == "refused"


def test_tcp_refusal_is_a_reset(site, daemon):
    """Not an ICMP error, which some clients wait out: a segment with RST set."""
    daemon.add("8888", f"{CAMERA}:80", "--disabled=refuse")
    with site.outside.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as wire:
        wire.settimeout(1)
        assert call(site.outside, GATEWAY, 8888).outcome == "refused"
        while True:
            packet = wire.recv(2048)
            segment = packet[(packet[0] & 15) * 4:]
            if packet[9] == 6 and segment[:2] == (8888).to_bytes(2, "big"):
                assert segment[13] & 4, "RST"
                return
            assert packet[9] != 1 or packet[12:16] != socket.inet_aton(GATEWAY), "an ICMP error"


def test_disabled_drop_is_silent_without_firewall(site, make_daemon):
    daemon = make_daemon(firewall="off")
    daemon.add("8888", f"{CAMERA}:80", "--disabled")
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"


def test_expires(site, daemon):
    with daemon.api() as api:
        status, mapping, _ = api.ask("POST", "/api/v1/mappings", {
            "external_port": "8888", "internal_client": CAMERA, "internal_port": "80",
            "lifetime": 2})
    assert status == 201 and 0 < mapping["lifetime"] <= 2
    assert call(site.outside, GATEWAY, 8888)
    wait_until("the lease to end", lambda: not daemon.mappings(), timeout=5)
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"


def test_hundred_in_one_import(site, daemon):
    mappings = [{"external_port": str(10000 + i), "internal_client": CAMERA, "internal_port": "80"}
                for i in range(100)]
    with daemon.api() as api:
        status, answer, _ = api.ask("POST", "/api/v1/import", {"mappings": mappings})
    assert status == 200 and answer["added"] == 100, answer
    for port in (10000, 10050, 10099):
        assert call(site.outside, GATEWAY, port).at == (CAMERA, 80)
    assert call(site.outside, GATEWAY, 10100, source=ELSEWHERE).outcome == "silence"
