# SPDX-License-Identifier: GPL-2.0-or-later
"""
One host of the LAN is hostile: it asks for ever more by every protocol, in its own name and in others',
names its mappings with whatever bytes it likes, and asks for what it is not to have. The others are served
all the same, what it gets is what the policy says, and what it says harms nobody who reads it.
"""
import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import threading
import time

import pytest

from daemon import BUILD
from igd import HTTP_PORT, SSDP_GROUP, SSDP_PORT, WAN_IP, Igd, search_message
from namespaces import CAMERA, GATEWAY, LAPTOP, NVR, wait_until
from port_control import TCP, UDP, natpmp_address, natpmp_map, pcp_map
from requester import LAN_GATEWAY, Requester
from witness import Witness, call

FLOOD_SECONDS = 5
MODERATE, FIERCE = 2500, 10000  # requests a second by each of four protocols
P99 = 0.050
MIB = 1 << 20
NAMED = {"firewall": "on", "igd.http-port": HTTP_PORT}
NATPMP_NOT_AUTHORIZED, NATPMP_NO_RESOURCES = 2, 4
PCP_NOT_AUTHORIZED, PCP_USER_EX_QUOTA = 2, 10
IGD_INVALID_ARGUMENTS, IGD_FAILED, IGD_NOT_AUTHORIZED, IGD_NO_PORT = 402, 501, 606, 728


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.laptop, ("tcp", LAPTOP, 80)), Witness(site.camera, ("tcp", CAMERA, 80)):
        yield


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(**NAMED)


def resident(daemon):
    """VmRSS and its highest so far, in bytes."""
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return tuple(int(re.search(rf"{key}:\s+(\d+) kB", status)[1]) * 1024
                 for key in ("VmRSS", "VmHWM"))


def owners(daemon):
    """{owner: number of mappings}."""
    return dict(collections.Counter(mapping["owner"] for mapping in daemon.mappings()))


def is_sanitized(daemon):
    return "libasan" in pathlib.Path(f"/proc/{daemon.process.pid}/maps").read_text()


@dataclasses.dataclass
class Honest:
    """How an honest host fared: seconds until each answer. A lost datagram is asked again after 250 ms,
    as RFC 6886 has it, and its answer counts from the first try."""
    natpmp: list = dataclasses.field(default_factory=list)
    pcp: list = dataclasses.field(default_factory=list)
    soap: list = dataclasses.field(default_factory=list)
    ssdp: list = dataclasses.field(default_factory=list)

    def ask(self, site, address, until):
        """Asks by every protocol in turn until the event is set."""
        with Requester(site.laptop) as requester:
            igd = Igd(site.laptop)
            igd.add(9100, 80, address)
            while not until.wait(0.005):
                self.natpmp.append(ask_again(requester, natpmp_map(TCP, 80, 9000)))
                self.pcp.append(ask_again(requester, pcp_map(address, UDP, 81, 9001)))
                began = time.monotonic()
                assert igd.find(9100)["NewInternalClient"] == address
                self.soap.append(time.monotonic() - began)

    def search(self, site, until):
        """As often as an eager control point does."""
        while not until.wait(0.1):
            with site.laptop.socket(kind=socket.SOCK_DGRAM) as asking:
                asking.settimeout(3)
                began = time.monotonic()
                asking.sendto(search_message("upnp:rootdevice"), (SSDP_GROUP, SSDP_PORT))
                asking.recv(4096)
                self.ssdp.append(time.monotonic() - began)


def ask_again(requester, request):
    began = time.monotonic()
    for patience in (0.25, 0.5, 1, 2):
        requester.send(request)
        answer = requester.hear(patience)
        if answer is not None:
            assert answer[3] == 0, answer
            return time.monotonic() - began
    raise AssertionError("no answer")


def p99(waits):
    return sorted(waits)[int(len(waits) * 0.99)]


def flood(site, rate, *forged, seconds=FLOOD_SECONDS):
    """The NVR turns hostile; returns the process."""
    path = Igd(site.nvr).service(WAN_IP)["controlURL"]
    return site.nvr.start(BUILD / "tests" / "site" / "flood", LAN_GATEWAY, seconds, rate, *forged,
                          env={**os.environ, "HTTP_PORT": str(HTTP_PORT), "HTTP_PATH": path},
                          stdout=subprocess.PIPE)


def wait_for(hostile):
    """What it says it did: {protocol: {"sent", "answered"}}."""
    said, _ = hostile.communicate(timeout=FLOOD_SECONDS + 30)
    return json.loads(said)


@contextlib.contextmanager
def asking(site):
    """The laptop asks meanwhile; whatever it met is raised at the end."""
    honest, over, errors = Honest(), threading.Event(), []

    def guarded(ask, *arguments):
        try:
            ask(*arguments)
        except BaseException as error:  # noqa: BLE001 told by the main thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(honest.ask, site, LAPTOP, over)),
               threading.Thread(target=guarded, args=(honest.search, site, over))]
    for thread in threads:
        thread.start()
    try:
        yield honest
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("rate", [MODERATE, FIERCE], ids=["moderate", "fierce"])
def test_flood(site, daemon, rate):
    before, _ = resident(daemon)
    with asking(site) as honest:
        said = wait_for(flood(site, rate))
    _, highest = resident(daemon)
    print("\nasked each second:", ", ".join(
        f"{name} {count['sent'] / FLOOD_SECONDS:.0f}"
        f" (answered {count['answered'] / FLOOD_SECONDS:.0f})" for name, count in said.items()))
    for name, waits in vars(honest).items():
        print(f"another host's {len(waits)} requests by {name}: median "
              f"{statistics.median(waits) * 1e3:.1f} ms, p99 {p99(waits) * 1e3:.1f} ms")
    print(f"resident: {before / MIB:.1f} MiB before, {highest / MIB:.1f} at most")

    assert owners(daemon) == {NVR: 64, LAPTOP: 2}
    for waits in vars(honest).values():
        assert len(waits) > 30 and p99(waits) < P99
    # An answer to everything would have been ten times as many; HTTP answers one by one, in turn.
    assert said["natpmp"]["answered"] + said["pcp"]["answered"] < 1000 * FLOOD_SECONDS
    if not is_sanitized(daemon):
        assert highest - before < 8 * MIB


def test_flood_in_everybody_s_name(site, make_daemon):
    """Requests from 250 addresses: each has its quota, all together have theirs, and who has
    a mapping keeps it."""
    daemon = make_daemon(**NAMED, **{"policy.max-mappings-per-client": 3,
                                     "policy.max-mappings": 500})
    before, _ = resident(daemon)
    with Requester(site.laptop) as laptop:
        assert laptop.ask(natpmp_map(TCP, 80, 9000)).external == 9000
        wait_for(flood(site, MODERATE, "192.168.69.0", seconds=2))
        held = owners(daemon)
        assert sum(held.values()) == 500 and max(held.values()) == 3 and len(held) > 160
        # Answers to hosts that are not there wait for ARP in the gateway, for a moment.
        wait_until("answers", lambda: not laptop.is_ignored(natpmp_address()))
        assert laptop.ask(natpmp_map(TCP, 80, 9000)).external == 9000, "it is renewed"
        assert laptop.ask(natpmp_map(TCP, 90, 9090)).result == NATPMP_NO_RESOURCES
    assert call(site.outside, GATEWAY, 9000).name == "laptop"
    assert daemon.add("9001", f"{CAMERA}:80")["id"], "the operator has no quota"
    if not is_sanitized(daemon):
        assert resident(daemon)[1] - before < 8 * MIB


def test_quotas(site, make_daemon):
    """By whatever protocol they were made, mappings count together; what goes makes room."""
    daemon = make_daemon(**NAMED, **{"policy.max-mappings-per-client": 3,
                                     "policy.max-mappings": 5})
    with Requester(site.laptop) as laptop, Requester(site.camera) as camera:
        igd = Igd(site.laptop)
        assert laptop.ask(natpmp_map(TCP, 1001, 1001)).result == 0
        assert laptop.ask(pcp_map(LAPTOP, UDP, 1002, 1102)).result == 0
        assert igd.add(1103, 80, LAPTOP) == {}

        assert laptop.ask(natpmp_map(TCP, 1004, 1104)).result == NATPMP_NO_RESOURCES
        assert laptop.ask(pcp_map(LAPTOP, UDP, 1004, 1104)).result == PCP_USER_EX_QUOTA
        assert igd.add(1104, 80, LAPTOP) == IGD_FAILED
        assert igd.add(1104, 80, LAPTOP, version=2) == IGD_NO_PORT
        assert owners(daemon) == {LAPTOP: 3}

        for port in (1005, 1006):
            assert camera.ask(natpmp_map(TCP, port, port)).result == 0
        assert camera.ask(natpmp_map(TCP, 1007, 1007)).result == NATPMP_NO_RESOURCES
        assert igd.delete(1103) == {}
        assert camera.ask(natpmp_map(TCP, 1007, 1007)).result == 0
        assert owners(daemon) == {LAPTOP: 2, CAMERA: 3}


# Names. XML can carry each of these; those that a name may not hold are refused by the code for it.

BEYOND = (0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff, 0xfffd,
          0x1f600, 0xe0041)
NAMES = [f"x{chr(code)}y" for code in (*range(0x20, 0x7f), *range(0xa0, 0x100), *BEYOND)] + [
    "<script>alert(1)</script>", "&lt;&amp;&#27;", "]]>", "a' OR 1=1; --", '"}, {"id": "m1"}',
    "$(reboot)`reboot`", "%s%n%x", "../../etc/passwd", "\\x1b[2J\\u001b]0;x", "ü" * 64]
REFUSED_NAMES = [f"x{chr(code)}y" for code in (9, 10, 13, *range(0x7f, 0xa0))]
HARMFUL = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def add_named(igd, port, name):
    """200, a fault's code, or an HTTP status, for a name as text or as raw bytes."""
    answer = igd.call(f"{WAN_IP}:1", "AddPortMapping", {
        "NewRemoteHost": "", "NewExternalPort": port, "NewProtocol": "TCP", "NewInternalPort": 80,
        "NewInternalClient": LAPTOP, "NewEnabled": 1, "NewPortMappingDescription": name,
        "NewLeaseDuration": 3600})
    return answer.code or answer.status


def test_names(site, make_daemon, tmp_path):
    daemon = make_daemon(**NAMED, **{"policy.max-mappings-per-client": 1000})
    igd = Igd(site.laptop)
    watching = daemon.host.start(BUILD / "portwright", "--socket", daemon.socket, "watch",
                                 stdout=subprocess.PIPE)
    for port, name in enumerate(NAMES, 2000):
        assert add_named(igd, port, name) == 200, ascii(name)
    for name in REFUSED_NAMES:
        assert add_named(igd, 9999, name) == IGD_INVALID_ARGUMENTS, ascii(name)
    for octet in {*range(256)} - {9, 10, 13, *range(0x20, 0x80)} | {ord("&"), ord("<")}:
        assert add_named(igd, 9999, bytes([ord("x"), octet, ord("y")])) == 400, octet
    for reference in (0, 1, 27, 0xd800, 0xfffe):
        assert add_named(igd, 9999, b"x&#%d;y" % reference) == 400, reference

    # Intact, wherever they are asked for.
    assert [mapping["name"] for mapping in daemon.mappings()] == NAMES
    assert [entry["NewPortMappingDescription"] for entry in igd.entries()] == NAMES
    assert [igd.find(port)["NewPortMappingDescription"] for port in range(2000, 2000 + len(NAMES))] \
        == NAMES
    said = daemon.cli("list", "--json").stdout
    assert [mapping["name"] for mapping in json.loads(said)["mappings"]] == NAMES

    # Harmless, wherever they are read.
    outputs = {verb: daemon.cli(*verb.split()).stdout for verb in (
        "list", "list --json", "show m1", "status", "export", "flows")}
    for mapping in daemon.mappings()[-len(BEYOND) - 10:]:
        outputs[mapping["id"]] = daemon.cli("show", mapping["id"]).stdout
    daemon.cli("export", "-o", tmp_path / "export.json")
    outputs["export -o"] = (tmp_path / "export.json").read_text()
    watching.terminate()
    outputs["watch"] = watching.communicate()[0].decode()
    outputs["log"] = daemon.log()
    assert outputs["watch"].count("\n") > len(BEYOND) + 10, "it was there for those that matter"
    for output, text in outputs.items():
        assert not HARMFUL.search(text), (output, ascii(HARMFUL.search(text)[0]))
    assert outputs["list"].count("\n") == len(NAMES) + 1, "a line each, and their head"
    ruleset = daemon.host.nft("list", "ruleset")
    assert "script" not in ruleset and "reboot" not in ruleset

    # And the whole way round.
    daemon.cli("import", tmp_path / "export.json", "--replace")
    assert [mapping["name"] for mapping in daemon.mappings()] == NAMES
    daemon.restart()
    assert [mapping["name"] for mapping in daemon.mappings()] == NAMES


# Quarantine.

def ask_natpmp(site):
    with Requester(site.laptop) as laptop:
        return laptop.ask(natpmp_map(TCP, 80, 8888, lifetime=600)).result


def ask_pcp(site):
    with Requester(site.laptop) as laptop:
        return laptop.ask(pcp_map(LAPTOP, TCP, 80, 8888, lifetime=600)).result


def ask_upnp(site):
    answer = Igd(site.laptop).add(8888, 80, LAPTOP, version=2, lease=600)
    return 0 if answer == {} else answer


@pytest.mark.parametrize("ask, refused", [(ask_natpmp, NATPMP_NOT_AUTHORIZED),
                                          (ask_pcp, PCP_NOT_AUTHORIZED),
                                          (ask_upnp, IGD_NOT_AUTHORIZED)],
                         ids=["natpmp", "pcp", "upnp"])
def test_quarantine(site, make_daemon, ask, refused):
    daemon = make_daemon(**NAMED, **{"policy.quarantine": "on"})
    empty = daemon.ruleset()
    for _ in range(3):  # it asks again, as clients do
        assert ask(site) == refused
    mapping, = json.loads(daemon.cli("list", "--json").stdout)["mappings"]
    assert mapping["pending"] and not mapping["enabled"]
    assert (mapping["external_port"], mapping["owner"]) == ("8888", LAPTOP)
    assert "pending" in daemon.cli("list").stdout
    assert not call(site.outside, GATEWAY, 8888) and daemon.ruleset() == empty

    daemon.cli("approve", mapping["id"])
    assert ask(site) == 0
    granted, = daemon.mappings()
    assert granted["id"] == mapping["id"] and granted["enabled"] and "pending" not in granted
    assert 590 <= granted["lifetime"] <= 600
    assert call(site.outside, GATEWAY, 8888).name == "laptop"

    daemon.cli("delete", mapping["id"])
    assert ask(site) == refused, "an approval is of one mapping"


def test_quarantine_is_within_the_quota(site, make_daemon):
    """What waits counts: the operator's list cannot be flooded."""
    daemon = make_daemon(**NAMED, **{"policy.quarantine": "on",
                                     "policy.max-mappings-per-client": 3})
    with Requester(site.laptop) as laptop:
        results = [laptop.ask(natpmp_map(TCP, port, port)).result for port in range(2000, 2010)]
    assert results[:3] == [NATPMP_NOT_AUTHORIZED] * 3
    assert set(results[3:]) == {NATPMP_NO_RESOURCES}
    assert len(daemon.mappings()) == 3
