# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies below the API: connections, bodies that are not what was announced, hostile peers."""
import contextlib
import os
import socket
import time

import pytest

from test_mappings import CAMERA, MAPPINGS, add, as_user
from test_site import Events

MEASURED_SECONDS = 1.0


@contextlib.contextmanager
def connected(daemon):
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(10)
        raw.connect(str(daemon.socket))
        yield raw


def everything(raw):
    """All that comes until the daemon hangs up."""
    said = b""
    while True:
        try:
            piece = raw.recv(65536)
        except (ConnectionResetError, TimeoutError):
            return said
        if not piece:
            return said
        said += piece


def alive(daemon):
    with contextlib.closing(daemon.api()) as api:
        return api.ask("GET", "/healthz")[0] == 200


POST = b"POST /api/v1/mappings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("request_text", [
    b"\x00", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", POST + b"Content-Length: x\r\n\r\n{}",
    POST + b"Content-Length: -1\r\n\r\n{}",
    POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    POST + b"X: " + b"x" * 20000 + b"\r\n\r\n", b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\n\r\n",
    b"x" * 100000, b"\r\n" * 1000, POST + b"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
], ids=lambda text: repr(text[-24:]))
def test_what_is_no_request(shared, request_text):
    """An error of HTTP's or none at all; nothing is changed, and the daemon goes on."""
    with connected(shared) as raw:
        raw.settimeout(0.5)  # what could still become a request is waited for, for half a minute
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            raw.sendall(request_text)
            raw.shutdown(socket.SHUT_WR)
        said = everything(raw)
    assert not said or said.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), said
    assert alive(shared)
    assert shared.mappings() == []


def test_a_body_shorter_than_announced(shared):
    with connected(shared) as raw:
        raw.settimeout(0.5)
        raw.sendall(POST + b"Content-Length: 500\r\n\r\n" + b'{"external_port": 1}')
        raw.shutdown(socket.SHUT_WR)
        assert b" 201 " not in everything(raw)
    assert alive(shared)
    assert shared.mappings() == []


def test_a_body_longer_than_announced(shared):
    """The rest is another request, and none of HTTP."""
    with connected(shared) as raw:
        raw.sendall(POST + b"Content-Length: 2\r\n\r\n{}{}")
        raw.shutdown(socket.SHUT_WR)
        assert everything(raw).startswith(b"HTTP/1.1 422 ")
    assert shared.mappings() == []


def test_a_chunked_body(api):
    api.request("POST", MAPPINGS, iter([b'{"external_port": 7, "internal_client": ',
                                        b'"192.168.69.110", "internal_port": 80}']),
                {"Content-Type": "application/json"}, encode_chunked=True)
    assert api.getresponse().status == 201


def test_a_chunked_body_too_large(api):
    api.request("POST", MAPPINGS, (b" " * 10000 for _ in range(10)),
                {"Content-Type": "application/json"}, encode_chunked=True)
    assert api.getresponse().status == 413


def test_a_refusal_comes_before_the_body_where_it_is_asked_for(daemon):
    head = POST.replace(b"mappings", b"mappings/m1") + b"Expect: 100-continue\r\n"
    with connected(daemon) as raw:
        raw.sendall(head + b"Content-Length: 1000000\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 405 ")
    with connected(daemon) as raw:
        raw.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 413 ")
    with connected(daemon) as raw:
        raw.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 100 ")
        raw.sendall(b"{}")
        assert raw.recv(65536).startswith(b"HTTP/1.1 422 ")


def test_requests_in_one_piece(shared):
    with connected(shared) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20 +
                    b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert everything(raw).count(b"HTTP/1.1 200 OK") == 21


def test_hanging_up_before_the_answer(daemon):
    """Done or not done, but never half, and the daemon goes on."""
    body = b'{"external_port": %d, "internal_client": "192.168.69.110", "internal_port": 80}'
    for port in range(1, 101):
        with connected(daemon) as raw:
            text = body % port
            raw.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(text) + text)
            time.sleep(port * 0.00005)
    assert alive(daemon)
    with contextlib.closing(daemon.api()) as api:
        total = api.ask("GET", "/api/v1/status")[1]["mappings"]["total"]
    assert total == len(daemon.mappings()) <= 100


def test_not_reading_the_answer(daemon):
    """A peer that asks for much and takes nothing does not hold up the others, nor the end."""
    with contextlib.closing(daemon.api()) as api:
        many = [{**CAMERA, "external_port": 1 + i, "notes": "x" * 1000} for i in range(3000)]
        assert api.ask("POST", "/api/v1/import", {"mappings": many})[0] == 200
        with connected(daemon) as raw:
            raw.sendall(b"GET /api/v1/export HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            assert alive(daemon)
            began = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - began < 5


def read_times(daemon):
    """CPU seconds the daemon has used."""
    with open(f"/proc/{daemon.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_idle_is_idle(daemon):
    """With connections kept open, streams waiting and readers gone it sleeps."""
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(contextlib.closing(Events(daemon)))
            stack.enter_context(connected(daemon)).sendall(b"GET /health")
        gone = [Events(daemon) for _ in range(5)]
        with contextlib.closing(daemon.api()) as api:
            add(api)
            for reader in gone:
                reader.close()
            time.sleep(0.3)
            before = read_times(daemon)
            time.sleep(MEASURED_SECONDS)
            assert read_times(daemon) - before <= 0.05


def test_one_user_cannot_take_all_connections(daemon):
    """A user who may only look gets some connections, and root always one more."""
    ready, child_ready = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            held = []
            for _ in range(300):
                raw = socket.socket(socket.AF_UNIX)
                raw.setblocking(False)
                with contextlib.suppress(OSError):
                    raw.connect(str(daemon.socket))
                held.append(raw)
                time.sleep(0.001)
            os.write(child_ready, b".")
            time.sleep(60)
        finally:
            os._exit(0)
    try:
        os.read(ready, 1)
        for _ in range(3):
            assert alive(daemon)
        assert as_user(4242, [], daemon.socket, "GET", "/healthz")[0] == 200
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    # and when the other is gone its places are free again
    time.sleep(0.2)
    assert as_user(65534, [], daemon.socket, "GET", "/healthz")[0] == 200
