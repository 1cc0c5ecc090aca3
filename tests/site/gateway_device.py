# SPDX-License-Identifier: GPL-2.0-or-later
"""
gateway_device: an Internet gateway device as its control points see it, to the byte: it is found and its
descriptions are read as a client would, but requests are sent as they are given, right or wrong, and
answers come back as lines that tell what two conformant gateways must agree on:

    200 AddAnyPortMappingResponse NewReservedPort=B     an action's outputs, in their order
    500 718 ConflictInMappingEntry                      a fault: errorCode and errorDescription
    404                                                 any other answer: its status
    closed, nothing, crashed                            no answer

Ports of the asking case stand as in port_control; what counts time or packets as N.
"""
import re
import socket
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

GROUP, SSDP_PORT = "239.255.255.250", 1900
SCHEMA = "urn:schemas-upnp-org"
COUNTERS = {"NewUptime", "NewTotalBytesSent", "NewTotalBytesReceived", "NewTotalPacketsSent",
            "NewTotalPacketsReceived", "NewLayer1UpstreamMaxBitRate", "UniqueID", "PinholePackets",
            "NewLayer1DownstreamMaxBitRate"}
ENVELOPE = ('<?xml version="1.0"?>\r\n'
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
            's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
            '<u:{action} xmlns:u="{service}">{arguments}</u:{action}></s:Body></s:Envelope>')


def service(name):
    """"WANIPConnection:1" in full."""
    return f"{SCHEMA}:service:{name}"


def m_search(target, man='"ssdp:discover"', wait="1", host=f"{GROUP}:{SSDP_PORT}"):
    lines = ["M-SEARCH * HTTP/1.1", f"HOST: {host}"]
    lines += [f"{name}: {value}" for name, value in (("MAN", man), ("MX", wait), ("ST", target))
              if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def arguments_xml(arguments):
    """`arguments`: (name, value) pairs; a value that is bytes goes out as it is."""
    return "".join(f"<{name}>{value.decode('latin-1') if isinstance(value, bytes) else escape(value)}"
                   f"</{name}>" for name, value in arguments)


def http_request(method, path, host, fields=(), body=b"", version="HTTP/1.1", length=True):
    lines = [f"{method} {path} {version}"]
    lines += [f"Host: {host}"] if host else []
    lines += [f"{name}: {value}" for name, value in fields]
    lines += [f"Content-Length: {len(body)}"] if length and (body or method == "POST") else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class Answer:
    """One HTTP answer, or why there is none."""

    def __init__(self, raw, why):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = re.match(r"HTTP/1\.[01] (\d{3})", lines[0])
        self.status = status[1] if status else why
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields[name.strip().lower()] = value.strip()


class GatewayDevice:
    """The device at `address` on one of a site's LANs."""

    def __init__(self, site, address="192.168.69.1", address6="2001:db8:69::1", role="camera"):
        self.site, self.address, self.address6 = site, address, address6
        self.location = self.find(role)
        parts = urllib.parse.urlsplit(self.location)
        self.port, self.path = parts.port, parts.path
        self.services = self._read_services(role)

    def find(self, role, timeout=10):
        """The LOCATION that answers a search; asked again until somebody does."""
        deadline = time.monotonic() + timeout
        with self.site.hosts[role].socket(kind=socket.SOCK_DGRAM) as asking:
            asking.settimeout(1.5)
            while time.monotonic() < deadline:
                asking.sendto(m_search(f"{SCHEMA}:device:InternetGatewayDevice:1"),
                              (GROUP, SSDP_PORT))
                try:
                    answer = asking.recv(4096).decode()
                except TimeoutError:
                    continue
                return re.search(r"(?im)^location:\s*(\S+)", answer)[1]
        raise TimeoutError(f"{self.address} is not found")

    def _read_services(self, role):
        """{type without version: {SCPDURL, controlURL, eventSubURL, serviceType}}"""
        root = ElementTree.fromstring(self.get(self.path, role).body)
        services = {}
        for element in root.iter("{urn:schemas-upnp-org:device-1-0}service"):
            entry = {child.tag.rpartition("}")[2]: child.text for child in element}
            services[entry["serviceType"].split(":")[3]] = entry
        return services

    def host_field(self, role="camera"):
        return f"[{self.address6}]:{self.port}" if role.endswith("6") else \
            f"{self.address}:{self.port}"

    def exchange(self, role, request, timeout=1.5):
        """Sends bytes, returns the Answer."""
        six = role.endswith("6")
        host = self.site.hosts[role.rstrip("6")]
        with host.socket(socket.AF_INET6 if six else socket.AF_INET) as asking:
            asking.settimeout(timeout)
            asking.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            asking.connect((self.address6 if six else self.address, self.port))
            raw, why = b"", "closed"
            try:
                asking.sendall(request)
                while not is_whole(raw):
                    more = asking.recv(65536)
                    if not more:
                        break
                    raw += more
            except TimeoutError:
                why = "nothing"
            except (ConnectionResetError, BrokenPipeError):
                pass
            return Answer(raw, why)

    def get(self, path, role="camera", fields=()):
        return self.exchange(role, http_request("GET", path, self.host_field(role), fields), 5)

    def control(self, name, action, arguments, role="camera", soap_action=None):
        """The bytes that ask service `name` ("WANIPConnection:1") for an action."""
        kind = "WANIPConnection" if name.startswith("WANPPP") else name.split(":")[0]
        body = ENVELOPE.format(action=action, service=service(name),
                               arguments=arguments_xml(arguments)).encode("latin-1")
        fields = [("Content-Type", 'text/xml; charset="utf-8"'),
                  ("SOAPAction", soap_action or f'"{service(name)}#{action}"')]
        return http_request("POST", self.services[kind]["controlURL"], self.host_field(role), fields,
                            body)


def is_whole(raw):
    head, end, body = raw.partition(b"\r\n\r\n")
    if not end:
        return False
    if head.startswith(b"HTTP/1.1 100"):
        return is_whole(body)
    length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
    return bool(length) and len(body) >= int(length[1])


def describe(answer, reader):
    """An answer as one line, by the port_control.Reader of its case."""
    if not answer.body.strip():
        return answer.status
    try:
        root = ElementTree.fromstring(answer.body)
    except ElementTree.ParseError:
        return answer.status if answer.status != "200" else "200 unreadable"
    code = root.find(".//{*}errorCode")
    if code is not None:
        text = root.find(".//{*}errorDescription")
        return f"{answer.status} {code.text} {text.text if text is not None else ''}".strip()
    body = root.find("{*}Body")
    if body is None or not len(body):
        return f"{answer.status} {root.tag.rpartition('}')[2]}"
    words = [answer.status, body[0].tag.rpartition("}")[2]]
    return " ".join(words + [f"{output.tag}={value_of(output, reader)}" for output in body[0]])


def value_of(output, reader):
    text = output.text or ""
    if output.tag in COUNTERS and text.isdigit():
        return "N"
    if output.tag.endswith("Port") and text.isdigit():
        return reader.internal_port(int(text)) if "Internal" in output.tag else reader.port(int(text))
    if output.tag == "NewLeaseDuration" and text.isdigit():
        return reader.lifetime(int(text))
    if output.tag == "NewDefaultConnectionService":
        return re.sub(r"uuid:[0-9a-f-]{36}", "uuid:N", text)
    if output.tag == "NewPortListing":
        return listing(text, reader)
    return repr(text) if " " in text else text


def listing(text, reader):
    """A PortListing: its entries' external ports and clients, in brackets."""
    try:
        entries = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return "unreadable"
    shown = []
    for entry in entries:
        fields = {child.tag.rpartition("}")[2]: child.text or "" for child in entry}
        shown.append("{}/{}>{}:{}".format(
            fields.get("NewProtocol"), reader.port(int(fields.get("NewExternalPort", 0))),
            fields.get("NewInternalClient"),
            reader.internal_port(int(fields.get("NewInternalPort", 0)))))
    return "[" + ",".join(shown) + "]"
