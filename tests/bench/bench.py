#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
bench: `make bench`. The figures that were promised, measured on this machine, printed as ratios.

    bench.py [--mappings 65000] [--rounds 5] [--seconds 3]

Absolute figures vary from machine to machine and from minute to minute, so what can be compared is
compared within one run: two gateways stand side by side, one with a single mapping, one with 65,000, and
wrk asks each in turn for new connections ("Connection: close"), round after round. Import, restart and
memory have bounds of their own. The exit status is 0 only if every figure is within its bound.

          outside ---- gateway, one mapping    ---- camera
          wrk -->      gateway, 65,000 of them      nginx
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "site"))

from daemon import BUILD, Daemon  # noqa: E402
from devices import start_nginx  # noqa: E402
from namespaces import CAMERA, GATEWAY, Site, build_device, build_outside  # noqa: E402

MIB = 1024 * 1024
MEASURED_PORT = 65500  # the mapping that is asked: far from the first


def mappings_of(number):
    """`number` mappings as an import: each external port once, spread over the LAN's devices; the one
    that is measured leads to the web server."""
    ports = [MEASURED_PORT] + [port for port in range(65535, 0, -1) if port != MEASURED_PORT]
    listed = []
    for i, port in enumerate(ports[:number]):
        client, inner = (CAMERA, 80) if port == MEASURED_PORT else \
            (f"192.168.69.{2 + i % 100}", 1 + i // 100 * 7 % 65535)
        listed.append({"external_port": str(port), "internal_client": client,
                       "internal_port": str(inner), "name": f"Mapping {i}"})
    return {"portwright": 1, "mappings": listed}


class Gateway:
    """A small site of its own: an outside host, a gateway with a daemon, a web server."""

    def __init__(self, site, name, mappings):
        self.site = site
        self.gateway = site.host(f"{name}-gw", forwarding=True)
        self.outside = build_outside(site, self.gateway)
        site.bridge(self.gateway, "lan0")
        site.address(self.gateway, "lan0", "192.168.69.1/24")
        self.camera = build_device(site, self.gateway, f"{name}-camera", "lan0", (f"{CAMERA}/24",))
        # Room for as many connections a second as there are ports; old ones are forgotten quickly.
        self.outside.sysctl("net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1")
        self.gateway.sysctl("net.netfilter.nf_conntrack_tcp_timeout_time_wait=1")
        start_nginx(self.camera, site.directory / name, CAMERA, 80, "bench")
        self.daemon = Daemon(self.gateway, site.directory / name / "daemon", firewall="on",
                             lan="lan0")
        self.file = site.directory / name / "import.json"
        self.file.write_text(json.dumps(mappings_of(mappings)))

    def resident(self):
        """VmRSS of the daemon, in bytes."""
        status = pathlib.Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def load(self):
        """`portwright import`, start to exit: durable and programmed."""
        began = time.monotonic()
        self.daemon.cli("import", self.file)
        return time.monotonic() - began

    def connections(self, seconds):
        """New connections a second through the measured mapping."""
        result = self.outside.run("wrk", "-t1", "-c32", f"-d{seconds}s", "-H", "Connection: close",
                                  f"http://{GATEWAY}:{MEASURED_PORT}/", timeout=seconds + 30)
        errors = re.search(r"Socket errors: connect (\d+), read (\d+)", result.stdout)
        if errors and int(errors[1]):
            sys.exit(f"bench: wrk could not connect:\n{result.stdout}")
        return float(re.search(r"Requests/sec:\s+([\d.]+)", result.stdout)[1])


class Table:
    """Figures with their bounds; a ratio of at most 1 (or at least the bound, for rates) is fine."""

    def __init__(self):
        self.rows = [("FIGURE", "MEASURED", "BOUND", "RATIO", "")]
        self.ok = True

    def at_most(self, what, measured, bound, form):
        self.add(what, form(measured), f"<= {form(bound)}", measured / bound, measured <= bound)

    def at_least(self, what, measured, bound, form):
        self.add(what, form(measured), f">= {form(bound)}", measured / bound, measured >= bound)

    def add(self, what, measured, bound, ratio, ok):
        self.rows.append((what, measured, bound, f"{ratio:.2f}", "ok" if ok else "MISSED"))
        self.ok &= ok

    def show(self):
        widths = [max(len(row[i]) for row in self.rows) for i in range(5)]
        for row in self.rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def measure_daemon(gateway, number, rounds, table):
    """Import, restart and memory; leaves the daemon running with its mappings."""
    imports, restarts, cold, empty, full, fresh = [], [], [], [], [], []
    for _ in range(rounds):
        gateway.daemon.start()
        empty.append(gateway.resident())
        imports.append(gateway.load())
        full.append(gateway.resident())
        gateway.daemon.stop()
        restarts.append(gateway.daemon.start())
        fresh.append(gateway.resident())
        gateway.daemon.stop()
        gateway.gateway.run("nft", "flush", "ruleset")
        cold.append(gateway.daemon.start())
        gateway.daemon.stop()
        gateway.gateway.run("nft", "flush", "ruleset")
        subprocess.run(["rm", "-r", str(gateway.daemon.state)], check=True)

    def seconds(value):
        return f"{value:.2f} s"

    def per_mapping(residents):
        return (statistics.median(residents) - statistics.median(empty)) / number

    median = statistics.median
    table.at_most(f"import of {number:,}, durable and programmed", median(imports), 2.0, seconds)
    table.at_most(f"restart with {number:,}, until ready", median(restarts), 1.0, seconds)
    table.at_most("  the same, nothing left in the kernel", median(cold), 2.0, seconds)
    table.at_most("resident, empty", median(empty), 8 * MIB, lambda v: f"{v / MIB:.1f} MiB")
    table.at_most("resident, a mapping more, after import", per_mapping(full), 600,
                  lambda v: f"{v:.0f} B")
    table.at_most("resident, a mapping more, after restart", per_mapping(fresh), 600,
                  lambda v: f"{v:.0f} B")


def measure_connections(few, many, rounds, seconds, number, table):
    """Round by round, each in both orders (whoever comes second finds the machine a little tired), so
    that a slow minute hits both; the median of the rounds' ratios counts."""
    ratios = []
    for turn in range(rounds):
        rates = {few: 0.0, many: 0.0}
        for gateway in (few, many, many, few):
            rates[gateway] += gateway.connections(seconds) / 2
        ratios.append(rates[many] / rates[few])
        print(f"  round {turn + 1}: {rates[few]:,.0f} /s with 1, {rates[many]:,.0f} /s with "
              f"{number:,}, ratio {ratios[-1]:.3f}", flush=True)
    ratio = statistics.median(ratios)
    table.at_least(f"new connections/s, {number:,} against 1", ratio, 0.97, lambda v: f"{v:.3f}")


def describe_machine():
    """Versions, for the record."""
    def first_line(*command):
        return subprocess.run(command, capture_output=True, text=True,
                              check=False).stdout.split("\n")[0]
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return "; ".join(filter(None, [
        f"{os.cpu_count()} x {model[1] if model else platform.machine()}",
        f"Linux {platform.release()}", first_line("nft", "--version"),
        first_line(str(BUILD / "portwrightd"), "--version")]))


def main():
    parser = argparse.ArgumentParser(description="the promised figures, measured here")
    parser.add_argument("--mappings", type=int, default=65000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: network namespaces need root: sudo make bench")
    table = Table()
    print(describe_machine(), flush=True)
    with Site() as site:
        few = Gateway(site, "few", 1)
        many = Gateway(site, "many", options.mappings)
        measure_daemon(many, options.mappings, options.rounds, table)
        for gateway in (few, many):
            gateway.daemon.start()
            gateway.load()
        measure_connections(few, many, options.rounds, options.seconds, options.mappings, table)
        for gateway in (few, many):
            gateway.daemon.stop()
    print()
    table.show()
    sys.exit(0 if table.ok else 1)


if __name__ == "__main__":
    main()
