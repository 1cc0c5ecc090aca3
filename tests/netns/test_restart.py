# SPDX-License-Identifier: GPL-2.0-or-later
"""A restart finds everything as it was, and nobody on the line notices."""
import re
import threading
import time

import pytest

from namespaces import CAMERA, GATEWAY, NVR, wait_until
from ruleset import elements
from witness import Witness, call, connect, is_alive, talk


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("udp", CAMERA, 80)), \
            Witness(site.nvr, ("tcp", NVR, 9001)):
        yield


def fill(daemon):
    """A mapping of every shape."""
    daemon.add("8888", f"{CAMERA}:80", "--name", "Front door, web", "--notes", "by the stairs")
    daemon.add("8889", f"{CAMERA}:80", "--proto", "both", "--from", "198.51.100.0/24,192.0.2.0/24")
    daemon.add("8000-8003", f"{NVR}:9000", "--app", "nvr")
    daemon.add("7000", f"{NVR}:7000", "--disabled=refuse")
    daemon.add("7001", f"{NVR}:7001", "--disabled")
    daemon.add("7002", f"{NVR}:7002", "--max-connections", "5", "--rate", "10/s")
    daemon.add("7003", f"{NVR}:7003", "--expires", "2h")
    daemon.add("[2001:db8:69::110]:443")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_everything_is_as_before(site, daemon, how):
    fill(daemon)
    table, ruleset = daemon.mappings(), daemon.ruleset()
    getattr(daemon, how)()
    assert daemon.ruleset() == ruleset, "mappings stay in force while nobody runs"
    assert call(site.outside, GATEWAY, 8888)
    daemon.start()
    after = daemon.mappings()
    for mapping in [*table, *after]:
        mapping.pop("counters")
        if mapping["lifetime"]:
            mapping["lifetime"] = round(mapping["lifetime"], -2)
    assert after == table
    assert daemon.ruleset() == ruleset


def test_restart_touches_no_element(site, daemon):
    """The kernel tells of every change to its tables; a restart must cause none to our elements."""
    fill(daemon)
    daemon.stop()
    log = daemon.directory / "monitor"
    with log.open("wb") as out:
        monitor = site.gateway.start("stdbuf", "-oL", "nft", "monitor", "elements", stdout=out)
        # The monitor has to be listening first: a set of our own, changed until it is seen.
        site.gateway.run("nft", "add table inet probe; add set inet probe s { type mark; }")
        wait_until("the monitor", lambda: site.gateway.run(
            "nft", "add element inet probe s { 1 }; delete element inet probe s { 1 }")
            and "probe" in log.read_text(), timeout=10, interval=0.1)
        daemon.start()
        site.gateway.run("nft", "add element inet probe s { 77 }")
        wait_until("the monitor's end", lambda: "0x0000004d" in log.read_text())
        site.gateway.stop(monitor)
    touched = [line for line in log.read_text().splitlines() if "inet portwright" in line]
    assert touched == []


def test_established_stream_loses_nothing(site, daemon):
    """Bytes go back and forth through the mapping while the daemon is stopped, killed and started;
    the stream neither breaks nor waits for a lost packet (the kernel retransmits after 200 ms)."""
    daemon.add("8888", f"{CAMERA}:80")
    connection, _ = connect(site.outside, GATEWAY, 8888)
    slowest, failures, stop = [0.0], [], threading.Event()

    def stream():
        try:
            while not stop.is_set():
                began = time.monotonic()
                assert talk(connection, b"y" * 1000)
                slowest[0] = max(slowest[0], time.monotonic() - began)
        except (OSError, AssertionError) as error:
            failures.append(error)

    connection.settimeout(5)
    thread = threading.Thread(target=stream)
    thread.start()
    try:
        for _ in range(3):
            daemon.restart()
            daemon.kill()
            daemon.start()
    finally:
        stop.set()
        thread.join()
    retransmitted = site.outside.run("nstat", "-asz", "TcpRetransSegs", check=False).stdout
    with connection:
        assert not failures
        assert is_alive(connection)
    assert " 0 " in retransmitted.splitlines()[-1] or slowest[0] < 0.2, (retransmitted, slowest)


def test_lifetimes_go_on(site, daemon):
    with daemon.api() as api:
        _, mapping, _ = api.ask("POST", "/api/v1/mappings", {
            "external_port": "8888", "internal_client": CAMERA, "internal_port": "80",
            "lifetime": 1})
        api.close()
    daemon.stop()
    time.sleep(max(0.0, mapping["lifetime"] + 0.2))  # time has to pass: this is about a lease
    daemon.start()
    wait_until("the lease to end", lambda: not daemon.mappings(), timeout=2)
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"


def test_leases_end_though_nobody_runs(site, daemon):
    """The kernel ends what lets packets in as well, on a grid of ten minutes and with a minute to spare:
    a dead daemon leaves no hole for ever."""
    daemon.add("8888", f"{CAMERA}:80", "--expires", "30m")
    daemon.add("8889", f"{CAMERA}:80")
    element, lasting = elements(site.gateway.nft("list", "table", "inet", "portwright"), "open4")
    if "8889" in element:
        element, lasting = lasting, element
    minutes = re.search(r" expires (?:(\d+)h)?(?:(\d+)m)?", element)
    assert 30 <= int(minutes[1] or 0) * 60 + int(minutes[2] or 0) <= 41, element
    assert "expires" not in lasting


def test_leftovers_in_the_kernel_are_removed(site, make_daemon):
    """A state folder that knows nothing: what an earlier run programmed goes."""
    first = make_daemon(folder="first", firewall="on")
    first.add("8888", f"{CAMERA}:80")
    first.stop()
    assert call(site.outside, GATEWAY, 8888)
    make_daemon(folder="second", firewall="on")
    assert call(site.outside, GATEWAY, 8888).outcome == "silence"


def test_identities_are_never_reused(site, daemon):
    first = daemon.add("8888", f"{CAMERA}:80")
    daemon.cli("delete", first["id"])
    daemon.restart()
    assert daemon.add("8888", f"{CAMERA}:80")["id"] != first["id"]
