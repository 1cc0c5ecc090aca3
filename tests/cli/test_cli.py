# SPDX-License-Identifier: GPL-2.0-or-later
"""
The command as its users and their scripts meet it: what it prints, where, and with which exit status.
"""
import contextlib
import json
import os
import pathlib
import re
import select
import shlex
import signal
import sqlite3
import subprocess
import time
import unicodedata

import pytest

from conftest import PROGRAM, Command, read_all

CAMERA = "192.168.69.110"
NEXT_YEAR = time.gmtime().tm_year + 1
VERBS = ("add list show set enable disable approve delete status flows watch export import").split()


def mapping(portwright, identity):
    return json.loads(portwright.ok("show", identity, "--json"))


# add ------------------------------------------------------------------------------------------

ADDITIONS = [
    # What is typed behind `add`, what is printed behind "m1  ", and what the API then says.
    (f"8888 {CAMERA}:80", f"tcp/8888 -> {CAMERA}:80",
     {"external_port": "8888", "internal_client": CAMERA, "internal_port": "80",
      "protocol": "tcp", "external_addr": None, "enabled": True, "remote_hosts": []}),
    (f"8888 {CAMERA}:80 --name 'Front door, web' --app http --notes 'by the gate'",
     f"tcp/8888 -> {CAMERA}:80  Front door, web",
     {"name": "Front door, web", "app": "http", "notes": "by the gate"}),
    (f"--proto=udp 8888 --name=Ton {CAMERA}:80", f"udp/8888 -> {CAMERA}:80  Ton",
     {"protocol": "udp", "name": "Ton"}),
    (f"5060 {CAMERA}:5060 --proto both", f"both/5060 -> {CAMERA}:5060", {"protocol": "both"}),
    (f"8000-8003 {CAMERA}:9000", f"tcp/8000-8003 -> {CAMERA}:9000-9003",
     {"external_port": "8000-8003", "internal_port": "9000-9003"}),
    (f"8000-8003 {CAMERA}:9000-9003", f"tcp/8000-8003 -> {CAMERA}:9000-9003", {}),
    (f"auto {CAMERA}:554", f"tcp/554 -> {CAMERA}:554", {"external_port": "554"}),
    (f"auto {CAMERA}:9000-9003", f"tcp/9000-9003 -> {CAMERA}:9000-9003", {}),
    (f"203.0.113.7:443 {CAMERA}:443", f"tcp/203.0.113.7:443 -> {CAMERA}:443",
     {"external_addr": "203.0.113.7", "external_port": "443"}),
    ("[2001:db8:69::110]:443", "tcp/[2001:db8:69::110]:443 -> [2001:db8:69::110]:443",
     {"internal_client": "2001:db8:69::110", "internal_port": "443"}),
    ("[2001:db8:69::110]:443 [2001:db8:69::110]:443",
     "tcp/[2001:db8:69::110]:443 -> [2001:db8:69::110]:443", {}),
    ("443 [2001:db8:69::110]:443", "tcp/[2001:db8:69::110]:443 -> [2001:db8:69::110]:443", {}),
    (f"8888 {CAMERA}:80 --from 198.51.100.0/24,10.0.0.0/8 --from 203.0.113.9",
     f"tcp/8888 -> {CAMERA}:80",
     {"remote_hosts": ["10.0.0.0/8", "198.51.100.0/24", "203.0.113.9/32"]}),
    (f"8888 {CAMERA}:80 --disabled", f"tcp/8888 -> {CAMERA}:80  off",
     {"enabled": False, "when_disabled": "drop"}),
    (f"8888 {CAMERA}:80 --disabled=refuse", f"tcp/8888 -> {CAMERA}:80  refused",
     {"enabled": False, "when_disabled": "refuse"}),
    (f"8888 {CAMERA}:80 --expires {NEXT_YEAR}-01-02",
     f"tcp/8888 -> {CAMERA}:80  ends {NEXT_YEAR}-01-02 00:00",
     {"expires": f"{NEXT_YEAR}-01-01T23:00:00Z"}),
    (f"8888 {CAMERA}:80 --expires {NEXT_YEAR}-07-01T12:30",
     f"tcp/8888 -> {CAMERA}:80  ends {NEXT_YEAR}-07-01 12:30",
     {"expires": f"{NEXT_YEAR}-07-01T10:30:00Z"}),
    (f"8888 {CAMERA}:80 --max-connections 10 --rate 5/s", f"tcp/8888 -> {CAMERA}:80",
     {"max_connections": 10, "rate": 5}),
]


@pytest.mark.parametrize("words, line, wanted", ADDITIONS, ids=[a[0] for a in ADDITIONS])
def test_add(portwright, words, line, wanted):
    assert portwright.ok("add", *shlex.split(words)) == f"m1  {line}\n"
    found = mapping(portwright, "m1")
    assert {key: found[key] for key in wanted} == wanted


def test_add_for_a_while(portwright):
    out = portwright.ok("add", "8888", f"{CAMERA}:80", "--expires", "2h30m")
    assert re.fullmatch(rf"m1  tcp/8888 -> {CAMERA}:80  ends in 2h(30|29)m\n", out)


def test_add_json(portwright):
    added = json.loads(portwright.ok("add", "8888", f"{CAMERA}:80", "--json"))
    assert added["id"] == "m1" and added == mapping(portwright, "tcp/8888")


# Words that cannot be understood: what stands behind `portwright`, and words of the complaint.
USAGE = [
    ("add", "usage: portwright add EXTERNAL INTERNAL"),
    ("add 8888", "INTERNAL is missing"),
    ("add 203.0.113.7:443", "INTERNAL is missing"),
    ("add [2001:db8::5]:auto", "expected a port"),
    (f"add 0 {CAMERA}:80", 'EXTERNAL "0": expected ports from 1 to 65535'),
    (f"add 65536 {CAMERA}:80", 'EXTERNAL "65536": expected ports from 1 to 65535'),
    (f"add 8888x {CAMERA}:80", 'EXTERNAL "8888x": expected PORT'),
    (f"add 8003-8000 {CAMERA}:80", "lower one first"),
    ("add 8888 192.168.69.110", 'INTERNAL "192.168.69.110": expected ADDRESS:PORT'),
    ("add 8888 camera:80", "expected ADDRESS:PORT"),
    ("add 2001:db8::5:443", "brackets"),
    (f"add 60000-65535 {CAMERA}:60001", "5536 ports below 65536"),
    (f"add 8888 {CAMERA}:80 more", '"more" is one word too many'),
    (f"add 8888 {CAMERA}:80 --proto sctp", '--proto "sctp": expected tcp, udp or both'),
    (f"add 8888 {CAMERA}:80 --from 10.0.0.1/8", "did you mean 10.0.0.0/8?"),
    (f"add 8888 {CAMERA}:80 --from all", '--from "all": expected addresses or prefixes'),
    (f"add 8888 {CAMERA}:80 --disabled=reject", '--disabled "reject": expected drop or refuse'),
    (f"add 8888 {CAMERA}:80 --expires soon", '--expires "soon": expected a time from now'),
    (f"add 8888 {CAMERA}:80 --expires 2026-02-30", "expected a time from now"),
    (f"add 8888 {CAMERA}:80 --rate 0", '--rate "0": expected new connections a second'),
    (f"add 8888 {CAMERA}:80 --max-connections many", "expected a number of connections"),
    (f"add 8888 {CAMERA}:80 --nmae x", "unknown option --nmae; did you mean --name?"),
    (f"add 8888 {CAMERA}:80 --name", "--name needs a value"),
    ("list --json=yes", "--json takes no value"),
    ("list m1", '"m1" is one word too many'),
    ("show", "usage: portwright show ID"),
    ("show 7", 'ID "7": expected one such as m7, or tcp/8888'),
    ("show 8888", 'ID "8888"'),
    ("delete m1 tcp:8888", 'ID "tcp:8888"'),
    ("set m1", "usage: portwright set ID KEY=VALUE"),
    ("set m1 name", 'expected KEY=VALUE'),
    ("set m1 nmae=x", 'unknown key "nmae"; did you mean name?'),
    ("set m1 proto=udp", "did you mean protocol?"),
    ("set m1 enabled=perhaps", 'enabled "perhaps": expected true or false'),
    ("set m1 external_port=70000", 'external_port "70000"'),
    ("flows all", 'ID "all"'),
    ("import", "usage: portwright import FILE"),
    ("lits", 'unknown verb "lits"; did you mean list?'),
    ("remove m1", 'unknown verb "remove" (portwright --help lists them)'),
    ("help lits", "did you mean list?"),
    ("--sokcet /x list", "unknown option --sokcet; did you mean --socket?"),
    ("--socket", "--socket needs a value"),
    ("-x", "unknown option -x"),
]


@pytest.mark.parametrize("words, complaint", USAGE, ids=[u[0] for u in USAGE])
def test_usage(words, complaint):
    """Refused by itself: no daemon is there to be asked."""
    assert complaint in Command("/nonexistent/api.sock").refused(2, *shlex.split(words))


REFUSED = [
    (f"add 8888-8890 {CAMERA}:80-90", "equally wide"),
    ("add 8888 224.0.0.1:80", "224.0.0.1"),
    ("add 8888 203.0.113.7:80", "203.0.113.7"),
    (f"add 8888 {CAMERA}:80 --name {'x' * 200}", "name"),
    (f"add 8888 {CAMERA}:80 --expires 2001-01-01", "expires"),
    ("show m7", "m7"),
    ("show udp/1", "udp/1"),
    ("set m7 name=x", "m7"),
    ("enable m7", "m7"),
    ("delete m7", "m7"),
    ("flows m7", "m7"),
    ("import /nonexistent", "cannot read /nonexistent: No such file or directory"),
    ("import /", "cannot read /: Is a directory"),
    ("export -o /nonexistent/file", "cannot write /nonexistent/file: No such file or directory"),
]


@pytest.mark.parametrize("words, complaint", REFUSED, ids=[r[0][:60] for r in REFUSED])
def test_refused(portwright, words, complaint):
    assert complaint in portwright.refused(1, *shlex.split(words))
    assert json.loads(portwright.ok("list", "--json"))["mappings"] == []


def test_conflict_says_what_to_type(portwright):
    portwright.ok("add", "8888", f"{CAMERA}:80", "--name", "Front door, web")
    line = portwright.refused(1, "add", "--name", "Gate's \"web\"", "8888", "192.168.69.111:80",
                              "--from=0.0.0.0/0")
    assert "Front door, web" in line and f"{CAMERA}:80" in line
    typed = shlex.split(line[line.index("try: portwright ") + len("try: portwright "):])
    assert typed == ["add", "--name", "Gate's \"web\"", "8889", "192.168.69.111:80",
                     "--from=0.0.0.0/0"]
    assert portwright.ok(*typed).startswith("m2  tcp/8889 -> ")


def test_conflict_of_a_range(portwright):
    portwright.ok("add", "8001", f"{CAMERA}:80")
    line = portwright.refused(1, "add", "203.0.113.7:8000-8003", "192.168.69.120:9000")
    typed = shlex.split(line[line.index("try: portwright ") + len("try: portwright "):])
    assert re.fullmatch(r"203\.0\.113\.7:\d+-\d+", typed[1])
    portwright.ok(*typed)


def test_conflict_of_a_change(portwright):
    portwright.ok("add", "8888", f"{CAMERA}:80")
    portwright.ok("add", "8890", f"{CAMERA}:81")
    line = portwright.refused(1, "set", "m2", "external_port=8888")
    typed = shlex.split(line[line.index("try: portwright ") + len("try: portwright "):])
    portwright.ok(*typed)


# Reading --------------------------------------------------------------------------------------

def test_list(portwright):
    assert portwright.ok("list").split() == ["ID", "STATE", "EXTERNAL", "INTERNAL", "FROM", "NAME",
                                             "TRAFFIC", "CONNS", "EXPIRES"]
    portwright.ok("add", "8888", f"{CAMERA}:80", "--name", "前門 Tür")
    portwright.ok("add", "8889", f"{CAMERA}:81", "--disabled", "--from", "10.0.0.0/8,172.16.0.0/12")
    portwright.ok("add", "8890", f"{CAMERA}:82", "--disabled=refuse", "--expires", "90m")
    assert portwright.ok("list") == (
        "ID  STATE    EXTERNAL  INTERNAL           FROM           NAME      TRAFFIC  CONNS  EXPIRES\n"
        f"m1  on       tcp/8888  {CAMERA}:80  anyone         前門 Tür      0 B      0  -\n"
        f"m2  off      tcp/8889  {CAMERA}:81  10.0.0.0/8 +1  -             0 B      0  -\n"
        f"m3  refused  tcp/8890  {CAMERA}:82  anyone         -             0 B      0  in 1h29m\n"
    ).replace("in 1h29m", re.search(r"in \w+", portwright.ok("list"))[0])


def test_list_json(portwright):
    assert json.loads(portwright.ok("list", "--json")) == {"mappings": [], "next": None}
    portwright.ok("add", "8888", f"{CAMERA}:80")
    portwright.ok("add", "8889", f"{CAMERA}:81")
    found = json.loads(portwright.ok("--json", "list"))["mappings"]
    assert [m["id"] for m in found] == ["m1", "m2"]
    assert found[0] == mapping(portwright, "m1")


def cells(line):
    """The columns that a line of text takes on a terminal."""
    line = re.sub(r"\033\[[0-9;]*m", "", line)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_list_fits_the_terminal(portwright):
    portwright.ok("add", "8888", f"{CAMERA}:80", "--name", "前門カメラ, a rather long name " * 3)
    portwright.ok("add", "[2001:db8:69::110]:8000-8003", "--from", "2001:db8:1234::/48,2001:db8:9::9",
                  "--expires", "1d")
    for columns in (*range(1, 60, 7), 80, 100, 132, 200):
        text = portwright.seen("list", columns=columns)
        lines = text.splitlines()
        assert len(lines) == 3, (columns, text)
        assert max(map(cells, lines)) <= columns, (columns, text)
    assert "…" in portwright.seen("list", columns=100)
    # What is no terminal is not cut.
    assert "name " * 3 not in portwright.ok("list") and "long name 前門" in portwright.ok("list")


def test_colour(portwright):
    portwright.ok("add", "8888", f"{CAMERA}:80")
    assert "\033[32mon\033[0m" in portwright.seen("list")
    assert "\033" not in portwright.seen("list", NO_COLOR="1")
    assert "\033" in portwright.seen("list", NO_COLOR="")
    assert "\033" not in portwright.seen("list", TERM="dumb")
    assert "\033" not in portwright.seen("list", "--json")
    assert "\033" not in portwright.ok("list")


def test_hostile_text(daemon, portwright):
    """The daemon refuses control characters in names but not what turns the writing round; notes may
    have several lines."""
    portwright.ok("add", "8888", f"{CAMERA}:80", "--notes", "one\ntwo")
    assert portwright.ok("show", "m1").endswith("  notes        one\n               two\n")
    code, _, _ = portwright.run("set", "m1", "name=a\u202eb")
    name = mapping(portwright, "m1")["name"]
    assert name == ("a\u202eb" if code == 0 else "")
    assert "\u202e" not in portwright.ok("list") + portwright.ok("list", "--json")
    # What was typed comes back in complaints, and must not move the cursor from there either.
    code, out, err = portwright.run("show", "m1\033[2J\u202e")
    assert code == 2 and "\033" not in out + err and "\u202e" not in out + err


def test_show(portwright):
    portwright.ok("add", "8888", f"{CAMERA}:80", "--name", "Front door, web", "--from",
                  "10.0.0.0/8,172.16.0.0/12", "--rate", "5", "--app", "http")
    text = portwright.ok("show", "tcp/8888")
    assert text.startswith("m1  Front door, web\n")
    for line in ("state        on", "external     tcp/8888 on every public address",
                 f"internal     {CAMERA}:80", "from         10.0.0.0/8", "             172.16.0.0/12",
                 "limit        5 new connections a second", "application  http",
                 "made         operator, by root",
                 "traffic      0 B in 0 packets, 0 connections"):
        assert f"  {line}\n" in text, text


def test_status(portwright):
    text = portwright.ok("status")
    assert re.match(r"portwrightd [\d.]+, up \d+s, healthy\n", text)
    for line in ("plane      memory, firewall off, hairpin on", "uplinks    wan0",
                 "lans       lan0", "external   203.0.113.7", "mappings   0 (0 on, 0 off)"):
        assert line in text, text
    assert json.loads(portwright.ok("status", "--json"))["plane"] == "memory"


def test_overview(portwright):
    assert "No mappings yet. Try: portwright add " in portwright.ok()
    for port in range(8000, 8060):
        portwright.ok("add", port, f"{CAMERA}:80")
    text = portwright.seen(rows=20)
    lines = text.splitlines()
    assert len(lines) < 20
    assert "up " in lines[0] and "60 (60 on, 0 off)" in text
    assert re.search(r"\.\.\. and \d+ more: portwright list", lines[-1])
    both = json.loads(portwright.ok("--json"))
    assert both["status"]["mappings"]["total"] == 60 and len(both["mappings"]) > 10


def test_problems_are_shown(daemon, portwright):
    daemon.stop()
    daemon.write_config(uplink="wan9")
    daemon.start()
    text = portwright.ok()
    assert "NOT healthy" in text and re.search(r"problems .*wan9", text)


# Changing -------------------------------------------------------------------------------------

def test_set(portwright):
    portwright.ok("add", "8888", f"{CAMERA}:80")
    out = portwright.ok("set", "tcp/8888", "name=Front door", "external_port=8889", "rate=5/s",
                        "remote_hosts=10.0.0.0/8,172.16.0.0/12", "notes=a=b", f"expires={NEXT_YEAR}-01-02")
    assert out == f"m1  tcp/8889 -> {CAMERA}:80  Front door  ends {NEXT_YEAR}-01-02 00:00\n"
    found = mapping(portwright, "m1")
    assert found["remote_hosts"] == ["10.0.0.0/8", "172.16.0.0/12"] and found["notes"] == "a=b"
    assert found["rate"] == 5 and found["version"] == 2
    portwright.ok("set", "m1", "remote_hosts=anyone", "expires=never", "rate=none", "name=")
    found = mapping(portwright, "m1")
    assert found["remote_hosts"] == [] and found["expires"] is None and found["rate"] is None
    assert found["name"] == ""


def test_approve(daemon, portwright):
    for port in (8000, 8001, 8002):
        portwright.ok("add", port, f"{CAMERA}:80")
    portwright.ok("disable", "m3")
    daemon.stop()
    # As a device's requests in quarantine are kept.
    with contextlib.closing(sqlite3.connect(daemon.directory / "state" / "portwright.db")) as database:
        database.execute("UPDATE mapping SET enabled = 0, pending = 1, origin = 'upnp',"
                         f" owner = '{CAMERA}' WHERE id < 3")
        database.commit()
    daemon.start()
    assert mapping(portwright, "m1")["pending"] is True and "pending" not in mapping(portwright, "m3")
    assert portwright.ok("list").count("pending") == 2
    assert portwright.refused(1, "approve", "m1", "m3") == "m3 does not wait for approval: it is off"
    assert "m9" in portwright.refused(1, "approve", "m9")
    assert portwright.ok("approve", "m1") == f"m1  tcp/8000 -> {CAMERA}:80\n"
    found = mapping(portwright, "m1")
    assert found["enabled"] and "pending" not in found and found["owner"] == CAMERA
    assert json.loads(portwright.ok("approve", "tcp/8001", "--json"))["enabled"] is True
    assert portwright.refused(1, "approve", "m2") == "m2 does not wait for approval: it is on"


def test_enable_disable_delete(portwright):
    for port in (8000, 8001, 8002):
        portwright.ok("add", port, f"{CAMERA}:80")
    assert portwright.ok("disable", "m1") == f"m1  tcp/8000 -> {CAMERA}:80  off\n"
    assert portwright.ok("disable", "--refuse", "m1") == f"m1  tcp/8000 -> {CAMERA}:80  refused\n"
    assert portwright.ok("disable", "m1") == f"m1  tcp/8000 -> {CAMERA}:80  off\n"
    assert portwright.ok("enable", "tcp/8000") == f"m1  tcp/8000 -> {CAMERA}:80\n"
    answers = portwright.ok("disable", "m1", "m2", "--json").splitlines()
    assert [json.loads(a)["enabled"] for a in answers] == [False, False]
    # One that is not there does not keep the others.
    code, out, err = portwright.run("delete", "m1", "m9", "tcp/8001")
    assert code == 1 and err.count("\n") == 1 and "m9" in err
    assert out == (f"deleted m1  tcp/8000 -> {CAMERA}:80  off\n"
                   f"deleted m2  tcp/8001 -> {CAMERA}:80  off\n")
    assert json.loads(portwright.ok("delete", "m3", "--json"))["id"] == "m3"
    assert json.loads(portwright.ok("list", "--json"))["mappings"] == []


def test_others_may_only_read(portwright):
    portwright.ok("add", "8888", f"{CAMERA}:80")
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    if portwright.run("--version", **nobody)[0] != 0:
        pytest.skip("the build folder is closed to other users")
    assert "tcp/8888" in portwright.ok("list", **nobody)
    portwright.refused(1, "delete", "m1", **nobody)
    assert "tcp/8888" in portwright.ok("list")


# flows and watch ------------------------------------------------------------------------------

def test_flows(portwright):
    portwright.ok("add", "8888", f"{CAMERA}:80")
    assert portwright.ok("flows").split()[:4] == ["MAPPING", "REMOTE", "EXTERNAL", "INTERNAL"]
    assert json.loads(portwright.ok("flows", "tcp/8888", "--json"))["flows"] == []


def read_until(screen, wanted):
    text = b""
    while wanted not in text:
        assert select.select([screen], [], [], 30)[0], text
        text += os.read(screen, 65536)
    return text


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_flows_watch_gives_the_screen_back(portwright, ending):
    with portwright.on_terminal("flows", "--watch") as (process, screen):
        read_until(screen, b"\033[?25l")
        read_until(screen, b"MAPPING")
        read_until(screen, b"MAPPING") # a second later
        process.send_signal(ending)
        assert read_all(process, screen).endswith("\033[?25h\033[?1049l")
        assert process.wait(10) == -ending


def test_flows_watch_json(portwright):
    with portwright.started("flows", "--watch", "--json", stdout=subprocess.PIPE) as process:
        for _ in range(2):
            assert json.loads(process.stdout.readline())["flows"] == []




def test_watch(daemon, portwright):
    with portwright.started("watch", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(0.5)
        portwright.ok("add", "8888", f"{CAMERA}:80", "--name", "Front door")
        line = process.stdout.readline()
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  added    root  m1  tcp/8888 -> "
                            rf"{CAMERA}:80  Front door\n", line), line
        portwright.ok("set", "m1", "external_port=8889", "remote_hosts=10.0.0.0/8")
        assert "  changed  root  m1  tcp/8889 -> " in process.stdout.readline()
        assert process.stdout.readline() == ("    external_port 8888 -> 8889, "
                                             "remote_hosts none -> 10.0.0.0/8\n")
        daemon.restart()
        assert "ended; waiting" in process.stderr.readline()
        assert process.stderr.readline() == "portwright: portwrightd is back\n"
        portwright.ok("delete", "m1")
        line = process.stdout.readline()
        if "  lost  " in line:
            line = process.stdout.readline()
        assert "  deleted  root  m1  tcp/8889 -> " in line
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


def test_watch_misses_nothing(daemon, portwright):
    """What happens while the connection is down is shown once it is up again."""
    time.sleep(1) # events of one run are told from another's by the second in which it began
    with portwright.started("watch", "--json", stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE) as process:
        time.sleep(0.5)
        portwright.ok("add", "8888", f"{CAMERA}:80")
        event = json.loads(process.stdout.readline())
        assert event["event"] == "added" and event["mapping"]["id"] == "m1"
        assert isinstance(event["id"], int) and event["who"] == "root"
        daemon.restart()
        for port in range(8000, 8005):
            portwright.ok("add", port, f"{CAMERA}:80")
        lost, *added = [json.loads(process.stdout.readline()) for _ in range(6)]
        assert lost["event"] == "lost" and lost["mapping"] is None
        assert [e["mapping"]["external_port"] for e in added] == ["8000", "8001", "8002", "8003",
                                                                  "8004"]


def test_watch_without_a_daemon():
    line = Command("/nonexistent/api.sock").refused(3, "watch")
    assert "cannot reach portwrightd" in line


# export and import ----------------------------------------------------------------------------

@pytest.fixture
def some(portwright):
    for words, _, _ in (ADDITIONS[1], ADDITIONS[3], ADDITIONS[4], ADDITIONS[9], ADDITIONS[15]):
        portwright.run("add", *shlex.split(words))
    text = portwright.ok("export")
    assert len(json.loads(text)["mappings"]) == 4 # the last one's port was taken
    return text


def test_export_and_import(portwright, some):
    assert some.count("\n") == 6 # one mapping a line
    ids = [m["id"] for m in json.loads(portwright.ok("list", "--json"))["mappings"]]
    assert portwright.ok("import", "-", input=some) == "0 added, 4 unchanged\n"
    portwright.ok("delete", *ids)
    assert portwright.ok("import", "-", input=some) == "4 added, 0 unchanged\n"
    assert portwright.ok("export") == some


def test_import_takes_what_list_gave(portwright, some, tmp_path):
    file = tmp_path / "list.json"
    file.write_text(portwright.ok("list", "--json"))
    portwright.ok("delete", *(m["id"] for m in json.loads(file.read_text())["mappings"]))
    assert json.loads(portwright.ok("import", file, "--json"))["added"] == 4
    assert portwright.ok("export") == some


def test_import_replaces(portwright, some, tmp_path):
    file = tmp_path / "one.json"
    file.write_text('{"mappings": [{"external_port": "8888", "internal_client": "192.168.69.9", '
                    '"internal_port": "80"}]}')
    answer = json.loads(portwright.ok("import", "--replace", file, "--json"))
    assert answer == {"added": 1, "unchanged": 0, "deleted": 4}
    assert [m["internal_client"] for m in json.loads(portwright.ok("list", "--json"))["mappings"]] \
        == ["192.168.69.9"]


BAD_IMPORTS = [
    ("", "standard input, line 1, column 0: not JSON"),
    ("{\n\"mappings\": [}", "standard input, line 2, column 14: not JSON"),
    ("{}", 'expected {"mappings": [...]}'),
    ('"mappings"', "standard input, line 1, column 10: not JSON"),
    ("[]]", "standard input, line 1, column 3: not JSON"),
    ('{"mappings": {}}', 'expected {"mappings": [...]}'),
    ('{"mappings": [], "mappings": []}', "duplicate"),
    ('{"portwright": 2, "mappings": []}', '"portwright": expected 1'),
    ('{"mappings": [{"external_port": "1", "internal_client": "192.168.69.2", "internal_port": "1"},'
     '{"external_port": "0"}]}', "standard input, mapping 2 of 2: external_port"),
]


@pytest.mark.parametrize("text, complaint", BAD_IMPORTS, ids=[b[0][:30] for b in BAD_IMPORTS])
def test_bad_imports(portwright, text, complaint):
    assert complaint in portwright.refused(1, "import", "-", input=text)
    assert json.loads(portwright.ok("list", "--json"))["mappings"] == []


def test_export_to_a_file(portwright, some, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    file, link = folder / "backup.json", tmp_path / "link.json"
    portwright.ok("export", "-o", file)
    assert file.read_text() == some and file.stat().st_mode & 0o777 == 0o644
    file.chmod(0o600)
    file.write_text("old")
    link.symlink_to(file)
    portwright.ok("export", f"--output={link}")
    assert link.is_symlink() and file.read_text() == some and file.stat().st_mode & 0o777 == 0o600
    assert [f.name for f in folder.iterdir()] == ["backup.json"]
    # A device is written to, not replaced.
    assert portwright.ok("export", "-o", "/dev/stdout") == some
    assert pathlib.Path("/dev/stdout").is_symlink()


def test_many(portwright):
    """More mappings than a page of the API holds."""
    many = [{"external_port": str(1 + i), "protocol": "udp", "internal_port": "9",
             "internal_client": f"192.168.69.{2 + i % 250}"} for i in range(25000)]
    text = json.dumps({"mappings": many})
    assert portwright.ok("import", "-", input=text) == "25,000 added, 0 unchanged\n"
    lines = portwright.ok("list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == [f"m{i}" for i in range(1, 25001)]
    found = json.loads(portwright.ok("list", "--json"))["mappings"]
    assert [m["id"] for m in found] == [f"m{i}" for i in range(1, 25001)]
    assert "25,000 (25,000 on, 0 off)" in portwright.ok("status")


# The command among others ---------------------------------------------------------------------

@pytest.mark.parametrize("verb", VERBS)
def test_help(verb):
    nobody = Command("/nonexistent/api.sock")
    text = nobody.ok(verb, "--help")
    assert text.startswith(f"usage: portwright {verb}")
    assert "--socket PATH" in text and "--json" in text
    assert nobody.ok("help", verb) == nobody.ok("--help", verb) == nobody.ok(verb, "-h") == text


def test_general_help():
    text = Command("/nonexistent/api.sock").ok("--help")
    for verb in VERBS:
        assert f"\n  {verb} " in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text == Command("/nonexistent/api.sock").ok("help")


def test_version():
    assert re.fullmatch(r"portwright \d+\.\d+\.\d+\n", Command("/nonexistent").ok("--version"))


@pytest.mark.parametrize("words", [v for v in (
    [], ["list"], ["add", "1", f"{CAMERA}:1"], ["show", "m1"], ["set", "m1", "name=x"],
    ["enable", "m1"], ["disable", "m1"], ["approve", "m1"], ["delete", "m1", "m2"], ["status"], ["flows"],
    ["flows", "--watch"], ["watch"], ["export"])], ids=" ".join)
def test_unreachable(words):
    line = Command("/nonexistent/api.sock").refused(3, *words)
    assert line == ("cannot reach portwrightd at /nonexistent/api.sock: No such file or directory; "
                    "is it running?")


def test_socket_option(daemon, portwright):
    elsewhere = Command("/nonexistent/api.sock")
    assert elsewhere.ok("--socket", daemon.socket, "status") == elsewhere.ok(
        "status", f"--socket={daemon.socket}")
    assert "too long" in elsewhere.refused(3, "--socket", "/" + "x" * 200, "list")
    # Proxies are for the network.
    environment = {**portwright.environment, "http_proxy": "http://127.0.0.1:1",
                   "ALL_PROXY": "http://127.0.0.1:1"}
    portwright.ok("status", env=environment)


def test_reader_that_leaves(portwright):
    """`portwright list | head -1`: quiet, and ended as other commands are."""
    for _ in range(2):
        portwright.run("import", "-", input=json.dumps({"mappings": [
            {"external_port": str(1 + i), "internal_port": "9",
             "internal_client": "192.168.69.2"} for i in range(5000)]}))
    with portwright.started("list", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == -signal.SIGPIPE
        assert process.stderr.read() == ""


@pytest.mark.parametrize("words", [["list"], ["export"], ["--help"], ["status", "--json"]],
                         ids=" ".join)
def test_full_disk(portwright, words):
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([str(PROGRAM), *words], stdout=full, stderr=subprocess.PIPE,
                                env=portwright.environment, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == ("portwright: cannot write to standard output: "
                             "No space left on device\n")


# Completion -----------------------------------------------------------------------------------

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "portwright.bash-completion"
PACKAGE = "/usr/share/bash-completion/bash_completion"  # loads it, where it is installed
COMPLETE = r"""
[[ -n $3 ]] && source "$3"
source "$1"
compopt() { :; }
COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9
read -ra COMP_WORDS < <(sed 's/[:=]/ & /g' <<<"$2")
[[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_portwright portwright "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(portwright, line, package=""):
    environment = {**portwright.environment, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    result = subprocess.run(["bash", "-c", COMPLETE, "bash", str(SCRIPT), line, package],
                            env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert result.stderr == ""
    return result.stdout.split()


@pytest.mark.parametrize("package", ["", pytest.param(PACKAGE, marks=pytest.mark.skipif(
    not os.path.exists(PACKAGE), reason="bash-completion is not installed"))],
                         ids=["alone", "bash-completion"])
def test_completion(portwright, package):
    portwright.ok("add", "8888", f"{CAMERA}:80")
    portwright.ok("add", "203.0.113.7:443", f"{CAMERA}:443")
    for line, words in {
            "portwright ": VERBS, "portwright st": ["status"], "portwright help exp": ["export"],
            "portwright add --pro": ["--proto="], "portwright add --proto ": ["tcp", "udp", "both"],
            "portwright add --disabled=": ["drop", "refuse"],
            "portwright list --js": ["--json"], "portwright flows --": ["--watch", "--socket=",
                                                                       "--json", "--help",
                                                                       "--version"],
            "portwright show ": ["m1", "tcp/8888", "m2", "tcp/203.0.113.7:443"],
            "portwright show tcp/8": ["tcp/8888"], "portwright delete m1 m": ["m1", "m2"],
            # Readline takes a colon for the end of a word: only what stands behind it is offered.
            "portwright show tcp/203.0.113.7:4": ["443"],
            "portwright set m1 na": ["name="], "portwright set m1 remote": ["remote_hosts="],
            f"portwright import {SCRIPT.parent}/portwright.bash": [str(SCRIPT)],
            "portwright --socket /nonexistent show ": [], "portwright add ": [],
    }.items():
        assert complete(portwright, line, package) == words, line
