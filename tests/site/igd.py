# SPDX-License-Identifier: GPL-2.0-or-later
"""
igd: a device's end of the UPnP gateway, one byte at a time where that matters.

An Igd is what a host learned from the gateway's description: where each service is, and what each of
them says it can do. exchange() sends bytes as they are and reads the one answer to them. Subscriber is
a listener for events that answers each as it was told to.
"""
import contextlib
import dataclasses
import re
import select
import socket
import socketserver
import struct
import threading
import xml.etree.ElementTree
from xml.sax.saxutils import escape

HTTP_PORT = 49000  # what the tests configure
LAN_GATEWAY, LAN_GATEWAY6 = "192.168.69.1", "2001:db8:69::1"
SSDP_GROUP, SSDP_GROUP6, SSDP_PORT = "239.255.255.250", "ff02::c", 1900
TYPE = "urn:schemas-upnp-org:service:"
DEVICE = "urn:schemas-upnp-org:device:"
WAN_IP = TYPE + "WANIPConnection"
WAN_PPP = TYPE + "WANPPPConnection"
WAN_COMMON = TYPE + "WANCommonInterfaceConfig"
FORWARDING = TYPE + "Layer3Forwarding"
FIREWALL = TYPE + "WANIPv6FirewallControl"

ENVELOPE = (b'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
            b's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body>'
            b'</s:Envelope>')


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict  # by name in lower case
    body: bytes

    @property
    def code(self):
        """A fault's UPnP code; None where it is none."""
        found = re.search(rb"<errorCode>(\d+)</errorCode>", self.body)
        return int(found[1]) if found else None

    @property
    def values(self):
        """The out arguments, in their order."""
        root = xml.etree.ElementTree.fromstring(self.body)
        return {local_name(e): e.text or "" for e in root[0][0]}


def local_name(element):
    return element.tag.rpartition("}")[2]


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bracketed(address):
    return f"[{address}]" if ":" in address else address


class Wire:
    """One connection of a host's to the gateway."""

    def __init__(self, host, address=LAN_GATEWAY, port=HTTP_PORT, timeout=15):
        self.socket = host.socket(family_of(address))
        self.socket.settimeout(timeout)
        self.socket.connect((address, port))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def is_closed(self, timeout=5):
        """Does the other end close, without another byte?"""
        self.socket.settimeout(timeout)
        try:
            return not self._more()
        except TimeoutError:
            return False

    def answer(self):
        """The next answer; None where the connection ends before it."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return None
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        headers = {}
        for field in fields:
            name, value = field.split(":", 1)
            assert name.lower() not in headers, f"{name} comes twice"
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        while len(rest) < length:
            self.buffer = rest
            assert self._more(), "the body is cut short"
            rest = self.buffer
        self.buffer = rest[length:]
        return Answer(int(status.split()[1]), headers, rest[:length])


def exchange(host, data, address=LAN_GATEWAY, **options):
    """The answer to these bytes."""
    with Wire(host, address, **options) as wire:
        wire.send(data)
        return wire.answer()


def format_request(method, path, fields=(), body=b"", address=LAN_GATEWAY, length=True):
    """A request; `fields` are pairs."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {bracketed(address)}:{HTTP_PORT}"]
    lines += [f"{name}: {value}" for name, value in fields]
    if length and (body or method == "POST"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def format_arguments(arguments):
    """Pairs as elements; a value in bytes goes out as it is."""
    return b"".join(b"<%s>%s</%s>" % (name.encode(), value if isinstance(value, bytes)
                                      else escape(str(value)).encode(), name.encode())
                    for name, value in arguments)


def format_action(action, service, arguments):
    return ENVELOPE % (b'<u:%s xmlns:u="%s">%s</u:%s>' % (
        action.encode(), service.encode(), format_arguments(arguments), action.encode()))


class Igd:
    """The gateway as `host` sees it; `agent` is who the host says it is."""

    def __init__(self, host, address=LAN_GATEWAY, agent=None):
        self.host, self.address = host, address
        self.fields = [("User-Agent", agent)] if agent else []
        self.description = self.get("/igd.xml").body
        self.services = {}
        for element in xml.etree.ElementTree.fromstring(self.description).iter():
            if local_name(element) == "service":
                service = {local_name(field): field.text for field in element}
                self.services[service["serviceType"]] = service

    def exchange(self, data):
        return exchange(self.host, data, self.address)

    def request(self, method, path, fields=(), body=b"", **options):
        return self.exchange(format_request(method, path, [*self.fields, *fields], body,
                                            self.address, **options))

    def get(self, path):
        return self.request("GET", path)

    def service(self, name):
        """By its type, with or without its version; an alias is WANIPConnection."""
        name = name.replace(WAN_PPP, WAN_IP)
        for kind, service in self.services.items():
            if name in (kind, kind.rpartition(":")[0]) or kind.rpartition(":")[0] == \
                    name.rpartition(":")[0]:
                return service
        raise KeyError(name)

    def scpd(self, name):
        return self.get(self.service(name)["SCPDURL"]).body

    def post(self, service, action, body, soap_action=None):
        """A control request with this body."""
        soap_action = soap_action or f'"{service}#{action}"'
        return self.request("POST", self.service(service)["controlURL"],
                            [("Content-Type", "text/xml"), ("SOAPAction", soap_action)], body)

    def call(self, service, action, arguments=()):
        """`arguments`: a dict or pairs."""
        pairs = arguments.items() if isinstance(arguments, dict) else arguments
        return self.post(service, action, format_action(action, service, pairs))

    def add(self, external, internal=None, client="", protocol="TCP", version=1, name="test",
            lease=3600, remote="", enabled=1, action="AddPortMapping"):
        """AddPortMapping; the fault's code, or the answer's values."""
        answer = self.call(f"{WAN_IP}:{version}", action, {
            "NewRemoteHost": remote, "NewExternalPort": external, "NewProtocol": protocol,
            "NewInternalPort": external if internal is None else internal,
            "NewInternalClient": client, "NewEnabled": enabled,
            "NewPortMappingDescription": name, "NewLeaseDuration": lease})
        return answer.code or answer.values

    def find(self, external, protocol="TCP", remote="", version=1):
        answer = self.call(f"{WAN_IP}:{version}", "GetSpecificPortMappingEntry", {
            "NewRemoteHost": remote, "NewExternalPort": external, "NewProtocol": protocol})
        return answer.code or answer.values

    def delete(self, external, protocol="TCP", remote="", version=1):
        answer = self.call(f"{WAN_IP}:{version}", "DeletePortMapping", {
            "NewRemoteHost": remote, "NewExternalPort": external, "NewProtocol": protocol})
        return answer.code or answer.values

    def entry(self, index, version=1):
        answer = self.call(f"{WAN_IP}:{version}", "GetGenericPortMappingEntry",
                           {"NewPortMappingIndex": index})
        return answer.code or answer.values

    def entries(self):
        """The whole array."""
        found = []
        while isinstance(entry := self.entry(len(found)), dict):
            found.append(entry)
        assert entry == 713
        return found


class Subscriber:
    """Listens on a device, keeps what comes, and answers with `status`."""

    def __init__(self, host, address, status=200):
        self.host, self.address, self.status = host, address, status
        self.events = []  # (headers, {variable: value})
        self.arrived = threading.Condition()
        owner = self

        class Reader(socketserver.StreamRequestHandler):
            def handle(self):
                owner.read(self.rfile, self.wfile)

        with host.entered():
            server = type("Server", (socketserver.ThreadingTCPServer,),
                          {"address_family": family_of(address), "daemon_threads": True,
                           "allow_reuse_address": True})
            self.server = server((address, 0), Reader)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"<http://{bracketed(self.address)}:{self.port}/events>"

    def read(self, stream, out):
        request = stream.readline().decode().split()
        headers = {"": request}
        while line := stream.readline().decode().strip():
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers["content-length"]))
        values = {local_name(p[0]): p[0].text or "" for p in
                  xml.etree.ElementTree.fromstring(body)}
        with self.arrived:
            self.events.append((headers, values))
            self.arrived.notify_all()
        if self.status:
            out.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())

    def wait(self, count, timeout=5):
        """The first `count` events, once they are there."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: len(self.events) >= count, timeout):
                raise TimeoutError(f"{len(self.events)} of {count} events in {timeout} s")
            return self.events[:count]


def search_message(target, wait=1, group=SSDP_GROUP, extra=""):
    """An M-SEARCH; wait None leaves MX out."""
    lines = ["M-SEARCH * HTTP/1.1", f"HOST: {bracketed(group)}:1900", 'MAN: "ssdp:discover"']
    lines += [f"MX: {wait}"] if wait is not None else []
    return ("\r\n".join([*lines, f"ST: {target}"]) + f"\r\n{extra}\r\n").encode()


def search(host, message, to=SSDP_GROUP, timeout=0.5, source=None):
    """Every answer to a search until nothing has come for `timeout` seconds, as dicts of fields with
    the whole message under ""."""
    family = family_of(to)
    answers = []
    with host.socket(family, socket.SOCK_DGRAM) as asking:
        if source:
            asking.bind((source, 0))
        with host.entered():
            index = socket.if_nametoindex("eth0")
        if family == socket.AF_INET6:
            asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            asking.sendto(message, (to, SSDP_PORT, 0, index))
        else:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                              struct.pack("@4s4si", b"", b"", index))
            asking.sendto(message, (to, SSDP_PORT))
        while select.select([asking], [], [], timeout)[0]:
            answers.append(read_fields(asking.recv(4096)))
    return answers


def read_fields(message):
    """{name in upper case: value} of an SSDP message; its first line and length under "" and 0."""
    head = message.decode().split("\r\n\r\n")[0].split("\r\n")
    fields = {"": head[0], 0: len(message)}
    for line in head[1:]:
        name, _, value = line.partition(":")
        fields[name.upper()] = value.strip()
    return fields
