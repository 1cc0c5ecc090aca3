# SPDX-License-Identifier: GPL-2.0-or-later
"""
witness: services that say whom they see, and callers that say how they fared.

A Witness stands for any server on a device. Each caller gets one line of JSON, {"name", "at": the
address that was called, "seen": the address the call came from}, and everything it sends after
that comes back. Translation is visible in both fields: a test asks not only "did it answer?" but
"who answered, and whom did it think it was talking to?". One thread serves all sockets of a Witness.

call() is the other side: one attempt, whose end is an outcome: "answered", "refused" (a reset or a port
unreachable), "unreachable" (another ICMP error) or "silence" (nothing until the deadline).
"""
import dataclasses
import errno
import json
import selectors
import socket
import threading
import time

SILENCE = 0.7  # seconds without an answer that count as silence; a namespace answers within 1 ms


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Witness:
    """Serves (protocol, address, port) endpoints of one host until closed."""

    def __init__(self, host, *endpoints, name=None):
        self.host = host
        self.name = name or host.role
        self.accepted = 0
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self.endpoints = []
        for endpoint in endpoints:
            self.listen(*endpoint)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def listen(self, protocol, address, port):
        """One more endpoint; its address may be the wildcard."""
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        server = self.host.socket(family_of(address), kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.setblocking(False)
        if protocol == "tcp":
            server.listen(512)
        self.endpoints.append((protocol, address, port))
        self._selector.register(server, selectors.EVENT_READ,
                                self._accept if protocol == "tcp" else self._datagram)

    def close(self):
        """Ends the thread and all of its sockets."""
        self._wake.send(b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        self._wake.close()

    def _line(self, at, seen):
        return json.dumps({"name": self.name, "at": at[:2], "seen": seen[:2]}).encode() + b"\n"

    def _serve(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                try:
                    key.data(key.fileobj)
                except OSError:
                    self._drop(key.fileobj)

    def _accept(self, server):
        connection, seen = server.accept()
        self.accepted += 1
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, self._echo)
        connection.sendall(self._line(connection.getsockname(), seen))

    def _echo(self, connection):
        content = connection.recv(65536)
        if not content:
            self._drop(connection)
            return
        connection.setblocking(True)
        connection.settimeout(2)
        connection.sendall(content)
        connection.setblocking(False)

    def _datagram(self, server):
        _, seen = server.recvfrom(65536)
        server.sendto(self._line(server.getsockname(), seen), seen)

    def _drop(self, connection):
        if connection.type == socket.SOCK_DGRAM or connection in self._listening():
            return
        self._selector.unregister(connection)
        connection.close()

    def _listening(self):
        return [key.fileobj for key in self._selector.get_map().values()
                if key.data == self._accept]


@dataclasses.dataclass
class Reply:
    """How one call went. `name`, `at` and `seen` are the witness's words."""
    outcome: str
    seconds: float
    name: str = None
    at: tuple = None
    seen: tuple = None
    local: tuple = None  # the caller's own address

    def __bool__(self):
        return self.outcome == "answered"


def outcome_of(error):
    """The outcome an OSError stands for."""
    if isinstance(error, TimeoutError):
        return "silence"
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET):
        return "refused"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPROTO):
        return "unreachable"
    raise error


def connect(host, address, port, source=None, source_port=0, timeout=SILENCE):
    """A connected TCP socket and the witness's line; raises OSError like any connect."""
    connection = host.socket(family_of(address))
    try:
        connection.settimeout(timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if source or source_port:
            connection.bind((source or "", source_port))
        connection.connect((address, port))
        line = b""
        while not line.endswith(b"\n"):
            more = connection.recv(4096)
            if not more:
                raise ConnectionResetError(errno.ECONNRESET, "closed without a word")
            line += more
        return connection, json.loads(line)
    except BaseException:
        connection.close()
        raise


def _call_udp(host, address, port, source, source_port, timeout):
    with host.socket(family_of(address), socket.SOCK_DGRAM) as caller:
        caller.settimeout(timeout)
        if source or source_port:
            caller.bind((source or "", source_port))
        caller.connect((address, port))
        caller.send(b"hello")
        return json.loads(caller.recv(4096)), caller.getsockname()


def call(host, address, port, protocol="tcp", source=None, source_port=0, timeout=SILENCE):
    """One attempt from `host`; always returns a Reply."""
    began = time.monotonic()
    try:
        if protocol == "udp":
            line, local = _call_udp(host, address, port, source, source_port, timeout)
        else:
            connection, line = connect(host, address, port, source, source_port, timeout)
            local = connection.getsockname()
            connection.close()
    except OSError as error:
        return Reply(outcome_of(error), time.monotonic() - began)
    return Reply("answered", time.monotonic() - began, line["name"], tuple(line["at"]),
                 tuple(line["seen"]), local[:2])


def talk(connection, content=b"still there?"):
    """Sends something over an open connection and wants it back."""
    connection.sendall(content)
    answer = b""
    while len(answer) < len(content):
        more = connection.recv(65536)
        if not more:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        answer += more
    return answer == content


def is_alive(connection):
    """Does an open connection still carry bytes both ways?"""
    try:
        return talk(connection)
    except OSError:
        return False
