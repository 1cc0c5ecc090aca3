# SPDX-License-Identifier: GPL-2.0-or-later
"""Public addresses: several of them, and one that changes under a running gateway."""
import time

import pytest

from namespaces import CAMERA, GATEWAY, GATEWAY_2, NVR, OUTSIDE, wait_until
from ruleset import elements
from witness import Witness, call, connect, is_alive

NEW = "203.0.113.99"


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80)), Witness(site.nvr, ("tcp", NVR, 80)), \
            Witness(site.outside, ("udp", OUTSIDE, 7000)):
        yield


@pytest.fixture
def second_address(site):
    site.address(site.gateway, "wan0", f"{GATEWAY_2}/24")
    yield
    site.gateway.ip("address", "del", f"{GATEWAY_2}/24", "dev", "wan0")


@pytest.fixture
def movable(site):
    """A function that replaces one address of the uplink by another; undone after the test."""
    moves = []

    def move(old, new):
        site.gateway.ip("address", "del", f"{old}/24", "dev", "wan0")
        site.gateway.ip("address", "add", f"{new}/24", "dev", "wan0")
        # The kernel drops routes along with the address that was their source.
        site.gateway.ip("route", "replace", "default", "via", OUTSIDE)
        moves.append((new, old))

    yield move
    for old, new in reversed(moves):
        move(old, new)


def test_every_public_address(site, second_address, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    for address in (GATEWAY, GATEWAY_2):
        assert call(site.outside, address, 8888).at == (CAMERA, 80)


def test_one_of_several(site, second_address, daemon):
    daemon.add(f"{GATEWAY_2}:8888", f"{CAMERA}:80")
    assert call(site.outside, GATEWAY_2, 8888)
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"


def test_same_port_of_each_address(site, second_address, daemon):
    daemon.add(f"{GATEWAY}:8888", f"{CAMERA}:80")
    daemon.add(f"{GATEWAY_2}:8888", f"{NVR}:80")
    assert call(site.outside, GATEWAY, 8888).name == "camera"
    assert call(site.outside, GATEWAY_2, 8888).name == "nvr"


def test_range_on_one_address(site, second_address, daemon):
    daemon.add(f"{GATEWAY_2}:8880-8889", f"{NVR}:72")
    assert call(site.outside, GATEWAY_2, 8888).at == (NVR, 80)
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"


def test_configured_address_only(site, second_address, make_daemon):
    daemon = make_daemon(firewall="on", external_address=GATEWAY_2)
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.outside, GATEWAY_2, 8888)
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"


def test_change_is_in_force_within_a_second(site, daemon, movable):
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.outside, GATEWAY, 8888)
    began = time.monotonic()
    movable(GATEWAY, NEW)
    wait_until("the new address to serve",
               lambda: call(site.outside, NEW, 8888, timeout=0.05), timeout=3)
    assert time.monotonic() - began < 1


def test_change_touches_no_mapping(site, daemon, movable):
    """With 1,000 mappings the change is still one element of external4 (and one of uplink_addr4)."""
    with daemon.api() as api:
        status, answer, _ = api.ask("POST", "/api/v1/import", {"mappings": [
            {"external_port": str(10000 + i), "internal_client": CAMERA, "internal_port": "80"}
            for i in range(1000)]})
    assert status == 200, answer
    assert call(site.outside, GATEWAY, 10999)
    before = site.gateway.nft("list", "table", "inet", "portwright")
    movable(GATEWAY, NEW)
    wait_until("the new address to serve", lambda: call(site.outside, NEW, 10999, timeout=0.05))
    after = site.gateway.nft("list", "table", "inet", "portwright")
    assert elements(after, "external4") == [NEW]
    # The counter of the mapping that was called still runs: its element was left alone.
    counted = [element for element in elements(after, "open4") if "10999" in element]
    assert "packets 2 " in counted[0], counted
    assert len(elements(before, "open4")) == len(elements(after, "open4")) == 1000


def test_source_follows_the_address(site, daemon, movable):
    daemon.add("8889", f"{CAMERA}:5554", "--proto", "udp")
    movable(GATEWAY, NEW)

    def seen():
        site.gateway.run("conntrack", "-F", check=False)
        return call(site.camera, OUTSIDE, 7000, "udp", source=CAMERA, source_port=5554,
                    timeout=0.1).seen

    wait_until("the new source", lambda: seen() == (NEW, 8889), timeout=2)


def test_second_address_added_later(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    connection, _ = connect(site.outside, GATEWAY, 8888)
    with connection:
        site.address(site.gateway, "wan0", f"{GATEWAY_2}/24")
        try:
            wait_until("the second address to serve",
                       lambda: call(site.outside, GATEWAY_2, 8888, timeout=0.05), timeout=1)
            assert is_alive(connection)
        finally:
            site.gateway.ip("address", "del", f"{GATEWAY_2}/24", "dev", "wan0")


def test_uplink_and_lan_found_by_themselves(site, make_daemon):
    daemon = make_daemon(firewall="on", uplink="auto", lan="auto")
    daemon.add("8888", f"{CAMERA}:80")
    with daemon.api() as api:
        _, status, _ = api.ask("GET", "/api/v1/status")
    assert status["uplinks"] == ["wan0"]
    assert set(status["lans"]) == {"lan0", "lan1"}
    assert status["external_addrs"] == [GATEWAY]
    assert call(site.outside, GATEWAY, 8888)
    assert call(site.laptop, GATEWAY, 8888)
