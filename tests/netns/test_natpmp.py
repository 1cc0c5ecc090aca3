# SPDX-License-Identifier: GPL-2.0-or-later
"""NAT-PMP (RFC 6886) on the wire and in the kernel; what needs no network is in test_serve_natpmp.c."""
import contextlib
import shutil
import socket
import time

import pytest

from namespaces import CAMERA, ELSEWHERE, GATEWAY, GATEWAY_2, NVR, OUTSIDE, SERVERS, wait_until
from port_control import TCP, UDP, natpmp_address, natpmp_map
from requester import (LAN_GATEWAY, SILENCE, Announcements, Natpmp, Pcp, Requester, forge,
                       read_natpmp)
from witness import Witness, call

SUCCESS, UNSUPP_VERSION, NOT_AUTHORIZED, NETWORK_FAILURE, NO_RESOURCES, UNSUPP_OPCODE = range(6)


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("udp", CAMERA, 5004), ("tcp", CAMERA, 81)), \
            Witness(site.nvr, ("tcp", NVR, 80)), \
            Witness(site.outside, ("udp", OUTSIDE, 7000)):
        yield


@pytest.fixture
def camera(site, daemon):
    with Requester(site.camera) as requester:
        yield requester


@contextlib.contextmanager
def uplink_at(site, address):
    """The uplink has this IPv4 address (None: none) instead of its own."""
    def become(each):
        site.gateway.ip("-4", "address", "flush", "dev", "wan0")
        if each:
            site.address(site.gateway, "wan0", f"{each}/24")
            site.route(site.gateway, "default", "via", OUTSIDE)

    become(address)
    try:
        yield
    finally:
        become(GATEWAY)


def natpmpc(host, *arguments):
    return host.run("natpmpc", "-g", LAN_GATEWAY, *arguments).stdout


def test_natpmpc(site, daemon):
    """Debian's client: address, map, renew, delete."""
    assert f"Public IP address : {GATEWAY}" in natpmpc(site.camera)
    for _ in range(2):
        answer = natpmpc(site.camera, "-a", "8080", "80", "tcp", "3600")
        assert "Mapped public port 8080 protocol TCP to local port 80 liftime 3600" in answer
    mapping, = daemon.mappings()
    assert (mapping["origin"], mapping["owner"]) == ("natpmp", CAMERA)
    assert 3595 <= mapping["lifetime"] <= 3600
    assert call(site.outside, GATEWAY, 8080).name == "camera"
    natpmpc(site.camera, "-a", "0", "80", "tcp", "0")
    assert daemon.mappings() == []
    assert call(site.outside, GATEWAY, 8080).outcome == "silence"


def test_udp_only_and_tcp_only(site, daemon, camera):
    assert camera.ask(natpmp_map(UDP, 5004, 5004)).external == 5004
    assert call(site.outside, GATEWAY, 5004, "udp")
    assert call(site.outside, GATEWAY, 5004, "tcp").outcome == "silence"


def test_mappings_are_bidirectional(site, daemon, camera):
    """3.9: what the endpoint sends leaves from its external port."""
    assert camera.ask(natpmp_map(UDP, 5554, 15554)).external == 15554
    reply = call(site.camera, OUTSIDE, 7000, "udp", source=CAMERA, source_port=5554)
    assert reply.seen == (GATEWAY, 15554)


def test_the_operator_sees_and_decides(site, daemon, camera):
    """One table for all: the operator's mapping is told to the device, which cannot delete it."""
    operators = daemon.add("8888", f"{CAMERA}:80")
    assert camera.ask(natpmp_map(TCP, 80, 8080)).external == 8888
    answer = camera.ask(natpmp_map(TCP, 80, lifetime=0))
    assert (answer.result, answer.external, answer.lifetime) == (NOT_AUTHORIZED, 0, 0)
    camera.ask(natpmp_map(TCP, 81, 8081))
    answer = camera.ask(natpmp_map(TCP, 0, lifetime=0))
    assert answer.result == NOT_AUTHORIZED
    assert [mapping["id"] for mapping in daemon.mappings()] == [operators["id"]]
    assert call(site.outside, GATEWAY, 8888)


def test_leases_end_to_the_second(site, daemon, camera):
    began = time.monotonic()
    assert camera.ask(natpmp_map(TCP, 80, 8080, lifetime=2)).lifetime == 2
    assert call(site.outside, GATEWAY, 8080)
    wait_until("the lease to end", lambda: not daemon.mappings())
    assert 1.9 < time.monotonic() - began < 3
    assert call(site.outside, GATEWAY, 8080).outcome == "silence"


def test_leases_and_the_epoch_outlive_a_restart(site, daemon, camera):
    camera.ask(natpmp_map(TCP, 80, 8080, lifetime=600))
    time.sleep(1.1)
    before = camera.ask(natpmp_address())
    daemon.restart()
    assert call(site.outside, GATEWAY, 8080)
    after = camera.ask(natpmp_address())
    assert before.epoch <= after.epoch <= before.epoch + 5
    mapping, = daemon.mappings()
    assert 590 <= mapping["lifetime"] <= 599
    assert camera.ask(natpmp_map(TCP, 80, 9999, lifetime=600)).external == 8080


def test_the_epoch_begins_anew_when_the_table_is_lost(site, daemon, camera):
    camera.ask(natpmp_map(TCP, 80, 8080))
    time.sleep(2.1)
    assert camera.ask(natpmp_address()).epoch >= 2
    daemon.stop()
    shutil.rmtree(daemon.state)
    daemon.state.mkdir()
    daemon.start()
    assert camera.ask(natpmp_address()).epoch <= 1
    assert daemon.mappings() == []


def test_each_lan_by_its_own_address(site, daemon):
    with Requester(site.servers, "192.168.2.1", source=SERVERS[1]) as server:
        assert server.ask(natpmp_map(TCP, 8090, 8090)).external == 8090
    assert daemon.mappings()[0]["internal_client"] == SERVERS[1]


def test_unsupported(site, daemon, camera):
    answer = camera.ask(natpmp_address(opcode=3))
    assert (answer.opcode, answer.result) == (131, UNSUPP_OPCODE)
    # Another version is PCP's to answer, which it does in the version that it has.
    assert camera.ask(natpmp_address(version=1)).result == UNSUPP_VERSION
    assert camera.is_ignored(natpmp_address(opcode=128))


@pytest.mark.parametrize("destination", [GATEWAY, "192.168.2.1"])
def test_only_the_address_of_the_link(site, daemon, destination):
    """3.3: not the external address, be it asked from inside."""
    with Requester(site.camera, destination) as camera:
        assert camera.is_ignored(natpmp_map(TCP, 80, 8080))
    assert daemon.mappings() == []


@pytest.mark.parametrize("destination", ["192.168.69.255", "255.255.255.255", "224.0.0.1"])
def test_nobody_is_asked_by_broadcast(site, daemon, destination):
    forge(site.camera, natpmp_map(TCP, 80, 8080), CAMERA, destination, link="eth0")
    with Requester(site.camera) as camera:
        camera.ask(natpmp_address())
    assert daemon.mappings() == []


@pytest.mark.parametrize("source", [LAN_GATEWAY, "192.168.2.101", ELSEWHERE, GATEWAY, "127.0.0.1",
                                    "192.168.69.255", "224.0.0.9"])
def test_forged_sources_map_nothing(site, daemon, source):
    """Of a host that is not on the link, the gateway itself, and no host at all."""
    site.gateway.sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.lan0.rp_filter=0")
    forge(site.camera, natpmp_map(TCP, 80, 8080), source, link="eth0")
    with Requester(site.camera) as camera:
        camera.ask(natpmp_address())  # is read behind it
    assert daemon.mappings() == []


def test_switched_off_and_on_again(site, daemon, camera):
    """3.8 and 5: without the service the port is closed, which a client is told at once."""
    daemon.write_config(**{"port-control.enabled": "off"})
    daemon.reload()

    def is_closed():
        camera.send(natpmp_address())
        try:
            return camera.hear() is None and False
        except ConnectionRefusedError:
            return True

    wait_until("port 5351 to be closed", is_closed)
    daemon.write_config(**{"port-control.enabled": "on"})
    daemon.reload()
    wait_until("port 5351 to be open", lambda: not is_closed())


def test_another_program_on_the_port(site, make_daemon):
    """Said in the log and in `portwright status`, and taken over when the port is free."""
    with site.gateway.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lan0")
        taken.bind((LAN_GATEWAY, 5351))
        daemon = make_daemon(firewall="on")
        with daemon.api() as api:
            problems = api.ask("GET", "/api/v1/status")[1]["problems"]
        assert any("lan0" in problem and "5351" in problem for problem in problems)
        assert not any("lan1" in problem for problem in problems)
    site.gateway.ip("address", "add", "192.168.69.9/24", "dev", "lan0")  # news of the site
    try:
        with Requester(site.camera) as camera:
            wait_until("an answer", lambda: camera.is_answered(natpmp_address()))
        with daemon.api() as api:
            assert api.ask("GET", "/api/v1/status")[1]["problems"] == []
    finally:
        site.gateway.ip("address", "delete", "192.168.69.9/24", "dev", "lan0")


def test_no_external_address(site, daemon, camera):
    """3.5: while the gateway has none itself; 3.2.1: told when it changes."""
    camera.ask(natpmp_map(TCP, 80, 8080))
    with uplink_at(site, None):
        wait_until("the failure",
                   lambda: camera.ask(natpmp_address()).result == NETWORK_FAILURE)
        assert camera.ask(natpmp_address()).address == "0.0.0.0"
        assert camera.ask(natpmp_map(TCP, 81, 8081)).result == NETWORK_FAILURE
    wait_until("the address", lambda: camera.ask(natpmp_address()).result == SUCCESS)
    assert camera.ask(natpmp_map(TCP, 80)).external == 8080


def assert_schedule(heard, count):
    """250 ms after the first, and twice as long each time."""
    assert len(heard) == count
    gaps = [after[0] - before[0] for before, after in zip(heard, heard[1:])]
    for number, gap in enumerate(gaps):
        assert gap == pytest.approx(0.25 * 2 ** number, abs=0.12)


def test_announcements(site, daemon, camera):
    """3.2.1 (and RFC 6887, 14.1.3): another external address, said to all devices."""
    with Announcements(site.nvr) as announcements:
        time.sleep(1.1)
        with uplink_at(site, GATEWAY_2):
            wait_until("the change", lambda: camera.ask(natpmp_address()).address == GATEWAY_2)
            announcements.listen(0.1)
            assert announcements.of(Natpmp, LAN_GATEWAY)[-1][1].address == GATEWAY_2
            # That was more than one change; one, and all of its schedule:
            daemon.stop()
            announcements.restart()
            daemon.start()
            announcements.listen(4.4)
    heard = announcements.of(Natpmp, LAN_GATEWAY)
    assert_schedule(heard, 5)
    assert {(each.opcode, each.result, each.address) for _, each in heard} == {(128, 0, GATEWAY_2)}
    for (before, first), (after, second) in zip(heard, heard[1:]):
        assert abs(second.epoch - first.epoch - (after - before)) <= 1.1
    assert_schedule(announcements.of(Pcp, LAN_GATEWAY), 5)
    assert_schedule(announcements.of(Pcp, "2001:db8:69::1"), 5)
    assert not announcements.of(Natpmp, "2001:db8:69::1")
    pcp = [each for _, each in announcements.of(Pcp, LAN_GATEWAY)]
    assert {(each.opcode, each.result, each.lifetime, each.payload) for each in pcp} == {(0, 0, 0, b"")}


def test_the_epoch_begins_anew_with_another_address(site, daemon, camera):
    time.sleep(2.1)
    assert camera.ask(natpmp_address()).epoch >= 2
    with uplink_at(site, GATEWAY_2):
        wait_until("the change", lambda: camera.ask(natpmp_address()).address == GATEWAY_2)
        assert camera.ask(natpmp_address()).epoch <= 1


def test_answers_come_from_where_was_asked(site, daemon):
    """A link with two addresses: the answer's source is the one that was asked (3.2)."""
    site.gateway.ip("address", "add", "192.168.69.2/24", "dev", "lan0")
    try:
        with Requester(site.camera, "192.168.69.2") as camera:
            wait_until("an answer", lambda: camera.is_answered(natpmp_address()))
    finally:
        site.gateway.ip("address", "delete", "192.168.69.2/24", "dev", "lan0")


def test_a_flood_starves_nobody(site, daemon, camera):
    """One host sends what it can; another is answered all the same, and the quota holds."""
    waits, sent = [], 0
    with Requester(site.nvr) as hostile:
        for _ in range(300):
            for _ in range(100):
                hostile.send(natpmp_map(TCP, 1024 + sent % 60000, lifetime=60))
                sent += 1
            asked = time.monotonic()
            assert camera.ask(natpmp_map(TCP, 80, 8080)).result == SUCCESS
            waits.append(time.monotonic() - asked)
            time.sleep(0.005)
    assert sorted(waits)[int(len(waits) * 0.99)] < 0.05, "p99"
    owners = [mapping["owner"] for mapping in daemon.mappings()]
    assert owners.count(NVR) <= 64 and owners.count(CAMERA) == 1


def test_each_device_has_its_share(site, daemon, camera):
    """Who asks more than a thousand times at once, and 500 times a second then, is not heard."""
    camera.make_room()
    for _ in range(3000):
        camera.send(natpmp_address())
    answers = 0
    while camera.hear(0.1):
        answers += 1
    assert 1000 <= answers < 2500
    with Requester(site.nvr) as nvr:
        assert nvr.ask(natpmp_address()).result == SUCCESS


def test_the_world_gets_no_answer(site, daemon):
    for destination in (GATEWAY, LAN_GATEWAY):
        with Requester(site.outside, destination) as outside:
            for request in (natpmp_address(), natpmp_map(TCP, 80, 8080), b"\2" * 24):
                outside.send(request)
            assert outside.hear(SILENCE) is None
    assert daemon.mappings() == []


def test_answer_octets(camera):
    """Byte for byte: 3.2 and 3.3."""
    camera.send(natpmp_map(TCP, 80, 8080, 3600, reserved=0xffff))
    octets = camera.hear()
    assert octets[:4] == bytes((0, 130, 0, 0)) and len(octets) == 16
    assert octets[8:] == bytes((0, 80, 0x1f, 0x90, 0, 0, 0x0e, 0x10))
    camera.send(natpmp_address())
    octets = camera.hear()
    assert octets[:4] == bytes((0, 128, 0, 0)) and octets[8:] == bytes((203, 0, 113, 7))
    assert read_natpmp(octets).epoch < 60
