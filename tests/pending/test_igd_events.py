# SPDX-License-Identifier: GPL-2.0-or-later
"""
Events (UPnP Device Architecture 1.1, section 4): subscribing, what subscribers are told and when, and that
nobody else ever hears from the gateway (CVE-2020-12695, "CallStranger").
"""
import socket
import time

import pytest

from igd import (FIREWALL, FORWARDING, HTTP_PORT, LAN_GATEWAY, LAN_GATEWAY6, WAN_COMMON, WAN_IP, Igd,
                 Subscriber)
from namespaces import CAMERA, GATEWAY, LAPTOP, LAPTOP6, OUTSIDE, wait_until

EVENTED = {
    WAN_IP: {"PossibleConnectionTypes": "IP_Routed", "ConnectionStatus": "Connected",
             "ExternalIPAddress": GATEWAY, "PortMappingNumberOfEntries": "0",
             "SystemUpdateID": "0"},
    WAN_COMMON: {"PhysicalLinkStatus": "Up"},
    FIREWALL: {"FirewallEnabled": "1", "InboundPinholeAllowed": "1"},
}


@pytest.fixture
def gateway(make_daemon):
    return make_daemon(firewall="on", **{"igd.http-port": HTTP_PORT})


@pytest.fixture
def igd(site, gateway):
    return Igd(site.laptop)


@pytest.fixture
def subscriber(site):
    with Subscriber(site.laptop, LAPTOP) as subscriber:
        yield subscriber


def subscribe(igd, callback, service=WAN_IP, timeout="Second-1800", **more):
    fields = {"CALLBACK": callback, "NT": "upnp:event", "TIMEOUT": timeout, **more}
    return igd.request("SUBSCRIBE", igd.service(service)["eventSubURL"],
                       [(name, value) for name, value in fields.items() if value is not None])


def renew(igd, sid, service=WAN_IP, **more):
    return igd.request("SUBSCRIBE", igd.service(service)["eventSubURL"],
                       [("SID", sid), *more.items()])


def unsubscribe(igd, sid, service=WAN_IP, **more):
    return igd.request("UNSUBSCRIBE", igd.service(service)["eventSubURL"],
                       [("SID", sid), *more.items()])


@pytest.mark.parametrize("service", EVENTED)
def test_first_event(igd, subscriber, service):
    """4.2: all evented variables, at once, with SEQ 0."""
    answer = subscribe(igd, subscriber.url, service)
    assert answer.status == 200
    sid = answer.headers["sid"]
    assert sid.startswith("uuid:") and answer.headers["timeout"] == "Second-1800"
    (headers, values), = subscriber.wait(1)
    assert values == EVENTED[service]
    assert headers[""] == ["NOTIFY", "/events", "HTTP/1.1"]
    assert headers["host"] == f"{LAPTOP}:{subscriber.port}"
    assert (headers["nt"], headers["nts"]) == ("upnp:event", "upnp:propchange")
    assert (headers["sid"], headers["seq"]) == (sid, "0")
    assert headers["content-type"].startswith("text/xml")


def test_first_event_of_forwarding(igd, subscriber):
    subscribe(igd, subscriber.url, FORWARDING)
    (_, values), = subscriber.wait(1)
    assert values["DefaultConnectionService"].endswith("serviceId:WANIPConn1")


def test_subscriber_of_version_1(site, gateway, subscriber):
    """Is told nothing of version 2."""
    igd = Igd(site.laptop, agent="Microsoft")
    subscribe(igd, subscriber.url)
    (_, values), = subscriber.wait(1)
    assert "SystemUpdateID" not in values and values["PortMappingNumberOfEntries"] == "0"
    igd.add(8080, 80)
    _, (headers, values) = subscriber.wait(2)
    assert values == {"PortMappingNumberOfEntries": "1"} and headers["seq"] == "1"


def test_mappings(gateway, igd, subscriber):
    """SystemUpdateID and PortMappingNumberOfEntries go together, whoever changed the table; only
    what changed is told."""
    subscribe(igd, subscriber.url)
    subscriber.wait(1)
    igd.add(8080, 80)
    igd_added = subscriber.wait(2)[1][1]
    assert igd_added == {"PortMappingNumberOfEntries": "1", "SystemUpdateID": "1"}
    gateway.add("443", f"{CAMERA}:443", "--proto", "both")
    assert subscriber.wait(3)[2][1] == {"PortMappingNumberOfEntries": "3", "SystemUpdateID": "2"}
    igd.add(8080, 81)  # as many as before
    assert subscriber.wait(4)[3][1] == {"PortMappingNumberOfEntries": "3", "SystemUpdateID": "3"}
    igd.delete(8080)
    gateway.cli("delete", "both/443")
    wait_until("both", lambda: subscriber.events[-1][1]["PortMappingNumberOfEntries"] == "0")
    assert [e[0]["seq"] for e in subscriber.events] == [
        str(i) for i in range(len(subscriber.events))]


def test_lease_that_ends(igd, subscriber):
    subscribe(igd, subscriber.url)
    subscriber.wait(1)
    igd.add(8080, 80, lease=1)
    wait_until("the end", lambda: subscriber.events and subscriber.events[-1][1].get(
        "SystemUpdateID") == "2")
    assert subscriber.events[-1][1]["PortMappingNumberOfEntries"] == "0"


def test_external_address(site, igd, subscriber):
    subscribe(igd, subscriber.url)
    subscriber.wait(1)
    site.gateway.ip("address", "delete", f"{GATEWAY}/24", "dev", "wan0")
    try:
        wait_until("the news", lambda: any(values.get("ExternalIPAddress") == ""
                                           for _, values in subscriber.events))
        assert any(values.get("ConnectionStatus") == "Disconnected"
                   for _, values in subscriber.events)
    finally:
        site.gateway.ip("address", "add", f"{GATEWAY}/24", "dev", "wan0")
        site.gateway.ip("route", "replace", "default", "via", OUTSIDE)
    wait_until("the news", lambda: subscriber.events[-1][1].get("ExternalIPAddress") == GATEWAY)


def test_burst_is_gathered(igd, subscriber):
    """200 changes are a few events, and the last one is the truth."""
    subscribe(igd, subscriber.url)
    subscriber.wait(1)
    for i in range(200):
        igd.add(8080, 80 + i % 2)
    wait_until("the last", lambda: subscriber.events[-1][1].get("SystemUpdateID") == "200")
    assert len(subscriber.events) < 40


def test_ipv6(site, gateway):
    igd = Igd(site.laptop, LAN_GATEWAY6)
    with Subscriber(site.laptop, LAPTOP6) as subscriber:
        assert subscribe(igd, subscriber.url).status == 200
        (headers, _), = subscriber.wait(1)
        assert headers["host"] == f"[{LAPTOP6}]:{subscriber.port}"


def test_renew_and_unsubscribe(site, igd, subscriber):
    """4.1.3, 4.1.4."""
    sid = subscribe(igd, subscriber.url).headers["sid"]
    subscriber.wait(1)
    answer = renew(igd, sid, TIMEOUT="Second-300")
    assert answer.status == 200
    assert (answer.headers["sid"], answer.headers["timeout"]) == (sid, "Second-300")
    assert len(subscriber.events) == 1  # a renewal is not told anything
    assert renew(igd, sid, WAN_COMMON).status == 412
    assert renew(Igd(site.camera), sid).status == 412
    assert unsubscribe(Igd(site.camera), sid).status == 412
    assert unsubscribe(igd, sid).status == 200
    assert unsubscribe(igd, sid).status == 412
    assert renew(igd, sid).status == 412
    igd.add(8080, 80)
    time.sleep(0.5)
    assert len(subscriber.events) == 1


@pytest.mark.parametrize("asked, granted", [
    ("Second-1800", 1800), ("Second-infinite", 1800), ("Second-86400", 1800), ("Second-300", 300),
    ("Second-1", 60), ("Second-0", 60), ("infinite", 1800), ("Second--5", 1800), (None, 1800),
    ("Second-99999999999", 1800)])
def test_timeouts(igd, subscriber, asked, granted):
    answer = subscribe(igd, subscriber.url, timeout=asked)
    assert answer.headers["timeout"] == f"Second-{granted}"


def test_headers_that_do_not_go_together(igd, subscriber):
    """4.1.2: 400 for SID beside CALLBACK or NT, 412 for what is missing."""
    sid = subscribe(igd, subscriber.url).headers["sid"]
    assert renew(igd, sid, NT="upnp:event").status == 400
    assert renew(igd, sid, CALLBACK=subscriber.url).status == 400
    assert unsubscribe(igd, sid, NT="upnp:event").status == 400
    assert unsubscribe(igd, sid, CALLBACK=subscriber.url).status == 400
    assert subscribe(igd, None).status == 412
    assert subscribe(igd, subscriber.url, NT=None).status == 412
    assert subscribe(igd, subscriber.url, NT="upnp:other").status == 412
    for bad in ("", "uuid:", "x", sid + "0", sid[5:], "uuid:" + "0" * 36):
        assert renew(igd, bad).status == 412
    assert igd.request("UNSUBSCRIBE", igd.service(WAN_IP)["eventSubURL"]).status == 412


@pytest.mark.parametrize("callback", [
    f"<http://{CAMERA}:80/>", f"<http://{OUTSIDE}:80/>", "<http://8.8.8.8/>",
    "<http://laptop.local:5000/>", "<http://localhost:5000/>", f"<http://{LAN_GATEWAY}:80/>",
    "<http://127.0.0.1:80/>", "<http://[::1]:80/>", f"<http://{LAPTOP}:0/>",
    f"<http://{LAPTOP}:65536/>", f"<https://{LAPTOP}:443/>", f"http://{LAPTOP}:5000/", "<>", "",
    "<http://3232253204:5000/>", f"<http://user@{LAPTOP}:5000/>", f"<http://{LAPTOP}:5000/",
    f"<http://{LAPTOP}:5000/ x>", "<http://" + "x" * 3000 + ">"])
def test_strangers(site, igd, callback):
    """Events go to the subscriber's own address, or nowhere: no name is asked for, and nobody else
    gets a packet."""
    with site.camera.socket() as stranger:
        stranger.bind((CAMERA, 80))
        stranger.listen()
        stranger.settimeout(0.3)
        assert subscribe(igd, callback).status == 412
        with pytest.raises(TimeoutError):
            stranger.accept()


def test_stranger_beside_a_friend(site, igd, subscriber):
    for callback in (f"{subscriber.url}<http://{CAMERA}/>", f"<http://{CAMERA}/>{subscriber.url}"):
        assert subscribe(igd, callback).status == 412
    assert subscribe(igd, f"{subscriber.url} {subscriber.url}").status == 200
    assert len(subscriber.wait(1)) == 1


def test_limits(site, gateway, igd, subscriber):
    """8 subscriptions a host; the others still get theirs."""
    sids = [subscribe(igd, subscriber.url).headers["sid"] for _ in range(8)]
    assert subscribe(igd, subscriber.url).status == 503
    with Subscriber(site.camera, CAMERA) as other:
        assert subscribe(Igd(site.camera), other.url).status == 200
    assert unsubscribe(igd, sids[0]).status == 200
    assert subscribe(igd, subscriber.url).status == 200


def test_unreachable_subscriber(igd, subscriber):
    """Forgotten after three events in vain; meanwhile the others are told."""
    sid = subscribe(igd, f"<http://{LAPTOP}:1/>").headers["sid"]
    subscribe(igd, subscriber.url)
    subscriber.wait(1)
    for i in range(4):
        assert igd.add(8080, 80 + i) == {}
        subscriber.wait(2 + i)
    wait_until("it to be forgotten", lambda: renew(igd, sid).status == 412)


@pytest.mark.parametrize("status, kept", [(412, False), (500, True), (200, True)])
def test_what_subscribers_answer(site, igd, status, kept):
    """412: it does not know the subscription."""
    with Subscriber(site.laptop, LAPTOP, status) as subscriber:
        sid = subscribe(igd, subscriber.url).headers["sid"]
        subscriber.wait(1)
        wait_until("the outcome", lambda: (renew(igd, sid).status == 200) == kept)


def test_slow_subscriber(site, igd, subscriber):
    """One that accepts and never answers keeps nobody waiting; what changes meanwhile comes with the
    next event."""
    with site.laptop.socket() as slow:
        slow.bind((LAPTOP, 0))
        slow.listen()
        subscribe(igd, f"<http://{LAPTOP}:{slow.getsockname()[1]}/>")
        subscribe(igd, subscriber.url)
        subscriber.wait(1)
        for i in range(5):
            igd.add(8080, 80 + i)
            subscriber.wait(2 + i)
        first, _ = slow.accept()
        slow.settimeout(8)
        second, _ = slow.accept()  # after 5 s
        with first, second:
            second.settimeout(2)
            told = second.recv(65536)
            assert b"SEQ: 1" in told and b"<SystemUpdateID>5<" in told


def test_gone_subscribers(site, gateway, igd):
    """A host that is away altogether: no answers at all."""
    with Subscriber(site.laptop, LAPTOP) as subscriber:
        subscribe(igd, subscriber.url)
        subscriber.wait(1)
    site.gateway.ip("link", "set", "lan0-laptop", "nomaster")
    try:
        gateway.add("8080", f"{CAMERA}:80")
        time.sleep(0.3)
        assert gateway.stop() == 0  # with an event under way
    finally:
        site.gateway.ip("link", "set", "lan0-laptop", "master", "lan0")


def test_event_leaves_by_the_lan_only(site, gateway, igd, subscriber):
    """The subscriber's address moves to the uplink: nothing follows it there."""
    subscribe(igd, subscriber.url)
    subscriber.wait(1)
    site.gateway.ip("route", "add", f"{LAPTOP}/32", "via", OUTSIDE, "dev", "wan0")
    site.outside.ip("address", "add", f"{LAPTOP}/32", "dev", "lo")
    try:
        with site.outside.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind((LAPTOP, subscriber.port))
            stranger.listen()
            stranger.settimeout(0.5)
            gateway.add("8080", f"{CAMERA}:80")
            with pytest.raises(TimeoutError):
                stranger.accept()
    finally:
        site.outside.ip("address", "delete", f"{LAPTOP}/32", "dev", "lo")
        site.gateway.ip("route", "delete", f"{LAPTOP}/32")
