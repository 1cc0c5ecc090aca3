# SPDX-License-Identifier: GPL-2.0-or-later
"""Import and export: all or nothing, and what is there already stays as it is."""
import json
import time

import pytest

from test_mappings import CAMERA, MAPPINGS, add, camera, problem

IMPORT = "/api/v1/import"
EXPORT = "/api/v1/export"


def bring_in(api, mappings, **rest):
    return api.ask("POST", IMPORT, {"mappings": mappings, **rest})


def ports(api):
    return [m["external_port"] for m in api.ask("GET", MAPPINGS)[1]["mappings"]]


def counts(added=0, unchanged=0, deleted=0):
    return {"added": added, "unchanged": unchanged, "deleted": deleted}


def test_import_adds(api):
    many = [camera(external_port=port) for port in (8001, 8002, "8010-8012")]
    many[2]["internal_port"] = "9010-9012"
    assert bring_in(api, many)[:2] == (200, counts(added=3))
    assert ports(api) == ["8001", "8002", "8010-8012"]


def test_what_is_there_stays(api):
    mapping = add(api, name="x", remote_hosts=["203.0.113.0/24"])
    same = camera(name="x", remote_hosts=["203.0.113.0/24"])
    assert bring_in(api, [same, camera(external_port=9)])[:2] == (200, counts(added=1, unchanged=1))
    assert api.ask("GET", MAPPINGS + "/m1")[1] == mapping


def test_another_on_the_same_port_is_a_conflict(api):
    add(api, name="x")
    document = problem(bring_in(api, [camera(external_port=9), camera(name="y")]), 409, "conflict")
    assert document["index"] == 1
    assert document["detail"].startswith("mappings[1]: ")
    assert ports(api) == ["8888"]


def test_replace(api):
    kept = add(api)
    add(api, external_port=9000)
    add(api, external_port=9001)
    answer = bring_in(api, [camera(external_port=9000, name="other"), CAMERA], replace=True)
    assert answer[:2] == (200, counts(added=1, unchanged=1, deleted=2))
    mappings = api.ask("GET", MAPPINGS)[1]["mappings"]
    assert [m["id"] for m in mappings] == ["m1", "m4"]
    assert mappings[0] == kept
    assert bring_in(api, [], replace=True)[:2] == (200, counts(deleted=2))
    assert ports(api) == []
    assert bring_in(api, [], replace=True)[:2] == (200, counts())
    assert bring_in(api, [])[:2] == (200, counts())


def test_all_or_nothing(api):
    add(api)
    before = api.ask("GET", EXPORT)[1]
    bad = [camera(external_port=9000 + i) for i in range(30)]
    bad[17]["external_port"] = "80x"
    document = problem(bring_in(api, bad, replace=True), 422, "invalid")
    assert document["index"] == 17
    assert document["field"] == "external_port"
    assert document["detail"].startswith("mappings[17]: external_port: '80x'")
    bad[17]["external_port"] = 9016
    document = problem(bring_in(api, bad, replace=True), 409, "conflict")
    assert document["index"] == 17
    # found only by the gateway: the address is its own
    bad[17].update(external_port=9017, internal_client="192.168.69.1")
    document = problem(bring_in(api, bad, replace=True), 422, "invalid")
    assert document["index"] == 17
    assert api.ask("GET", EXPORT)[1] == before


def test_export_comes_back(api):
    add(api, name="Tür", notes="two\nlines", app="http", protocol="both")
    add(api, external_port="8000-8003", internal_port="9000-9003", external_addr="203.0.113.7")
    add(api, external_port=1, enabled=False, when_disabled="refuse", max_connections=5, rate=3)
    add(api, external_port=2, expires="2099-01-01T00:00:00Z")
    add(api, external_port=3, lifetime="2h")
    add(api, external_port=443, internal_port=443, internal_client="2001:db8::5",
        remote_hosts=["2001:db8:1::/48", "2001:db8:2::7"])
    document = api.ask("GET", EXPORT)[1]
    assert document["portwright"] == 1
    assert len(document["mappings"]) == 6
    assert "id" not in document["mappings"][0]
    assert bring_in(api, document["mappings"], replace=True)[1] == counts(unchanged=6)
    # the file as it is, its version of the format included
    assert api.ask("POST", IMPORT, document)[1] == counts(unchanged=6)
    bring_in(api, [], replace=True)
    assert api.ask("POST", IMPORT, document)[1] == counts(added=6)
    assert api.ask("GET", EXPORT)[1] == document


def test_export_has_a_line_for_each(api):
    for port in range(3):
        add(api, external_port=1000 + port)
    api.request("GET", EXPORT)
    lines = api.getresponse().read().decode().splitlines()
    assert len(lines) == 5
    assert json.loads(lines[1].rstrip(","))["external_port"] == "1000"


@pytest.mark.parametrize("body, says", [
    ({}, "mappings"), ({"mappings": None}, "mappings"), ({"mappings": {}}, "mappings"),
    ({"mappings": "x"}, "mappings"), ({"mappings": [], "replace": 1}, "replace"),
    ({"mappings": [], "replace": None}, "replace"), ({"mappings": [], "repalce": True}, "repalce"),
    ({"mappings": [], "portwright": 2}, "portwright"), ({"mappings": [1]}, "mappings[0]"),
    ({"mappings": [CAMERA, []]}, "mappings[1]"), ({"mappings": [{}]}, "mappings[0]: internal_"),
    ({"mappings": [camera(colour="red")]}, "colour"), ({"replace": True}, "mappings"),
])
def test_other_json(api, body, says):
    document = problem(api.ask("POST", IMPORT, body), 422, "invalid")
    assert says in document["detail"]
    assert ports(api) == []


@pytest.mark.parametrize("body", [
    b'{"mappings": [}', b'{"mappings": [],}', b'{"mappings": []', b'{"mappings": [{',
    b'{"mappings": [] "replace": true}', b'{"mappings": [],, "replace": true}', b'{"mappings"}',
    b'{mappings: []}', b'{"mappings": []} x', b'{"mappings": [], "mappings": []}', b'{1: []}',
    b'{"mappings": [{"a": 1, "a": 2}]}', b'{"mappings": [] []}', b'{"mappings": [,]}', b"[]",
])
def test_malformed(api, body):
    problem(api.ask("POST", IMPORT, body), 400, "malformed")
    assert ports(api) == []


def test_malformed_says_where(api):
    body = b'{"mappings": [\n{"external_port": "1",\n"name": x}]}'
    document = problem(api.ask("POST", IMPORT, body), 400, "malformed")
    assert document["detail"].startswith("line 3, ")


def test_order_and_blanks_mean_nothing(api):
    body = b' \r\n\t{ "replace" : false ,"portwright":1 , "mappings" : [ ' + \
           json.dumps(CAMERA).encode() + b' ] } \n'
    assert api.ask("POST", IMPORT, body)[1] == counts(added=1)


def test_import_limit(api):
    assert api.ask("POST", IMPORT, b'{"mappings": []' + b" " * (8 << 20) + b"}")[0] == 200
    document = problem(api.ask("POST", IMPORT, b" " * ((64 << 20) + 1)), 413, "too_large")
    assert str(64 << 20) in document["detail"]


def resident(daemon):
    """Of the daemon, in KiB."""
    with open(f"/proc/{daemon.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_many(daemon, api):
    """65,000 at once; the seconds are generous here, `make bench` measures them."""
    many = [camera(external_port=1 + i, internal_client=f"192.168.2.{2 + i % 200}",
                   name=f"Camera {i}") for i in range(65000)]
    began = time.monotonic()
    assert bring_in(api, many)[:2] == (200, counts(added=65000))
    assert time.monotonic() - began < 30
    document = api.ask("GET", EXPORT)[1]
    assert len(document["mappings"]) == 65000
    assert bring_in(api, document["mappings"])[1] == counts(unchanged=65000)
    found, after = 0, ""
    while after is not None:
        page = api.ask("GET", f"{MAPPINGS}?limit=10000{after}")[1]
        found += len(page["mappings"])
        after = page["next"] and f"&after={page['next']}"
    assert found == 65000
    assert bring_in(api, [], replace=True)[1] == counts(deleted=65000)
