# SPDX-License-Identifier: GPL-2.0-or-later
"""The mappings' routes: what they answer, and what they refuse."""
import concurrent.futures
import contextlib
import json
import os

import pytest

from conftest import GROUP, running_daemon
from daemon import Api

CAMERA = {"external_port": "8888", "internal_client": "192.168.69.110", "internal_port": "80"}
MAPPINGS = "/api/v1/mappings"


def camera(**changes):
    return {**CAMERA, **changes}


def add(api, **changes):
    status, mapping, _ = api.ask("POST", MAPPINGS, camera(**changes))
    assert status == 201, mapping
    return mapping


def problem(answer, status, kind):
    """Checks that an (status, document, headers) is a whole problem document; returns it."""
    given, document, headers = answer
    assert given == status, document
    assert headers["Content-Type"] == "application/problem+json"
    assert document["type"] == f"https://portwright.invalid/problems/{kind}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"] and "\n" not in document["detail"]
    return document


def test_add(api):
    status, mapping, headers = api.ask("POST", MAPPINGS, camera(name="Front door, web"))
    assert status == 201
    assert headers["Location"] == MAPPINGS + "/m1"
    assert headers["ETag"] == '"m1-1"'
    assert headers["Content-Type"] == "application/json"
    assert mapping == {
        "id": "m1", "name": "Front door, web", "protocol": "tcp", "external_addr": None,
        "external_port": "8888", "internal_client": "192.168.69.110", "internal_port": "80",
        "remote_hosts": [], "enabled": True, "when_disabled": "drop", "app": "", "notes": "",
        "origin": "operator", "owner": "root", "lifetime": None, "expires": None,
        "max_connections": None, "rate": None, "version": 1, "created": mapping["created"],
        "changed": mapping["created"],
        "counters": {"packets": 0, "bytes": 0, "connections": 0}, "last_check": None}


def test_what_the_api_gives_can_be_given_back(api):
    given = add(api, remote_hosts=["203.0.113.0/24"], rate=5)
    api.ask("DELETE", f"{MAPPINGS}/m1")
    status, again, _ = api.ask("POST", MAPPINGS, given)
    assert status == 201
    assert again["id"] == "m2"
    assert {**again, "id": "m1", "created": None, "changed": None} == \
           {**given, "created": None, "changed": None}


def test_auto_picks_the_internal_port(api):
    assert add(api, external_port="auto", internal_port=8080)["external_port"] == "8080"


def test_conflict_names_the_other_and_proposes_a_port(api):
    add(api, name="Front door, web")
    document = problem(api.ask("POST", MAPPINGS, camera(internal_port="81")), 409, "conflict")
    assert "tcp/8888" in document["detail"]
    assert "Front door, web" in document["detail"]
    assert isinstance(document["proposed_port"], int)


@pytest.mark.parametrize("name", ["m1", "tcp/8888", "tcp%2F8888", "tcp%2f8888"])
def test_show(api, name):
    mapping = add(api)
    status, shown, headers = api.ask("GET", f"{MAPPINGS}/{name}")
    assert (status, shown) == (200, mapping)
    assert headers["ETag"] == '"m1-1"'


@pytest.mark.parametrize("changes, name", [
    ({"protocol": "both"}, "both/8888"),
    ({"external_port": "8000-8003", "internal_port": "9000-9003"}, "tcp/8000-8003"),
    ({"external_addr": "203.0.113.7"}, "tcp/203.0.113.7:8888"),
    ({"external_addr": "203.0.113.7"}, "tcp/8888"),
    ({"internal_client": "2001:db8::5", "internal_port": "443", "external_port": "443"},
     "tcp/[2001:db8::5]:443"),
])
def test_show_by_tuple(api, changes, name):
    assert api.ask("GET", f"{MAPPINGS}/{name}")[0] == 404
    mapping = add(api, **changes)
    assert api.ask("GET", f"{MAPPINGS}/{name}")[1] == mapping


@pytest.mark.parametrize("name, says", [
    ("m7", "m7"), ("m0", "m0"), ("tcp/8001", "part of m1"), ("tcp/1", "tcp/1"), ("udp/8000", "udp"),
    ("tcp/8000", "part of m1"), ("nonsense", "m7"), ("tcp/", "tcp/"), ("tcp/0", "tcp/0"),
    ("tcp/99999", "tcp/99999"), ("m1/", "m1/"), ("%00", "%00"), ("m1%00", "m1%00"),
    ("%0a", "x0a"), ("m99999999999", "m99999999999"), ("tcp/[::1:8000", "8000"), ("-", "-"),
])
def test_not_found(api, name, says):
    add(api, external_port="8000-8003", internal_port="9000-9003")
    for method in ("GET", "DELETE"):
        document = problem(api.ask(method, f"{MAPPINGS}/{name}"), 404, "not_found")
        assert says in document["detail"]
    problem(api.ask("PATCH", f"{MAPPINGS}/{name}", {"name": "x"}), 404, "not_found")


def test_a_tuple_of_two_mappings_is_refused(api):
    add(api, remote_hosts=["198.51.100.0/24"])
    add(api, remote_hosts=["203.0.113.0/24"], internal_port="81")
    document = problem(api.ask("DELETE", f"{MAPPINGS}/tcp/8888"), 409, "conflict")
    assert "m1" in document["detail"] and "m2" in document["detail"]


def test_change(api):
    mapping = add(api, name="before", notes="kept")
    status, changed, headers = api.ask("PATCH", f"{MAPPINGS}/m1",
                                       {"name": "after", "enabled": False})
    assert status == 200
    assert headers["ETag"] == '"m1-2"'
    assert changed == {**mapping, "name": "after", "enabled": False, "version": 2,
                       "changed": changed["changed"]}
    assert api.ask("PATCH", f"{MAPPINGS}/m1", {"name": None})[1]["name"] == ""


def test_change_as_a_merge_patch(api):
    add(api)
    status, _, _ = api.ask("PATCH", f"{MAPPINGS}/m1", {"name": "x"},
                           {"Content-Type": "application/merge-patch+json; charset=utf-8"})
    assert status == 200


def test_delete(api):
    mapping = add(api)
    assert api.ask("DELETE", f"{MAPPINGS}/m1")[:2] == (200, mapping)
    problem(api.ask("GET", f"{MAPPINGS}/m1"), 404, "not_found")
    problem(api.ask("DELETE", f"{MAPPINGS}/m1"), 404, "not_found")


@pytest.mark.parametrize("method, body", [("PATCH", {"name": "x"}), ("DELETE", None)])
@pytest.mark.parametrize("tag, passes", [
    ('"m1-1"', True), ("*", True), ('"m9-9", "m1-1"', True), (' "m1-1" ', True),
    ('"m1-2"', False), ("m1-1", False), ('W/"m1-1"', False), ("", False), (",", False),
])
def test_if_match(api, method, body, tag, passes):
    add(api)
    answer = api.ask(method, f"{MAPPINGS}/m1", body, {"If-Match": tag})
    if passes:
        assert answer[0] == 200
    else:
        problem(answer, 412, "stale")
        assert api.ask("GET", f"{MAPPINGS}/m1")[1]["version"] == 1


def test_pages(api):
    for port in range(8000, 8007):
        add(api, external_port=port)
    api.ask("DELETE", f"{MAPPINGS}/m3")
    ids, query = [], "?limit=2"
    while query:
        status, page, _ = api.ask("GET", MAPPINGS + query)
        assert status == 200
        assert len(page["mappings"]) <= 2
        ids += [mapping["id"] for mapping in page["mappings"]]
        query = page["next"] and f"?limit=2&after={page['next']}"
    assert ids == ["m1", "m2", "m4", "m5", "m6", "m7"]
    assert api.ask("GET", MAPPINGS)[1]["next"] is None
    assert api.ask("GET", MAPPINGS + "?after=m7")[1] == {"mappings": [], "next": None}
    assert api.ask("GET", MAPPINGS + "?limit=6")[1]["next"] is None


@pytest.mark.parametrize("query, field", [
    ("limit=0", "limit"), ("limit=10001", "limit"), ("limit=", "limit"), ("limit=-1", "limit"),
    ("limit=1x", "limit"), ("limit", "limit"), ("after=7", "after"), ("after=", "after"),
    ("after=m", "after"), ("after=m99999999999", "after"), ("limt=5", "limt"),
])
def test_bad_pages(shared, query, field):
    with contextlib.closing(shared.api()) as api:
        document = problem(api.ask("GET", f"{MAPPINGS}?{query}"), 422, "invalid")
    assert field in document["detail"]


@pytest.mark.parametrize("path, allowed", [
    (MAPPINGS, "GET, HEAD, POST"), (MAPPINGS + "/m1", "GET, HEAD, PATCH, DELETE"),
    ("/api/v1/import", "POST"), ("/api/v1/export", "GET, HEAD"), ("/api/v1/status", "GET, HEAD"),
    ("/api/v1/flows", "GET, HEAD"), ("/api/v1/events", "GET, HEAD"), ("/healthz", "GET, HEAD"),
])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
                                    "TRACE", "get", "BREW"])
def test_methods(shared, path, allowed, method):
    if method in allowed.split(", "):
        return
    with contextlib.closing(shared.api()) as api:
        status, document, headers = api.ask(method, path)
    assert headers["Allow"] == allowed
    problem((status, document, headers), 405, "method")


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/api/v1/", "/api/v1/mappings/",
                                  "/api/v2/mappings", "/api/v1/mapping", "/api/v1/statuss",
                                  "/api/v1/status/", "//healthz", "/healthz%00", "/%ff%0d%0a"])
def test_no_such_resource(shared, path):
    with contextlib.closing(shared.api()) as api:
        problem(api.ask("GET", path), 404, "no_resource")


def test_head_is_get_without_the_body(shared):
    with contextlib.closing(shared.api()) as api:
        for path in (MAPPINGS, "/api/v1/export", "/api/v1/status", "/healthz"):
            api.request("HEAD", path)
            response = api.getresponse()
            assert response.status == 200
            assert int(response.headers["Content-Length"]) > 0
            assert response.read() == b""


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "",
                                        "application/jsonx", "application", "json",
                                        "application/merge-patch+json"])
def test_media_types(shared, media_type):
    with contextlib.closing(shared.api()) as api:
        answer = api.ask("POST", MAPPINGS, b"{}", {"Content-Type": media_type})
        document = problem(answer, 415, "media_type")
        assert "application/json" in document["detail"]


def test_no_media_type(shared):
    with contextlib.closing(shared.api()) as api:
        api.request("POST", MAPPINGS, b"{}")
        response = api.getresponse()
        assert response.status == 415
        assert "missing" in json.loads(response.read())["detail"]


@pytest.mark.parametrize("body", ids=lambda body: repr(body[:30]), argvalues=[
    b"", b" ", b"{", b"}", b'{"name"', b'{"name": ', b'{"name": "x"', b'{"name": "x",}', b"[1,",
    b"nul", b"{'name': 'x'}", b'{"name": "\xff"}', b'{"name": "\xed\xa0\x80"}', b'{"name": "a\nb"}',
    b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b'{"rate": 01}', b'{"rate": 1e999}',
    b'{"name": "x", "name": "y"}', b"{}{}", b"\x00", b"{}\x00", b"\xef\xbb\xbf{}",
    b"[" * 10000, b'{"a":' * 10000,
])
def test_malformed_json(shared, body):
    with contextlib.closing(shared.api()) as api:
        document = problem(api.ask("POST", MAPPINGS, body), 400, "malformed")
        assert document["detail"].startswith("line ")
        assert api.ask("POST", "/api/v1/import", body)[0] in (400, 422)
        assert api.ask("GET", MAPPINGS)[1]["mappings"] == []


@pytest.mark.parametrize("body", [[], 1, "x", None, True, [CAMERA], 1.5, {}])
def test_json_that_is_no_mapping(shared, body):
    with contextlib.closing(shared.api()) as api:
        answer = api.ask("POST", MAPPINGS, json.dumps(body).encode())
        problem(answer, 422, "invalid")


def test_body_limit(api):
    body = json.dumps(camera(notes="x" * 4096)).encode()
    assert api.ask("POST", MAPPINGS, body + b" " * (65536 - len(body)))[0] == 201
    too_long = body + b" " * (65537 - len(body))
    document = problem(api.ask("POST", MAPPINGS, too_long), 413, "too_large")
    assert "65536" in document["detail"]
    # the connection goes on: all of the body was read
    problem(api.ask("POST", MAPPINGS, b" " * (5 << 20)), 413, "too_large")
    assert api.ask("GET", "/healthz")[0] == 200


def test_a_body_where_none_is_expected(shared):
    with contextlib.closing(shared.api()) as api:
        problem(api.ask("GET", MAPPINGS, {}), 413, "too_large")
        problem(api.ask("DELETE", MAPPINGS + "/m1", {}), 413, "too_large")


def as_user(uid, groups, path, *question):
    """What another user gets who asks the daemon's socket: a child process becomes that user."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
            status, document, _ = Api(path).ask(*question)
            os.write(writing, json.dumps([status, document]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = json.loads(pipe.read() or "[0, null]")
    os.waitpid(child, 0)
    return answer


def test_other_users_only_read(daemon, api):
    add(api)
    ask = lambda *question: as_user(65534, [], daemon.socket, *question)  # noqa: E731
    for path in (MAPPINGS, MAPPINGS + "/m1", "/api/v1/export", "/api/v1/status", "/api/v1/flows",
                 "/healthz"):
        assert ask("GET", path)[0] == 200
    for question in [("POST", MAPPINGS, camera(external_port=9)),
                     ("PATCH", MAPPINGS + "/m1", {"name": "x"}), ("DELETE", MAPPINGS + "/m1"),
                     ("POST", "/api/v1/import", {"mappings": [], "replace": True})]:
        status, document = ask(*question)
        assert status == 403
        assert document["type"].endswith("/forbidden")
        assert "nobody" in document["detail"] and "portwright" in document["detail"]
    # refused before anything is said about the request itself
    assert ask("POST", MAPPINGS, b" " * 100000)[0] == 403
    assert len(api.ask("GET", MAPPINGS)[1]["mappings"]) == 1


def test_the_group_administers(daemon):
    status, mapping = as_user(4242, [7, GROUP], daemon.socket, "POST", MAPPINGS, CAMERA)
    assert status == 201
    assert mapping["owner"] == "4242"
    status, mapping = as_user(GROUP, [], daemon.socket, "PATCH", MAPPINGS + "/m1", {"name": "x"})
    assert status == 200
    assert mapping["owner"] == "4242"
    assert as_user(4242, [7], daemon.socket, "DELETE", MAPPINGS + "/m1")[0] == 403


def test_requests_at_once(daemon):
    """Every answered change is there, and no two have the same id."""
    def work(worker):
        with contextlib.closing(daemon.api()) as api:
            return [add(api, external_port=10000 + worker * 100 + i)["id"] for i in range(20)]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        ids = [identity for found in pool.map(work, range(16)) for identity in found]
    assert len(set(ids)) == 320
    assert {mapping["id"] for mapping in daemon.mappings()} == set(ids)


def test_one_port_for_one(daemon):
    """Of many who ask for one port at once exactly one gets it."""
    def ask(_):
        with contextlib.closing(daemon.api()) as api:
            return api.ask("POST", MAPPINGS, CAMERA)[0]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = sorted(pool.map(ask, range(48)))
    assert answers == [201] + [409] * 47


def test_restart_keeps_mappings():
    with running_daemon() as daemon:
        with contextlib.closing(daemon.api()) as api:
            before = add(api, name="läuft", remote_hosts=["198.51.100.0/24"])
        daemon.kill()
        daemon.start()
        assert daemon.mapping("m1") == before
