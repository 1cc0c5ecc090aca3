# SPDX-License-Identifier: GPL-2.0-or-later
"""
Every action of the gateway device with every argument absent, empty, twice, oversize, of another type,
negative and beyond 16 bits. What there is to try is read from the services' own descriptions, so no
action can be left out. Nothing of this may change the table.
"""
import xml.etree.ElementTree

import pytest

from igd import FIREWALL, FORWARDING, HTTP_PORT, WAN_COMMON, WAN_IP, Igd, local_name
from namespaces import LAPTOP, LAPTOP6

# One right value for each argument.
RIGHT = {
    "NewRemoteHost": "203.0.113.1", "NewExternalPort": "8080", "NewProtocol": "TCP",
    "NewInternalPort": "80", "NewInternalClient": LAPTOP, "NewEnabled": "1",
    "NewPortMappingDescription": "camera", "NewLeaseDuration": "3600",
    "NewPortMappingIndex": "0", "NewStartPort": "8000", "NewEndPort": "8100", "NewManage": "0",
    "NewNumberOfPorts": "10", "NewConnectionType": "IP_Routed",
    "NewDefaultConnectionService": "x", "RemoteHost": "2001:db8:113::1", "RemotePort": "0",
    "InternalClient": LAPTOP6, "InternalPort": "80", "Protocol": "6", "LeaseTime": "3600",
    "NewLeaseTime": "3600", "UniqueID": "7",
}
ABSENT, TWICE = object(), object()
BAD = {"absent": ABSENT, "empty": "", "twice": TWICE, "oversize": "9" * 12000, "type": "camera",
       "negative": "-1", "beyond": "65616", "hexadecimal": "0x50", "sign": "+80", "blank": "8 0",
       "fraction": "80.5", "name": "localhost"}

# What a bad value gets where that is not 402, by argument and by what is bad with it; "ok": it is
# right, or right enough to be told something else.
ADDRESS_OK = {"absent": "ok", "empty": "ok"}
TEXT_OK = dict.fromkeys(["type", "negative", "beyond", "hexadecimal", "sign", "blank", "fraction",
                         "name"], "ok")
NOT_ALLOWED = dict.fromkeys(["oversize", *TEXT_OK], 601)
EXPECTED = {
    "NewRemoteHost": ADDRESS_OK, "RemoteHost": {"empty": "ok"}, "InternalClient": {"empty": 708},
    "NewInternalClient": {"empty": "ok"}, "NewProtocol": NOT_ALLOWED,
    "NewConnectionType": {"oversize": "ok", **TEXT_OK},
    "NewPortMappingDescription": {"empty": "ok", "oversize": 605, **TEXT_OK},
    "NewLeaseDuration": {"beyond": "ok"}, "LeaseTime": {"beyond": "ok"},
    "NewLeaseTime": {"beyond": "ok"},
    "NewDefaultConnectionService": {"oversize": 501, **dict.fromkeys(TEXT_OK, 501)},
}


def actions_of(igd, service):
    """{action: [in argument, ...]} of its description."""
    scpd = xml.etree.ElementTree.fromstring(igd.scpd(service))
    found = {}
    for action in (e for e in scpd.iter() if local_name(e) == "action"):
        name = next(e.text for e in action if local_name(e) == "name")
        arguments = [{local_name(f): f.text for f in e} for e in action.iter()
                     if local_name(e) == "argument"]
        found[name] = [a["name"] for a in arguments if a["direction"] == "in"]
    return found


def arguments_with(names, culprit, value):
    pairs = []
    for name in names:
        if name != culprit:
            pairs.append((name, RIGHT[name]))
        elif value is TWICE:
            pairs += [(name, RIGHT[name])] * 2
        elif value is not ABSENT:
            pairs.append((name, value))
    return pairs


def expected(argument, kind, terse):
    code = EXPECTED.get(argument, {}).get(kind, 402)
    return 402 if terse and code in (601, 605) else code


@pytest.fixture
def gateway(make_daemon):
    return make_daemon(firewall="on", **{"igd.http-port": HTTP_PORT})


@pytest.mark.parametrize("service", [WAN_IP + ":1", WAN_IP + ":2", WAN_COMMON + ":1",
                                     FORWARDING + ":1", FIREWALL + ":1"])
def test_every_argument(site, gateway, service):
    """Each action x each argument x each way to be wrong."""
    igd = Igd(site.laptop, agent="Microsoft-Windows/10.0" if service == WAN_IP + ":1" else None)
    actions = actions_of(igd, service)
    terse = service == WAN_IP + ":1"
    tried = 0
    for action, names in actions.items():
        for culprit in names:
            for kind, value in BAD.items():
                answer = igd.call(service, action, arguments_with(names, culprit, value))
                code = expected(culprit, kind, terse)
                where = f"{action}({culprit} {kind}): {answer}"
                if code == "ok":
                    assert answer.code not in (402, 601), where
                else:
                    assert (answer.status, answer.code) == (500, code), where
                tried += 1
        # more arguments than there are do not matter, a name in another case is another name
        answer = igd.call(service, action, arguments_with(names, None, None) + [("Other", "x")])
        assert answer.code != 402, f"{action} with one argument more: {answer}"
        if names:
            pairs = [(name.lower(), value) for name, value in arguments_with(names, None, None)]
            assert igd.call(service, action, pairs).code == 402
    for mapping in gateway.mappings():  # what was right enough
        assert mapping["internal_client"] in (LAPTOP, LAPTOP6)
        assert mapping["external_port"] in ("8080", "80") and mapping["owner"] == LAPTOP
    assert tried == sum(map(len, actions.values())) * len(BAD)


@pytest.mark.parametrize("version", [1, 2])
def test_ports_do_not_wrap(site, gateway, version):
    """65616 is 80 to whoever keeps 16 bits of it."""
    igd = Igd(site.laptop)
    for external, internal in ((65616, 80), (8080, 65616), (131072 + 8080, 80), (4294967376, 80),
                               (18446744073709551696, 80)):
        assert igd.add(external, internal, version=version) == 402
    assert gateway.mappings() == []


def test_lenient_values(site, gateway):
    """Blanks around values, any case of a protocol, words for booleans, zeros in front."""
    igd = Igd(site.laptop)
    assert igd.add(" 8080 ", "\n80\t", f"  {LAPTOP}", " tcp ", enabled="true", lease=" 0600") == {}
    assert igd.add("08081", 80, LAPTOP, "udp", enabled="Yes", remote="*") == {}
    found = igd.entries()
    assert [(e["NewExternalPort"], e["NewProtocol"], e["NewRemoteHost"]) for e in found] == [
        ("8080", "TCP", ""), ("8081", "UDP", "")]


def test_lease_bounds(site, gateway):
    """Version 2 has a range for leases, version 1 has none; the policy's limit holds for both."""
    igd = Igd(site.laptop)
    assert igd.add(8080, lease=604800, version=2) == {}
    assert igd.add(8080, lease=604801, version=2) == 601
    assert igd.add(8081, lease=4294967295, version=1) == {}
    assert igd.add(8082, lease=4294967296, version=1) == 402
    for port in (8080, 8081):
        assert 86390 <= int(igd.find(port)["NewLeaseDuration"]) <= 86400
