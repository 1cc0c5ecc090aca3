# SPDX-License-Identifier: GPL-2.0-or-later
"""PCP (RFC 6887, RFC 7753) on the wire and in the kernel; what needs no network is in test_serve_pcp.c."""
import contextlib
import struct
import threading
import time

import pytest

from namespaces import (CAMERA, CAMERA6, ELSEWHERE, ELSEWHERE6, GATEWAY, GATEWAY6, GATEWAY_2, LAPTOP6,
                        NVR, OUTSIDE, OUTSIDE6, TRUSTED, wait_until)
from port_control import (ANY6, FILTER, MAP, NONCE, PEER, PORT_SET, PREFER_FAILURE, TCP, THIRD_PARTY,
                          UDP, natpmp_address, natpmp_map, option, pcp_announce, pcp_header,
                          pcp_map, pcp_peer, peer_filter, port_set, prefer_failure, third_party)
from requester import LAN_GATEWAY, LAN_GATEWAY6, Requester, forge, read_pcp
from test_natpmp import uplink_at
from witness import Witness, call

(SUCCESS, UNSUPP_VERSION, NOT_AUTHORIZED, MALFORMED_REQUEST, UNSUPP_OPCODE, UNSUPP_OPTION,
 MALFORMED_OPTION, NETWORK_FAILURE, NO_RESOURCES, UNSUPP_PROTOCOL, USER_EX_QUOTA,
 CANNOT_PROVIDE_EXTERNAL, ADDRESS_MISMATCH, EXCESSIVE_REMOTE_PEERS) = range(14)
SHORT, LONG, FOREVER = 30, 1800, 2 ** 32 - 1


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    ranges = [("udp", CAMERA, 6000 + offset) for offset in range(4)]
    with Witness(site.camera, ("tcp", CAMERA, 80), ("tcp", CAMERA6, 8443), ("tcp", CAMERA, 5060), *ranges), \
            Witness(site.nvr, ("tcp", NVR, 80)), \
            Witness(site.outside, ("tcp", OUTSIDE, 7000), ("udp", OUTSIDE, 7000)):
        yield


@pytest.fixture
def camera(site, daemon):
    with Requester(site.camera) as requester:
        yield requester


@pytest.fixture
def camera6(site, daemon):
    with Requester(site.camera, LAN_GATEWAY6, source=CAMERA6) as requester:
        yield requester


def assert_refused(answer, result, lifetime=None):
    assert answer.result == result
    assert answer.lifetime == (lifetime if lifetime is not None else
                               SHORT if result in (7, 8, 10, 11) else LONG)


def test_map(site, daemon, camera):
    request = pcp_map(CAMERA, TCP, 80, 8080, lifetime=3600)
    for _ in range(2):
        answer = camera.ask(request)
        assert (answer.result, answer.lifetime, answer.address, answer.external) == \
            (SUCCESS, 3600, GATEWAY, 8080)
        assert (answer.nonce, answer.protocol, answer.internal) == (NONCE, TCP, 80)
    assert call(site.outside, GATEWAY, 8080).name == "camera"
    assert call(site.outside, GATEWAY, 8080, "udp").outcome == "silence"
    mapping, = daemon.mappings()
    assert (mapping["origin"], mapping["owner"]) == ("pcp", CAMERA)
    assert NONCE.hex() not in str(mapping)
    assert camera.ask(pcp_map(CAMERA, TCP, 80, lifetime=0)).result == SUCCESS
    assert call(site.outside, GATEWAY, 8080).outcome == "silence"


def test_nonce_lease_and_epoch_outlive_a_restart(site, daemon, camera):
    camera.ask(pcp_map(CAMERA, TCP, 80, 8080, lifetime=600))
    time.sleep(1.1)
    epoch = camera.ask(pcp_announce(CAMERA)).epoch
    daemon.kill()
    daemon.start()
    answer = camera.ask(pcp_map(CAMERA, TCP, 80, 8080, nonce=b"another one!"))
    assert answer.result == NOT_AUTHORIZED and 590 <= answer.lifetime <= 599
    assert epoch <= answer.epoch <= epoch + 5
    assert camera.ask(pcp_map(CAMERA, TCP, 80, lifetime=600)).external == 8080
    assert call(site.outside, GATEWAY, 8080)


def test_mapped_endpoints_leave_from_their_port(site, daemon, camera):
    """11: bidirectional."""
    camera.ask(pcp_map(CAMERA, UDP, 5554, 15554))
    reply = call(site.camera, OUTSIDE, 7000, "udp", source=CAMERA, source_port=5554)
    assert reply.seen == (GATEWAY, 15554)


def test_filters_filter(site, daemon, camera):
    """13.3: only the peers that were named, whom a later request may add to or begin anew with."""
    def callers():
        return {source for source in (OUTSIDE, TRUSTED, ELSEWHERE)
                if call(site.outside, GATEWAY, 8080, source=source)}

    answer = camera.ask(pcp_map(CAMERA, TCP, 80, 8080, options=peer_filter(TRUSTED)))
    assert answer.options[FILTER] == [peer_filter(TRUSTED)[4:]]
    assert callers() == {TRUSTED}
    camera.ask(pcp_map(CAMERA, TCP, 80, 8080))
    assert callers() == {TRUSTED}
    camera.ask(pcp_map(CAMERA, TCP, 80, 8080, options=peer_filter("203.0.113.0", 96 + 24)))
    assert callers() == {TRUSTED, OUTSIDE}
    camera.ask(pcp_map(CAMERA, TCP, 80, 8080,
                       options=peer_filter("0.0.0.0", 0) + peer_filter(ELSEWHERE)))
    assert callers() == {ELSEWHERE}
    assert camera.ask(pcp_map(CAMERA, TCP, 80, 8080,
                              options=peer_filter(TRUSTED) + peer_filter(OUTSIDE, port=443))
                      ).result == EXCESSIVE_REMOTE_PEERS
    assert callers() == {ELSEWHERE}
    camera.ask(pcp_map(CAMERA, TCP, 80, 8080, options=peer_filter("0.0.0.0", 0)))
    assert callers() == {OUTSIDE, TRUSTED, ELSEWHERE}


def test_port_set(site, daemon, camera):
    """RFC 7753: one request, one mapping, every port of it, one by one shifted."""
    answer = camera.ask(pcp_map(CAMERA, UDP, 6000, 7000, options=port_set(4, 6000)))
    assert (answer.result, answer.external) == (SUCCESS, 7000)
    assert answer.options[PORT_SET] == [struct.pack("!HHB", 4, 6000, 0)]
    for offset in range(4):
        assert call(site.outside, GATEWAY, 7000 + offset, "udp").at == (CAMERA, 6000 + offset)
    assert call(site.outside, GATEWAY, 7004, "udp").outcome == "silence"
    assert len(daemon.mappings()) == 1
    assert camera.ask(pcp_map(CAMERA, UDP, 6000, options=port_set(4, 6000), lifetime=0)
                      ).result == SUCCESS
    assert daemon.mappings() == []


def test_peer(site, daemon, camera):
    """12: the peer gets in, nobody else does, and the endpoint's packets leave from that port."""
    answer = camera.ask(pcp_peer(CAMERA, TCP, 5060, TRUSTED, 4711, external=15060))
    assert (answer.result, answer.external, answer.address) == (SUCCESS, 15060, GATEWAY)
    assert call(site.outside, GATEWAY, 15060, source=TRUSTED).at == (CAMERA, 5060)
    assert call(site.outside, GATEWAY, 15060, source=ELSEWHERE).outcome == "silence"
    camera.ask(pcp_peer(CAMERA, UDP, 5062, TRUSTED, 4711, external=15062))
    reply = call(site.camera, OUTSIDE, 7000, "udp", source=CAMERA, source_port=5062)
    assert reply.seen == (GATEWAY, 15062)
    assert camera.ask(pcp_peer(CAMERA, TCP, 5060, TRUSTED, 4711, lifetime=0)).lifetime > 7000
    assert_refused(camera.ask(pcp_map(CAMERA, TCP, 5060, lifetime=0)), NOT_AUTHORIZED)
    assert camera.ask(pcp_map(CAMERA, TCP, 5060)).external == 15060
    assert call(site.outside, GATEWAY, 15060, source=ELSEWHERE).at == (CAMERA, 5060)


def test_peer_of_a_connection_under_way(site, daemon, camera):
    """12.3: what the peer sees already is what is told."""
    with site.camera.socket() as connection:
        connection.bind((CAMERA, 5065))
        connection.settimeout(2)
        connection.connect((OUTSIDE, 7000))
        answer = camera.ask(pcp_peer(CAMERA, TCP, 5065, OUTSIDE, 7000))
        assert (answer.result, answer.external) == (SUCCESS, 5065)


def test_pinhole(site, daemon, camera6):
    """IPv6: no translation, the client's own address and port."""
    assert call(site.outside, CAMERA6, 8443, source=OUTSIDE6).outcome != "answered"
    answer = camera6.ask(pcp_map(CAMERA6, TCP, 8443, 9, address=ANY6))
    assert (answer.result, answer.address, answer.external) == (SUCCESS, CAMERA6, 8443)
    assert call(site.outside, CAMERA6, 8443, source=OUTSIDE6)
    answer = camera6.ask(pcp_map(CAMERA6, TCP, 8443, address=ANY6,
                                 options=peer_filter(ELSEWHERE6)))
    assert answer.result == SUCCESS
    assert call(site.outside, CAMERA6, 8443, source=ELSEWHERE6)
    assert call(site.outside, CAMERA6, 8443, source=OUTSIDE6).outcome != "answered"
    assert_refused(camera6.ask(pcp_map(CAMERA6, TCP, 8444, 9, address=ANY6,
                                       options=prefer_failure())), CANNOT_PROVIDE_EXTERNAL)
    camera6.ask(pcp_map(CAMERA6, TCP, 8443, address=ANY6, lifetime=0))
    assert call(site.outside, CAMERA6, 8443, source=ELSEWHERE6).outcome != "answered"


def test_asked_at_the_link_local_address(site, daemon):
    """8.1: the default router, which is most often known by that one. 8.4: from a global address."""
    found = site.gateway.run("ip", "-6", "-o", "address", "show", "dev", "lan0", "scope", "link")
    link_local = found.stdout.split()[3].partition("/")[0]
    with Requester(site.camera, f"{link_local}%eth0", source=CAMERA6) as camera:
        answer = camera.ask(pcp_map(CAMERA6, TCP, 8443, address=ANY6))
        assert (answer.result, answer.address) == (SUCCESS, CAMERA6)
        assert call(site.outside, CAMERA6, 8443, source=OUTSIDE6)
    with Requester(site.camera, f"{link_local}%eth0") as camera:  # from its own link-local one
        assert camera.ask(pcp_announce(camera.address)).result == SUCCESS
        assert_refused(camera.ask(pcp_map(camera.address, TCP, 8443, address=ANY6)), NOT_AUTHORIZED)


def test_versions(camera, camera6):
    """9: the nearest version there is. Version 0 is NAT-PMP, which IPv6 does not have."""
    for version in (1, 3, 255):
        answer = camera.ask(pcp_announce(CAMERA, version=version))
        assert (answer.version, answer.result) == (2, UNSUPP_VERSION)
    assert camera.ask(natpmp_address()).opcode == 128
    camera6.send(pcp_announce(CAMERA6, version=0))
    assert read_pcp(camera6.hear()).result == UNSUPP_VERSION


def test_announce(camera, camera6):
    for requester, client in ((camera, CAMERA), (camera6, CAMERA6)):
        answer = requester.ask(pcp_announce(client))
        assert (answer.result, answer.lifetime, answer.payload) == (SUCCESS, 0, b"")


SILENT = {
    "an octet": b"\2",
    "nothing": b"",
    "a response": b"\2\x81" + bytes(58),
    "no whole header": pcp_map(CAMERA, TCP, 80)[:23],
}


@pytest.mark.parametrize("request_", SILENT.values(), ids=SILENT)
def test_dropped(daemon, camera, request_):
    assert camera.is_ignored(request_)
    assert daemon.mappings() == []


def over_long():
    """1104 octets of options that may be ignored."""
    return pcp_map(CAMERA, TCP, 80, options=option(200, bytes(1104 - 60 - 4)))


WRONG = {
    # 8.2
    "over 1100 octets": (over_long(), MALFORMED_REQUEST),
    "1500 octets": (over_long() + bytes(396), MALFORMED_REQUEST),
    "not a multiple of 4": (pcp_map(CAMERA, TCP, 80) + b"\0", MALFORMED_REQUEST),
    "shorter than MAP": (pcp_map(CAMERA, TCP, 80)[:56], MALFORMED_REQUEST),
    "shorter than PEER": (pcp_peer(CAMERA, TCP, 80, TRUSTED, 80)[:76], MALFORMED_REQUEST),
    "another client": (pcp_map(NVR, TCP, 80), ADDRESS_MISMATCH),
    "no client": (pcp_map("::", TCP, 80), ADDRESS_MISMATCH),
    "opcode 3": (pcp_header(3, CAMERA) + bytes(36), UNSUPP_OPCODE),
    "opcode 127": (pcp_header(127, CAMERA), UNSUPP_OPCODE),
    # 11.3
    "all protocols, a port": (pcp_map(CAMERA, 0, 80), MALFORMED_REQUEST),
    "all protocols": (pcp_map(CAMERA, 0, 0), UNSUPP_PROTOCOL),
    "all ports": (pcp_map(CAMERA, TCP, 0), UNSUPP_PROTOCOL),
    "SCTP": (pcp_map(CAMERA, 132, 80), UNSUPP_PROTOCOL),
    "a guarded port": (pcp_map(CAMERA, TCP, 22), NOT_AUTHORIZED),
    # 7.3
    "an unknown option": (pcp_map(CAMERA, TCP, 80, options=option(99)), UNSUPP_OPTION),
    "an option cut off": (pcp_map(CAMERA, TCP, 80, options=option(FILTER, length=20)),
                          MALFORMED_OPTION),
    "an option of wrong length": (pcp_map(CAMERA, TCP, 80, 8080,
                                          options=option(PREFER_FAILURE, bytes(4))),
                                  MALFORMED_OPTION),
    # 13.1
    "THIRD_PARTY": (pcp_map(CAMERA, TCP, 80, options=third_party(NVR)), UNSUPP_OPTION),
    # 13.2
    "PREFER_FAILURE of any port": (pcp_map(CAMERA, TCP, 80, options=prefer_failure()),
                                   MALFORMED_OPTION),
    "PREFER_FAILURE of a kept port": (pcp_map(CAMERA, TCP, 80, 80, options=prefer_failure()),
                                      CANNOT_PROVIDE_EXTERNAL),
    "PREFER_FAILURE twice": (pcp_map(CAMERA, TCP, 80, 8080, options=prefer_failure() * 2),
                             MALFORMED_OPTION),
    "PREFER_FAILURE of port 5351": (pcp_map(CAMERA, UDP, 5351, 5351, options=prefer_failure()),
                                    CANNOT_PROVIDE_EXTERNAL),
    "PREFER_FAILURE of a strange address": (pcp_map(CAMERA, TCP, 80, 8080, address="192.0.2.1",
                                                    options=prefer_failure()),
                                            CANNOT_PROVIDE_EXTERNAL),
    "PREFER_FAILURE to delete": (pcp_map(CAMERA, TCP, 80, 8080, lifetime=0,
                                         options=prefer_failure()), MALFORMED_OPTION),
    # 13.3
    "FILTER too wide": (pcp_map(CAMERA, TCP, 80, options=peer_filter(TRUSTED, 95)),
                        MALFORMED_OPTION),
    "FILTER too long": (pcp_map(CAMERA, TCP, 80, options=peer_filter("2001:db8::1", 129)),
                        MALFORMED_OPTION),
    "FILTER of IPv6": (pcp_map(CAMERA, TCP, 80, options=peer_filter("2001:db8::1")),
                       MALFORMED_OPTION),
    "FILTER to delete": (pcp_map(CAMERA, TCP, 80, lifetime=0, options=peer_filter(TRUSTED)),
                         MALFORMED_OPTION),
    "FILTER of a port": (pcp_map(CAMERA, TCP, 80, options=peer_filter(TRUSTED, port=80)),
                         EXCESSIVE_REMOTE_PEERS),
    # RFC 7753, 4.2
    "PORT_SET of nothing": (pcp_map(CAMERA, TCP, 80, options=port_set(0, 80)), MALFORMED_OPTION),
    "PORT_SET twice": (pcp_map(CAMERA, TCP, 80, options=port_set(2, 80) * 2), MALFORMED_OPTION),
    "PORT_SET and PREFER_FAILURE": (pcp_map(CAMERA, TCP, 80, 8080,
                                            options=port_set(2, 80) + prefer_failure()),
                                    MALFORMED_OPTION),
    # 12.1, 12.3
    "PEER of all protocols": (pcp_peer(CAMERA, 0, 80, TRUSTED, 80), MALFORMED_REQUEST),
    "PEER of all ports": (pcp_peer(CAMERA, TCP, 0, TRUSTED, 80), MALFORMED_REQUEST),
    "PEER at no port": (pcp_peer(CAMERA, TCP, 80, TRUSTED, 0), MALFORMED_REQUEST),
    "PEER on loopback": (pcp_peer(CAMERA, TCP, 80, "127.0.0.1", 80), MALFORMED_REQUEST),
    "PEER of another family": (pcp_peer(CAMERA, TCP, 80, OUTSIDE6, 80), MALFORMED_REQUEST),
    "PEER with PREFER_FAILURE": (pcp_peer(CAMERA, TCP, 80, TRUSTED, 80, options=prefer_failure()),
                                 MALFORMED_REQUEST),
    "PEER of a kept port": (pcp_peer(CAMERA, TCP, 80, TRUSTED, 80, external=80),
                            CANNOT_PROVIDE_EXTERNAL),
    "PEER of SCTP": (pcp_peer(CAMERA, 132, 80, TRUSTED, 80), UNSUPP_PROTOCOL),
}


@pytest.mark.parametrize("request_, result", WRONG.values(), ids=WRONG)
def test_refused(daemon, camera, request_, result):
    """The code that the RFC names, how long it holds (7.4), the request's own payload (8.2), and
    nothing mapped."""
    answer = camera.ask(request_)
    assert_refused(answer, result)
    payload = request_[24:1100]
    assert answer.payload == payload + b"\0" * (-len(payload) % 4)
    assert answer.opcode == request_[1]
    assert daemon.mappings() == []


def test_optional_options_are_ignored(camera):
    answer = camera.ask(pcp_map(CAMERA, TCP, 80, 8080, options=option(200, b"whatever")))
    assert (answer.result, answer.options) == (SUCCESS, {})


def test_static_mappings_are_told(daemon, camera):
    operators = daemon.add("8888", f"{CAMERA}:80")
    answer = camera.ask(pcp_map(CAMERA, TCP, 80, 8080))
    assert (answer.result, answer.external, answer.lifetime) == (SUCCESS, 8888, FOREVER)
    assert_refused(camera.ask(pcp_map(CAMERA, TCP, 80, lifetime=0)), NOT_AUTHORIZED)
    assert [mapping["id"] for mapping in daemon.mappings()] == [operators["id"]]


def test_third_party(site, make_daemon):
    make_daemon(firewall="on", **{"port-control.third-party": "on",
                                  "policy.own-address-only": "off"})
    with Requester(site.camera) as camera:
        answer = camera.ask(pcp_map(CAMERA, TCP, 80, 8080, options=third_party(NVR)))
        assert answer.result == SUCCESS
        assert answer.options[THIRD_PARTY] == [third_party(NVR)[4:]]
        assert call(site.outside, GATEWAY, 8080).name == "nvr"
        assert_refused(camera.ask(pcp_map(CAMERA, TCP, 81, options=third_party(CAMERA))),
                       MALFORMED_REQUEST)
        assert_refused(camera.ask(pcp_map(CAMERA, TCP, 81, options=third_party(LAN_GATEWAY))),
                       NOT_AUTHORIZED)


def test_peer_switched_off(site, make_daemon):
    make_daemon(firewall="on", **{"port-control.peer": "off"})
    with Requester(site.camera) as camera:
        assert_refused(camera.ask(pcp_peer(CAMERA, TCP, 80, TRUSTED, 80)), NOT_AUTHORIZED)
        assert camera.ask(pcp_map(CAMERA, TCP, 80)).result == SUCCESS


def test_quota(site, make_daemon):
    make_daemon(firewall="on", **{"policy.max-mappings-per-client": "3"})
    with Requester(site.camera) as camera:
        for port in range(6000, 6003):
            assert camera.ask(pcp_map(CAMERA, TCP, port)).result == SUCCESS
        assert_refused(camera.ask(pcp_map(CAMERA, TCP, 6003)), USER_EX_QUOTA)
        assert camera.ask(pcp_map(CAMERA, TCP, 6002)).result == SUCCESS


def test_quarantine(site, make_daemon):
    """Refused until the operator approves, and then told at once (14.2)."""
    daemon = make_daemon(firewall="on", **{"policy.quarantine": "on"})
    with Requester(site.camera) as camera:
        assert_refused(camera.ask(pcp_map(CAMERA, TCP, 80, 8080)), NOT_AUTHORIZED)
        assert call(site.outside, GATEWAY, 8080).outcome == "silence"
        waiting, = daemon.mappings()
        assert waiting["pending"] is True
        daemon.cli("approve", waiting["id"])
        told = read_pcp(camera.hear(2))
        assert (told.opcode, told.result, told.external) == (MAP, SUCCESS, 8080)
        assert call(site.outside, GATEWAY, 8080)


def hear_updates(requester, seconds=1.2):
    """[(seconds since the first, answer)]"""
    heard, deadline = [], time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        octets, when = requester.hear_at(left)
        if octets:
            heard.append((when, read_pcp(octets)))
    return [(when - heard[0][0], answer) for when, answer in heard]


def test_updates(site, daemon, camera):
    """14.2: three times, 250 and 500 ms apart, to where the last answer went."""
    camera.ask(pcp_map(CAMERA, TCP, 80, 8080))
    mapping, = daemon.mappings()
    daemon.cli("set", mapping["id"], "external_port=8081")
    heard = hear_updates(camera)
    assert [when for when, _ in heard] == pytest.approx([0, 0.25, 0.75], abs=0.1)
    for _, told in heard:
        assert (told.opcode, told.result, told.external, told.internal, told.nonce) == \
            (MAP, SUCCESS, 8081, 80, NONCE)
    daemon.cli("delete", mapping["id"])
    assert read_pcp(camera.hear()).result == NOT_AUTHORIZED
    # heard of again: no more of them
    assert camera.ask(pcp_map(CAMERA, TCP, 80, 8080)).external == 8080
    daemon.cli("disable", daemon.mappings()[0]["id"])
    assert read_pcp(camera.hear()).result == NOT_AUTHORIZED
    assert_refused(camera.ask(pcp_map(CAMERA, TCP, 80, 8080)), NOT_AUTHORIZED)


def test_update_of_an_end(daemon, camera):
    camera.ask(pcp_map(CAMERA, TCP, 80, 8080))
    daemon.cli("set", daemon.mappings()[0]["id"], "lifetime=1s")
    camera.hear()
    wait_until("the lease to end", lambda: not daemon.mappings())
    told = hear_updates(camera)[-1][1]
    assert (told.result, told.lifetime) == (SUCCESS, 0)


def test_update_of_another_address(site, daemon, camera):
    camera.ask(pcp_map(CAMERA, TCP, 80, 8080, options=peer_filter(TRUSTED)))
    camera.ask(pcp_peer(CAMERA, TCP, 5060, TRUSTED, 4711))
    with uplink_at(site, GATEWAY_2):
        heard = [told for _, told in hear_updates(camera, 2)]
        assert {told.opcode for told in heard} == {MAP, PEER}
        assert {told.address for told in heard} == {GATEWAY_2}
        assert all(told.options[FILTER] == [peer_filter(TRUSTED)[4:]]
                   for told in heard if told.opcode == MAP)
        assert all(told.epoch <= 3 for told in heard)
        assert call(site.outside, GATEWAY_2, 8080, source=TRUSTED)


@pytest.mark.parametrize("gateway", [GATEWAY6, "2001:db8:69::1"])
def test_the_world_gets_no_answer_by_ipv6(site, daemon, gateway):
    with Requester(site.outside, gateway) as outside:
        assert outside.is_ignored(pcp_announce(outside.address))
        assert outside.is_ignored(pcp_map(outside.address, TCP, 80, address=ANY6))
    assert daemon.mappings() == []


def test_forged_sources_map_nothing(site, daemon):
    site.gateway.sysctl("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.lan0.rp_filter=0")
    for source in (LAN_GATEWAY, "192.168.2.101", ELSEWHERE, GATEWAY):
        forge(site.camera, pcp_map(source, TCP, 80), source, link="eth0")
    with Requester(site.camera) as camera:
        camera.ask(pcp_announce(CAMERA))
    assert daemon.mappings() == []


@contextlib.contextmanager
def scanning(host, addresses):
    """Asks every address for everything, again and again; yields what was answered."""
    answers, over = [], threading.Event()

    def scan():
        with contextlib.ExitStack() as stack:
            requesters = [stack.enter_context(Requester(host, address)) for address in addresses]
            while not over.is_set():
                for each in requesters:
                    for octets in (natpmp_address(), natpmp_map(TCP, 80, 8080),
                                   pcp_announce(each.address), pcp_map(each.address, TCP, 80)):
                        with contextlib.suppress(OSError):
                            each.send(octets)
                    with contextlib.suppress(OSError):
                        if each.hear(0.001):
                            answers.append((each.address, each.socket.getpeername()))

    thread = threading.Thread(target=scan)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def test_the_world_gets_no_answer_while_links_change(site, make_daemon):
    """Renamed, readdressed and swapped: whatever the uplink is called and has, it stays one."""
    gateway = site.gateway
    daemon = make_daemon(firewall="on", uplink="auto", lan="auto")
    everywhere = (GATEWAY, GATEWAY_2, LAN_GATEWAY, "192.168.2.1", GATEWAY6, LAN_GATEWAY6)
    try:
        with scanning(site.outside, everywhere) as answers, Requester(site.camera) as camera:
            for _ in range(3):
                for old, new in (("wan0", "tmp"), ("lan0", "wan0"), ("tmp", "lan0")):
                    gateway.ip("link", "set", old, "name", new)
                wait_until("the LAN to be served",
                           lambda: camera.is_answered(natpmp_address()))
                for old, new in (("wan0", "tmp"), ("lan0", "wan0"), ("tmp", "lan0")):
                    gateway.ip("link", "set", old, "name", new)
                gateway.ip("address", "add", f"{GATEWAY_2}/24", "dev", "wan0")
                gateway.ip("link", "set", "lan0", "down")
                gateway.ip("link", "set", "lan0", "up")
                gateway.ip("address", "delete", f"{GATEWAY_2}/24", "dev", "wan0")
                site.address(gateway, "lan0", "192.168.70.1/24")
                gateway.ip("address", "delete", "192.168.70.1/24", "dev", "lan0")
                wait_until("the LAN to be served",
                           lambda: camera.is_answered(natpmp_address()))
            time.sleep(0.2)
        assert answers == []
        assert daemon.mappings() == []
    finally:
        gateway.run("ip", "-6", "address", "replace", "2001:db8:69::1/64", "dev", "lan0")
