# SPDX-License-Identifier: GPL-2.0-or-later
"""Live connections: listed while they last, ended when their mapping no longer admits them."""
import json

import pytest

from namespaces import CAMERA, ELSEWHERE, GATEWAY, NVR, TRUSTED
from witness import Witness, call, connect, is_alive


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("udp", CAMERA, 80), ("tcp", CAMERA, 81)), \
            Witness(site.nvr, ("tcp", NVR, 80), ("tcp", NVR, 9002)):
        yield


@pytest.fixture
def connection(site, daemon):
    """The mapping 8888 and one established connection through it."""
    mapping = daemon.add("8888", f"{CAMERA}:80")
    connection, _ = connect(site.outside, GATEWAY, 8888, source=ELSEWHERE)
    with connection:
        assert is_alive(connection)
        yield mapping["id"], connection


def entries(site):
    """conntrack's entries of port 8888."""
    return [line for line in site.gateway.run("conntrack", "-L").stdout.splitlines()
            if "dport=8888" in line]


@pytest.mark.parametrize("verb", [
    ("delete", "{id}"), ("disable", "{id}"), ("disable", "{id}", "--refuse"),
    ("set", "{id}", "remote_hosts=198.51.100.0/24"), ("set", "{id}", "external_port=8887"),
    ("set", "{id}", f"internal_client={NVR}"), ("set", "{id}", "internal_port=81"),
    ("set", "{id}", "protocol=udp"), ("set", "{id}", "external_addr=203.0.113.200"),
], ids=lambda verb: " ".join(verb))
def test_ended_by(site, daemon, connection, verb):
    identity, open_connection = connection
    daemon.cli(*[word.format(id=identity) for word in verb])
    assert not entries(site), "conntrack forgot it by the time the command returned"
    assert not is_alive(open_connection)


@pytest.mark.parametrize("change", ["name=Front door", "notes=Ask for Ms. Brunner", "app=http",
                                    "remote_hosts=192.0.2.0/24", "max_connections=10",
                                    "protocol=both"])
def test_spared_by(site, daemon, connection, change):
    identity, open_connection = connection
    daemon.cli("set", identity, change)
    assert is_alive(open_connection)


def test_narrowing_spares_the_admitted(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80")
    trusted, _ = connect(site.outside, GATEWAY, 8888, source=TRUSTED)
    other, _ = connect(site.outside, GATEWAY, 8888, source=ELSEWHERE)
    with trusted, other:
        daemon.cli("set", mapping["id"], f"remote_hosts={TRUSTED}")
        assert is_alive(trusted)
        assert not is_alive(other)


def test_other_mappings_connections_stay(site, daemon, connection):
    daemon.add("8889", f"{CAMERA}:80")
    second, _ = connect(site.outside, GATEWAY, 8889)
    with second:
        daemon.cli("delete", connection[0])
        assert is_alive(second)


def test_range_shrinks(site, daemon):
    mapping = daemon.add("8000-8003", f"{NVR}:9000")
    connection, _ = connect(site.outside, GATEWAY, 8002)
    with connection:
        daemon.cli("set", mapping["id"], "external_port=8000-8001", "internal_port=9000-9001")
        assert not is_alive(connection)


def test_expiry_ends_them(site, daemon):
    from namespaces import wait_until
    mapping = daemon.add("8888", f"{CAMERA}:80")
    connection, _ = connect(site.outside, GATEWAY, 8888)
    with connection, daemon.api() as api:
        status, _, _ = api.ask("PATCH", f"/api/v1/mappings/{mapping['id']}", {"lifetime": 1})
        assert status == 200
        assert is_alive(connection)
        wait_until("the lease to end", lambda: not daemon.mappings())
        assert not is_alive(connection)


def test_listed(site, daemon, connection):
    flows = json.loads(daemon.cli("flows", "--json").stdout)
    flows = flows.get("flows", flows) if isinstance(flows, dict) else flows
    # By its port: the last segments of an earlier test's connection may show as a flow of their own.
    flow, = [flow for flow in flows if flow["remote_port"] == connection[1].getsockname()[1]]
    assert flow["mapping"] == connection[0] and flow["protocol"] == "tcp"
    assert flow["remote_addr"] == ELSEWHERE
    assert (flow["external_addr"], flow["external_port"]) == (GATEWAY, 8888)
    assert (flow["internal_client"], flow["internal_port"]) == (CAMERA, 80)
    assert flow["from_lan"] is False and flow["state"] == "established"


def test_hairpinned_is_told_apart(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--proto", "udp")
    assert call(site.laptop, GATEWAY, 8888, "udp")
    with daemon.api() as api:
        _, answer, _ = api.ask("GET", "/api/v1/flows")
    assert [flow["from_lan"] for flow in answer["flows"] if flow["protocol"] == "udp"] == [True]


def test_connections_that_are_not_ours_are_neither_listed_nor_ended(site, daemon, connection):
    with Witness(site.outside, ("tcp", ELSEWHERE, 7000)):
        own, _ = connect(site.camera, ELSEWHERE, 7000)
        with own:
            with daemon.api() as api:
                _, answer, _ = api.ask("GET", "/api/v1/flows")
            assert {flow["mapping"] for flow in answer["flows"]} == {connection[0]}
            assert not [flow for flow in answer["flows"] if flow["remote_port"] == 7000]
            daemon.cli("delete", connection[0])
            assert is_alive(own)
