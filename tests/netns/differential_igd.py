# SPDX-License-Identifier: GPL-2.0-or-later
"""
differential_igd: what test_differential.py asks over HTTP: every action of the gateway device's services
with right and with broken arguments, sequences of them, and requests that are wrong as HTTP or SOAP.
"""
import dataclasses
from collections.abc import Callable

from differential import ADDRESSES
from gateway_device import ENVELOPE, arguments_xml, describe, http_request, service
from namespaces import wait_until
from port_control import BLOCK, Reader

CAMERA, NVR, CAMERA6 = (ADDRESSES[role] for role in ("camera", "nvr", "camera6"))
V1, V2, FIREWALL = "WANIPConnection:1", "WANIPConnection:2", "WANIPv6FirewallControl:1"
COMMON, FORWARDING = "WANCommonInterfaceConfig:1", "Layer3Forwarding:1"
LEASE = "3600"
FIRST_BASE = 10000


@dataclasses.dataclass
class Step:
    role: str
    request: Callable  # (device, base) -> bytes


@dataclasses.dataclass
class Case:
    name: str
    base: int
    steps: list
    fresh: bool  # wants an empty table, as it asks for the whole of it

    def reader(self):
        return Reader(self.base, [int(LEASE), 7200, 60, 604800, 86400])


class CaseMaker:
    def __init__(self):
        self.made = 0

    def __call__(self, name, *steps, fresh=False):
        base = FIRST_BASE + BLOCK * (self.made % 2500)
        self.made += 1
        return Case(f"igd/{name}", base, list(steps), fresh)


def add_arguments(base, client=CAMERA, **changes):
    values = {"NewRemoteHost": "", "NewExternalPort": str(base), "NewProtocol": "TCP",
              "NewInternalPort": str(base), "NewInternalClient": client, "NewEnabled": "1",
              "NewPortMappingDescription": "test", "NewLeaseDuration": LEASE}
    return list((values | changes).items())


def entry_arguments(base, **changes):
    values = {"NewRemoteHost": "", "NewExternalPort": str(base), "NewProtocol": "TCP"}
    return list((values | changes).items())


def range_arguments(base, number=False, **changes):
    values = {"NewStartPort": str(base), "NewEndPort": str(base + 9), "NewProtocol": "TCP",
              "NewManage": "0"}
    if number:
        values["NewNumberOfPorts"] = "0"
    return list((values | changes).items())


def pinhole_arguments(base, **changes):
    values = {"RemoteHost": "2001:db8:bad::66", "RemotePort": "0", "InternalClient": CAMERA6,
              "InternalPort": str(base), "Protocol": "6", "LeaseTime": LEASE}
    return list((values | changes).items())


# Each action, with a function that makes its valid arguments.
ACTIONS = {
    V1: {
        "SetConnectionType": lambda b: [("NewConnectionType", "IP_Routed")],
        "GetConnectionTypeInfo": lambda b: [],
        "RequestConnection": lambda b: [],
        "GetStatusInfo": lambda b: [],
        "GetNATRSIPStatus": lambda b: [],
        "GetExternalIPAddress": lambda b: [],
        "GetGenericPortMappingEntry": lambda b: [("NewPortMappingIndex", "60000")],
        "GetSpecificPortMappingEntry": entry_arguments,
        "AddPortMapping": add_arguments,
        "DeletePortMapping": entry_arguments,
    },
    V2: {
        "SetConnectionType": lambda b: [("NewConnectionType", "IP_Routed")],
        "RequestConnection": lambda b: [],
        "GetExternalIPAddress": lambda b: [],
        "GetSpecificPortMappingEntry": entry_arguments,
        "GetGenericPortMappingEntry": lambda b: [("NewPortMappingIndex", "60000")],
        "AddPortMapping": add_arguments,
        "AddAnyPortMapping": add_arguments,
        "DeletePortMapping": entry_arguments,
        "DeletePortMappingRange": range_arguments,
        "GetListOfPortMappings": lambda b: range_arguments(b, number=True),
    },
    COMMON: {name: lambda b: [] for name in (
        "GetCommonLinkProperties", "GetTotalBytesSent", "GetTotalBytesReceived",
        "GetTotalPacketsSent", "GetTotalPacketsReceived")},
    FORWARDING: {
        "GetDefaultConnectionService": lambda b: [],
        "SetDefaultConnectionService": lambda b: [("NewDefaultConnectionService", "")],
    },
    FIREWALL: {
        "GetFirewallStatus": lambda b: [],
        "AddPinhole": pinhole_arguments,
        "UpdatePinhole": lambda b: [("UniqueID", "4711"), ("NewLeaseTime", LEASE)],
        "DeletePinhole": lambda b: [("UniqueID", "4711")],
        "GetPinholePackets": lambda b: [("UniqueID", "4711")],
        "CheckPinholeWorking": lambda b: [("UniqueID", "4711")],
        "GetOutboundPinholeTimeout": lambda b: pinhole_arguments(b)[:5],
    },
}

BROKEN = {
    "empty": "", "word": "abc", "negative": "-1", "zero": "0", "65536": "65536", "65616": "65616",
    "2^32": str(2**32), "space-before": " 1234", "space-after": "1234 ", "plus": "+1234",
    "hex": "0x4d2", "star": "*", "long": "1" * 1000, "tags": b"<x>1</x>",
}


def role_of(name):
    return "camera6" if name == FIREWALL else "camera"


def ask(name, action, arguments, role=None, **how):
    """A step; `arguments` is a function of the base."""
    role = role or role_of(name)
    return Step(role, lambda device, base: device.control(name, action, arguments(base), role, **how))


def valid_actions(make):
    for name, actions in ACTIONS.items():
        for action, arguments in actions.items():
            yield make(f"valid/{name}/{action}", ask(name, action, arguments))


def without(arguments, name):
    return [pair for pair in arguments if pair[0] != name]


def broken_arguments(make):
    """Every argument of every action absent, doubled, and with every broken value."""
    for name, actions in ACTIONS.items():
        for action, arguments in actions.items():
            for argument, _ in arguments(0):
                where = f"broken/{name}/{action}/{argument}"
                yield make(f"{where}/absent", ask(name, action, lambda b, f=arguments, a=argument:
                                                  without(f(b), a)))
                yield make(f"{where}/twice", ask(name, action, lambda b, f=arguments, a=argument: [
                    *f(b), (a, dict(f(b))[a])]))
                for kind, value in BROKEN.items():
                    # Index 0 is somebody's as soon as there is any mapping.
                    fresh = argument == "NewPortMappingIndex" and kind in ("zero", "2^32", "hex")
                    yield make(f"{where}/{kind}", ask(
                        name, action, lambda b, f=arguments, a=argument, v=value:
                        [(n, v if n == a else old) for n, old in f(b)]), fresh=fresh)


def wrong_addresses(make):
    for kind, address in (("other", NVR), ("gateway", "192.168.69.1"), ("outside", "198.51.100.10"),
                          ("broadcast", "192.168.69.255"), ("host-name", "camera.local"),
                          ("space-before", f" {CAMERA}"), ("ipv6", CAMERA6), ("zero", "0.0.0.0")):
        yield make(f"client/{kind}", ask(V2, "AddPortMapping", lambda b, a=address:
                                         add_arguments(b, client=a)))
        yield make(f"remote/{kind}", ask(V2, "AddPortMapping", lambda b, a=address:
                                         add_arguments(b, NewRemoteHost=a)))
    for port in ("1", "80", "1023", "65535"):
        yield make(f"external/{port}", ask(V2, "AddPortMapping", lambda b, p=port: add_arguments(
            b, NewExternalPort=p)))
        yield make(f"external-any/{port}", ask(V2, "AddAnyPortMapping", lambda b, p=port:
                                               add_arguments(b, NewExternalPort=p)))
    for port in ("1", "22", "445", "65535"):
        yield make(f"internal/{port}", ask(V2, "AddPortMapping", lambda b, p=port: add_arguments(
            b, NewInternalPort=p)))
    for lease in ("0", "1", "60", "86401", "604800", "604801", "4294967295"):
        for name in (V1, V2):
            yield make(f"lease/{name}/{lease}", ask(name, "AddPortMapping", lambda b, t=lease:
                                                    add_arguments(b, NewLeaseDuration=t)),
                       ask(name, "GetSpecificPortMappingEntry", entry_arguments))
    for enabled in ("0", "1", "true", "yes", "false", "no", "2"):
        yield make(f"enabled/{enabled}", ask(V2, "AddPortMapping", lambda b, e=enabled: add_arguments(
            b, NewEnabled=e)), ask(V2, "GetSpecificPortMappingEntry", entry_arguments))
    for kind, text in (("markup", "<b>&amp;\"'"), ("utf-8", b"caf\xc3\xa9"), ("control", b"a&#1;b"),
                       ("long", "x" * 300)):
        yield make(f"description/{kind}", ask(V2, "AddPortMapping", lambda b, t=text: add_arguments(
            b, NewPortMappingDescription=t)), ask(V2, "GetSpecificPortMappingEntry", entry_arguments))


def sequences(make):
    """What clients do one after the other; a whole table is asked for only where it was empty."""
    add, entry = ask(V1, "AddPortMapping", add_arguments), \
        ask(V1, "GetSpecificPortMappingEntry", entry_arguments)
    delete = ask(V1, "DeletePortMapping", entry_arguments)

    def nvr(step_of=V1, **changes):
        return ask(step_of, "AddPortMapping", lambda b: add_arguments(b, client=NVR, **changes), "nvr")

    def index(number):
        return ask(V1, "GetGenericPortMappingEntry", lambda b: [("NewPortMappingIndex", str(number))])

    for name in (V1, V2):
        again = ask(name, "AddPortMapping", add_arguments)
        yield make(f"again/{name}", again, again, entry)
        yield make(f"again/{name}/other-internal-port", again, ask(
            name, "AddPortMapping", lambda b: add_arguments(b, NewInternalPort=str(b + 1))), entry)
        yield make(f"again/{name}/other-client", again, nvr(name), entry)
        yield make(f"again/{name}/other-protocol", again, ask(
            name, "AddPortMapping", lambda b: add_arguments(b, NewProtocol="UDP")))
        yield make(f"again/{name}/other-protocol/other-client", again, nvr(name, NewProtocol="UDP"))
        yield make(f"delete/{name}/others", again, ask(name, "DeletePortMapping", entry_arguments,
                                                       "nvr"), entry)
    yield make("again/description", add, ask(V1, "AddPortMapping", lambda b: add_arguments(
        b, NewPortMappingDescription="another")), entry)
    yield make("again/remote-host", add, ask(V1, "AddPortMapping", lambda b: add_arguments(
        b, NewRemoteHost="198.51.100.10")), entry)
    yield make("again/any", add, ask(V2, "AddAnyPortMapping", add_arguments))
    yield make("taken/any", add, ask(V2, "AddAnyPortMapping", lambda b: add_arguments(b, client=NVR),
                                     "nvr"))
    yield make("delete", add, delete, entry, delete)
    yield make("delete/then-others", add, delete, nvr())
    yield make("walk", add, ask(V1, "AddPortMapping", lambda b: add_arguments(
        b, NewExternalPort=str(b + 1), NewProtocol="UDP")), index(0), index(1), index(2), fresh=True)
    yield make("walk/empty", index(0), fresh=True)
    listed = ask(V2, "GetListOfPortMappings", lambda b: range_arguments(b, number=True))
    more = [ask(V2, "AddPortMapping", lambda b, i=i: add_arguments(b, NewExternalPort=str(b + i)))
            for i in range(3)]
    yield make("list", *more, listed, ask(V2, "GetListOfPortMappings", lambda b: range_arguments(
        b, number=True, NewNumberOfPorts="2")))
    yield make("list/empty", listed)
    yield make("list/reversed", ask(V2, "GetListOfPortMappings", lambda b: range_arguments(
        b, number=True, NewStartPort=str(b + 5), NewEndPort=str(b))))
    yield make("list/manage/others", add, ask(V2, "GetListOfPortMappings", lambda b: range_arguments(
        b, number=True, NewManage="1"), "nvr"))
    yield make("list/others", add, ask(V2, "GetListOfPortMappings", lambda b: range_arguments(
        b, number=True), "nvr"))
    yield make("range", *more, ask(V2, "DeletePortMappingRange", range_arguments), listed)
    yield make("range/others", *more, ask(V2, "DeletePortMappingRange", range_arguments, "nvr"), listed)
    yield make("range/reversed", ask(V2, "DeletePortMappingRange", lambda b: range_arguments(
        b, NewStartPort=str(b + 5), NewEndPort=str(b))))


def wrong_soap(make):
    """The right body under a SOAPACTION that is quoted in all ways, and names that do not fit."""
    action = f"{service(V1)}#GetExternalIPAddress"
    for kind, value in (("bare", action), ("double", f'"{action}"'), ("single", f"'{action}'"),
                        ("open", f'"{action}'), ("closing", f'{action}"'), ("three", f'""{action}"'),
                        ("spaces", f'  "{action}"  '), ("empty", '""'), ("no-hash", f'"{service(V1)}"'),
                        ("no-action", f'"{service(V1)}#"'), ("unknown", f'"{service(V1)}#NoSuch"'),
                        ("version-9", f'"{service("WANIPConnection:9")}#GetExternalIPAddress"'),
                        ("other-service", f'"{service(COMMON)}#GetExternalIPAddress"')):
        yield make(f"soapaction/{kind}", ask(V1, "GetExternalIPAddress", lambda b: [],
                                             soap_action=value))
    yield make("soapaction/mismatch", ask(V1, "GetStatusInfo", lambda b: [], soap_action=f'"{action}"'))
    yield make("service/WANPPPConnection", ask("WANPPPConnection:1", "GetExternalIPAddress",
                                               lambda b: []))
    yield make("service/unknown-action", ask(V1, "NoSuchAction", lambda b: []))
    yield make("service/v2-action-in-v1", ask(V1, "AddAnyPortMapping", add_arguments))


def body_of(action="GetExternalIPAddress", arguments=()):
    return ENVELOPE.format(action=action, service=service(V1),
                           arguments=arguments_xml(arguments)).encode()


def wrong_http(make):
    soap = [("Content-Type", "text/xml"), ("SOAPAction", f'"{service(V1)}#GetExternalIPAddress"')]
    body = body_of()

    def sent(name, method="POST", path=None, fields=soap, body=body, host=True, **how):
        def request(device, base):
            return http_request(method, path(device) if path else
                                device.services["WANIPConnection"]["controlURL"],
                                device.host_field() if host is True else host, fields, body, **how)
        return make(f"http/{name}", Step("camera", request))

    yield sent("post")
    yield sent("get", method="GET", body=b"")
    yield sent("head", method="HEAD", body=b"", fields=(), path=lambda device: device.path)
    yield sent("put", method="PUT")
    yield sent("description/post", path=lambda device: device.path)
    yield sent("unknown-path", method="GET", body=b"", fields=(), path=lambda device: "/no/such")
    yield sent("version=1.0", version="HTTP/1.0")
    yield sent("version=1.0/no-host", version="HTTP/1.0", host=None)
    yield sent("version=2.0", version="HTTP/2.0")
    yield sent("no-host", host=None)
    yield sent("host=name", host="evil.example")
    yield sent("host=other-address", host="198.51.100.10")
    yield sent("origin", fields=[*soap, ("Origin", "http://evil.example")])
    yield sent("field-names/lower", fields=[(name.lower(), value) for name, value in soap])
    yield sent("field-names/upper", fields=[(name.upper(), value) for name, value in soap])
    yield sent("no-soapaction", fields=soap[:1])
    yield sent("no-content-type", fields=soap[1:])
    yield sent("content-type/other", fields=[("Content-Type", "text/plain"), soap[1]])
    yield sent("expect", fields=[*soap, ("Expect", "100-continue")])
    yield sent("no-length", length=False)
    yield sent("length/two", fields=[*soap, ("Content-Length", "1")])
    yield sent("length/word", length=False, fields=[*soap, ("Content-Length", "many")])
    yield sent("length/negative", length=False, fields=[*soap, ("Content-Length", "-1")])
    yield sent("length/huge", length=False, fields=[*soap, ("Content-Length", "10000000")], body=b"")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    yield sent("chunked", length=False, body=chunked, fields=[*soap, ("Transfer-Encoding", "chunked")])
    yield sent("path/upper", path=lambda device:
               device.services["WANIPConnection"]["controlURL"].upper())
    yield sent("path/absolute", path=lambda device: f"http://{device.host_field()}"
               + device.services["WANIPConnection"]["controlURL"])
    yield sent("path/query", path=lambda device:
               device.services["WANIPConnection"]["controlURL"] + "?x=1")
    yield sent("long-field", fields=[*soap, ("X-Long", "x" * 20000)])
    yield sent("body/empty", body=b"")
    yield sent("body/no-xml", body=b"hello")
    yield sent("body/cut", body=body[:-40])
    yield sent("body/dtd", body=b'<!DOCTYPE s [<!ENTITY x "1">]>' + body.partition(b"?>")[2])
    yield sent("body/deep", body=b"<a>" * 1000 + b"</a>" * 1000)
    yield sent("body/entities", body=body.replace(
        b"</u:Get", b"&#x26;&lt;</u:Get"))
    yield sent("body/byte-order-mark", body=b"\xef\xbb\xbf" + body)
    yield sent("body/large", body=body + b" " * 100000)


def pinholes(make):
    add = ask(FIREWALL, "AddPinhole", pinhole_arguments)
    for kind, changes in (("other-client", {"InternalClient": "2001:db8:69::20"}),
                          ("gateway", {"InternalClient": "2001:db8:69::1"}),
                          ("ipv4-client", {"InternalClient": CAMERA}),
                          ("ipv4-remote", {"RemoteHost": "198.51.100.10"}),
                          ("any-remote", {"RemoteHost": ""}), ("udp", {"Protocol": "17"}),
                          ("any-protocol", {"Protocol": "65535"}), ("sctp", {"Protocol": "132"}),
                          ("udplite", {"Protocol": "136"}), ("icmp", {"Protocol": "58"}),
                          ("any-port", {"InternalPort": "0"}), ("ssh", {"InternalPort": "22"}),
                          ("remote-port", {"RemotePort": "4000"}), ("lease-max", {"LeaseTime": "86400"}),
                          ("lease-over", {"LeaseTime": "86401"}), ("lease-1", {"LeaseTime": "1"})):
        yield make(f"pinhole/{kind}", ask(FIREWALL, "AddPinhole", lambda b, c=changes:
                                          pinhole_arguments(b, **c)))
    yield make("pinhole/again", add, add)


def cases(make):
    for group in (valid_actions, broken_arguments, wrong_addresses, sequences, wrong_soap, wrong_http,
                  pinholes):
        yield from group(make)


def compare(gateways, cases):
    """Asks both gateways; yields (name of the step, answer, other answer), as text. A gateway has
    `device`, a GatewayDevice, and reset() and runs()."""
    for case in cases:
        if case.fresh:
            for gateway in gateways:
                gateway.reset()
        for turn, step in enumerate(case.steps):
            name = case.name if len(case.steps) == 1 else f"{case.name}#{turn + 1}"
            yield (name, *(answer_of(gateway, step, case) for gateway in gateways))


def answer_of(gateway, step, case):
    answer = gateway.device.exchange(step.role, step.request(gateway.device, case.base))
    if answer.status == "closed" and ends(gateway):
        gateway.reset()
        return "crashed"
    return describe(answer, case.reader())


def ends(gateway):
    """Was that its last word? A process that dies is there for a moment still."""
    try:
        return wait_until("its end", lambda: not gateway.runs(), timeout=0.3)
    except TimeoutError:
        return False
