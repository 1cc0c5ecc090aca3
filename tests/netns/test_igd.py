# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the gateway device does: each action of its services, each error code, and what becomes of the packets.
Clauses are those of WANIPConnection:1 and :2, WANCommonInterfaceConfig:1 and WANIPv6FirewallControl:1.
"""
import contextlib
import re
import time

import pytest

from igd import (DEVICE, FIREWALL, FORWARDING, HTTP_PORT, LAN_GATEWAY6, WAN_COMMON, WAN_IP, WAN_PPP,
                 Igd, exchange, format_request)
from namespaces import (CAMERA, CAMERA6, ELSEWHERE, GATEWAY, LAPTOP, LAPTOP6, NVR, OUTSIDE6,
                        TRUSTED, wait_until)
from witness import Witness, call


@pytest.fixture
def make_gateway(make_daemon):
    """Like make_daemon, with the device at HTTP_PORT."""
    def make(**keys):
        return make_daemon(**{"firewall": "on", "igd.http-port": HTTP_PORT, **keys})
    return make


@pytest.fixture
def gateway(make_gateway):
    return make_gateway()


@pytest.fixture
def igd(site, gateway):
    return Igd(site.laptop)


@pytest.fixture
def camera(site, gateway):
    return Igd(site.camera)


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.laptop, ("tcp", LAPTOP, 80), ("udp", LAPTOP, 80), ("tcp", LAPTOP, 81),
                 ("tcp", LAPTOP6, 8080), ("udp", LAPTOP6, 8080)):
        yield


# --- AddPortMapping -----------------------------------------------------------------------------

@pytest.mark.parametrize("version", [1, 2])
def test_add_find_delete(site, gateway, igd, version):
    """2.5.16, 2.5.15, 2.5.18: a mapping comes into force with the answer, and goes with it."""
    assert igd.add(8080, 80, LAPTOP, version=version, name="camera <&> ä") == {}
    assert call(site.outside, GATEWAY, 8080).at == (LAPTOP, 80)
    found = igd.find(8080, version=version)
    assert found.pop("NewLeaseDuration") in ("3599", "3600")
    assert found == {"NewInternalPort": "80", "NewInternalClient": LAPTOP, "NewEnabled": "1",
                     "NewPortMappingDescription": "camera <&> ä"}
    mapping, = gateway.mappings()
    assert (mapping["origin"], mapping["owner"]) == ("upnp", LAPTOP)
    assert igd.delete(8080, version=version) == {}
    assert igd.find(8080, version=version) == 714
    assert call(site.outside, GATEWAY, 8080).outcome == "silence"


def test_empty_client_is_the_caller(gateway, igd):
    assert igd.add(8080, 80) == {}
    assert gateway.mappings()[0]["internal_client"] == LAPTOP


def test_overwrite(site, gateway, igd):
    """2.4.16: the same remote host, external port, protocol and client: overwritten in place."""
    assert igd.add(8080, 80, name="one") == {}
    assert igd.add(8080, 81, name="two", lease=600) == {}
    mapping, = gateway.mappings()
    assert (mapping["internal_port"], mapping["name"], mapping["version"]) == ("81", "two", 2)
    assert call(site.outside, GATEWAY, 8080).at == (LAPTOP, 81)
    assert int(igd.find(8080)["NewLeaseDuration"]) <= 600


@pytest.mark.parametrize("version, code", [(1, 718), (2, 718)])
def test_conflict_with_upnp(gateway, igd, camera, version, code):
    """Another client's: 718 in either version."""
    assert igd.add(8080, 80) == {}
    assert camera.add(8080, 80, version=version) == code
    assert camera.add(8080, 80, protocol="UDP", version=version) == {}
    assert len(gateway.mappings()) == 2


@pytest.mark.parametrize("version, code", [(1, 718), (2, 729)])
def test_conflict_with_the_operator(gateway, igd, version, code):
    """Another mechanism's: 729 in version 2."""
    gateway.add("8080", f"{CAMERA}:80")
    gateway.add("9000-9003", f"{CAMERA}:9000")
    for port in (8080, 9000, 9002):
        assert igd.add(port, 80, version=version) == code
    assert len(gateway.mappings()) == 2


@pytest.mark.parametrize("version, code", [(1, 718), (2, 729)])
def test_conflict_with_the_gateway_itself(site, gateway, igd, version, code):
    with Witness(site.gateway, ("tcp", GATEWAY, 8080)):
        assert igd.add(8080, 80, version=version) == code


def test_what_the_operator_mapped_already(gateway, igd):
    """Exactly what is asked for is in force: a success that changes nothing. Anything else is not."""
    gateway.add("8080", f"{LAPTOP}:80", "--name", "Front door")
    gateway.add("8081", f"{LAPTOP}:81", "--from", TRUSTED)
    gateway.add("8082", f"{LAPTOP}:82", "--disabled")
    gateway.add("8083", f"{LAPTOP}:83", "--expires", "5m")
    before = gateway.export()
    assert igd.add(8080, 80, version=2) == {}
    assert igd.add(8080, 80, version=1, lease=0) == {}
    assert igd.add(8080, 81, version=2) == 729
    assert igd.add(8081, 81, version=2) == 729
    assert igd.add(8082, 82, version=2) == 729
    assert igd.add(8083, 83, version=2) == 729
    assert igd.add(8083, 83, version=2, lease=60) == {}
    assert re.sub(r'"expires":\S+', "", gateway.export()) == re.sub(r'"expires":\S+', "", before)


def test_wildcards(gateway, igd):
    """716 for any external port, 732 (402 in version 1) for any internal one."""
    for port in (0, "*"):
        for version in (1, 2):
            assert igd.add(port, 80, version=version) == 716
        assert igd.add(8080, port, version=1) == 402
        assert igd.add(8080, port, version=2) == 732
    assert gateway.mappings() == []


def test_clients_that_cannot_be(gateway, igd):
    """Names are not resolved; and no address but that of a host can be mapped to."""
    for client in ("laptop", "localhost", "192.168.69", "0xc0a84514", LAPTOP6, "192.168.69.256",
                   "192.168.69.20/32", "192.168.69.20:80"):
        assert igd.add(8080, 80, client) == 402
    for client in ("255.255.255.255", "192.168.69.255", "192.168.69.1", "127.0.0.1", "224.0.0.1",
                   "0.0.0.0", GATEWAY):
        assert igd.add(8080, 80, client, version=2) in (402, 606)
    assert gateway.mappings() == []


def test_remote_host(site, gateway, igd):
    """2.2.15: a specific one is enforced; empty matches only empty."""
    assert igd.add(8080, 80, remote=TRUSTED) == {}
    assert call(site.outside, GATEWAY, 8080, source=TRUSTED)
    assert call(site.outside, GATEWAY, 8080, source=ELSEWHERE).outcome == "silence"
    assert igd.find(8080) == 714
    assert igd.find(8080, remote=ELSEWHERE) == 714
    assert igd.find(8080, remote=TRUSTED)["NewInternalPort"] == "80"
    assert igd.entry(0)["NewRemoteHost"] == TRUSTED
    assert igd.add(8080, 81, remote=ELSEWHERE) == {}
    assert igd.add(8080, 81) == 718
    assert igd.delete(8080) == 714
    assert igd.delete(8080, remote=TRUSTED) == {}
    assert igd.find(8080, remote=ELSEWHERE)["NewInternalPort"] == "81"


def test_remote_host_that_cannot_be(gateway, igd):
    for remote in ("www.example.com", "203.0.113", LAPTOP6, "203.0.113.0/24", "**"):
        assert igd.add(8080, 80, remote=remote) == 402
    assert gateway.mappings() == []


def test_disabled_is_refused(gateway, igd):
    """A mapping is made enabled or not at all."""
    for version in (1, 2):
        assert igd.add(8080, 80, enabled=0, version=version) == 501


def test_description_bytes(gateway, igd):
    """Every character that XML can carry and a name can have comes back as it was; others are
    refused; a name that is too long is refused and not cut."""
    text = "".join(map(chr, range(0x20, 0x7f))) + "äß€\U0001f4f7"
    assert igd.add(8080, 80, name=text) == {}
    assert igd.find(8080)["NewPortMappingDescription"] == text.strip()
    assert igd.entry(0)["NewPortMappingDescription"] == text.strip()
    assert gateway.mappings()[0]["name"] == text.strip()
    listing = igd.call(WAN_IP + ":2", "GetListOfPortMappings", {
        "NewStartPort": 1, "NewEndPort": 65535, "NewProtocol": "TCP", "NewManage": 0,
        "NewNumberOfPorts": 0}).values["NewPortListing"]
    assert "<script" not in listing and text.strip().replace("&", "&amp;").replace(
        "<", "&lt;").replace(">", "&gt;").replace('"', "&quot;") in listing.replace("&#39;", "'")
    assert igd.add(8081, 80, name="a\nb\tc") == 402
    assert igd.add(8081, 80, name="\x7f") == 402
    assert igd.add(8081, 80, name="x" * 128) == {}
    assert igd.add(8082, 80, name="x" * 129, version=1) == 402
    assert igd.add(8082, 80, name="x" * 129, version=2) == 605
    assert igd.add(8082, 80, name="") == {}


@pytest.mark.parametrize("version", [1, 2])
def test_lease_zero(make_gateway, site, version):
    """Static in version 1, 604800 in version 2; within what the policy grants."""
    gateway = make_gateway(**{"policy.max-lifetime": 700000})
    igd = Igd(site.laptop)
    assert igd.add(8080, 80, lease=0, version=version) == {}
    left = int(igd.find(8080)["NewLeaseDuration"])
    assert (695000 < left <= 700000) if version == 1 else (604790 <= left <= 604800)
    assert gateway.mappings()[0]["lifetime"] in (left, left - 1)


def test_lease_ends(site, gateway, igd):
    """Listings tell the time that remains, and at its end the mapping is gone."""
    assert igd.add(8080, 80, lease=2) == {}
    assert call(site.outside, GATEWAY, 8080)
    assert igd.find(8080)["NewLeaseDuration"] in ("1", "2")
    wait_until("the end of the lease", lambda: igd.find(8080) == 714, timeout=4)
    assert call(site.outside, GATEWAY, 8080).outcome == "silence"


# --- the policy ---------------------------------------------------------------------------------

def test_own_address_only(make_gateway, site):
    """CVE-2016-6255 and kin: a device maps to itself. 606 in version 2, 718 in version 1."""
    make_gateway()
    igd = Igd(site.laptop)
    for client in (CAMERA, NVR, "192.168.2.101"):
        assert igd.add(8080, 80, client, version=1) == 718
        assert igd.add(8080, 80, client, version=2) == 606
        assert igd.add(8080, 80, client, version=2, action="AddAnyPortMapping") == 606


def test_ports_kept_from_devices(make_gateway, site):
    make_gateway()
    igd = Igd(site.laptop)
    assert igd.add(80, 8080, version=2) == 606
    assert igd.add(1023, 8080, version=1) == 718
    for internal in (22, 23, 445, 3389, 5900):
        assert igd.add(8080, internal, version=2) == 606
    assert igd.add(1024, 8080, version=2) == {}


def test_quota(make_gateway, site):
    """501 in version 1; version 2 has 728."""
    gateway = make_gateway(**{"policy.max-mappings-per-client": 3})
    igd = Igd(site.laptop)
    for port in (8001, 8002, 8003):
        assert igd.add(port) == {}
    assert igd.add(8004, version=1) == 501
    assert igd.add(8004, version=2) == 728
    assert igd.add(8004, version=2, action="AddAnyPortMapping") == 728
    assert igd.add(8003, 80) == {}  # its own
    assert len(gateway.mappings()) == 3
    assert Igd(site.camera).add(8004) == {}


def test_quarantine(make_gateway, site):
    """A refusal until the operator approves; not listed before."""
    gateway = make_gateway(**{"policy.quarantine": "on"})
    igd = Igd(site.laptop)
    assert igd.add(8080, 80, version=2) == 606
    assert igd.add(8080, 80, version=1) == 718
    assert igd.entry(0) == 713 and igd.find(8080) == 714
    mapping, = gateway.mappings()
    gateway.cli("approve", mapping["id"])
    assert igd.add(8080, 80, version=2) == {}
    assert call(site.outside, GATEWAY, 8080).at == (LAPTOP, 80)


def test_disabled_by_the_operator(gateway, igd):
    assert igd.add(8080, 80) == {}
    gateway.cli("disable", "tcp/8080")
    assert igd.find(8080)["NewEnabled"] == "0"
    assert igd.add(8080, 80, version=2) == 606
    assert igd.find(8080)["NewEnabled"] == "0"


# --- AddAnyPortMapping --------------------------------------------------------------------------

def any_port(igd, external, internal=80, **options):
    answer = igd.add(external, internal, version=2, action="AddAnyPortMapping", **options)
    return int(answer["NewReservedPort"]) if isinstance(answer, dict) else answer


def test_add_any(site, gateway, igd, camera):
    """2.5.17: the port if it is free, another one if not; 0 and * ask for any."""
    assert any_port(igd, 8080) == 8080
    other = any_port(camera, 8080)
    assert other != 8080 and 1024 <= other <= 65535
    assert any_port(igd, 8080, 81) == 8080  # its own is overwritten
    free = any_port(igd, 0, 81), any_port(igd, "*", 82), any_port(igd, 80)
    assert len({*free, 8080, other}) == 5 and min(free) >= 1024
    assert call(site.outside, GATEWAY, free[0]).at == (LAPTOP, 81)
    assert len(gateway.mappings()) == 5


def test_add_any_is_of_version_2(igd):
    answer = igd.call(WAN_IP + ":1", "AddAnyPortMapping", {})
    assert (answer.status, answer.code) == (500, 401)


# --- deleting -----------------------------------------------------------------------------------

def test_delete_what_is_not_there(gateway, igd):
    for port in (0, 8080, 65535):
        assert igd.delete(port, version=1) == 714
        assert igd.delete(port, version=2) == 714


def test_delete_what_is_anothers(gateway, igd, camera):
    """606 in version 2; in version 1 it is as if it were not there."""
    assert camera.add(8080, 80) == {}
    gateway.add("8081", f"{LAPTOP}:81")
    for port in (8080, 8081):
        assert igd.delete(port, version=1) == 714
        assert igd.delete(port, version=2) == 606
    assert len(gateway.mappings()) == 2


def delete_range(igd, first, last, protocol="TCP", manage=0):
    answer = igd.call(WAN_IP + ":2", "DeletePortMappingRange", {
        "NewStartPort": first, "NewEndPort": last, "NewProtocol": protocol, "NewManage": manage})
    return answer.code or answer.values


@pytest.mark.parametrize("manage", [0, 1])
def test_delete_range(gateway, igd, camera, manage):
    """2.5.19: what may not be deleted is passed over; 730 for nothing, 733 for upside down."""
    for port in (8000, 8001, 8010, 9000):
        assert igd.add(port, 80) == {}
    assert igd.add(8001, 80, protocol="UDP") == {}
    assert camera.add(8005, 80) == {}
    gateway.add("8006", f"{LAPTOP}:81")
    assert delete_range(igd, 8010, 8000, manage=manage) == 733
    assert delete_range(igd, 8005, 8009, manage=manage) == 730
    assert delete_range(igd, 8000, 8010, manage=manage) == {}
    assert delete_range(igd, 8000, 8010, manage=manage) == 730
    assert sorted((m["external_port"], m["protocol"]) for m in gateway.mappings()) == [
        ("8001", "udp"), ("8005", "tcp"), ("8006", "tcp"), ("9000", "tcp")]


# --- listing ------------------------------------------------------------------------------------

def test_array(gateway, igd, camera):
    """The operator's mappings and everybody else's, a protocol an entry, ranges by their first port;
    the walk ends with 713."""
    gateway.add("8000-8003", f"{CAMERA}:9000", "--name", "range")
    gateway.add("443", f"{NVR}:443", "--proto", "both")
    gateway.add("7000", f"{NVR}:7000", "--disabled")
    gateway.add(f"[{CAMERA6}]:443")  # a pinhole is none
    gateway.add("7001", f"{NVR}:7001", "--from", "198.51.100.0/24")
    assert igd.add(8080, 80, protocol="UDP") == {}
    entries = igd.entries()
    shown = [(e["NewExternalPort"], e["NewProtocol"], e["NewInternalClient"],
              e["NewInternalPort"], e["NewEnabled"], e["NewRemoteHost"]) for e in entries]
    assert shown == [("8000", "TCP", CAMERA, "9000", "1", ""),
                     ("443", "TCP", NVR, "443", "1", ""), ("443", "UDP", NVR, "443", "1", ""),
                     ("7000", "TCP", NVR, "7000", "0", ""),
                     ("7001", "TCP", NVR, "7001", "1", "198.51.100.0/24"),
                     ("8080", "UDP", LAPTOP, "80", "1", "")]
    assert [e["NewLeaseDuration"] for e in entries[:5]] == ["0"] * 5
    assert list(entries[0]) == ["NewRemoteHost", "NewExternalPort", "NewProtocol",
                                "NewInternalPort", "NewInternalClient", "NewEnabled",
                                "NewPortMappingDescription", "NewLeaseDuration"]
    for index in (6, 7, 65535):
        assert igd.entry(index) == 713 and igd.entry(index, version=2) == 713
    assert igd.find(8002)["NewInternalPort"] == "9002"  # within a range
    gateway.cli("delete", "both/443")
    gateway.cli("set", "tcp/8000-8003", "protocol=both")
    assert [(e["NewExternalPort"], e["NewProtocol"]) for e in igd.entries()] == [
        ("8000", "TCP"), ("8000", "UDP"), ("7000", "TCP"), ("7001", "TCP"), ("8080", "UDP")]


def test_array_after_a_restart(gateway, igd):
    for port in range(8000, 8020):
        assert igd.add(port, 80, lease=0) == {}
    before = igd.entries()
    gateway.restart()
    after = igd.entries()
    assert [{**e, "NewLeaseDuration": 0} for e in after] == [
        {**e, "NewLeaseDuration": 0} for e in before]


def list_of(igd, first=0, last=65535, protocol="TCP", manage=1, number=0):
    answer = igd.call(WAN_IP + ":2", "GetListOfPortMappings", {
        "NewStartPort": first, "NewEndPort": last, "NewProtocol": protocol, "NewManage": manage,
        "NewNumberOfPorts": number})
    if answer.code:
        return answer.code
    listing = answer.values["NewPortListing"]
    assert listing.startswith("<?xml") and listing.endswith("</p:PortMappingList>")
    return [dict(re.findall(r"<p:(New\w+)>([^<]*)</p:\1>", entry))
            for entry in re.findall(r"<p:PortMappingEntry>(.*?)</p:PortMappingEntry>", listing)]


def test_list(gateway, igd, camera):
    """2.5.21: by port; the caller's own or (NewManage) all; 730 for none, 733 for upside down."""
    for port in (8003, 8001, 8002):
        assert igd.add(port, 80, name="a&b") == {}
    assert camera.add(8000, 80) == {}
    assert [e["NewExternalPort"] for e in list_of(igd)] == ["8000", "8001", "8002", "8003"]
    assert [e["NewExternalPort"] for e in list_of(igd, manage=0)] == ["8001", "8002", "8003"]
    assert [e["NewExternalPort"] for e in list_of(igd, number=2)] == ["8000", "8001"]
    assert [e["NewExternalPort"] for e in list_of(igd, 8002, 8002)] == ["8002"]
    entry = list_of(igd, 8002, 8002)[0]
    assert entry.pop("NewLeaseTime").isdigit()
    assert entry == {"NewRemoteHost": "", "NewExternalPort": "8002", "NewProtocol": "TCP",
                     "NewInternalPort": "80", "NewInternalClient": LAPTOP, "NewEnabled": "1",
                     "NewDescription": "a&amp;b"}
    assert list_of(igd, protocol="UDP") == 730
    assert list_of(igd, 9000, 9001) == 730
    assert list_of(igd, 9001, 9000) == 733


# --- the connection -----------------------------------------------------------------------------

def test_status(site, gateway, igd):
    for version in (1, 2):
        service = f"{WAN_IP}:{version}"
        status = igd.call(service, "GetStatusInfo").values
        assert status.pop("NewUptime").isdigit()
        assert status == {"NewConnectionStatus": "Connected",
                          "NewLastConnectionError": "ERROR_NONE"}
        assert igd.call(service, "GetConnectionTypeInfo").values == {
            "NewConnectionType": "IP_Routed", "NewPossibleConnectionTypes": "IP_Routed"}
        assert igd.call(service, "GetNATRSIPStatus").values == {"NewRSIPAvailable": "0",
                                                                 "NewNATEnabled": "1"}
        assert igd.call(service, "GetExternalIPAddress").values == {
            "NewExternalIPAddress": GATEWAY}
        assert igd.call(service, "RequestConnection").values == {}


def test_devices_do_not_touch_the_uplink(site, gateway, igd):
    for version, terminate, set_type in ((1, 501, 501), (2, 606, 731)):
        service = f"{WAN_IP}:{version}"
        assert igd.call(service, "ForceTermination").code == terminate
        assert igd.call(service, "SetConnectionType",
                        {"NewConnectionType": "IP_Routed"}).code == set_type
    assert call(site.laptop, "203.0.113.1", 1) is not None


def test_without_an_external_address(site, gateway, igd):
    """"" and never 0.0.0.0; nothing to connect."""
    site.gateway.ip("address", "delete", f"{GATEWAY}/24", "dev", "wan0")
    try:
        wait_until("the address to go", lambda: igd.call(
            WAN_IP + ":1", "GetExternalIPAddress").values == {"NewExternalIPAddress": ""})
        assert igd.call(WAN_IP + ":1", "GetStatusInfo").values["NewConnectionStatus"] == \
            "Disconnected"
        assert igd.call(WAN_IP + ":2", "RequestConnection").code == 704
        assert igd.add(8080, 80) == {}  # for when there is one
    finally:
        site.gateway.ip("address", "add", f"{GATEWAY}/24", "dev", "wan0")
        site.gateway.ip("route", "replace", "default", "via", "203.0.113.1")
    wait_until("the address to be back", lambda: igd.call(
        WAN_IP + ":1", "GetExternalIPAddress").values == {"NewExternalIPAddress": GATEWAY})


@pytest.mark.parametrize("address", ["10.1.2.3", "100.64.0.9"])
def test_external_address_behind_another_nat(make_gateway, site, address):
    """Told as it is."""
    make_gateway(external_address=address)
    assert Igd(site.laptop).call(WAN_IP + ":1", "GetExternalIPAddress").values == {
        "NewExternalIPAddress": address}


def test_ppp_is_echoed(igd):
    """A caller of WANPPPConnection gets answers of WANPPPConnection."""
    answer = igd.call(WAN_PPP + ":1", "GetExternalIPAddress")
    assert answer.values == {"NewExternalIPAddress": GATEWAY}
    assert f'xmlns:u="{WAN_PPP}:1"'.encode() in answer.body


def test_version_is_echoed(igd):
    for version in (1, 2):
        answer = igd.call(f"{WAN_IP}:{version}", "GetNATRSIPStatus")
        assert f'xmlns:u="{WAN_IP}:{version}"'.encode() in answer.body


def test_traffic(site, gateway, igd):
    """Real counters of the uplink."""
    def total(name):
        answer = igd.call(WAN_COMMON + ":1", f"GetTotal{name}").values
        return int(answer[f"NewTotal{name}"])

    names = ("BytesSent", "BytesReceived", "PacketsSent", "PacketsReceived")
    before = {name: total(name) for name in names}
    site.outside.run("ping", "-c", "5", "-i", "0.01", "-s", "1000", GATEWAY)
    after = {name: total(name) for name in names}
    for name in names:
        assert after[name] - before[name] >= (5 * 1000 if "Bytes" in name else 5)
    counted = site.gateway.run("cat", "/sys/class/net/wan0/statistics/tx_packets").stdout
    assert abs(total("PacketsSent") - int(counted)) < 10


def test_link(site, gateway, igd):
    properties = igd.call(WAN_COMMON + ":1", "GetCommonLinkProperties").values
    assert properties["NewWANAccessType"] == "Ethernet"
    assert properties["NewPhysicalLinkStatus"] == "Up"
    assert 0 < int(properties["NewLayer1UpstreamMaxBitRate"]) <= 4294967295


def test_default_connection(igd):
    value = igd.call(FORWARDING + ":1", "GetDefaultConnectionService").values[
        "NewDefaultConnectionService"]
    uuid, service = value.split(",")
    assert service == igd.service(WAN_IP)["serviceId"]
    assert uuid.split(":")[1].encode() in igd.description
    answer = igd.call(FORWARDING + ":1", "SetDefaultConnectionService",
                      {"NewDefaultConnectionService": value})
    assert answer.values == {}


# --- pinholes -----------------------------------------------------------------------------------

@pytest.fixture
def igd6(site, gateway):
    return Igd(site.laptop, LAN_GATEWAY6)


def pinhole(igd, client=LAPTOP6, port=8080, protocol=6, lease=3600, remote="", remote_port=0):
    answer = igd.call(FIREWALL + ":1", "AddPinhole", {
        "RemoteHost": remote, "RemotePort": remote_port, "InternalClient": client,
        "InternalPort": port, "Protocol": protocol, "LeaseTime": lease})
    return answer.code or int(answer.values["UniqueID"])


def of_pinhole(igd, action, identity, **more):
    answer = igd.call(FIREWALL + ":1", action, {"UniqueID": identity, **more})
    return answer.code or answer.values


@pytest.mark.parametrize("protocol, name", [(6, "tcp"), (17, "udp")])
def test_pinhole(site, gateway, igd6, protocol, name):
    """2.5.2 to 2.5.5: opened, used, counted, prolonged, closed."""
    assert call(site.outside, LAPTOP6, 8080, name).outcome == "silence"
    identity = pinhole(igd6, protocol=protocol)
    assert of_pinhole(igd6, "CheckPinholeWorking", identity) == 709
    assert call(site.outside, LAPTOP6, 8080, name).at == (LAPTOP6, 8080)
    time.sleep(1.1)  # counters are read once a second
    assert int(of_pinhole(igd6, "GetPinholePackets", identity)["PinholePackets"]) > 0
    assert of_pinhole(igd6, "CheckPinholeWorking", identity) == {"IsWorking": "1"}
    assert of_pinhole(igd6, "UpdatePinhole", identity, NewLeaseTime=60) == {}
    assert gateway.mappings()[0]["lifetime"] in (59, 60)
    assert of_pinhole(igd6, "DeletePinhole", identity) == {}
    assert call(site.outside, LAPTOP6, 8080, name).outcome == "silence"
    for action in ("DeletePinhole", "GetPinholePackets", "CheckPinholeWorking"):
        assert of_pinhole(igd6, action, identity) == 704
    assert of_pinhole(igd6, "UpdatePinhole", identity, NewLeaseTime=60) == 704


def test_pinhole_again(gateway, igd6):
    """The same one: the same UniqueID, another lease."""
    identity = pinhole(igd6, lease=60)
    assert pinhole(igd6, lease=600) == identity
    assert gateway.mappings()[0]["lifetime"] > 60
    assert pinhole(igd6, protocol=17) != identity
    assert pinhole(igd6, port=8081) != identity
    gateway.restart()
    assert pinhole(igd6, lease=700) == identity


def test_pinhole_for_one(site, gateway, igd6):
    identity = pinhole(igd6, remote=OUTSIDE6)
    assert call(site.outside, LAPTOP6, 8080, source=OUTSIDE6)
    assert call(site.outside, LAPTOP6, 8080, source="2001:db8:bad::66").outcome == "silence"
    assert pinhole(igd6, remote=OUTSIDE6) == identity
    assert pinhole(igd6, remote="2001:db8:bad::66") != identity


def test_pinhole_errors(gateway, igd6):
    assert pinhole(igd6, client="") == 708
    assert pinhole(igd6, client="*") == 708
    assert pinhole(igd6, port=0) == 706
    assert pinhole(igd6, port="*") == 706
    assert pinhole(igd6, protocol=65535) == 707
    assert pinhole(igd6, protocol=1) == 705
    assert pinhole(igd6, protocol=0) == 705
    assert pinhole(igd6, lease=0) == 601
    assert pinhole(igd6, lease=86401) == 601
    assert pinhole(igd6, client="laptop") == 402
    assert pinhole(igd6, client=LAPTOP) == 402
    assert pinhole(igd6, remote=LAPTOP) == 402
    assert pinhole(igd6, remote_port=5000) == 501  # the planes cannot, and nothing wider is made
    assert pinhole(igd6, client=LAN_GATEWAY6) in (402, 606)
    assert gateway.mappings() == []


def test_pinhole_policy(site, gateway, igd6, igd):
    """One's own address only: also for a caller who comes by IPv4."""
    assert pinhole(igd6, client=CAMERA6) == 606
    assert pinhole(igd) == 606
    assert pinhole(igd6, port=443) == 606  # a pinhole's external port is the device's own
    identity = pinhole(igd6)
    other = Igd(site.camera, LAN_GATEWAY6)
    for action, more in (("DeletePinhole", {}), ("UpdatePinhole", {"NewLeaseTime": 60})):
        assert of_pinhole(other, action, identity, **more) == 606
    gateway.add(f"[{LAPTOP6}]:8443")
    by_operator = int(gateway.mappings()[-1]["id"][1:])
    assert of_pinhole(igd6, "DeletePinhole", by_operator) == 606
    assert len(gateway.mappings()) == 2


def test_pinhole_quota(make_gateway, site):
    make_gateway(**{"policy.max-mappings-per-client": 2})
    igd = Igd(site.laptop, LAN_GATEWAY6)
    assert pinhole(igd, port=8081) and pinhole(igd, port=8082)
    assert pinhole(igd, port=8083) == 701


def test_pinhole_needs_the_firewall(make_gateway, site):
    make_gateway(firewall="off")
    igd = Igd(site.laptop, LAN_GATEWAY6)
    assert igd.call(FIREWALL + ":1", "GetFirewallStatus").values == {
        "FirewallEnabled": "0", "InboundPinholeAllowed": "0"}
    assert pinhole(igd) == 702


def test_firewall_status(igd6):
    assert igd6.call(FIREWALL + ":1", "GetFirewallStatus").values == {
        "FirewallEnabled": "1", "InboundPinholeAllowed": "1"}


# --- the description ----------------------------------------------------------------------------

@pytest.mark.parametrize("agent", ["Microsoft-Windows/10.0 UPnP/1.0", "FDSSDP", "x microsoft y"])
def test_face_of_version_1(site, gateway, agent):
    """Wholly: no type, service, action or variable of version 2."""
    igd = Igd(site.laptop, agent=agent)
    assert b"<minor>0</minor>" in igd.description and b":2<" not in igd.description
    assert set(igd.services) == {f"{kind}:1" for kind in (WAN_IP, WAN_COMMON, FORWARDING)}
    scpd = igd.scpd(WAN_IP)
    for word in (b"AddAnyPortMapping", b"SystemUpdateID", b"A_ARG_TYPE_Manage", b"604800"):
        assert word not in scpd
    assert igd.add(8080, 80) == {}


def test_face_of_version_2(igd):
    assert f"{DEVICE}InternetGatewayDevice:2".encode() in igd.description
    assert b"<minor>1</minor>" in igd.description and b"<major>1</major>" in igd.description
    assert WAN_IP + ":2" in igd.services and FIREWALL + ":1" in igd.services
    scpd = igd.scpd(WAN_IP)
    for word in (b"AddAnyPortMapping", b"SystemUpdateID", b"604800"):
        assert word in scpd


def test_friendly_name(make_gateway, site):
    make_gateway(**{"igd.friendly-name": "A <b> & \"c\""})
    igd = Igd(site.laptop)
    assert b"<friendlyName>A &lt;b&gt; &amp; " in igd.description


def description(site):
    """The device's; nothing while nobody answers."""
    answer = None
    with contextlib.suppress(OSError):
        answer = exchange(site.laptop, format_request("GET", "/igd.xml"))
    return answer.body if answer else b""


def test_reload(make_gateway, site):
    """Another name, off and on again, without a restart; the token stays."""
    gateway = make_gateway()
    before = description(site)
    assert b"<friendlyName>Portwright<" in before
    gateway.write_config(**{"igd.friendly-name": "Cellar"})
    gateway.reload()
    wait_until("the name", lambda: description(site) == before.replace(
        b"<friendlyName>Portwright<", b"<friendlyName>Cellar<"))
    gateway.write_config(**{"igd.enabled": "off"})
    gateway.reload()
    wait_until("nobody to answer", lambda: not description(site))
    gateway.write_config(**{"igd.enabled": "on"})
    gateway.reload()
    wait_until("somebody to answer", lambda: description(site))
    assert Igd(site.laptop).add(8080, 80) == {}
