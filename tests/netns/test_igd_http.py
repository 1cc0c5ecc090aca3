# SPDX-License-Identifier: GPL-2.0-or-later
"""
The gateway device's HTTP server against what no device would send: forged hosts, origins, two readings
of one message, endless and slow requests, hostile XML. What is refused must change nothing.
"""
import contextlib
import socket
import threading
import time

import pytest

from igd import (ENVELOPE, HTTP_PORT, LAN_GATEWAY, LAN_GATEWAY6, WAN_IP, Igd, Wire, exchange,
                 format_action, format_request)
from namespaces import GATEWAY, LAPTOP, wait_until

SERVICE = WAN_IP + ":1"
ARGUMENTS = [("NewRemoteHost", ""), ("NewExternalPort", "8080"), ("NewProtocol", "TCP"),
             ("NewInternalPort", "80"), ("NewInternalClient", LAPTOP), ("NewEnabled", "1"),
             ("NewPortMappingDescription", "x"), ("NewLeaseDuration", "3600")]
BODY = format_action("AddPortMapping", SERVICE, ARGUMENTS)
ACTION = f"{SERVICE}#AddPortMapping"


@pytest.fixture
def gateway(make_daemon):
    return make_daemon(firewall="on", **{"igd.http-port": HTTP_PORT})


@pytest.fixture
def igd(site, gateway):
    igd = Igd(site.laptop)
    igd.control = igd.service(SERVICE)["controlURL"]
    return igd


@pytest.fixture
def unchanged(gateway):
    """Whatever the test sends, the table stays empty."""
    yield
    assert gateway.mappings() == []


def head(*lines, path="/igd.xml", method="GET", version="HTTP/1.1"):
    return "\r\n".join([f"{method} {path} {version}", *lines, "", ""]).encode("latin-1")


HOST = f"Host: {LAN_GATEWAY}:{HTTP_PORT}"


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:49000", "localhost", "127.0.0.1", "192.168.2.1", GATEWAY,
    "192.168.69.1.evil.example", "192.168.69.1 ", "0300.0250.0105.1", "3232253185", "[::1]", "[", "",
    "192.168.69.1@evil.example", "192.168.69.20:49000"])
def test_host_is_our_address(site, igd, unchanged, host):
    """DNS rebinding (CVE-2021-29462): a browser sends the name that it asked for."""
    answer = exchange(site.laptop, head(f"Host: {host}"))
    assert answer.status == (200 if host.strip() == LAN_GATEWAY else 400)


def test_host_missing_or_twice(site, igd, unchanged):
    assert exchange(site.laptop, head()).status == 400
    assert exchange(site.laptop, head(HOST, HOST)).status == 400
    assert exchange(site.laptop, head(version="HTTP/1.0")).status == 400
    assert exchange(site.laptop, head(HOST, path="http://evil.example/igd.xml")).status == 400
    assert exchange(site.laptop, head(HOST, path=f"http://{LAN_GATEWAY}/igd.xml")).status == 200


def test_host_of_ipv6(site, igd):
    for host, status in ((f"[{LAN_GATEWAY6}]", 200), (f"[{LAN_GATEWAY6}]:{HTTP_PORT}", 200),
                         (f"[{LAN_GATEWAY6}%25eth0]", 200), ("[2001:db8:69::2]", 400),
                         (LAN_GATEWAY6, 400), (LAN_GATEWAY, 400)):
        assert exchange(site.laptop, head(f"Host: {host}"), LAN_GATEWAY6).status == status, host


def test_origin(site, igd, unchanged):
    """A web page's requests carry one."""
    for origin in ("http://evil.example", "null", f"http://{LAN_GATEWAY}:{HTTP_PORT}", ""):
        answer = igd.request("POST", igd.control, [("SOAPAction", f'"{ACTION}"'),
                                                   ("Origin", origin)], BODY)
        assert answer.status == 403


def test_control_url_cannot_be_guessed(site, igd, unchanged):
    token = igd.control.split("/")[1]
    assert len(token) == 32
    for path in (igd.control.replace(token, "0" * 32), igd.control.replace(token, token[:-1]),
                 igd.control.replace(f"/{token}", ""), igd.control + "/x", "/", "/ctl/IPConn",
                 igd.control.replace("WANIPConn", "WANIPConnX"), igd.control.replace("/2/", "/3/"),
                 igd.control.replace("/2/", "/0/"), "/2/WANIPConn/control", "//" + igd.control):
        answer = igd.request("POST", path, [("SOAPAction", f'"{ACTION}"')], BODY)
        assert answer.status == 404, path
    assert igd.request("POST", igd.control.upper(), [("SOAPAction", '"none:1#None"')],
                       BODY).code == 401


def test_token_outlives_a_restart(site, gateway, igd):
    before = igd.description
    gateway.restart()
    assert Igd(site.laptop).description == before


@pytest.mark.parametrize("value, code", [
    (f'"{ACTION}"', None), (f"'{ACTION}'", None), (ACTION, None), (f'  "{ACTION}"  ', None),
    (f'"{ACTION}', 401), (f'{ACTION}"', 401), (f"'{ACTION}\"", 401), (f'""{ACTION}"', 401),
    ('"', 401), ('""', 401), ('"""', 401), ("", 401), ("#", 401), ('"#AddPortMapping"', 401),
    (f'"{SERVICE}#"', 401), (f'"{SERVICE}"', 401), (f'"{SERVICE}#AddPortMappin"', 401),
    (f'"{SERVICE}#addportmapping"', 401), (f'"{ACTION}#x"', 401), ('"' + "x" * 4000 + '"', 401),
    (f'"{WAN_IP}:3#AddPortMapping"', 401), (f'"{WAN_IP}:0#AddPortMapping"', 401),
    (f'"{WAN_IP}#AddPortMapping"', 401), (f'"{WAN_IP}:2#AddPortMapping"', 401),
    (f'"{WAN_IP}:1#AddAnyPortMapping"', 401), (f'"{SERVICE}#GetExternalIPAddress"', 401)])
def test_soap_action(site, gateway, igd, value, code):
    """CVE-2013-0230, CVE-2026-5720: quotes of every number. The body says AddPortMapping of version
    1; a field that says something else is no better than none."""
    answer = igd.request("POST", igd.control, [("SOAPAction", value)], BODY)
    assert answer.code == code
    assert len(gateway.mappings()) == (code is None)


def test_soap_action_missing_or_twice(site, igd, unchanged):
    assert igd.request("POST", igd.control, [], BODY).status == 400
    assert igd.request("POST", igd.control, [("SOAPAction", f'"{ACTION}"')] * 2,
                       BODY).status == 400


FRAMINGS = {
    "no length": ([], BODY, 411),
    "two lengths": (["Content-Length: %d", "Content-Length: 5"], BODY, 400),
    "the same length twice": (["Content-Length: %d", "Content-Length: %d"], BODY, 400),
    "a list of lengths": (["Content-Length: %d, %d"], BODY, 400),
    "length and chunks": (["Content-Length: %d", "Transfer-Encoding: chunked"], BODY, 400),
    "chunks and length": (["Transfer-Encoding: chunked", "Content-Length: %d"], BODY, 400),
    "negative": (["Content-Length: -1"], BODY, 400),
    "signed": (["Content-Length: +%d"], BODY, 400),
    "hexadecimal": (["Content-Length: 0x10"], BODY, 400),
    "empty length": (["Content-Length:"], BODY, 400),
    "huge": (["Content-Length: 99999999999999999999"], BODY, (400, 413)),
    "10 MB announced": (["Content-Length: 10485760"], BODY, 413),
    "another coding": (["Transfer-Encoding: gzip"], BODY, 501),
    "chunked twice": (["Transfer-Encoding: chunked, chunked"], BODY, (400, 501)),
    "hidden chunked": (["Transfer-Encoding: xchunked"], BODY, 501),
    "folded": (["Content-Length:", " %d"], BODY, 400),
    "blank before the colon": (["Content-Length : %d"], BODY, 400),
    "bad chunks": (["Transfer-Encoding: chunked"], b"zz\r\n" + BODY, 400),
    "chunk beyond all": (["Transfer-Encoding: chunked"], b"ffffffff\r\n" + BODY, 413),
    "bare LF in chunks": (["Transfer-Encoding: chunked"], b"%x\n%s\n0\n\n" % (len(BODY), BODY), 400),
    "body of 10 MB": (["Content-Length: 10485760"], b"x" * 10485760, 413),
    "chunks of 10 MB": (["Transfer-Encoding: chunked"],
                        b"2000\r\n" + b"x" * 8192 + b"\r\n" + b"2001\r\n" + b"x" * 10485760, 413),
}


@pytest.mark.parametrize("kind", FRAMINGS)
def test_framing(site, igd, unchanged, kind):
    """What two readers could understand in two ways is refused, and the connection ends."""
    fields, body, status = FRAMINGS[kind]
    lines = [line.replace("%d", str(len(BODY))) for line in fields]
    request = head(HOST, f'SOAPAction: "{ACTION}"', *lines, path=igd.control, method="POST") + body
    with Wire(site.laptop) as wire:
        wire.send(request)
        answer = wire.answer()
        assert answer.status in (status if isinstance(status, tuple) else (status,))
        assert answer.headers["connection"] == "close"
        assert wire.is_closed()


@pytest.mark.parametrize("data", [
    b"GET /igd.xml HTTP/1.1\nHost: 192.168.69.1\n\n",
    b"GET /igd.xml HTTP/1.1\r\nHost: 192.168.69.1\n\r\n",
    b"GET /igd.xml HTTP/1.1\r\nHost: 192.168.69.1\r\n folded\r\n\r\n",
    b"GET /igd.xml HTTP/1.1\r\nHost : 192.168.69.1\r\n\r\n",
    b"GET /igd.xml HTTP/1.1\r\n: x\r\nHost: 192.168.69.1\r\n\r\n",
    b"GET /igd.xml HTTP/1.1\r\nHost: 192.168.69.1\r\nX: \x00\r\n\r\n",
    b"GET /igd.xml HTTP/1.1\rHost: 192.168.69.1\r\r",
    b"GET  /igd.xml HTTP/1.1\r\nHost: 192.168.69.1\r\n\r\n",
    b"GET /igd.xml HTTP/2.0\r\nHost: 192.168.69.1\r\n\r\n",
    b"GET /igd.xml\r\nHost: 192.168.69.1\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET igd.xml HTTP/1.1\r\nHost: 192.168.69.1\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: 192.168.69.1\r\n\r\n"])
def test_malformed_heads(site, igd, unchanged, data):
    with Wire(site.laptop) as wire:
        wire.send(data)
        assert wire.answer().status == 400
        assert wire.is_closed()


def test_long_heads(site, igd, unchanged):
    assert exchange(site.laptop, head(HOST, "X: " + "x" * 7000)).status == 200
    assert exchange(site.laptop, head(HOST, "X: " + "x" * 9000)).status == 431
    assert exchange(site.laptop, head(HOST, *["X: y"] * 5000)).status == 431
    assert exchange(site.laptop, head(HOST, path="/" + "x" * 100000)).status == 431


def test_methods(site, igd, unchanged):
    event = igd.service(SERVICE)["eventSubURL"]
    for method, path, status, allow in (
            ("PUT", "/igd.xml", 405, "GET, HEAD"), ("POST", "/igd.xml", 405, "GET, HEAD"),
            ("GET", igd.control, 405, "POST"), ("M-POST", igd.control, 405, "POST"),
            ("GET", event, 405, "SUBSCRIBE, UNSUBSCRIBE"), ("TRACE", "/igd.xml", 405, "GET, HEAD"),
            ("get", "/igd.xml", 405, "GET, HEAD"), ("GET", "/", 404, None),
            ("GET", "/igd.xml?x=y", 200, None), ("GET", "/IGD.XML", 200, None)):
        answer = igd.request(method, path)
        assert (answer.status, answer.headers.get("allow")) == (status, allow), (method, path)
    with Wire(site.laptop) as wire:
        wire.send(format_request("HEAD", "/igd.xml") + format_request("GET", "/igd.xml"))
        wire.buffer = b""
        told = b""
        while told.count(b"HTTP/1.1 200 OK") < 2 or not told.endswith(b"</root>\n"):
            told += wire.socket.recv(65536)
        assert told.count(b"<root") == 1


XML = {
    "no envelope": b"<x/>",
    "empty": b"",
    "no action": ENVELOPE % b"",
    "two actions": ENVELOPE % (b"<u:AddPortMapping xmlns:u='x'/>" * 2),
    "not closed": BODY[:-10],
    "more behind": BODY + b"<x/>",
    "document type": BODY.replace(b"?>", b"?><!DOCTYPE x>", 1),
    "entities": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
                + BODY.partition(b"?>")[2].replace(b"8080", b"&b;"),
    "external entity": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
                       + BODY.partition(b"?>")[2].replace(b">x<", b">&a;<"),
    "unknown entity": BODY.replace(b">x<", b">&unknown;<"),
    "depth 1000": ENVELOPE % (b"<a>" * 1000 + b"</a>" * 1000),
    "1000 elements": BODY.replace(b"<NewEnabled>", b"<a/>" * 1000 + b"<NewEnabled>"),
    "not UTF-8": BODY.replace(b">x<", b">\xff\xfe<"),
    "a NUL": BODY.replace(b">x<", b">\x00<"),
    "attribute twice": BODY.replace(b"<s:Body>", b"<s:Body a='1' a='2'>"),
    "a description that is not escaped": BODY.replace(b">x<", b">a <b & c<"),
}


@pytest.mark.parametrize("kind", XML)
def test_xml(site, igd, unchanged, kind):
    answer = igd.post(SERVICE, "AddPortMapping", XML[kind])
    assert answer.status == 400 and answer.body == b""


def test_body_of_another_action(site, igd, unchanged):
    for body in (format_action("DeletePortMapping", SERVICE, ARGUMENTS),
                 format_action("AddPortMapping", WAN_IP + ":2", ARGUMENTS),
                 format_action("AddPortMapping", "x", ARGUMENTS)):
        answer = igd.post(SERVICE, "AddPortMapping", body)
        assert (answer.status, answer.code) == (500, 401)


def test_every_beginning(site, gateway, igd, unchanged):
    """Each beginning of a request, the connection then closed; in pieces it is as good as whole."""
    whole = format_request("POST", igd.control, [("SOAPAction", f'"{ACTION}"')], BODY)
    for end in range(0, len(whole), 7):
        with Wire(site.laptop) as wire:
            wire.send(whole[:end])
    assert gateway.mappings() == []
    with Wire(site.laptop) as wire:
        for i in range(0, len(whole), 97):
            wire.send(whole[i:i + 97])
            time.sleep(0.002)
        assert wire.answer().status == 200
    assert igd.delete(8080) == {}


def test_pipelined_and_kept(site, gateway, igd):
    """Requests that come together are answered in order, whether their answers take time or not."""
    add = format_request("POST", igd.control, [("SOAPAction", f'"{ACTION}"')], BODY)
    get = format_request("GET", "/igd.xml")
    chunked = head(HOST, f'SOAPAction: "{ACTION}"', "Transfer-Encoding: chunked", path=igd.control,
                   method="POST") + b"".join(b"%x;q\r\n%s\r\n" % (len(p), p) for p in
                                             (BODY[:100], BODY[100:101], BODY[101:])) + b"0\r\n\r\n"
    with Wire(site.laptop) as wire:
        wire.send(add + get + chunked + get)
        answers = [wire.answer() for _ in range(4)]
        assert [a.status for a in answers] == [200] * 4
        assert b"<root" in answers[1].body and b"AddPortMappingResponse" in answers[2].body
        wire.send(get.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: Close\r\n", 1))
        assert wire.answer().headers["connection"] == "close"
        assert wire.is_closed()
    with Wire(site.laptop) as wire:
        wire.send(get.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert wire.answer().status == 200
        assert wire.is_closed()
    assert len(gateway.mappings()) == 1


def test_continue(site, gateway, igd):
    """Expect: 100-continue, as .NET's control points say."""
    whole = format_request("POST", igd.control, [("SOAPAction", f'"{ACTION}"'),
                                                 ("Expect", "100-continue")], BODY)
    with Wire(site.laptop) as wire:
        wire.send(whole[:-len(BODY)])
        assert wire.answer().status == 100
        wire.send(BODY)
        assert wire.answer().status == 200
    assert exchange(site.laptop, whole.replace(b"100-continue", b"200-maybe")[:-9]).status == 417
    too_much = whole.replace(b"Content-Length: ", b"Content-Length: 99")[:-len(BODY)]
    assert exchange(site.laptop, too_much).status == 413


def test_slow_clients(site, gateway, igd):
    """A request that is not there after 10 s is told so, however diligently it drips."""
    with Wire(site.laptop) as wire:
        began = time.monotonic()
        stop = threading.Event()

        def drip():
            wire.send(b"GET /igd.xml HTTP/1.1\r\nHost: ")
            while not stop.wait(0.5):
                with contextlib.suppress(OSError):
                    wire.socket.send(b"1")

        thread = threading.Thread(target=drip)
        thread.start()
        answer = wire.answer()
        stop.set()
        thread.join()
        assert answer.status == 408 and 9 < time.monotonic() - began < 13


def test_connection_limits(site, gateway, igd):
    """One host has 64 connections, and the others still get theirs."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(site.laptop)) for _ in range(80)]
        wait_until("those beyond 64 to be closed",
                   lambda: sum(wire.is_closed(0.02) for wire in wires[64:]) == 16)
        assert not any(wire.is_closed(0.001) for wire in wires[:64])
        assert Igd(site.camera).get("/igd.xml").status == 200
    wait_until("room again", lambda: exchange(site.laptop, format_request("GET", "/igd.xml")))


def test_half_closed(site, gateway, igd):
    """A client that has said all gets its answer."""
    with Wire(site.laptop) as wire:
        wire.send(format_request("POST", igd.control, [("SOAPAction", f'"{ACTION}"')], BODY))
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.answer().status == 200
        assert wire.is_closed()


def test_gone_while_served(site, gateway, igd):
    """Clients that leave before their answer; the daemon stays, and the mappings that were asked for
    are there."""
    for port in range(9000, 9030):
        body = BODY.replace(b"8080", str(port).encode())
        with Wire(site.laptop) as wire:
            wire.send(format_request("POST", igd.control, [("SOAPAction", f'"{ACTION}"')], body))
    wait_until("the mappings", lambda: len(gateway.mappings()) == 30)
    assert Igd(site.laptop).description == igd.description
