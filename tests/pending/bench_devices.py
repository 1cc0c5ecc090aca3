#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
bench_devices: `make bench`, second part: devices that map themselves. Figures that were promised and
miniupnpd's, measured on this machine in one run.

    bench_devices.py [--rounds 3] [--seconds 3]

Each gateway stands in a site of its own and serves a thousand devices, which are the addresses of one
host:

          outside ---- gateway ---- devices 10.69.1.1 and so on
                       lan0 10.69.0.1/16

Three Portwrights with 100, 10,000 and 60,000 mappings are asked side by side, in turn, round after
round, so that a slow minute hits all of them; miniupnpd, which grows slower with each mapping, has
100, 500 and 1,000. Medians of the rounds count. The exit status is 0 only if every figure is within its
bound.
"""
import argparse
import ipaddress
import json
import os
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "site")]

from bench import MIB, Table, describe_machine  # noqa: E402
from daemon import BUILD, Daemon  # noqa: E402
from gateway_device import GatewayDevice  # noqa: E402
from namespaces import Site, build_outside  # noqa: E402
from peer import PUBLIC, Miniupnpd, readdress, version  # noqa: E402

DEVICES = 1000
LAN = ipaddress.ip_address("10.69.0.1")
FIRST = ipaddress.ip_address("10.69.1.1")
SIZES = (100, 10000, 60000)
PEER_SIZES = (100, 500, 1000)
FIRST_PORT = 2000  # UDP, of the mappings that are there before
# What is added; some lower internal ports are nobody's to map.
FIRST_ADDED = {"TCP": 10000, "UDP": 62500}
ADDED = 2000  # by 32 clients, in one round
ADDED_ALONE = 500
PEER_ADDED = 40
ENTRIES = 3000
CLIENTS = 32
LIMIT = 120  # seconds, of one load


def build_site(site):
    """A gateway and a thousand devices, on one cable."""
    gateway = site.host("gateway", forwarding=True)
    outside = build_outside(site, gateway)
    devices = site.host("devices")
    site.link(gateway, "lan0", devices, "eth0")
    site.address(gateway, "lan0", f"{LAN}/16")
    lines = [f"address add {FIRST + i}/16 dev eth0" for i in range(DEVICES)]
    devices.run("ip", "-batch", "-", stdin="\n".join(lines))
    devices.ip("route", "replace", "default", "via", str(LAN))
    # Neighbours that are known need no slot of the kernel's small table of those being looked for.
    mac = json.loads(devices.run("ip", "-json", "link", "show", "eth0").stdout)[0]["address"]
    lines = [f"neighbour replace {FIRST + i} lladdr {mac} dev lan0 nud permanent"
             for i in range(DEVICES)]
    gateway.run("ip", "-batch", "-", stdin="\n".join(lines))
    for host in (devices, outside):
        host.sysctl("net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1")
    gateway.sysctl("net.netfilter.nf_conntrack_tcp_timeout_time_wait=1",
                   "net.netfilter.nf_conntrack_tcp_timeout_close=1")
    readdress(site)
    return site


class Gateway:
    """Either kind in a site: loads are put on it by the programs beside this file."""

    def __init__(self, site, mappings):
        self.site, self.mappings = site, mappings
        self.devices = site.hosts["devices"]
        self.device = None
        self.added = 0  # so far, of UDP ports

    def discover(self):
        self.device = GatewayDevice(self.site, str(LAN), role="devices")

    def load(self, program, *arguments):
        result = self.devices.run(BUILD / "tests" / "bench" / program, *arguments,
                                  timeout=LIMIT + 60)
        return json.loads(result.stdout)

    def soap(self, clients, count, connections, *what):
        url = f"http://{LAN}:{self.device.port}" \
              + self.device.services["WANIPConnection"]["controlURL"]
        told = self.load("soap_load", url, FIRST, clients, count, LIMIT, connections, *what)
        if told["refused"]:
            sys.exit(f"bench: {self.name}: {told['refused']} of {count} were refused: {what}")
        return told

    def add(self, clients, count, connections, protocol="TCP"):
        """Adds new mappings, and takes them away again; returns how many a second were added."""
        what = (protocol, FIRST_ADDED[protocol])
        told = self.soap(clients, count, connections, "add", *what)
        self.soap(clients, told["granted"], connections, "delete", *what)
        return told["rate"]

    def entry(self, index):
        return self.soap(1, ENTRIES, "keep", "entry", index)

    def renew(self, protocol, seconds, rate):
        return self.load("port_load", protocol, LAN, FIRST, DEVICES, seconds, rate)


class Portwright(Gateway):
    name = "portwrightd"

    def __init__(self, site, mappings):
        super().__init__(site, mappings)
        self.daemon = Daemon(site.hosts["gateway"], site.directory / "daemon", firewall="on",
                             lan="lan0", **{"policy.max-mappings-per-client": 65535,
                                            "policy.max-mappings": 1000000})

    def start(self):
        self.daemon.start()
        self.discover()
        listed = [{"external_port": str(FIRST_PORT + i), "protocol": "udp", "name": f"Mapping {i}",
                   "internal_client": str(FIRST + i % DEVICES),
                   "internal_port": str(30000 + i // 10)} for i in range(self.mappings)]
        path = self.site.directory / "import.json"
        path.write_text(json.dumps({"portwright": 1, "mappings": listed}))
        self.daemon.cli("import", path)

    def resident(self):
        status = pathlib.Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def stop(self):
        self.daemon.stop()


class Peer(Gateway):
    name = "miniupnpd"

    def __init__(self, site, mappings):
        super().__init__(site, mappings)
        self.miniupnpd = Miniupnpd(site.hosts["gateway"], site.directory / "miniupnpd")

    def start(self):
        self.miniupnpd.start()
        self.discover()
        self.soap(1, self.mappings, "close", "add", "UDP", FIRST_PORT)

    def resident(self):
        return self.miniupnpd.resident()

    def stop(self):
        self.miniupnpd.stop()


def rate(value):
    return f"{value:,.0f} /s"


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f} ms"


# What is measured of AddPortMapping: what it is called, its bound, and Gateway.add's arguments.
ADDING = (
    (f"{CLIENTS} clients", 5000, (CLIENTS, ADDED, "keep")),
    ("one client, a connection each", 1500, (1, ADDED_ALONE, "close")),
    ("the same, UDP", 1500, (1, ADDED_ALONE, "close", "UDP")),
)


def measure_adding(gateways, peers, rounds, table):
    """AddPortMapping, durable and in force, while there are few mappings and while there are many."""
    for what, bound, arguments in ADDING:
        rates = {gateway: [] for gateway in gateways}
        for turn in range(rounds):
            for gateway in (*gateways, *reversed(gateways)):
                rates[gateway].append(gateway.add(*arguments))
            print(f"  {what}, round {turn + 1}: " + ", ".join(
                f"{rate(statistics.mean(rates[gateway][-2:]))} with {gateway.mappings:,}"
                for gateway in gateways), flush=True)
        judge_adding(what, bound, rates, table)
        if peers:
            compare_adding(what, arguments, rates[gateways[0]], peers, table)


def judge_adding(what, bound, rates, table):
    (few, fews), *others = rates.items()
    table.at_least(f"AddPortMapping, {what}, {few.mappings:,} mappings", statistics.median(fews),
                   bound, rate)
    for many, manys in others:
        table.at_least(f"  with {many.mappings:,}", statistics.median(manys), bound, rate)
        table.at_least(f"  with {many.mappings:,} against {few.mappings:,}",
                       statistics.median(a / b for a, b in zip(manys, fews)), 0.9,
                       lambda value: f"{value:.3f}")


def compare_adding(what, arguments, ours, peers, table):
    for peer in peers:
        theirs = peer.add(arguments[0], PEER_ADDED, *arguments[2:])
        print(f"  {what}, miniupnpd: {rate(theirs)} with {peer.mappings:,}", flush=True)
        table.at_least(f"  against miniupnpd with {peer.mappings:,}", statistics.median(ours) / theirs,
                       1, lambda value: f"{value:.1f}")


def measure_renewing(gateway, peer, rounds, seconds, table):
    """MAP renewals from a thousand devices."""
    for protocol, name in (("natpmp", "NAT-PMP"), ("pcp", "PCP MAP")):
        most, half, lost = [], [], []
        for _ in range(rounds):
            most.append(gateway.renew(protocol, seconds, 0)["rate"])
            told = gateway.renew(protocol, seconds, 20000)
            half.append(told["p99"])
            lost.append(told["lost"] + told["refused"])
        table.at_least(f"{name} renewals, {DEVICES:,} devices", statistics.median(most), 40000, rate)
        table.at_most("  p99 at 20,000 a second", statistics.median(half), 5000, milliseconds)
        table.at_most("  lost or refused at 20,000 a second", statistics.median(lost), 1,
                      lambda value: f"{value:.0f}")
        if peer:
            theirs = peer.renew(protocol, seconds, 0)["rate"]
            table.at_least("  against miniupnpd's", statistics.median(most) / max(theirs, 0.1), 1,
                           lambda value: f"{value:.1f}")
            print(f"  miniupnpd, {name}, {DEVICES:,} devices: {rate(theirs)}")


def measure_entries(gateway, rounds, table):
    """GetGenericPortMappingEntry at the end of a long table against its beginning."""
    ratios = []
    for _ in range(rounds):
        first, last = gateway.entry(0), gateway.entry(gateway.mappings - 1)
        again = gateway.entry(0)
        ratios.append(2 * last["rate"] / (first["rate"] + again["rate"]))
    table.at_least(f"GetGenericPortMappingEntry, index {gateway.mappings - 1:,} against 0",
                   statistics.median(ratios), 0.9, lambda value: f"{value:.3f}")


def main():
    parser = argparse.ArgumentParser(description="devices that map themselves, as measured here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: network namespaces need root: sudo make bench")
    table = Table()
    print(f"{describe_machine()}; miniupnpd {version() or 'is not installed'}", flush=True)
    with Site() as site:
        idle = Portwright(build_site(site), 0)
        idle.start()
        time.sleep(1)
        table.at_most("resident, all services idle", idle.resident(), 10 * MIB,
                      lambda value: f"{value / MIB:.1f} MiB")
        idle.stop()
    sites, gateways, peers = [], [], []
    try:
        for kind, sizes, built in ((Portwright, SIZES, gateways),
                                   (Peer, PEER_SIZES if version() else (), peers)):
            for size in sizes:
                sites.append(Site().__enter__())
                built.append(kind(build_site(sites[-1]), size))
                built[-1].start()
        measure_adding(gateways, peers, options.rounds, table)
        measure_entries(gateways[-1], options.rounds, table)
        measure_renewing(gateways[0], peers[0] if peers else None, options.rounds, options.seconds,
                         table)
    finally:
        for gateway in (*gateways, *peers):
            gateway.stop()
        for site in sites:
            site.__exit__()
    print()
    table.show()
    sys.exit(0 if table.ok else 1)


if __name__ == "__main__":
    main()
