# SPDX-License-Identifier: GPL-2.0-or-later
"""
outsider: somebody on the uplink's segment who asks the gateway for everything, by any address and in
anybody's name, and hears every frame that comes back.

Requests are whole Ethernet frames, made once: neither routes nor ARP nor a socket's checks stand between
the question and the gateway, whatever is being done to its links meanwhile. A Listener sorts what a
host's link hears into answers (a datagram from a port that was asked or to one where announcements go, a
connection accepted) and what the gateway's kernel says about those ports (a reset, an ICMP error).
"""
import contextlib
import logging
import socket
import struct
import threading

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402

from igd import search_message  # noqa: E402
from namespaces import ELSEWHERE6, GATEWAY, GATEWAY6, OUTSIDE, OUTSIDE6  # noqa: E402
from port_control import (CLIENT_PORT, MAP, PORT, TCP as OVER_TCP, natpmp_address,  # noqa: E402
                          natpmp_map, pcp_announce, pcp_map)

SSDP = 1900
EVERYONE, SSDP_GROUP = "224.0.0.1", "239.255.255.250"
EVERYONE6, SSDP_GROUP6 = "ff02::1", "ff02::c"
# Where the outsider says it comes from: itself, and hosts of the LANs that do not exist there.
INSIDER, INSIDER_2, INSIDER6 = "192.168.69.77", "192.168.2.77", "2001:db8:69::77"
SOURCES = (OUTSIDE, INSIDER, INSIDER_2)
SOURCES6 = (OUTSIDE6, ELSEWHERE6, INSIDER6)
DESTINATIONS = (GATEWAY, "203.0.113.255", "192.168.69.1", "192.168.69.255", "192.168.2.1",
                "255.255.255.255", EVERYONE, SSDP_GROUP)
DESTINATIONS6 = (GATEWAY6, "2001:db8:69::1", EVERYONE6, SSDP_GROUP6)
SOURCE_PORT = 40000


def link_address(host, link):
    return host.run("cat", f"/sys/class/net/{link}/address").stdout.strip()


def multicast_mac(destination):
    """The Ethernet address of a group, or None."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in destination else socket.AF_INET, destination)
    if len(packed) == 16:
        return "33:33:" + ":".join(f"{b:02x}" for b in packed[12:]) if packed[0] == 0xff else None
    if destination.endswith(".255"):
        return "ff:ff:ff:ff:ff:ff"
    if packed[0] >> 4 == 0xe:
        return f"01:00:5e:{packed[1] & 0x7f:02x}:{packed[2]:02x}:{packed[3]:02x}"
    return None


def messages(source, udp_ports):
    """(port, payload) of every datagram that is worth a try from this source."""
    yield PORT, pcp_map(source, OVER_TCP, 8080, 8080)
    yield PORT, pcp_announce(source)
    if ":" not in source:
        yield PORT, natpmp_address()
        yield PORT, natpmp_map(OVER_TCP, 8080, 8080)
    for target in ("ssdp:all", "upnp:rootdevice"):
        group = SSDP_GROUP6 if ":" in source else SSDP_GROUP
        yield SSDP, search_message(target, group=group)
    for port in sorted({CLIENT_PORT, *udp_ports} - {PORT, SSDP}):
        yield port, natpmp_address()
        yield port, search_message("ssdp:all")


def frames(to, udp_ports, tcp_ports, destinations=DESTINATIONS, destinations6=DESTINATIONS6):
    """Every request as a frame to the gateway's link `to`."""
    made = []
    for network, sources, targets in ((IP, SOURCES, destinations), (IPv6, SOURCES6, destinations6)):
        for source in sources:
            for target in targets:
                group = multicast_mac(target)
                head = Ether(dst=group or to) / network(src=source, dst=target)
                made += [bytes(head / UDP(sport=SOURCE_PORT, dport=port) / payload)
                         for port, payload in messages(source, udp_ports)]
                if not group:
                    made += [bytes(head / TCP(sport=SOURCE_PORT + port % 1000, dport=port,
                                              flags="S", seq=1)) for port in tcp_ports]
    return made


class Volleys:
    """Sends all frames again and again, in a thread, until the block ends."""

    def __init__(self, host, made, link="eth0"):
        self.made, self.sent = made, 0
        self.socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((link, 0))
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.socket.close()

    def _send(self):
        while not self.over.wait(0.01):
            for frame in self.made:
                with contextlib.suppress(OSError):  # the other end is down, or the queue full
                    self.socket.send(frame)
            self.sent += 1


class Listener:
    """What a host's link hears from the gateway's service ports, and about them."""

    def __init__(self, host, ports, link="eth0", only_to=None):
        self.ports, self.only_to = set(ports), only_to
        self.answers, self.kernels, self.heard = [], [], 0
        self.socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
        self.socket.bind((link, 3))
        self.socket.settimeout(0.05)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.socket.close()

    def _listen(self):
        while True:
            try:
                frame, address = self.socket.recvfrom(2048)
            except TimeoutError:
                if self.over.is_set():
                    return
                continue
            except OSError:  # the link went down
                continue
            if address[2] != socket.PACKET_OUTGOING:
                self._sort(frame)

    def _sort(self, frame):
        self.heard += 1
        kind = struct.unpack_from("!H", frame, 12)[0]
        if kind == 0x0800:
            protocol, behind = frame[23], 14 + (frame[14] & 15) * 4
            source, to = (socket.inet_ntoa(frame[at:at + 4]) for at in (26, 30))
        elif kind == 0x86dd:
            protocol, behind = frame[20], 54
            source, to = (socket.inet_ntop(socket.AF_INET6, frame[at:at + 16]) for at in (22, 38))
        else:
            return
        if source in SOURCES or source in SOURCES6:  # a request, on its way through the gateway
            return
        if self.only_to and to not in self.only_to:
            return
        self._judge(protocol, frame[behind:], f"{source} -> {to}")

    def _judge(self, protocol, packet, between):
        if protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP):
            source, to = struct.unpack_from("!HH", packet)
            said = (f"{between} {'udp' if protocol == 17 else 'tcp'} {source} -> {to}",
                    bytes(packet[8:72]))
            if protocol == socket.IPPROTO_UDP and (source in self.ports
                                                   or to in (SSDP, CLIENT_PORT)):
                self.answers.append(said)
            elif protocol == socket.IPPROTO_TCP and source in self.ports:
                accepted = packet[13] & 0x12 == 0x12
                (self.answers if accepted else self.kernels).append(said)
        elif is_error(protocol, packet) and quoted_port(packet[8:]) in self.ports:
            self.kernels.append((f"{between} icmp {packet[0]}.{packet[1]}", bytes(packet[8:72])))


def is_error(protocol, packet):
    return (protocol == socket.IPPROTO_ICMP and packet[0] not in (0, 8)
            or protocol == socket.IPPROTO_ICMPV6 and packet[0] < 128)


def quoted_port(packet):
    """The port to which a packet quoted by an ICMP error was sent."""
    behind = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
    return struct.unpack_from("!H", packet, behind + 2)[0]


def service_ports(daemon):
    """({udp port}, {tcp port}) at which the daemon listens, whatever for."""
    found = {"udp": set(), "tcp": set()}
    for line in daemon.host.run("ss", "-Hlntup").stdout.splitlines():
        if f"pid={daemon.process.pid}," in line:
            fields = line.split()
            found[fields[0]].add(int(fields[4].rpartition(":")[2]))
    return found["udp"], found["tcp"]
