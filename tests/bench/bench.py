#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
bench: the figures Portwright promises, measured side by side in one run (`make bench`).

Absolute times belong to the machine; what is compared is this run with itself or with a peer. Runs of
a pair are interleaved, so that whatever else the machine does strikes both alike, and medians are
compared. The table at the end is what docs/benchmarks.md records.

          outside ---- gateway (portwrightd) ---- camera (nginx)
          wrk -->      one mapping, or 65,000      -->  page
"""
import json
import pathlib
import re
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "site"))
from daemon import Daemon  # noqa: E402
from devices import start_nginx  # noqa: E402
from namespaces import CAMERA, GATEWAY, Site, build_device, build_outside  # noqa: E402

MAPPINGS = 65000
ROUNDS = 5
SECONDS = 4


def mappings(count):
    """`count` TCP mappings, all to the camera's page; port 65000 is in every list."""
    return [{"external_port": str(65000 - i), "internal_client": CAMERA, "internal_port": "80",
             "name": f"mapping {i}"} for i in range(count)]


def write_table(path, count):
    path.write_text(json.dumps({"portwright": 1, "mappings": mappings(count)}))
    return path


def resident(process):
    """VmRSS in KiB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def connections_per_second(outside):
    """New TCP connections a second through the mapping, each with one request."""
    run = outside.run("wrk", "-t1", "-c32", f"-d{SECONDS}s", "-H", "Connection: close",
                      f"http://{GATEWAY}:65000/")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout).group(1))


def timed_import(daemon, path):
    began = time.monotonic()
    daemon.cli("import", "--replace", path)
    return time.monotonic() - began


def bench_connections(outside, daemon, one, many):
    """The rate with 65,000 mappings over the rate with one."""
    rates = {1: [], MAPPINGS: []}
    for _ in range(ROUNDS):
        for count, path in ((1, one), (MAPPINGS, many)):
            daemon.cli("import", "--replace", path)
            rates[count].append(connections_per_second(outside))
    medians = {count: statistics.median(values) for count, values in rates.items()}
    return medians[1], medians[MAPPINGS], medians[MAPPINGS] / medians[1]


def main():
    with Site() as site:
        gateway = site.host("gateway", forwarding=True)
        outside = build_outside(site, gateway)
        site.bridge(gateway, "lan0")
        site.address(gateway, "lan0", "192.168.69.1/24")
        camera = build_device(site, gateway, "camera", "lan0", (f"{CAMERA}/24",))
        outside.sysctl("net.ipv4.ip_local_port_range=1024 65535")
        start_nginx(camera, site.directory, CAMERA, 80, "camera")
        one = write_table(site.directory / "one.json", 1)
        many = write_table(site.directory / "many.json", MAPPINGS)
        daemon = site.enter(Daemon(gateway, site.directory / "daemon", firewall="on", lan="lan0"))

        empty = resident(daemon.process)
        imports = []
        for _ in range(3):
            daemon.cli("import", "--replace", one)
            imports.append(timed_import(daemon, many))
        loaded = resident(daemon.process)
        restarts = [daemon.restart() for _ in range(3)]
        restarted = resident(daemon.process)
        rate_one, rate_many, ratio = bench_connections(outside, daemon, one, many)

    rows = [
        ("new connections/s, 1 mapping", f"{rate_one:,.0f}", ""),
        (f"new connections/s, {MAPPINGS:,} mappings", f"{rate_many:,.0f}", ""),
        ("  ratio", f"{ratio:.3f}", "at least 0.97"),
        (f"import of {MAPPINGS:,}, durable and programmed", f"{statistics.median(imports):.2f} s",
         "at most 2 s"),
        ("restart with them, until ready", f"{statistics.median(restarts):.2f} s", "at most 1 s"),
        ("resident memory, empty", f"{empty / 1024:.1f} MiB", "at most 8 MiB"),
        ("  a mapping more, after import", f"{(loaded - empty) * 1024 / MAPPINGS:.0f} B",
         "at most 600 B"),
        ("  a mapping more, after restart", f"{(restarted - empty) * 1024 / MAPPINGS:.0f} B",
         "at most 600 B"),
    ]
    width = max(len(row[0]) for row in rows)
    print(f"{'figure':{width}}  {'measured':>12}  asked for")
    for name, measured, asked in rows:
        print(f"{name:{width}}  {measured:>12}  {asked}")


if __name__ == "__main__":
    main()
