# SPDX-License-Identifier: GPL-2.0-or-later
"""What others take out of the kernel comes back by itself, within a second, and is logged."""
import time

import pytest

from namespaces import CAMERA, GATEWAY, NVR, wait_until
from witness import Witness, call, connect, is_alive


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80)), Witness(site.nvr, ("tcp", NVR, 9001)):
        yield


@pytest.fixture
def filled(daemon):
    daemon.add("8888", f"{CAMERA}:80")
    daemon.add("8889", f"{CAMERA}:80", "--from", "198.51.100.0/24")
    daemon.add("8000-8003", f"{NVR}:9000")
    daemon.add("7000", f"{NVR}:7000", "--disabled=refuse")
    return daemon


def heals(daemon, damage):
    """Applies the damage; true when the ruleset is as before within a second, and it was logged."""
    before, lines = daemon.ruleset(), daemon.log().count("\n")
    daemon.host.run("nft", *damage)
    began = time.monotonic()
    wait_until("healing", lambda: daemon.ruleset() == before, timeout=5)
    assert time.monotonic() - began < 1
    wait_until("a log line", lambda: daemon.log().count("\n") > lines)
    return True


@pytest.mark.parametrize("damage", [
    ("flush", "ruleset"),
    ("delete", "table", "inet", "portwright"),
    ("flush", "set", "inet", "portwright", "external4"),
    ("flush", "map", "inet", "portwright", "open4"),
    ("flush", "chain", "inet", "portwright", "prerouting"),
    ("flush", "chain", "inet", "portwright", "firewall_forward"),
    ("add", "rule", "inet", "portwright", "prerouting", "return"),
    ("delete", "element", "inet", "portwright", "uplinks", '{ "wan0" }'),
    ("add", "element", "inet", "portwright", "external4", "{ 9.9.9.9 }"),
    ("add", "element", "inet", "portwright", "open4", "{ tcp . 1 : 192.168.69.110 . 22 }"),
], ids=" ".join)
def test_heals(site, filled, damage):
    assert heals(filled, damage)
    assert call(site.outside, GATEWAY, 8888).at == (CAMERA, 80)
    assert call(site.outside, GATEWAY, 8001).at == (NVR, 9001)


def test_single_element(site, filled):
    assert heals(filled, ("delete", "element", "inet", "portwright", "open4", "{ tcp . 8888 }"))
    assert call(site.outside, GATEWAY, 8888)


def test_again_and_again(site, filled):
    for _ in range(10):
        assert heals(filled, ("flush", "ruleset"))


def test_established_connections_survive_a_flush(site, filled):
    connection, _ = connect(site.outside, GATEWAY, 8888)
    with connection:
        assert heals(filled, ("flush", "ruleset"))
        assert is_alive(connection)


def test_other_tables_are_nobodys_business(site, filled):
    site.gateway.run("nft", "add table inet other; add chain inet other c; add rule inet other c accept")
    before = filled.log().count("\n")
    assert heals(filled, ("delete", "element", "inet", "portwright", "open4", "{ tcp . 8888 }"))
    assert "table inet other" in site.gateway.nft("list", "ruleset")
    assert filled.log().count("\n") - before <= 3


def test_ten_thousand_mappings(site, daemon):
    with daemon.api(timeout=60) as api:
        status, answer, _ = api.ask("POST", "/api/v1/import", {"mappings": [
            {"external_port": str(10000 + i), "internal_client": f"192.168.69.{100 + i // 500}",
             "internal_port": str(1000 + i)} for i in range(9999)]
            + [{"external_port": "8888", "internal_client": CAMERA, "internal_port": "80"}]})
    assert status == 200, answer
    site.gateway.run("nft", "flush", "ruleset")
    began = time.monotonic()
    wait_until("healing", lambda: call(site.outside, GATEWAY, 8888, timeout=0.05), timeout=5)
    assert time.monotonic() - began < 1
