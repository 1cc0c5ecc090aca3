# SPDX-License-Identifier: GPL-2.0-or-later
"""
Nobody outside gets a word from the services for devices: not by any of the gateway's addresses, not by
the groups, not in the name of a host on the LAN; nor while links are renamed, readdressed, swapped, taken
down and up.

In peace not even the kernel answers at those ports. While links change it may say that a port is closed, as
any host does; the services say nothing, do nothing, and are there for the LAN afterwards.
"""
import itertools
import time

import pytest

from igd import Igd, search, search_message
from namespaces import GATEWAY, GATEWAY6, GATEWAY_2, LAPTOP, OUTSIDE, OUTSIDE6, Site, \
    build_standard, wait_until
from outsider import (INSIDER, INSIDER6, INSIDER_2, SOURCES, SOURCES6, SSDP_GROUP, SSDP_GROUP6,
                      Listener, Volleys, frames, link_address, service_ports)
from port_control import PORT, natpmp_address
from requester import LAN_GATEWAY, Requester

HTTP_PORT = 49000
SECONDS = 3
NAMED = {"igd.http-port": HTTP_PORT}
AUTO = {**NAMED, "uplink": "auto", "lan": "auto"}


@pytest.fixture
def site():
    """A site for each test: its links are not what they were afterwards. The outsider has addresses
    of the LANs too, so that an answer to them would reach it where the gateway thought so."""
    with Site() as site:
        build_standard(site)
        for role, host in site.hosts.items():
            setattr(site, role, host)
        site.address(site.outside, "eth0", f"{INSIDER}/32", f"{INSIDER_2}/32", f"{INSIDER6}/128")
        yield site


@pytest.fixture
def start(make_daemon):
    """A daemon that has told the LANs all that it tells by itself."""
    def begin(**keys):
        daemon = make_daemon(**keys)
        udp, tcp = service_ports(daemon)
        assert {PORT, 1900} <= udp and tcp == {HTTP_PORT}
        return daemon, udp, tcp
    return begin


def is_served(site):
    """Does the LAN get its answers?"""
    try:
        with Requester(site.laptop) as laptop:
            laptop.send(natpmp_address())
            if laptop.hear(0.3) is None:
                return False
        return Igd(site.laptop).services and search(site.laptop, search_message(
            "upnp:rootdevice"), timeout=1.2)
    except OSError:
        return False


def groups(host, link):
    return host.run("ip", "maddress", "show", "dev", link).stdout


@pytest.mark.parametrize("firewall", ["on", "off"])
def test_scan(site, start, firewall):
    daemon, udp, tcp = start(firewall=firewall, **NAMED)
    made = frames(link_address(site.gateway, "wan0"), udp, tcp)
    with Listener(site.outside, udp | tcp) as listener, \
            Listener(site.nvr, udp | tcp, only_to={INSIDER, INSIDER6}) as inside:
        with Volleys(site.outside, made) as volleys:
            wait_until("some volleys", lambda: volleys.sent >= 20, timeout=20)
        assert is_served(site)  # who was asked first has been heard by then
    assert (listener.answers, listener.kernels, inside.answers) == ([], [], [])
    assert daemon.mappings() == []
    for group in (SSDP_GROUP, SSDP_GROUP6):
        assert group not in groups(site.gateway, "wan0") and group in groups(site.gateway, "lan0")


def test_the_scan_would_find_it(site, start):
    """The same frames on the LAN are answered, by every protocol: silence outside means something."""
    _, udp, tcp = start(firewall="on", **NAMED)
    site.laptop.ip("address", "add", f"{INSIDER}/32", "dev", "eth0")
    made = frames(link_address(site.gateway, "lan0"), udp, tcp)
    with Listener(site.laptop, udp | tcp, only_to={INSIDER}) as listener, \
            Volleys(site.laptop, made):
        for words in (f"udp {PORT}", "udp 1900", f"tcp {HTTP_PORT}"):
            wait_until(words, lambda words=words: [said for said, _ in listener.answers
                                                   if words in said])


def test_hello_and_goodbye_stay_inside(site, make_daemon):
    """What the gateway says by itself: its coming, its going, a change of its address."""
    with Listener(site.outside, {PORT, 1900}) as listener, Listener(site.nvr, {PORT}) as inside:
        daemon = make_daemon(firewall="off", **NAMED)
        wait_until("hello", lambda: len({to for to, _ in inside.answers}) >= 2)
        site.gateway.ip("address", "replace", f"{GATEWAY_2}/24", "dev", "wan0")
        site.gateway.ip("address", "delete", f"{GATEWAY}/24", "dev", "wan0")
        time.sleep(0.5)
        before = len(inside.answers)
        daemon.stop()
        wait_until("goodbye", lambda: len(inside.answers) > before)
    assert listener.answers == []


# What happens to the gateway's links. Each is done and undone, and leaves all that others need.

def settle(gateway):
    """Every link up and with its addresses and routes."""
    for link, addresses in (("wan0", (f"{GATEWAY}/24", f"{GATEWAY6}/64")),
                            ("lan0", ("192.168.69.1/24", "2001:db8:69::1/64")),
                            ("lan1", ("192.168.2.1/24",))):
        gateway.ip("link", "set", link, "up")
        for address in addresses:
            gateway.ip("address", "replace", address, "dev", link)
    gateway.ip("route", "replace", "default", "via", OUTSIDE)
    gateway.ip("-6", "route", "replace", "default", "via", OUTSIDE6)


def rename(gateway, *names):
    """From the first name to the next, and so on."""
    for old, new in itertools.pairwise(names):
        gateway.ip("link", "set", old, "down")
        gateway.ip("link", "set", old, "name", new)
        gateway.ip("link", "set", new, "up")


def rename_uplink(gateway):
    rename(gateway, "wan0", "wan9")
    yield
    rename(gateway, "wan9", "wan0")


def rename_lan(gateway):
    rename(gateway, "lan0", "lan9")
    yield
    rename(gateway, "lan9", "lan0")


def down_and_up(gateway):
    for link in ("wan0", "lan0"):
        gateway.ip("link", "set", link, "down")
        yield
        gateway.ip("link", "set", link, "up")


def readdress(gateway):
    gateway.ip("address", "flush", "dev", "wan0")
    yield
    gateway.ip("address", "add", f"{GATEWAY_2}/24", "dev", "wan0")
    yield
    gateway.ip("address", "delete", f"{GATEWAY_2}/24", "dev", "wan0")


def both_have_the_address_of_the_lan(gateway):
    gateway.ip("address", "add", "192.168.69.1/24", "dev", "wan0")
    gateway.ip("address", "add", "2001:db8:69::1/64", "dev", "wan0")
    yield
    gateway.ip("address", "delete", "192.168.69.1/24", "dev", "wan0")
    gateway.ip("address", "delete", "2001:db8:69::1/64", "dev", "wan0")


def swap_addresses(gateway):
    for link in ("wan0", "lan0"):
        gateway.ip("address", "flush", "dev", link)
    gateway.ip("address", "add", "192.168.69.1/24", "dev", "wan0")
    gateway.ip("address", "add", f"{GATEWAY}/24", "dev", "lan0")
    yield
    for link in ("wan0", "lan0"):
        gateway.ip("address", "flush", "dev", link)


def no_way_out(gateway):
    gateway.ip("route", "delete", "default")
    gateway.ip("-6", "route", "delete", "default")
    yield


def another_way_out(gateway):
    gateway.ip("route", "replace", "default", "via", LAPTOP)
    yield


def swap_names(gateway):
    rename(gateway, "wan0", "other")
    rename(gateway, "lan0", "wan0")
    rename(gateway, "other", "lan0")
    yield
    rename(gateway, "lan0", "other")
    rename(gateway, "wan0", "lan0")
    rename(gateway, "other", "wan0")


TROUBLES = [rename_uplink, rename_lan, down_and_up, readdress, both_have_the_address_of_the_lan,
            swap_addresses, no_way_out]
# Where roles go by name, a link of the LAN's name is the LAN, so names are not swapped; where they are
# guessed, a link by which a default route has left is no LAN any more.
WITH_NAMES = [*TROUBLES, another_way_out]
GUESSED = [*TROUBLES, swap_names]


@pytest.mark.parametrize("keys, troubles", [(NAMED, WITH_NAMES), (AUTO, GUESSED)],
                         ids=["named", "auto"])
@pytest.mark.parametrize("firewall", ["on", "off"])
def test_while_links_change(site, start, firewall, keys, troubles):
    daemon, udp, tcp = start(firewall=firewall, **keys)
    made = frames(link_address(site.gateway, "wan0"), udp, tcp)
    rounds = 0
    with Listener(site.outside, udp | tcp) as listener, \
            Listener(site.nvr, udp | tcp, only_to={INSIDER, INSIDER6}) as inside:
        with Volleys(site.outside, made) as volleys:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:
                for trouble in troubles:
                    for _ in trouble(site.gateway):
                        time.sleep(0.02)  # long enough for some volleys
                    settle(site.gateway)
                rounds += 1
        wait_until("the LAN to be served", lambda: is_served(site), timeout=20, interval=0.1)
    print(f"{rounds} rounds, {volleys.sent} volleys of {len(made)} requests,"
          f" {len(listener.kernels)} words of the kernel's")
    assert rounds > 1 and volleys.sent > 20, "the machine is too slow for this to mean much"
    assert (listener.answers, inside.answers) == ([], [])
    assert daemon.mappings() == []
