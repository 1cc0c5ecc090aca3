# SPDX-License-Identifier: GPL-2.0-or-later
"""
Senders that do not wait for answers: what they began too early, or from an address that is gone, must
not keep leading nowhere for as long as they send (src/plane/stranded.h).
"""
import json
import socket
import time

import pytest

from namespaces import CAMERA, GATEWAY, OUTSIDE
from witness import Witness

NEW = "203.0.113.77"


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("udp", CAMERA, 80)), Witness(site.outside, ("udp", OUTSIDE, 7000)):
        yield


@pytest.fixture
def movable(site):
    """A function that gives the uplink another address; put back after the test."""
    current = [GATEWAY]

    def move(new):
        if current[0]:
            site.gateway.ip("address", "del", f"{current[0]}/24", "dev", "wan0")
        if new:
            site.gateway.ip("address", "add", f"{new}/24", "dev", "wan0")
            site.gateway.ip("route", "replace", "default", "via", OUTSIDE)
        current[0] = new

    yield move
    if current[0] != GATEWAY:
        move(GATEWAY)


@pytest.fixture
def sender(site):
    with site.outside.socket(kind=socket.SOCK_DGRAM) as sender:
        sender.bind((OUTSIDE, 0))
        yield sender


@pytest.fixture
def phone(site):
    with site.camera.socket(kind=socket.SOCK_DGRAM) as phone:
        phone.bind((CAMERA, 5060))
        yield phone


def push(sender, to, times=10):
    """Sends on and on, from one port, until somebody answers; what he said, or None."""
    sender.settimeout(0.1)
    for _ in range(times):
        sender.sendto(b"picture", to)
        try:
            return json.loads(sender.recv(4096))
        except (TimeoutError, ConnectionRefusedError):
            pass
    return None


@pytest.mark.parametrize("firewall", ["on", "off"])
@pytest.mark.parametrize("state", ["unmapped", "drop", "refuse", "for others"])
def test_sender_was_first(make_daemon, sender, firewall, state):
    daemon = make_daemon(firewall=firewall)
    what = ("5004", f"{CAMERA}:80", "--proto", "udp")
    if state in ("drop", "refuse"):
        daemon.add(*what, f"--disabled={state}")
    elif state == "for others":
        daemon.add(*what, "--from", "198.51.100.0/24")
    assert not push(sender, (GATEWAY, 5004), 3)
    if state == "unmapped":
        daemon.add(*what)
    elif state == "for others":
        daemon.cli("set", "m1", "remote_hosts=anyone")
    else:
        daemon.cli("enable", "m1")
    assert push(sender, (GATEWAY, 5004))


@pytest.mark.parametrize("firewall", ["on", "off"])
def test_sender_was_before_the_gateway(site, make_daemon, sender, phone, firewall):
    """As after a boot: packets come and go before there is a ruleset."""
    daemon = make_daemon(firewall=firewall)
    daemon.add("5004", f"{CAMERA}:80", "--proto", "udp")
    daemon.kill()
    site.gateway.nft("flush", "ruleset")
    assert not push(sender, (GATEWAY, 5004), 3)
    push(phone, (OUTSIDE, 7000), 3)
    daemon.start()
    assert push(sender, (GATEWAY, 5004))
    if firewall == "on":
        assert push(phone, (OUTSIDE, 7000))["seen"] == [GATEWAY, 5060]


def test_services_of_the_gateway_are_left_alone(site, make_daemon, sender):
    daemon = make_daemon(firewall="off")
    with Witness(site.gateway, ("udp", GATEWAY, 5353)):
        assert push(sender, (GATEWAY, 5353))
        before = site.gateway.run("conntrack", "-L", "-o", "id", "-p", "udp", "--dport", "5353").stdout
        daemon.add("5004", f"{CAMERA}:80", "--proto", "udp")
        after = site.gateway.run("conntrack", "-L", "-o", "id", "-p", "udp", "--dport", "5353").stdout
    assert before.split(" id=")[1] == after.split(" id=")[1]


@pytest.mark.parametrize("firewall", ["on", "off"])
def test_phone_follows_the_address(make_daemon, movable, phone, firewall):
    daemon = make_daemon(firewall=firewall)
    daemon.add("5061", f"{CAMERA}:5060", "--proto", "udp")
    assert push(phone, (OUTSIDE, 7000))["seen"] == [GATEWAY, 5061]
    movable(NEW)
    deadline, seen = time.monotonic() + 1, None
    while time.monotonic() < deadline and seen != [NEW, 5061]:
        answer = push(phone, (OUTSIDE, 7000), 1)
        seen = answer and answer["seen"]
    assert seen == [NEW, 5061]


def test_stream_follows_the_address(daemon, movable, sender, phone):
    """Somebody outside asked for the picture; the camera goes on sending it to him."""
    daemon.add("5004", f"{CAMERA}:5060", "--proto", "udp")
    sender.settimeout(0.1)
    phone.settimeout(1)
    sender.sendto(b"play", (GATEWAY, 5004))
    _, viewer = phone.recvfrom(4096)
    phone.sendto(b"picture", viewer)
    assert sender.recvfrom(4096)[1] == (GATEWAY, 5004)
    movable(NEW)
    deadline, source = time.monotonic() + 1, None
    while time.monotonic() < deadline and source != (NEW, 5004):
        phone.sendto(b"picture", viewer)
        try:
            source = sender.recvfrom(4096)[1]
        except TimeoutError:
            pass
    assert source == (NEW, 5004)
