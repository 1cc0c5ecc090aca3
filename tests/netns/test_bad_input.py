# SPDX-License-Identifier: GPL-2.0-or-later
"""
Every field's nonsense, in one table a way in (the API, the command). Each case gets one line that names
the field, the value and what was expected; afterwards the table, the store and the kernel are as they
were.
"""
import json

import pytest

from namespaces import CAMERA, GATEWAY, GATEWAY6, NVR

GOOD = {"external_port": "7000", "internal_client": NVR, "internal_port": "80"}
CAMERA6 = "2001:db8:69::110"
LONG = "x" * 10000


def field(key, value, *words, **others):
    """A good mapping with one field spoilt: 422, and the line names the field, the value, the rest."""
    plain = isinstance(value, (str, int)) and not isinstance(value, bool) and \
        len(str(value)) <= 40 and str(value).isprintable()
    shown = [str(value)] if plain else []
    return {"what": f"{key}={str(value)[:40]!r}", "body": {**GOOD, **others, key: value},
            "status": 422, "field": key, "words": [key, *shown, *words]}


def raw(what, body, status, *words, headers=None, method="POST", path="/api/v1/mappings"):
    return {"what": what, "body": body, "status": status, "words": words, "headers": headers,
            "method": method, "path": path}


PORTS = [field("external_port", value, "expected") for value in
         ("0", "65536", "8888x", "x8888", "-1", "", " 8888", "8888 ", "08888", "8.5", "99999999999",
          "8000-", "-8003", "8003-8000", "8000-8003-8010", "8000--8003", "0-10", "65530-65536",
          "８８８８", "any", "http", "8000,8001", "0x22b8", "1e3", "+80",
          "8000 - 8003", "8000:8003")] + \
    [field("external_port", value, "expected") for value in
     (0, 65536, -1, 8.5, True, [8888], {"port": 8888}, 10**15)] + \
    [field("internal_port", value, "expected") for value in
     ("0", "65536", "80x", "", "auto", "90-80", "65535-65537", "1-2-3")] + \
    [field("internal_port", value, "expected") for value in (0, 65536, True, [80])] + [
        # Two fields that do not fit each other: the line names both.
        {**field("internal_port", inner, "external_port", outer, external_port=outer),
         "field": "external_port"}
        for inner, outer in (("9000-9002", "8000-8003"), ("9000-9004", "8000-8003"),
                             ("80-81", "7000"), ("65534", "8000-8003"))
    ]

CLIENTS = [field("internal_client", value) for value in
           ("255.255.255.255", "192.168.69.255", "192.168.69.0", "192.168.2.255", "224.0.0.1",
            "239.255.255.250", "127.0.0.1", "127.1.2.3", "0.0.0.0", "240.0.0.1", "192.168.69.1",
            "192.168.2.1", GATEWAY, "::1", "::", "ff02::1", GATEWAY6, "2001:db8:69::1",
            "192.168.69.256", "192.168.69", "192.168.69.110/24", "192.168.69.110:80", "camera",
            "192.168.069.110", "", " 192.168.69.110", "192.168.69.110 ", "0xc0a8456e", "3232253294",
            "fe80::1%lan0", "[2001:db8:69::110]", "2001:db8:69:::110", "1.2.3.4.5")] + \
    [field("internal_client", value, "expected") for value in (None, 7, True, [CAMERA], {})]

ADDRESSES = [field("external_addr", value) for value in
             ("203.0.113", "203.0.113.7/32", "public", "", "0.0.0.0", "224.0.0.1", "127.0.0.1",
              "255.255.255.255", "2001:db8:69::110", "::1", "*")] + \
    [field("external_addr", value, "expected") for value in (7, True, [GATEWAY])] + [
        field("external_addr", "2001:db8:69::111", internal_client=CAMERA6, internal_port="7000"),
        field("external_addr", GATEWAY, internal_client=CAMERA6, internal_port="7000"),
        {**field("internal_port", "7001", "7000", internal_client=CAMERA6), "field": "external_port"},
    ]

REMOTES = [field("remote_hosts", [value], value) for value in
           ("198.51.100.1/24", "198.51.100.0/33", "198.51.100.0/-1", "198.51.100.0/", "/24",
            "198.51.100.0/24/24", "198.51.100", "office", "", "198.51.100.0/024", "2001:db8::1/32",
            "2001:db8::/129", "198.51.100.0-198.51.100.9", "198.51.100.*", " 198.51.100.0/24",
            "2001:db8::/32")] + \
    [field("remote_hosts", value) for value in
     ("198.51.100.0/33", 7, True, {"a": 1}, [7], [None], [["198.51.100.0/24"]])] + [
        field("remote_hosts", [f"10.{i}.0.0/16" for i in range(65)]),
        field("remote_hosts", ["198.51.100.0/24"], internal_client=CAMERA6, internal_port="7000"),
    ]

TEXTS = [field(key, value) for key in ("name", "notes", "app", ) for value in
         (LONG, "bell\x07", "escape\x1b[31m", "delete\x7f", "c1\x85control", 7, ["a"], {})] + \
    [field("name", value) for value in ("two\nlines", "carriage\rreturn", "tab\there", "x" * 129)] + \
    [field("app", value) for value in ("two\nlines", "x" * 33)] + \
    [field("notes", "x" * 4097)]

CHOICES = [field(key, value, "expected") for key, values in {
    "protocol": ("", "TCP ", "sctp", "icmp", "tcp,udp", 6, True, ["tcp"]),
    "when_disabled": ("", "reject", "Drop ", 0, ["drop"]),
    "enabled": ("yes", "true", 1, 0, [], {}),
    "max_connections": (-1, 1.5, "many", True, [1], 2**32, 10**15),
    "rate": (-1, 1.5, "fast", "10/h", True, [1], 2**32),
    "lifetime": (0, -1, "2x", "h", "-2h", "", 1.5, True, [60], "99999999999999d"),
    "expires": ("yesterday", "2020-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
                "tomorrow", 5, True, ""),
}.items() for value in values] + [
    field("max_connections", 5, external_port="8000-8003", internal_port="9000-9003"),
    field("rate", 5, external_port="8000-8003", internal_port="9000-9003"),
]

KEYS = [
    {**field("colour", []), "what": "unknown key"},
    {**field("external-port", []), "what": "unknown key, near miss"},
    {**field("", "80"), "what": "empty key", "words": []},
    {"what": "no client", "body": {k: GOOD[k] for k in GOOD if k != "internal_client"},
     "status": 422, "words": ["internal_client"]},
    {"what": "no internal port", "body": {k: GOOD[k] for k in GOOD if k != "internal_port"},
     "status": 422, "words": ["internal_port"]},
    {"what": "empty object", "body": {}, "status": 422, "words": ["internal_client"]},
]

BODIES = [
    raw("no body", None, (400, 415)),
    raw("a number beyond all bounds", b'{"external_port": 1' + b"0" * 30 + b"}", 400),
    raw("a NUL in a text", b'{"name": "nul\\u0000byte"}', (400, 422)),
    raw("empty body", b"", 400),
    raw("truncated JSON", json.dumps(GOOD).encode()[:-5], 400),
    raw("JSON with a tail", json.dumps(GOOD).encode() + b"}", 400),
    raw("a list", b"[]", (400, 422)),
    raw("a text", b'"8888"', (400, 422)),
    raw("a number", b"8888", (400, 422)),
    raw("not JSON", b"8888 192.168.69.110:80", 400),
    raw("the same key twice", b'{"external_port":"7000","external_port":"7001",'
        b'"internal_client":"192.168.69.120","internal_port":"80"}', (400, 422)),
    raw("invalid UTF-8", b'{"external_port":"7000","internal_client":"192.168.69.120",'
        b'"internal_port":"80","name":"\xff\xfe"}', 400),
    raw("overlong UTF-8", b'{"external_port":"7000","internal_client":"192.168.69.120",'
        b'"internal_port":"80","name":"\xc0\xaf"}', 400),
    raw("a lone surrogate", b'{"external_port":"7000","internal_client":"192.168.69.120",'
        b'"internal_port":"80","name":"\\ud800"}', 400),
    raw("deep nesting", b"[" * 100000, (400, 413)),
    raw("NaN", b'{"rate": NaN}', 400),
    raw("too large", b'{"name":"' + b"x" * (40 << 20) + b'"}', 413),
    raw("another content type", b"external_port=7000", 415,
        headers={"Content-Type": "application/x-www-form-urlencoded"}),
    raw("unknown path", None, 404, method="GET", path="/api/v1/mapping"),
    raw("unknown method", None, 405, method="PUT", path="/api/v1/mappings"),
    raw("unknown mapping", None, 404, "m4711", method="GET", path="/api/v1/mappings/m4711"),
    raw("unknown tuple", None, 404, "tcp/4711", method="DELETE",
        path="/api/v1/mappings/tcp%2F4711"),
    raw("no identity at all", None, 404, method="GET", path="/api/v1/mappings/%00"),
    raw("a bad limit", None, (400, 422), "limit", method="GET", path="/api/v1/mappings?limit=0"),
    raw("a limit of text", None, (400, 422), "limit", method="GET", path="/api/v1/mappings?limit=x"),
    raw("a bad cursor", None, (400, 422), "after", method="GET", path="/api/v1/mappings?after=x"),
    raw("stale version", {"name": "x"}, 412, method="PATCH", path="/api/v1/mappings/m1",
        headers={"If-Match": '"m1-99"'}),
    raw("nonsense version", {"name": "x"}, (400, 412, 422), method="PATCH",
        path="/api/v1/mappings/m1", headers={"If-Match": "x"}),
    raw("change to nonsense", {"external_port": "0"}, 422, "external_port", method="PATCH",
        path="/api/v1/mappings/m1"),
    raw("change to the gateway", {"internal_client": GATEWAY}, 422, "internal_client",
        method="PATCH", path="/api/v1/mappings/m1"),
    raw("import of one bad", {"mappings": [GOOD, {**GOOD, "external_port": "0"}]}, 422,
        "external_port", path="/api/v1/import"),
    raw("import of no list", {"mappings": {}}, (400, 422), "mappings", path="/api/v1/import"),
    raw("import without a list", {}, (400, 422), "mappings", path="/api/v1/import"),
    raw("import, doubled", {"mappings": [GOOD, {**GOOD, "internal_port": "81"}]}, 409, "7000",
        path="/api/v1/import"),
    raw("import, truncated", b'{"mappings":[{"external_port":"7000"', 400, path="/api/v1/import"),
    raw("import, unknown key", {"mappings": [], "colour": "red"}, (400, 422), "colour",
        path="/api/v1/import"),
]

CASES = PORTS + CLIENTS + ADDRESSES + REMOTES + TEXTS + CHOICES + KEYS + BODIES

# The command's own wrong usage: 2; what the daemon refuses: 1.
COMMANDS = [
    (2, ("add",), "EXTERNAL"), (2, ("add", "8888"), "INTERNAL"),
    (2, ("add", "7000", f"{NVR}:80", "more"), "more"),
    (2, ("add", "7000", f"{NVR}:80", "--colour", "red"), "--colour"),
    (2, ("add", "7000", f"{NVR}:80", "--name"), "--name"),
    (2, ("frobnicate",), "frobnicate"), (2, ("show",), "ID"), (2, ("delete",), "ID"),
    (2, ("set", "m1"), ""), (2, ("set", "m1", "name"), "name"), (2, ("enable",), "ID"),
    (None, ("add", "0", f"{NVR}:80"), "0"), (None, ("add", "65536", f"{NVR}:80"), "65536"),
    (None, ("add", "8888x", f"{NVR}:80"), "8888x"), (None, ("add", "7000", NVR), NVR),
    (None, ("add", "7000", f"{NVR}:0"), "0"), (None, ("add", "7000", "camera:80"), "camera"),
    (None, ("add", "7003-7000", f"{NVR}:80"), "7003-7000"),
    (None, ("add", "7000-7003", f"{NVR}:80-81"), "80-81"),
    (None, ("add", "7000", "192.168.69.1:80"), "192.168.69.1"),
    (None, ("add", "7000", "192.168.69.255:80"), "192.168.69.255"),
    (None, ("add", "7000", "[::1]:80"), "::1"), (None, ("add", "[::1]:80"), "::1"),
    (None, ("add", "[2001:db8:69::110]:443", "[2001:db8:69::111]:443"), "2001:db8:69::11"),
    (None, ("add", "7000", f"{NVR}:80", "--proto", "sctp"), "sctp"),
    (None, ("add", "7000", f"{NVR}:80", "--from", "198.51.100.1/24"), "198.51.100.1/24"),
    (None, ("add", "7000", f"{NVR}:80", "--from", "everyone"), "everyone"),
    (None, ("add", "7000", f"{NVR}:80", "--expires", "sometime"), "sometime"),
    (None, ("add", "7000", f"{NVR}:80", "--expires", "2020-01-01"), "2020-01-01"),
    (None, ("add", "7000", f"{NVR}:80", "--rate", "fast"), "fast"),
    (None, ("add", "7000", f"{NVR}:80", "--rate", "10/h"), "10/h"),
    (None, ("add", "7000", f"{NVR}:80", "--max-connections", "0x10"), "0x10"),
    (None, ("add", "7000", f"{NVR}:80", "--disabled=perhaps"), "perhaps"),
    (None, ("add", "7000", f"{NVR}:80", "--name", LONG), "name"),
    (None, ("add", "7000", f"{NVR}:80", "--name", b"\xff\xfe"), "name"),
    (None, ("add", "7000", f"{NVR}:80", "--name", "bell\x07"), "name"),
    (1, ("show", "m4711"), "m4711"), (1, ("delete", "m4711"), "m4711"),
    (None, ("delete", "tcp/x"), "tcp/x"),
    (1, ("enable", "udp/8888"), "udp/8888"), (None, ("set", "m1", "colour=red"), "colour"),
    (None, ("set", "m1", "external_port=0"), "external_port"), (None, ("flows", "m4711"), "m4711"),
    (None, ("import", "/nonexistent"), "/nonexistent"), (None, ("import", "/dev/null"), ""),
    (None, ("export", "/nonexistent/file"), "/nonexistent"),
]


@pytest.fixture(scope="module")
def world(site, tmp_path_factory):
    """One daemon for the whole table, with a few mappings, and how everything looked at first."""
    from daemon import Daemon
    with Daemon(site.gateway, tmp_path_factory.mktemp("daemon"), firewall="on") as daemon:
        daemon.add("8888", f"{CAMERA}:80", "--name", "Front door, web")
        daemon.add("8000-8003", f"{NVR}:9000", "--from", "198.51.100.0/24")
        daemon.add(f"[{CAMERA6}]:443")
        yield daemon, state_of(daemon)
    site.gateway.run("nft", "flush", "ruleset")
    assert daemon.host.processes == []


def state_of(daemon):
    """The table by the API, the store by a copy of its rows, the kernel by its ruleset."""
    import sqlite3
    with daemon.api() as api:
        _, export, _ = api.ask("GET", "/api/v1/export")
    with sqlite3.connect(f"file:{daemon.state / 'portwright.db'}?mode=ro", uri=True) as database:
        stored = "\n".join(line for line in database.iterdump() if "INSERT" in line)
    return json.dumps(export), stored, daemon.ruleset()


def is_one_line(text):
    return len(text.strip("\n").split("\n")) == 1 and "\x1b" not in text and "\0" not in text


def test_the_table_is_long_enough():
    assert len(CASES) + len(COMMANDS) >= 120


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_api(world, case):
    daemon, before = world
    with daemon.api() as api:
        try:
            status, problem, headers = api.ask(
                case.get("method", "POST"), case.get("path", "/api/v1/mappings"), case["body"],
                case.get("headers"))
        except (BrokenPipeError, ConnectionResetError):
            # A body far too large may be answered and hung up on before all of it was sent.
            assert case["status"] == 413
            return
    expected = case["status"] if isinstance(case["status"], tuple) else (case["status"],)
    assert status in expected, problem
    assert headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status and problem["type"] and problem["title"]
    detail = problem["detail"]
    assert is_one_line(detail) and len(detail) < 400
    for word in case["words"]:
        assert word in detail, detail
    if "field" in case and case["field"] in GOOD:
        assert problem["field"] == case["field"]
    assert state_of(daemon) == before


@pytest.mark.parametrize("code, arguments, word", COMMANDS,
                         ids=[" ".join(str(a)[:40] for a in case[1]) for case in COMMANDS])
def test_command(world, code, arguments, word):
    daemon, before = world
    import subprocess
    result = subprocess.run([daemon.build / "portwright", "--socket", daemon.socket, *arguments],
                            capture_output=True, check=False, stdin=subprocess.DEVNULL)
    said = result.stderr.decode(errors="strict")
    assert result.returncode in ((code,) if code else (1, 2)), said
    assert result.stdout == b""
    assert said.startswith("portwright: ") and is_one_line(said) and word in said, said
    assert state_of(daemon) == before


def test_nobody_at_home(site, tmp_path):
    import subprocess
    from daemon import BUILD
    result = subprocess.run([BUILD / "portwright", "--socket", tmp_path / "nothing", "list"],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 3 and is_one_line(result.stderr)
    assert str(tmp_path / "nothing") in result.stderr
