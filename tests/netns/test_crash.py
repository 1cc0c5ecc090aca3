# SPDX-License-Identifier: GPL-2.0-or-later
"""
kill -9 at random moments while mappings are added and deleted. Afterwards, every time: what was
acknowledged is there, what was refused is not, and the kernel holds exactly what the table says.
"""
import http.client
import random
import threading

from namespaces import CAMERA
from ruleset import elements

KILLS = 200
SLOTS = 40     # external ports 10000 to 10039, each mapped or not
WRITERS = 3


class Writer(threading.Thread):
    """Adds and deletes mappings on its share of the ports until the daemon goes. For each port it
    knows what must be true: True (mapped), False (not), None (asked for, never answered)."""

    def __init__(self, daemon, ports, known):
        super().__init__()
        self.daemon_under_test = daemon
        self.ports = ports
        self.known = known
        self.refused_wrongly = []
        self.acknowledged = 0

    def run(self):
        with self.daemon_under_test.api(timeout=5) as api:
            try:
                while True:
                    self.change(api, random.choice(self.ports))
            except (OSError, http.client.HTTPException):
                pass

    def change(self, api, port):
        mapped = self.known[port]
        self.known[port] = None
        if mapped:
            status, answer, _ = api.ask("DELETE", f"/api/v1/mappings/tcp%2F{port}")
        else:
            status, answer, _ = api.ask("POST", "/api/v1/mappings", {
                "external_port": str(port), "internal_client": CAMERA, "internal_port": str(port)})
        if status not in (200, 201):
            self.refused_wrongly.append((port, mapped, answer))
        self.known[port] = not mapped
        self.acknowledged += 1


def kill_once(daemon, known):
    """One life of the daemon under load; returns how many changes it acknowledged."""
    ports = sorted(known)
    writers = [Writer(daemon, ports[i::WRITERS], known) for i in range(WRITERS)]
    moment = threading.Timer(random.uniform(0.0, 0.06), daemon.process.kill)
    for writer in writers:
        writer.start()
    moment.start()
    for writer in [moment, *writers]:
        writer.join()
    daemon.kill()
    for writer in writers:
        assert not writer.refused_wrongly, writer.refused_wrongly
    return sum(writer.acknowledged for writer in writers)


def check(daemon, known):
    """The three of them agree; `known` is settled where an answer was missing."""
    mapped = {int(mapping["external_port"]) for mapping in daemon.mappings()}
    lost = {port for port, state in known.items() if state is True} - mapped
    orphans = mapped - {port for port, state in known.items() if state is not False}
    assert not lost, f"acknowledged, but gone: {lost}"
    assert not orphans, f"deleted or never asked for, but there: {orphans}"
    kernel = daemon.host.nft("list", "table", "inet", "portwright")
    programmed = {int(element.split(" . ")[1].split()[0])
                  for element in elements(kernel, "open4")}
    assert programmed == mapped, "the kernel and the table differ"
    for port in known:
        known[port] = port in mapped


def test_200_kills(site, daemon):
    seed = random.randrange(2**32)
    random.seed(seed)
    known = {10000 + i: False for i in range(SLOTS)}
    acknowledged = 0
    for number in range(KILLS):
        acknowledged += kill_once(daemon, known)
        daemon.start()
        try:
            check(daemon, known)
        except AssertionError as error:
            raise AssertionError(f"kill {number + 1}, seed {seed}: {error}") from error
    assert acknowledged > KILLS, "the load was no load"
