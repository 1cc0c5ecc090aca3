# SPDX-License-Identifier: GPL-2.0-or-later
"""
differential_upnp: how the two gateways are found, what they say they are, and how they tell of changes:
SSDP, descriptions, GENA. compare() yields (name, answer, other answer), as text.
"""
import contextlib
import re
import select
import socket
import time
import xml.etree.ElementTree as ElementTree

from gateway_device import GROUP, SCHEMA, SSDP_PORT, Answer, http_request, m_search
from namespaces import CAMERA, NVR

SEARCH_SECONDS = 2.5  # MX is 1
UUID = re.compile(r"uuid:[0-9A-Za-z-]+")

MICROSOFT = "Microsoft-Windows/10.0 UPnP/1.0"
USER_AGENTS = {"none": None, "microsoft": MICROSOFT, "fdssdp": "FDSSDP", "miniupnpc":
               "Debian/12, UPnP/1.1, MiniUPnPc/2.2.4"}


def compare(gateways):
    yield from compare_searches(gateways)
    yield from compare_descriptions(gateways)
    yield from compare_services(gateways)
    yield from compare_subscriptions(gateways)


# SSDP

def searches():
    """(name, request, where it is sent: None for the group)"""
    for name, target in (("root", "upnp:rootdevice"), ("all", "ssdp:all")):
        yield name, m_search(target), None
    for kind, names in (("device", ("InternetGatewayDevice", "WANDevice", "WANConnectionDevice")),
                        ("service", ("WANIPConnection", "WANCommonInterfaceConfig", "Layer3Forwarding",
                                     "WANIPv6FirewallControl", "WANPPPConnection",
                                     "DeviceProtection"))):
        for name in names:
            for number in (1, 2, 3):
                yield f"{name}:{number}", m_search(f"{SCHEMA}:{kind}:{name}:{number}"), None
    gateway = f"{SCHEMA}:device:InternetGatewayDevice:1"
    yield "other", m_search(f"{SCHEMA}:device:MediaServer:1"), None
    yield "other-uuid", m_search("uuid:00000000-0000-0000-0000-000000000000"), None
    yield "no-target", m_search(None), None
    yield "no-wait", m_search(gateway, wait=None), None
    yield "wait=0", m_search(gateway, wait="0"), None
    yield "wait=word", m_search(gateway, wait="soon"), None
    yield "wait=negative", m_search(gateway, wait="-1"), None
    yield "no-man", m_search(gateway, man=None), None
    yield "man-bare", m_search(gateway, man="ssdp:discover"), None
    yield "man-other", m_search(gateway, man='"ssdp:other"'), None
    yield "unicast", m_search(gateway), "192.168.69.1"
    yield "lower", m_search(gateway).replace(b"HOST", b"host").replace(b"ST:", b"st:"), None
    yield "line-feeds", m_search(gateway).replace(b"\r\n", b"\n"), None
    yield "notify", m_search(gateway).replace(b"M-SEARCH", b"NOTIFY"), None
    yield "version-1.0", m_search(gateway).replace(b"HTTP/1.1", b"HTTP/1.0"), None


def compare_searches(gateways):
    """All at once, each from a socket of its own."""
    asked = list(searches())
    told = [ask_searches(gateway.device.site.hosts["camera"], asked) for gateway in gateways]
    for (name, _, _), *answers in zip(asked, *told):
        yield (f"ssdp/{name}", *(describe_found(found) for found in answers))
    yield ("ssdp-fields", *(describe_fields(answers[0]) for answers in told))
    yield ("ssdp-copies", *(str(most_copies(answers)) for answers in told))


def ask_searches(host, asked):
    sockets = {}
    with contextlib.ExitStack() as stack:
        for index, (_, request, to) in enumerate(asked):
            asking = stack.enter_context(host.socket(kind=socket.SOCK_DGRAM))
            asking.sendto(request, (to or GROUP, SSDP_PORT))
            sockets[asking] = index
        answers = [[] for _ in asked]
        until = time.monotonic() + SEARCH_SECONDS
        while (left := until - time.monotonic()) > 0:
            for asking in select.select(list(sockets), [], [], left)[0]:
                answers[sockets[asking]].append(Answer(asking.recv(4096), "nothing"))
        return answers


def short(name):
    return UUID.sub("uuid:N", name).replace(f"{SCHEMA}:", "")


def describe_found(answers):
    """What was found: ST (and USN, where it is not the usual), each once."""
    names = set()
    for answer in answers:
        target, unique = short(answer.fields.get("st", "")), short(answer.fields.get("usn", ""))
        usual = target if target == "uuid:N" else f"uuid:N::{target}"
        names.add(target if unique == usual else f"{target}({unique})")
    return " ".join(sorted(names)) or "nothing"


def most_copies(found):
    """How often was one and the same thing told in answer to one search?"""
    told = [[answer.fields.get("usn") for answer in answers] for answers in found]
    return max(names.count(name) for names in told for name in names)


def describe_fields(answers):
    fields = answers[0].fields
    server = re.fullmatch(r"\S+/\S+ UPnP/(\d\.\d) \S+/\S+", fields.get("server", ""))
    return " ".join((*sorted(fields), fields.get("cache-control", "").replace(" ", ""),
                     f"UPnP/{server[1]}" if server else "server?"))


# Descriptions

def children(element, name):
    return element.findall(f"{{{SCHEMA}:device-1-0}}{name}")


def text(element, name):
    found = children(element, name)
    return found[0].text or "" if found else ""


def describe_device(device):
    """"InternetGatewayDevice:2(Layer3Forwarding:1 WANDevice:2(...))", with what is embedded."""
    inside = [text(service, "serviceType").replace(f"{SCHEMA}:service:", "")
              for services in children(device, "serviceList") for service in services]
    inside += [describe_device(embedded) for devices in children(device, "deviceList")
               for embedded in devices]
    return text(device, "deviceType").replace(f"{SCHEMA}:device:", "") + f"({' '.join(inside)})"


def compare_descriptions(gateways):
    for agent, value in USER_AGENTS.items():
        fields = [("User-Agent", value)] if value else []
        roots = [ElementTree.fromstring(gateway.device.get(gateway.device.path, fields=fields).body)
                 for gateway in gateways]
        yield (f"description/devices/agent={agent}",
               *(describe_device(children(root, "device")[0]) for root in roots))
        yield (f"description/version/agent={agent}", *(describe_version(root) for root in roots))
    answers = [gateway.device.get(gateway.device.path) for gateway in gateways]
    yield ("description/fields", *(" ".join(sorted(answer.fields)) for answer in answers))
    yield ("description/type", *(answer.fields["content-type"] for answer in answers))
    roots = [ElementTree.fromstring(answer.body) for answer in answers]
    yield ("description/elements", *(" ".join(sorted(
        child.tag.rpartition("}")[2] for child in children(root, "device")[0])) for root in roots))


def describe_version(root):
    version = children(root, "specVersion")[0]
    return f"{text(version, 'major')}.{text(version, 'minor')}"


def read_scpd(gateway, name):
    """({action: its arguments}, [evented variables]); nothing of a service that there is not."""
    service = gateway.device.services.get(name)
    if not service:
        return {}, []
    root = ElementTree.fromstring(gateway.device.get(service["SCPDURL"]).body)
    actions = {}
    for action in root.iter(f"{{{SCHEMA}:service-1-0}}action"):
        arguments = [f"{argument.find('{*}name').text}:{argument.find('{*}direction').text}"
                     for argument in action.iter(f"{{{SCHEMA}:service-1-0}}argument")]
        actions[action.find("{*}name").text] = " ".join(arguments) or "no arguments"
    evented = [variable.find("{*}name").text
               for variable in root.iter(f"{{{SCHEMA}:service-1-0}}stateVariable")
               if variable.get("sendEvents") != "no"]
    return actions, sorted(evented)


def compare_services(gateways):
    names = sorted({name for gateway in gateways for name in gateway.device.services})
    for name in names:
        told = [read_scpd(gateway, name) for gateway in gateways]
        yield (f"service/{name}", *("there" if actions else "absent" for actions, _ in told))
        if not all(actions for actions, _ in told):
            continue
        for action in sorted({action for actions, _ in told for action in actions}):
            yield (f"service/{name}/{action}", *(actions.get(action, "absent")
                                                 for actions, _ in told))
        yield (f"service/{name}/events", *(" ".join(evented) for _, evented in told))


# GENA

class Listener:
    """A control point's end: takes one event after the other."""

    def __init__(self, host):
        self.socket = host.socket()
        self.socket.bind((CAMERA, 0))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def event(self, timeout=2):
        """The next NOTIFY's head and body; None where there is none."""
        if not select.select([self.socket], [], [], timeout)[0]:
            return None
        connection, _ = self.socket.accept()
        with connection:
            connection.settimeout(timeout)
            raw = b""
            while not re.search(rb"</(\w+:)?propertyset>", raw):
                more = connection.recv(65536)
                if not more:
                    break
                raw += more
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        head, _, body = raw.partition(b"\r\n\r\n")
        return head.decode("latin-1"), body


def subscribe(device, name, fields, method="SUBSCRIBE", role="camera"):
    path = device.services[name]["eventSubURL"]
    return device.exchange(role, http_request(method, path, device.host_field(role), fields))


def describe_subscription(answer):
    words = [answer.status]
    if "sid" in answer.fields:
        words.append(UUID.sub("uuid:N", answer.fields["sid"]))
    if "timeout" in answer.fields:
        words.append(answer.fields["timeout"])
    return " ".join(words)


def describe_event(event):
    """The variables in it; what counts is N."""
    if event is None:
        return "nothing"
    head, body = event
    key = re.search(r"(?im)^SEQ:\s*(\d+)", head)
    variables = []
    for element in ElementTree.fromstring(body).iter():
        if not len(element) and element.tag.rpartition("}")[2] not in ("propertyset", "property"):
            value = element.text or ""
            variables.append(f"{element.tag}={'N' if value.isdigit() else UUID.sub('uuid:N', value)}")
    return " ".join([f"SEQ={key[1] if key else '?'}", *sorted(variables)])


def compare_subscriptions(gateways):
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(Listener(gateway.device.site.hosts["camera"]))
                     for gateway in gateways]
        yield from compare_events(gateways, listeners)
        yield from compare_refusals(gateways, listeners)


def usual_fields(listener):
    return [("CALLBACK", f"<http://{CAMERA}:{listener.port}/events>"), ("NT", "upnp:event"),
            ("TIMEOUT", "Second-1800")]


def compare_events(gateways, listeners):
    shared = set(gateways[0].device.services) & set(gateways[1].device.services)
    for name in sorted(shared):
        answers = [subscribe(gateway.device, name, usual_fields(listener))
                   for gateway, listener in zip(gateways, listeners)]
        yield (f"gena/{name}/subscribe", *map(describe_subscription, answers))
        yield (f"gena/{name}/first-event", *(describe_event(listener.event())
                                             for listener in listeners))
        for step, method, fields in (("renew", "SUBSCRIBE", [("TIMEOUT", "Second-600")]),
                                     ("renew/no-timeout", "SUBSCRIBE", []),
                                     ("renew/with-callback", "SUBSCRIBE", [("NT", "upnp:event")]),
                                     ("unsubscribe", "UNSUBSCRIBE", []),
                                     ("unsubscribe/again", "UNSUBSCRIBE", [])):
            yield (f"gena/{name}/{step}", *(describe_subscription(subscribe(
                gateway.device, name, [("SID", answer.fields.get("sid", "")), *fields], method))
                for gateway, answer in zip(gateways, answers)))


def compare_refusals(gateways, listeners):
    """Requests to subscribe that are wrong, or ask for more than a device needs."""
    def changed(name, change, method="SUBSCRIBE"):
        answers = []
        for gateway, listener in zip(gateways, listeners):
            fields = dict(usual_fields(listener))
            change(fields, listener.port)
            answers.append(describe_subscription(subscribe(
                gateway.device, "WANIPConnection", list(fields.items()), method)))
        return (f"gena/refusal/{name}", *answers)

    def callback(value):
        return lambda fields, port: fields.update(CALLBACK=value.format(port=port))

    yield changed("no-callback", lambda fields, port: fields.pop("CALLBACK"))
    yield changed("no-nt", lambda fields, port: fields.pop("NT"))
    yield changed("other-nt", lambda fields, port: fields.update(NT="upnp:other"))
    yield changed("no-timeout", lambda fields, port: fields.pop("TIMEOUT"))
    yield changed("timeout=infinite", lambda fields, port: fields.update(TIMEOUT="Second-infinite"))
    yield changed("timeout=1", lambda fields, port: fields.update(TIMEOUT="Second-1"))
    yield changed("timeout=word", lambda fields, port: fields.update(TIMEOUT="soon"))
    yield changed("timeout=huge", lambda fields, port: fields.update(TIMEOUT="Second-99999999"))
    yield changed("unknown-sid", lambda fields, port: (fields.clear(), fields.update(
        SID="uuid:00000000-0000-0000-0000-000000000000")))
    yield changed("unsubscribe/no-sid", lambda fields, port: fields.clear(), "UNSUBSCRIBE")
    for name, value in (("other-host", f"<http://{NVR}:{{port}}/>"),
                        ("gateway", "<http://192.168.69.1:{port}/>"),
                        ("outside", "<http://198.51.100.10:{port}/>"),
                        ("name", "<http://evil.example:{port}/>"),
                        ("port=0", f"<http://{CAMERA}:0/>"),
                        ("port=22", f"<http://{CAMERA}:22/>"),
                        ("https", f"<https://{CAMERA}:{{port}}/>"),
                        ("no-brackets", f"http://{CAMERA}:{{port}}/"),
                        ("two", f"<http://{CAMERA}:{{port}}/a><http://{CAMERA}:{{port}}/b>"),
                        ("empty", "")):
        yield changed(f"callback/{name}", callback(value))
