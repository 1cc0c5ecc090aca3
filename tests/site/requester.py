# SPDX-License-Identifier: GPL-2.0-or-later
"""
requester: a device's end of UDP port 5351. A Requester asks and reads the answers as they are; forge()
sends what no honest device would; Announcements hears what the gateway says to all.

The messages themselves are made by port_control.
"""
import contextlib
import dataclasses
import ipaddress
import select
import socket
import struct
import time

from port_control import CLIENT_PORT, PORT, readable

LAN_GATEWAY, LAN_GATEWAY6 = "192.168.69.1", "2001:db8:69::1"
SILENCE = 0.4
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35


def receive(sock):
    """(octets, source, the second at which the kernel had it)"""
    octets, control, _, source = sock.recvmsg(4096, 64)
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("@qq", value)
            return octets, source, seconds + nanoseconds / 1e9
    raise AssertionError("no timestamp")


@dataclasses.dataclass
class Natpmp:
    """An answer of RFC 6886."""
    opcode: int
    result: int
    epoch: int = None
    address: str = None
    internal: int = None
    external: int = None
    lifetime: int = None


@dataclasses.dataclass
class Pcp:
    """An answer of RFC 6887. `payload` is all that stands behind the header."""
    version: int
    opcode: int
    result: int
    lifetime: int
    epoch: int
    payload: bytes
    nonce: bytes = None
    protocol: int = None
    internal: int = None
    external: int = None
    address: str = None
    options: dict = None  # code: list of data


def read_natpmp(octets):
    opcode, result = struct.unpack_from("!BH", octets, 1)
    answer = Natpmp(opcode, result)
    if len(octets) >= 8:
        answer.epoch = struct.unpack_from("!I", octets, 4)[0]
    if opcode == 128 and len(octets) == 12:
        answer.address = str(ipaddress.IPv4Address(octets[8:12]))
    elif len(octets) == 16:
        answer.internal, answer.external, answer.lifetime = struct.unpack_from("!HHI", octets, 8)
    return answer


def read_options(octets):
    options = {}
    while octets:
        code, length = struct.unpack_from("!BxH", octets)
        options.setdefault(code, []).append(octets[4:4 + length])
        octets = octets[4 + length + -length % 4:]
    return options


def read_pcp(octets):
    version, opcode, _, result, lifetime, epoch = struct.unpack_from("!BBBBII", octets)
    assert opcode & 0x80, "not a response"
    assert len(octets) % 4 == 0 and 24 <= len(octets) <= 1100
    answer = Pcp(version, opcode & 0x7f, result, lifetime, epoch, octets[24:])
    size = {1: 60, 2: 80}.get(answer.opcode, 0)
    if len(octets) >= size > 0:
        answer.nonce = octets[24:36]
        answer.protocol, answer.internal, answer.external = struct.unpack_from("!BxxxHH", octets, 36)
        answer.address = readable(octets[44:60])
        if not result:
            answer.options = read_options(octets[size:])
    return answer


def read(octets):
    return read_natpmp(octets) if octets[0] == 0 else read_pcp(octets)


class Requester:
    """A UDP socket on `host`; only what comes from the very address and port that is asked counts."""

    def __init__(self, host, gateway=LAN_GATEWAY, source=None, port=PORT):
        family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
        self.socket = host.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if source:
            self.socket.bind((source, 0))
        with host.entered():  # a zone is the name of an interface
            self.socket.connect(socket.getaddrinfo(gateway, port, family)[0][4])
        self.address = self.socket.getsockname()[0].partition("%")[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, octets):
        self.socket.send(octets)

    def make_room(self):
        """For thousands of answers to wait in."""
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)

    def hear(self, timeout=SILENCE):
        """The next answer's octets; None when there is none."""
        octets, _ = self.hear_at(timeout)
        return octets

    def hear_at(self, timeout=SILENCE):
        """The same, and the second at which it came."""
        self.socket.settimeout(timeout)
        try:
            octets, _, when = receive(self.socket)
            return octets, when
        except TimeoutError:
            return None, None

    def ask(self, octets, timeout=3):
        """The answer, read; an AssertionError when there is none."""
        self.send(octets)
        answer = self.hear(timeout)
        assert answer is not None, "no answer"
        return read(answer)

    def is_ignored(self, octets):
        """Is there nothing, not even an error?"""
        self.send(octets)
        return self.hear() is None

    def is_answered(self, octets):
        """For waiting until it is: an error is none."""
        with contextlib.suppress(OSError):
            return not self.is_ignored(octets)
        return False


def forge(host, octets, source, destination=LAN_GATEWAY, source_port=40000, link=None):
    """Sends a request from an address that need not be the host's own. IPv4."""
    length = 8 + len(octets)
    udp = struct.pack("!HHHH", source_port, PORT, length, 0) + octets
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, 17, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    with host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        if link:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        raw.sendto(header + udp, (destination, 0))


class Announcements:
    """What comes to 224.0.0.1 and [ff02::1], port 5350, on `link` of `host`."""

    def __init__(self, host, link="eth0"):
        self._stack = contextlib.ExitStack()
        self.heard = []  # (seconds since the first, source, port, answer)
        self._began = None
        with host.entered():
            index = socket.if_nametoindex(link)
        self._v4 = self._stack.enter_context(host.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._v6 = self._stack.enter_context(host.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        for each, address in ((self._v4, ("224.0.0.1", CLIENT_PORT)),
                              (self._v6, ("ff02::1", CLIENT_PORT, 0, index))):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
            each.bind(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def restart(self):
        """Forgets what came so far."""
        self.listen(0.01)
        self.heard.clear()
        self._began = None

    def listen(self, seconds):
        """Collects for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for ready in select.select([self._v4, self._v6], [], [], left)[0]:
                octets, source, when = receive(ready)
                self._began = self._began or when
                self.heard.append((when - self._began, source[0].partition("%")[0], source[1],
                                   read(octets)))

    def of(self, kind, source):
        """(seconds, answer) of this kind from one address of the gateway's."""
        return [(when, answer) for when, address, port, answer in self.heard
                if isinstance(answer, kind) and address == source and port == PORT]
