# SPDX-License-Identifier: GPL-2.0-or-later
"""Status, flows, health and events."""
import contextlib
import json
import threading
import time

import pytest

from conftest import running_daemon
from test_mappings import MAPPINGS, add, problem


def test_health(api):
    status, text, headers = api.ask("GET", "/healthz")
    assert (status, text.strip(), headers["Content-Type"]) == (200, "ok", "text/plain")


def test_status(daemon, api):
    add(api)
    add(api, external_port=9, enabled=False)
    status, document, _ = api.ask("GET", "/api/v1/status")
    assert status == 200
    assert document["uptime"] >= 0
    assert {**document, "uptime": 0, "version": ""} == {
        "version": "", "plane": "memory", "healthy": True, "problems": [], "uplinks": ["wan0"],
        "lans": ["lan0", "lan1"], "external_addrs": ["203.0.113.1"], "firewall": False,
        "hairpin": True, "mappings": {"total": 2, "enabled": 1, "disabled": 1}, "flows": 0,
        "uptime": 0, "state_dir": str(daemon.state)}


@pytest.mark.parametrize("keys, says", [
    ({"uplink": "eth9"}, ["uplink eth9 does not exist", "no public IPv4 address on eth9"]),
    ({"uplink": "lan0", "lan": "lan1", "external_address": "auto"}, []),
    ({"lan": "lan0 nolan"}, ["lan nolan does not exist"]),
])
def test_problems(keys, says):
    with running_daemon(**keys) as daemon, contextlib.closing(daemon.api()) as api:
        document = api.ask("GET", "/api/v1/status")[1]
        assert document["problems"] == says
        assert document["healthy"] is not bool(says)


def test_flows(api):
    add(api)
    assert api.ask("GET", "/api/v1/flows")[1] == {"flows": [], "truncated": False}
    assert api.ask("GET", "/api/v1/flows?mapping=tcp/8888")[1]["flows"] == []
    problem(api.ask("GET", "/api/v1/flows?mapping=m9"), 404, "not_found")
    problem(api.ask("GET", "/api/v1/flows?maping=m1"), 422, "invalid")


class Events:
    """A reader of the event stream."""

    def __init__(self, daemon, last_id=None):
        self.api = daemon.api(timeout=10)
        self.api.request("GET", "/api/v1/events",
                         headers={"Last-Event-ID": last_id} if last_id is not None else {})
        self.response = self.api.getresponse()
        assert self.response.status == 200
        assert self.response.headers["Content-Type"] == "text/event-stream"
        assert self._block()["retry"] == "2000"

    def close(self):
        self.api.close()

    def _block(self):
        fields = {}
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if not line and fields:
                return fields
            if line and not line.startswith(":"):
                name, value = line.split(": ", 1)
                fields[name] = value

    def next(self):
        block = self._block()
        return block["event"], json.loads(block["data"]), block.get("id")


@pytest.fixture
def events(daemon):
    with contextlib.closing(Events(daemon)) as events:
        yield events


def test_events(api, events):
    added = add(api)
    kind, data, first = events.next()
    assert kind == "added"
    assert (data["who"], data["mapping"], data["before"], data["text"]) == \
           ("root", added, None, None)
    assert data["at"].endswith("Z")
    changed = api.ask("PATCH", MAPPINGS + "/m1", {"name": "x"})[1]
    kind, data, second = events.next()
    assert (kind, data["mapping"], data["before"]) == ("changed", changed, added)
    assert int(second) == int(first) + 1
    api.ask("DELETE", MAPPINGS + "/m1")
    kind, data, _ = events.next()
    assert (kind, data["mapping"], data["before"]) == ("deleted", None, changed)


def test_expiry_is_an_event(api, events):
    add(api, lifetime=1)
    assert events.next()[0] == "added"
    kind, data, _ = events.next()
    assert (kind, data["who"], data["before"]["id"]) == ("expired", "portwright", "m1")
    assert api.ask("GET", MAPPINGS)[1]["mappings"] == []


def test_refused_requests_are_no_events(api, events):
    add(api)
    assert api.ask("POST", MAPPINGS, {"external_port": 1})[0] == 422
    assert api.ask("DELETE", MAPPINGS + "/m9")[0] == 404
    api.ask("DELETE", MAPPINGS + "/m1")
    assert [events.next()[0], events.next()[0]] == ["added", "deleted"]


def test_replay(daemon, api, events):
    for port in range(1, 6):
        add(api, external_port=port)
    ids = [events.next()[2] for _ in range(5)]
    with contextlib.closing(Events(daemon, last_id=ids[2])) as late:
        assert [late.next()[2], late.next()[2]] == ids[3:]
        add(api, external_port=6)
        assert late.next()[1]["mapping"]["external_port"] == "6"
    with contextlib.closing(Events(daemon, last_id=ids[4])) as late:
        add(api, external_port=7)
        assert late.next()[1]["mapping"]["external_port"] == "6"


@pytest.mark.parametrize("last_id", ["0", "x", "-1", "9" * 23, "9" * 18,
                                     "1 2"])
def test_an_unknown_last_id_is_told(daemon, api, last_id):
    add(api)
    with contextlib.closing(Events(daemon, last_id=last_id)) as late:
        kind, data, identity = late.next()
        assert (kind, identity) == ("lost", None)
        assert "Last-Event-ID" in data["text"]
        assert late.next()[0] == "added"


def test_ids_of_an_earlier_run_are_known_as_such(daemon):
    with contextlib.closing(daemon.api()) as api, contextlib.closing(Events(daemon)) as events:
        add(api)
        identity = events.next()[2]
    time.sleep(1.1)
    daemon.restart()
    with contextlib.closing(Events(daemon, last_id=identity)) as late:
        assert late.next()[0] == "lost"


def test_a_slow_reader_loses_events_and_is_told(daemon, api, events):
    with contextlib.closing(Events(daemon)) as slow:
        many = [{"external_port": 1 + i, "internal_client": "192.168.69.110", "internal_port": 80}
                for i in range(5000)]
        assert api.ask("POST", "/api/v1/import", {"mappings": many})[0] == 200
        seen = [slow.next()]
        while seen[-1][1]["mapping"] is None or seen[-1][1]["mapping"]["id"] != "m5000":
            seen.append(slow.next())
        lost = [data["text"] for kind, data, _ in seen if kind == "lost"]
        assert len(lost) == 1
        assert int(lost[0].split()[0]) + len(seen) - 1 == 5000


def test_readers_come_and_go(daemon, api):
    """Readers that hang up while nothing happens do not disturb the others."""
    readers = [Events(daemon) for _ in range(40)]
    for reader in readers[::2]:
        reader.close()
    add(api)
    for reader in readers[1::2]:
        assert reader.next()[0] == "added"
        reader.close()
    assert api.ask("GET", "/healthz")[0] == 200


def test_a_stream_ends_with_the_daemon(daemon):
    reader = Events(daemon)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(reader.response.read()))
    thread.start()
    began = time.monotonic()
    assert daemon.stop() == 0
    thread.join(5)
    assert ended == [b""]
    assert time.monotonic() - began < 5
    reader.close()
