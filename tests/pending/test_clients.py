# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs of others, as Debian ships them, map ports by themselves: libminiupnpc, GNOME's gupnp and
gupnp-igd, transmission by UPnP and by NAT-PMP. What each of them maps is in the operator's list, carries
packets from outside, is renewed and goes when the program gives it up.

upnpc and natpmpc have their tests in test_igd.py and test_natpmp.py.
"""
import json

import pytest

from clients import Gupnp, Miniupnpc, Transmission
from namespaces import LAPTOP, NVR, wait_until
from peer import PUBLIC, PUBLIC_NEIGHBOUR, readdress
from witness import Witness, call

IGD = "urn:schemas-upnp-org:device:InternetGatewayDevice:"
WAN_IP_2 = "urn:schemas-upnp-org:service:WANIPConnection:2"
FIREWALL = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
ONLY_NATPMP = {"firewall": "on", "igd.enabled": "off"}
ONLY_UPNP = {"firewall": "on", "port-control.enabled": "off"}


@pytest.fixture(scope="module", autouse=True)
def public(site):
    """libminiupnpc does not map behind an address that is reserved, as those of the site are."""
    readdress(site)


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.laptop, ("tcp", LAPTOP, 80), ("udp", LAPTOP, 80), ("tcp", LAPTOP, 81)), \
            Witness(site.nvr, ("tcp", NVR, 80)):
        yield


def listed(daemon):
    """What `portwright list --json` shows."""
    return json.loads(daemon.cli("list", "--json").stdout)["mappings"]


def is_mapped(daemon, external, internal, lifetime, protocol="tcp", origin="upnp", owner=LAPTOP):
    """The one mapping of this external port, which is as it should be."""
    found = [mapping for mapping in listed(daemon)
             if (mapping["protocol"], mapping["external_port"]) == (protocol, str(external))]
    assert len(found) == 1, found
    assert (found[0]["origin"], found[0]["owner"]) == (origin, owner)
    assert (found[0]["internal_client"], found[0]["internal_port"]) == (owner, str(internal))
    assert found[0]["enabled"] and lifetime - 5 <= found[0]["lifetime"] <= lifetime
    return found[0]


def reached(site, external, protocol="tcp"):
    """Who answers a call from outside; None when nobody does."""
    reply = call(site.outside, PUBLIC, external, protocol)
    return reply.name and (reply.name, reply.at[1])


def await_renewal(daemon, timeout):
    """Waits until the one mapping there is has more time left than a moment ago."""
    left = [listed(daemon)[0]["lifetime"]]

    def is_renewed():
        left.append(listed(daemon)[0]["lifetime"])
        return left[-1] > left[-2]

    wait_until("a renewal", is_renewed, timeout, interval=0.1)


def test_libminiupnpc(site, daemon):
    client = Miniupnpc(site.laptop)
    assert client.discover() == 1
    client.selectigd()
    assert (client.lanaddr, client.externalipaddress()) == (LAPTOP, PUBLIC)
    assert client.statusinfo()[0] == "Connected" and client.connectiontype() == "IP_Routed"

    assert client.addportmapping(8888, "TCP", LAPTOP, 80, "Büro 1", "", 600)
    mapping = is_mapped(daemon, 8888, 80, 600)
    assert mapping["name"] == "Büro 1"
    assert reached(site, 8888) == ("laptop", 80)
    *entry, left = client.getspecificportmapping(8888, "TCP")
    assert entry == [LAPTOP, 80, "Büro 1", True] and 595 <= left <= 600

    assert client.addportmapping(8888, "TCP", LAPTOP, 80, "Büro 1", "", 1200)
    assert is_mapped(daemon, 8888, 80, 1200)["id"] == mapping["id"]

    assert client.deleteportmapping(8888, "TCP")
    assert listed(daemon) == [] and reached(site, 8888) is None
    with pytest.raises(Exception, match="NoSuchEntryInArray"):
        client.deleteportmapping(8888, "TCP")


def test_libminiupnpc_shares_the_gateway(site, daemon):
    """Others' mappings are seen, respected and left alone; the operator's among them."""
    operators = daemon.add("9000", f"{NVR}:80", "--name", "operator's")
    laptop, nvr = Miniupnpc(site.laptop), Miniupnpc(site.nvr)
    for client in (laptop, nvr):
        client.discover()
        client.selectigd()
    assert nvr.addportmapping(8888, "TCP", NVR, 80, "nvr", "", 600)
    for port in (8888, 9000):
        with pytest.raises(Exception, match="Conflict|Unknown"):
            laptop.addportmapping(port, "TCP", LAPTOP, 80, "laptop", "", 600)
    other = laptop.addanyportmapping(8888, "TCP", LAPTOP, 80, "laptop", "")
    assert other != 8888 and reached(site, other) == ("laptop", 80)
    assert reached(site, 8888) == ("nvr", 80)

    entries, index = [], 0
    while entry := laptop.getgenericportmapping(index):
        entries.append(entry[0])
        index += 1
    assert sorted(entries) == sorted([8888, 9000, other])

    laptop.deleteportmappingrange(1024, 65535, "TCP", True)
    assert [mapping["id"] for mapping in listed(daemon) if mapping["owner"] != NVR] == \
        [operators["id"]]
    assert reached(site, 8888) == ("nvr", 80), "the range spared what is not the caller's"


def test_gupnp(site, daemon):
    with Gupnp(site.laptop) as client:
        client.order("find", target=IGD + "2")
        assert WAN_IP_2 in client.hear("found")["services"]
        client.order("subscribe", service=WAN_IP_2, variables={
            "ExternalIPAddress": "text", "PortMappingNumberOfEntries": "number",
            "SystemUpdateID": "number"})
        assert client.hear(event="ExternalIPAddress")["value"] == PUBLIC
        assert client.hear(event="PortMappingNumberOfEntries")["value"] == 0
        client.hear(event="SystemUpdateID")

        wish = {"NewRemoteHost": "", "NewExternalPort": 8888, "NewProtocol": "TCP",
                "NewInternalPort": 80, "NewInternalClient": LAPTOP, "NewEnabled": 1,
                "NewPortMappingDescription": "gupnp", "NewLeaseDuration": 600}
        assert client.call(WAN_IP_2, "AddAnyPortMapping", ["NewReservedPort"], **wish) == \
            {"NewReservedPort": "8888"}
        mapping = is_mapped(daemon, 8888, 80, 600)
        assert reached(site, 8888) == ("laptop", 80)
        assert client.hear(event="PortMappingNumberOfEntries")["value"] == 1
        client.hear(event="SystemUpdateID")

        assert client.call(WAN_IP_2, "AddPortMapping", **{**wish, "NewLeaseDuration": 900}) == {}
        assert is_mapped(daemon, 8888, 80, 900)["id"] == mapping["id"]
        refused = {**wish, "NewExternalPort": 8889, "NewInternalClient": NVR}
        assert client.call(WAN_IP_2, "AddPortMapping", **refused) == 606

        gone = {"NewRemoteHost": "", "NewExternalPort": 8888, "NewProtocol": "TCP"}
        assert client.call(WAN_IP_2, "DeletePortMapping", **gone) == {}
        assert listed(daemon) == [] and reached(site, 8888) is None
        assert client.hear(event="PortMappingNumberOfEntries")["value"] == 0
        assert client.call(WAN_IP_2, "DeletePortMapping", **gone) == 714


def test_gupnp_hears_goodbye_and_hello(site, make_daemon):
    """A control point knows when the gateway is there, and subscribes anew by itself."""
    daemon = make_daemon(**ONLY_UPNP)
    with Gupnp(site.laptop) as client:
        client.order("find", target=IGD + "1")
        client.hear("found")
        daemon.stop()
        client.hear("lost")
        daemon.start()
        assert client.hear("found")["services"]


def test_gupnp_igd(site, daemon):
    """What Farstream and GNOME's programs map with: it finds the gateway, maps, tells the address and
    renews at half of the lease, all by itself."""
    with Gupnp(site.laptop) as client:
        client.order("map", protocol="UDP", external=8888, client=LAPTOP, internal=80, lease=6,
                     name="gupnp-igd")
        assert client.hear("mapped", "error") == {"mapped": 8888, "address": PUBLIC}
        identity = is_mapped(daemon, 8888, 80, 6, "udp")["id"]
        assert reached(site, 8888, "udp") == ("laptop", 80)
        for _ in range(2):
            await_renewal(daemon, timeout=6)
        assert is_mapped(daemon, 8888, 80, 6, "udp")["id"] == identity
        client.order("unmap", protocol="UDP", external=8888)
        wait_until("the mapping to go", lambda: listed(daemon) == [])
        assert reached(site, 8888, "udp") is None


def accepts(site, port):
    """A peer of BitTorrent speaks first; that somebody listens is enough."""
    with site.outside.socket() as outside:
        outside.settimeout(0.7)
        return outside.connect_ex((PUBLIC, port)) == 0


def ports(daemon):
    return sorted((mapping["protocol"], mapping["external_port"]) for mapping in listed(daemon))


def test_transmission_by_upnp(site, make_daemon, tmp_path):
    daemon = make_daemon(**ONLY_UPNP)
    with Transmission(site.laptop, tmp_path) as client:
        wait_until("its port", lambda: ports(daemon) == [("tcp", "51413"), ("udp", "51413")],
                   timeout=20, interval=0.1)
        for protocol in ("tcp", "udp"):
            is_mapped(daemon, 51413, 51413, 86400, protocol)
        assert accepts(site, 51413)
        client.set(peer_port=51500)  # it gives one up and asks for another
        wait_until("the other port", lambda: ports(daemon) == [("tcp", "51500"), ("udp", "51500")],
                   timeout=20, interval=0.1)
        assert accepts(site, 51500) and not accepts(site, 51413)
        client.set(port_forwarding_enabled=False)
        wait_until("no mapping", lambda: ports(daemon) == [], timeout=20, interval=0.1)


def test_transmission_by_natpmp(site, make_daemon, tmp_path):
    daemon = make_daemon(**ONLY_NATPMP)
    with Transmission(site.laptop, tmp_path, speed=400) as client:
        wait_until("its port", lambda: ports(daemon) == [("tcp", "51413")], timeout=20,
                   interval=0.1)
        identity = is_mapped(daemon, 51413, 51413, 3600, origin="natpmp")["id"]
        assert accepts(site, 51413)
        await_renewal(daemon, timeout=20)
        assert is_mapped(daemon, 51413, 51413, 3600, origin="natpmp")["id"] == identity
        client.set(port_forwarding_enabled=False)
        wait_until("no mapping", lambda: ports(daemon) == [], timeout=20, interval=0.1)


def test_transmission_and_another(site, daemon, tmp_path):
    """With all protocols at once, beside another host's mapping of the port that it wants."""
    nvr = Miniupnpc(site.nvr)
    nvr.discover()
    nvr.selectigd()
    nvr.addportmapping(Transmission.PORT, "TCP", NVR, 80, "nvr", "", 600)
    with Transmission(site.laptop, tmp_path) as client:
        wait_until("a port of its own", lambda: [
            mapping for mapping in listed(daemon) if mapping["owner"] == LAPTOP
            and mapping["internal_port"] == str(client.PORT)], timeout=30, interval=0.1)
    assert reached(site, Transmission.PORT) == ("nvr", 80)
