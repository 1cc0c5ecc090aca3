# SPDX-License-Identifier: GPL-2.0-or-later
"""
Discovery (UPnP Device Architecture 1.1, section 1): who is answered, with what and how much, and what is
announced.
"""
import select
import socket
import struct

import pytest

from igd import (DEVICE, FIREWALL, HTTP_PORT, LAN_GATEWAY, LAN_GATEWAY6, SSDP_GROUP, SSDP_GROUP6,
                 SSDP_PORT, TYPE, WAN_IP, Igd, read_fields, search, search_message)
from namespaces import GATEWAY, SERVERS, wait_until

IGD = DEVICE + "InternetGatewayDevice"
LOCATION = f"http://{LAN_GATEWAY}:{HTTP_PORT}/igd.xml"
TARGETS = {"upnp:rootdevice", IGD + ":2", DEVICE + "WANDevice:2", DEVICE + "WANConnectionDevice:2",
           TYPE + "Layer3Forwarding:1", TYPE + "WANCommonInterfaceConfig:1", WAN_IP + ":2",
           FIREWALL + ":1"}


@pytest.fixture
def make_gateway(make_daemon):
    def make(**keys):
        return make_daemon(**{"firewall": "on", "igd.http-port": HTTP_PORT, **keys})
    return make


@pytest.fixture
def gateway(make_gateway):
    return make_gateway()


def uuid_of(site):
    """The root device's, by its description."""
    description = Igd(site.laptop).description.decode()
    return description.split("<UDN>uuid:")[1].split("<")[0]


@pytest.mark.parametrize("target", sorted(TARGETS) + [IGD + ":1", WAN_IP + ":1",
                                                      DEVICE + "WANDevice:1"])
def test_version_that_was_asked_for(site, gateway, target):
    """1.3.3: the answer names what was asked for; the description is at LOCATION."""
    answer, = search(site.laptop, search_message(target))
    assert answer[""] == "HTTP/1.1 200 OK" and answer["ST"] == target
    assert answer["USN"].startswith("uuid:") and answer["USN"].endswith("::" + target)
    assert answer["LOCATION"] == LOCATION and answer["CACHE-CONTROL"] == "max-age=1800"
    assert "UPnP/1.1" in answer["SERVER"] and answer["EXT"] == ""


def test_uuids(site, gateway):
    root = uuid_of(site)
    assert root.encode() in Igd(site.laptop).description
    for uuid in {part.split("<")[0] for part in
                 Igd(site.laptop).description.decode().split("<UDN>uuid:")[1:]}:
        answer, = search(site.laptop, search_message(f"uuid:{uuid}"))
        assert answer["USN"] == answer["ST"] == f"uuid:{uuid}"
    assert search(site.laptop, search_message(f"uuid:{root[:-1]}")) == []


@pytest.mark.parametrize("target", [
    IGD + ":3", IGD + ":0", IGD, IGD + ":", IGD + ":01", IGD + ":1 ", "ssdp:none", "upnp:root",
    TYPE + "WANPPPConnection:1", TYPE + "ContentDirectory:1", "uuid:", "x" * 900])
def test_not_ours(site, gateway, target):
    answers = search(site.laptop, search_message(target), timeout=0.2)
    assert answers == [] if not target.endswith(" ") else len(answers) == 1


def test_not_a_search(site, gateway):
    right = search_message(IGD + ":1")
    for wrong in (right.replace(b"M-SEARCH", b"NOTIFY"), right.replace(b"discover", b"discove"),
                  right.replace(b"MAN:", b"MEN:"), right.replace(b"ST:", b"SU:"),
                  right.replace(b"* HTTP", b"/ HTTP"), right.replace(b"\r\n", b"\n"),
                  right.replace(b"ST:", b"ST: x\r\nST:"), right[:20], b"", b"\0" * 100,
                  right + b"x" * 1500, right.replace(b"HTTP/1.1", b"HTTP/2.0")):
        assert search(site.laptop, wrong, timeout=0.1) == []


def test_every_beginning(site, gateway):
    """No beginning of a search does harm, and the daemon goes on."""
    whole = search_message(IGD + ":1")
    with site.camera.socket(kind=socket.SOCK_DGRAM) as asking:
        for end in range(len(whole)):
            asking.sendto(whole[:end], (LAN_GATEWAY, SSDP_PORT))
    assert len(search(site.laptop, whole)) == 1


def test_lenient_searches(site, gateway):
    """MX missing or strange, other fields, any case, no quotes, unicast."""
    right = search_message(IGD + ":1").decode()
    for text in (search_message(IGD + ":1", None).decode(), right.replace("MX: 1", "MX: 120"),
                 right.replace("MX: 1", "MX: x"), right.replace("MAN", "man").replace("ST", "st"),
                 right.replace('"ssdp:discover"', "ssdp:discover"),
                 right.replace("MX: 1", "MX: 1\r\nUSER-AGENT: x/1")):
        assert len(search(site.laptop, text.encode())) == 1, text
    assert len(search(site.laptop, right.encode(), LAN_GATEWAY)) == 1


@pytest.mark.parametrize("target, wait", [
    ("ssdp:all", 1), ("ssdp:all", None), ("upnp:rootdevice", 1), ("upnp:rootdevice", None),
    (IGD + ":1", 1), (WAN_IP + ":1", None), (FIREWALL + ":1", 1)])
@pytest.mark.parametrize("group", [SSDP_GROUP, SSDP_GROUP6])
def test_amplification(site, gateway, target, wait, group):
    """At most three bytes for each that was sent, all answers together; the root device at least."""
    message = search_message(target, wait, group)
    answers = search(site.laptop, message, group)
    assert sum(answer[0] for answer in answers) <= 3 * len(message)
    assert answers or wait is None
    if target == "ssdp:all" and answers:
        assert answers[0]["ST"] == "upnp:rootdevice"


def test_whoever_sends_more_hears_more(site, gateway):
    """ssdp:all is answered as far as the question's length goes."""
    message = search_message("ssdp:all", extra="X-PADDING: " + "x" * 850 + "\r\n")
    answers = search(site.laptop, message)
    assert len(answers) >= 6 and sum(answer[0] for answer in answers) <= 3 * len(message)
    assert len({answer["USN"] for answer in answers}) == len(answers)


def test_one_that_wants_version_1(site, gateway):
    """Microsoft's control points see a gateway of version 1 and nothing besides."""
    message = search_message("ssdp:all", extra="USER-AGENT: FDSSDP\r\nX: " + "x" * 800 + "\r\n")
    answers = search(site.laptop, message)
    assert len(answers) >= 6
    assert not any(answer["ST"].endswith(":2") for answer in answers)
    assert not any(FIREWALL in answer["ST"] for answer in answers)


def test_limit_of_a_host(site, gateway):
    """A flood is answered 60 times at first, then 20 times a second; others are answered."""
    message = search_message(IGD + ":1")
    with site.camera.socket(kind=socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for _ in range(1000):
            asking.sendto(message, (LAN_GATEWAY, SSDP_PORT))
        # what the flood pushed out of the socket's queue is asked again, as control points do
        wait_until("another host's answer", lambda: search(site.laptop, message, timeout=0.1))
        answered = 0
        while select.select([asking], [], [], 0.2)[0]:
            asking.recv(4096)
            answered += 1
    assert 60 <= answered <= 120


def test_neighbours_only(site, gateway):
    """Who is not on the link is not answered: neither the world nor a forged source."""
    message = search_message(IGD + ":1")
    assert search(site.outside, message, GATEWAY) == []
    assert search(site.outside, message) == []
    assert search(site.outside, message, LAN_GATEWAY) == []
    site.laptop.ip("address", "add", "203.0.113.99/32", "dev", "eth0")
    site.laptop.ip("address", "add", "192.168.2.99/32", "dev", "eth0")
    try:
        for source in ("203.0.113.99", "192.168.2.99"):
            assert search(site.laptop, message, LAN_GATEWAY, source=source) == []
    finally:
        site.laptop.ip("address", "delete", "203.0.113.99/32", "dev", "eth0")
        site.laptop.ip("address", "delete", "192.168.2.99/32", "dev", "eth0")
    assert len(search(site.laptop, message)) == 1


def test_each_link_by_its_own_address(site, gateway):
    """LOCATION is an address of the network that the question came from."""
    answer, = search(site.servers, search_message(IGD + ":1"), source=SERVERS[0])
    assert answer["LOCATION"] == f"http://192.168.2.1:{HTTP_PORT}/igd.xml"
    answer, = search(site.laptop, search_message(IGD + ":1", group=SSDP_GROUP6), SSDP_GROUP6)
    assert answer["LOCATION"] == f"http://[{LAN_GATEWAY6}]:{HTTP_PORT}/igd.xml"


class Listener:
    """Hears the group's messages on a host's eth0."""

    def __init__(self, host):
        self.socket = host.socket(kind=socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((SSDP_GROUP, SSDP_PORT))
        with host.entered():
            index = socket.if_nametoindex("eth0")
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                               struct.pack("4s4si", socket.inet_aton(SSDP_GROUP), b"\0" * 4, index))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def hear(self, timeout=0.5):
        """Everything until it has been quiet for so long."""
        heard = []
        while select.select([self.socket], [], [], timeout)[0]:
            heard.append(read_fields(self.socket.recv(4096)))
        return heard


def test_hello_and_goodbye(site, make_gateway):
    """1.2.2, 1.2.3: byebye in front of the first alive; alive again; byebye at the end; each for
    every device and service."""
    with Listener(site.laptop) as listener:
        gateway = make_gateway()
        heard = listener.hear()
        kinds = [message["NTS"] for message in heard]
        count = len(TARGETS) + 3  # and three UUIDs
        assert kinds == ["ssdp:byebye"] * count + ["ssdp:alive"] * count
        alive = heard[count:]
        assert {m["NT"] for m in alive if not m["NT"].startswith("uuid:")} == TARGETS
        assert {m["USN"] for m in alive} == {m["USN"] for m in heard[:count]}
        assert len({m["USN"] for m in alive}) == count
        for message in alive:
            assert message[""] == "NOTIFY * HTTP/1.1" and message["LOCATION"] == LOCATION
            assert message["HOST"] == f"{SSDP_GROUP}:{SSDP_PORT}"
            assert message["CACHE-CONTROL"] == "max-age=1800"
            assert int(message["BOOTID.UPNP.ORG"]) > 0 and message["CONFIGID.UPNP.ORG"] == "1"
        for message in heard[:count]:
            assert "LOCATION" not in message
        again = listener.hear(4)
        assert {m["NTS"] for m in again} == {"ssdp:alive"} and len(again) == 2 * count
        gateway.stop()
        assert [m["NTS"] for m in listener.hear()] == ["ssdp:byebye"] * count


def test_another_address(site, gateway):
    """The description moves: goodbye there, hello here."""
    with Listener(site.laptop) as listener:
        listener.hear()
        site.gateway.ip("address", "delete", "192.168.69.1/24", "dev", "lan0")
        try:
            wait_until("goodbye", lambda: {"ssdp:byebye"} == {
                m["NTS"] for m in listener.hear(0.2)} or None)
            site.gateway.ip("address", "add", "192.168.69.2/24", "dev", "lan0")
            heard = []
            wait_until("hello", lambda: heard.extend(listener.hear(0.2)) or any(
                m["NTS"] == "ssdp:alive" for m in heard))
            assert {m["LOCATION"] for m in heard if m["NTS"] == "ssdp:alive"} == {
                f"http://192.168.69.2:{HTTP_PORT}/igd.xml"}
            assert Igd(site.laptop, "192.168.69.2").description
        finally:
            site.gateway.run("ip", "address", "delete", "192.168.69.2/24", "dev", "lan0",
                             check=False)
            site.gateway.ip("address", "add", "192.168.69.1/24", "dev", "lan0")
    wait_until("the old one again", lambda: search(site.laptop, search_message(IGD + ":1"),
                                                   timeout=0.2))


def closed_to(host, address, port):
    with host.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex((address, port)) != 0


@pytest.mark.parametrize("firewall", ["on", "off"])
def test_nothing_on_the_uplink(site, make_gateway, firewall):
    """Not by its own address, not by a LAN's, whatever the firewall; also while a LAN is renamed and
    the uplink gets another address."""
    make_gateway(firewall=firewall)
    message = search_message(IGD + ":1")

    def is_dark():
        return (search(site.outside, message, GATEWAY, timeout=0.1) == [] and
                search(site.outside, message, timeout=0.1) == [] and
                all(closed_to(site.outside, address, HTTP_PORT)
                    for address in (GATEWAY, LAN_GATEWAY, "192.168.2.1")))

    assert is_dark()
    assert not closed_to(site.laptop, LAN_GATEWAY, HTTP_PORT)
    with Listener(site.outside) as listener:
        site.gateway.ip("link", "set", "lan1", "down")
        site.gateway.ip("link", "set", "lan1", "name", "lan9")
        try:
            site.gateway.ip("address", "add", "192.168.77.1/24", "dev", "wan0")
            for _ in range(3):
                assert is_dark()
                assert closed_to(site.outside, "192.168.77.1", HTTP_PORT)
        finally:
            site.gateway.ip("address", "delete", "192.168.77.1/24", "dev", "wan0")
            site.gateway.ip("link", "set", "lan9", "name", "lan1")
            site.gateway.ip("link", "set", "lan1", "up")
        assert [m for m in listener.hear(0.3) if "M-SEARCH" not in m[""]] == []
    wait_until("the LAN to be served again", lambda: search(
        site.servers, message, source=SERVERS[0], timeout=0.3))


def test_address_of_another_link(site, gateway):
    """The server of a link answers to that link's addresses only: not to the uplink's, nor to
    another LAN's."""
    assert not closed_to(site.laptop, LAN_GATEWAY, HTTP_PORT)
    for address in (GATEWAY, "192.168.2.1"):
        with site.laptop.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((address, HTTP_PORT)) == 0:
                probe.sendall(f"GET /igd.xml HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
                try:
                    assert probe.recv(100) == b""
                except ConnectionResetError:
                    pass


def test_switched_off(site, make_gateway):
    make_gateway(**{"igd.enabled": "off"})
    assert search(site.laptop, search_message(IGD + ":1")) == []
    assert closed_to(site.laptop, LAN_GATEWAY, HTTP_PORT)


def test_link_that_comes_late(site, gateway):
    """A LAN that goes and comes back under its name is another link, and is served."""
    site.gateway.ip("link", "delete", "lan1-servers")
    site.gateway.ip("link", "delete", "lan1")
    wait_until("one listener", lambda: site.gateway.run("ss", "-Hltn").stdout.count(
        f":{HTTP_PORT} ") == 1)
    site.bridge(site.gateway, "lan1")
    site.address(site.gateway, "lan1", "192.168.2.1/24")
    site.plug(site.servers, "eth0", site.gateway, "lan1")
    site.address(site.servers, "eth0", *[f"{address}/24" for address in SERVERS])
    site.route(site.servers, "default", "via", "192.168.2.1")
    wait_until("the LAN to be served", lambda: search(
        site.servers, search_message(IGD + ":1"), source=SERVERS[0], timeout=0.3))
