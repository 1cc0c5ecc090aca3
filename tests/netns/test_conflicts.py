# SPDX-License-Identifier: GPL-2.0-or-later
"""Conflicts that help: who has the port, and which one is free."""
import json
import socket

import pytest

from namespaces import CAMERA, GATEWAY, NVR, SERVERS
from witness import Witness, call


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 554)):
        yield


def refused(daemon, *arguments):
    """The one line with which `add` is refused."""
    before = daemon.export(), daemon.ruleset()
    result = daemon.cli("add", *arguments, check=False)
    assert result.returncode == 1, result
    assert result.stderr.count("\n") == 1, result.stderr
    assert (daemon.export(), daemon.ruleset()) == before
    return result.stderr


def test_names_the_other_mapping_and_proposes(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--name", "Front door, web")
    line = refused(daemon, "8888", f"{NVR}:80")
    assert f"tcp/8888 is mapped to {CAMERA}:80 as 'Front door, web'" in line
    assert "try: portwright" in line and "add 8889 192.168.69.120:80" in line


def test_the_proposal_is_free(site, daemon):
    daemon.add("8888", f"{CAMERA}:80")
    daemon.add("8890", f"{CAMERA}:82")
    with daemon.api() as api:
        status, problem, headers = api.ask("POST", "/api/v1/mappings", {
            "external_port": "8888", "internal_client": NVR, "internal_port": "80"})
        assert status == 409 and "problem+json" in headers["Content-Type"]
        assert problem["field"] == "external_port"
        status, _, _ = api.ask("POST", "/api/v1/mappings", {
            "external_port": str(problem["proposed_port"]), "internal_client": NVR,
            "internal_port": "80"})
        assert status == 201


@pytest.mark.parametrize("second", [
    ("8888", f"{NVR}:80"), ("8880-8890", f"{NVR}:80"), ("8888-8889", f"{NVR}:80"),
    ("8888", f"{NVR}:80", "--proto", "both"), (f"{GATEWAY}:8888", f"{NVR}:80"),
    ("8888", f"{NVR}:80", "--from", "198.51.100.0/24"), ("8888", f"{NVR}:80", "--disabled"),
], ids=lambda words: " ".join(words))
def test_overlap(site, daemon, second):
    daemon.add("8888", f"{CAMERA}:80")
    assert "8888" in refused(daemon, *second)


def test_disabled_keeps_its_place(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--disabled")
    refused(daemon, "8888", f"{NVR}:80")


@pytest.mark.parametrize("kind, protocol", [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_gateways_own_sockets(site, daemon, kind, protocol):
    with site.gateway.socket(kind=kind) as own:
        own.bind(("0.0.0.0", 2222))
        if kind == socket.SOCK_STREAM:
            own.listen()
        line = refused(daemon, "2222", f"{CAMERA}:80", "--proto", protocol)
        assert f"{protocol}/2222 is used by" in line and "on this gateway" in line
        other = "udp" if protocol == "tcp" else "tcp"
        daemon.add("2222", f"{CAMERA}:80", "--proto", other)


def test_own_socket_inside_a_range(site, daemon):
    with site.gateway.socket() as own:
        own.bind(("0.0.0.0", 2222))
        own.listen()
        assert "2222" in refused(daemon, "2000-2999", f"{CAMERA}:2000")


def test_own_socket_on_the_lan_side_only_is_no_conflict(site, daemon):
    with site.gateway.socket() as own:
        own.bind(("192.168.69.1", 2222))
        own.listen()
        daemon.add("2222", f"{CAMERA}:80")


def test_auto_keeps_the_port(site, daemon):
    mapping = daemon.add("auto", f"{CAMERA}:554")
    assert mapping["external_port"] == "554"
    assert call(site.outside, GATEWAY, 554)


def test_auto_keeps_the_parity(site, daemon):
    daemon.add("5004", f"{CAMERA}:80")
    mapping = daemon.add("auto", f"{NVR}:5004", "--proto", "both")
    assert int(mapping["external_port"]) % 2 == 0 and mapping["external_port"] != "5004"
    daemon.add("5005", f"{CAMERA}:81")
    assert int(daemon.add("auto", f"{NVR}:5005")["external_port"]) % 2 == 1


def test_auto_for_a_range(site, daemon):
    mapping = daemon.add("auto", f"{NVR}:9000-9003")
    assert mapping["external_port"] == "9000-9003"
    mapping = daemon.add("auto", f"{CAMERA}:9000-9003")
    first, last = map(int, mapping["external_port"].split("-"))
    assert last - first == 3 and first % 2 == 0 and first > 9003


def test_auto_avoids_own_sockets(site, daemon):
    with site.gateway.socket() as own:
        own.bind(("0.0.0.0", 5540))
        own.listen()
        assert daemon.add("auto", f"{CAMERA}:5540")["external_port"] != "5540"


def test_change_into_a_conflict(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--name", "Front door, web")
    second = daemon.add("8889", f"{NVR}:80")
    before = daemon.export(), daemon.ruleset()
    result = daemon.cli("set", second["id"], "external_port=8888", check=False)
    assert result.returncode == 1 and "Front door, web" in result.stderr
    assert (daemon.export(), daemon.ruleset()) == before


def test_import_is_all_or_nothing(site, daemon, tmp_path):
    daemon.add("8888", f"{CAMERA}:80")
    before = daemon.export(), daemon.ruleset()
    file = tmp_path / "import.json"
    file.write_text(json.dumps({"portwright": 1, "mappings": [
        {"external_port": "7000", "internal_client": SERVERS[0], "internal_port": "80"},
        {"external_port": "8888", "internal_client": SERVERS[1], "internal_port": "80"}]}))
    result = daemon.cli("import", file, check=False)
    assert result.returncode == 1 and "8888" in result.stderr
    assert (daemon.export(), daemon.ruleset()) == before


def test_export_and_import_are_inverse(site, daemon, tmp_path):
    daemon.add("8888", f"{CAMERA}:80", "--name", "Tür „Süd“", "--notes", "two\nlines")
    daemon.add("8000-8003", f"{NVR}:9000", "--from", "198.51.100.0/24", "--disabled=refuse")
    daemon.add("[2001:db8:69::110]:443", "--proto", "both")
    text, ruleset = daemon.export(), daemon.ruleset()
    file = tmp_path / "export.json"
    file.write_text(text)
    daemon.cli("delete", *[mapping["id"] for mapping in daemon.mappings()])
    assert daemon.mappings() == []
    daemon.cli("import", file)
    assert daemon.export() == text and daemon.ruleset() == ruleset
    again = json.loads(daemon.cli("import", file, "--json").stdout)
    assert again["added"] == 0 and again["unchanged"] == 3
