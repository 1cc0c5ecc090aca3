#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
demo: `make demo`. A whole site in network namespaces, mapped with the real command, proven from
outside.

    demo.py [--once]        --once leaves after the proof; else the site stays up until Ctrl-C

What is built is drawn in namespaces.py. Every mapping is made by `portwright add`, as an installer
would type it; every proof is made with the programs that an installer has (curl, ffmpeg), on a host that
is not the gateway. The exit status is 0 only if every proof holds.
"""
import argparse
import contextlib
import dataclasses
import os
import re
import shlex
import signal
import subprocess
import sys
import time

from daemon import BUILD, Daemon
from devices import count_frames, start_camera, start_nginx, stream_kinds
from namespaces import (CAMERA, ELSEWHERE, GATEWAY, LAPTOP, NVR, OUTSIDE, SERVERS, TRUSTED, Site,
                        build_standard)

FRAMES = 30
LAN_GATEWAY = "192.168.69.1" # the gateway, as the camera sees it
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

PICTURE = f"""
    outside  {OUTSIDE:14} --+             +-- camera   {CAMERA}   web :80, RTSP :554
    office   {TRUSTED:14} --+-- gateway --+-- recorder {NVR}   web :80, :9000-9003
    anybody  {ELSEWHERE:14} --+             +-- laptop   {LAPTOP}
                              {GATEWAY:13} +-- servers  {SERVERS[0]} to .103
"""

# What the installers' guides ask for, a line each.
MAPPINGS = [
    ("8888", f"{CAMERA}:80", "--from", "0.0.0.0/0", "--name", "Front door, web", "--app", "http"),
    ("8889", f"{CAMERA}:554", "--from", "0.0.0.0/0", "--name", "Front door, stream", "--app", "rtsp"),
    ("8080", f"{SERVERS[0]}:8080", "--name", "Web server 1"),
    ("8090", f"{SERVERS[1]}:8090", "--name", "Web server 2"),
    ("8091", f"{SERVERS[2]}:8091", "--name", "Web server 3"),
    ("8443", f"{NVR}:80", "--from", "198.51.100.0/24", "--name", "Recorder, office only"),
    ("8555", f"{CAMERA}:554", "--disabled=refuse", "--name", "Old stream, switched off"),
    ("8000-8003", f"{NVR}:9000", "--name", "Recorder, channels"),
]


class Screen:
    """What is shown: colour on a terminal, plain text elsewhere."""

    def __init__(self, colour):
        self.colour = colour

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def heading(self, text):
        print(f"\n{self.paint('1', text)}", flush=True)

    def verdict(self, ok):
        return self.paint("32", "ok") if ok else self.paint("31;1", "FAILED")

    @contextlib.contextmanager
    def step(self, text):
        """One line of progress with the time it took."""
        began = time.monotonic()
        print(f"  {text} ... ", end="", flush=True)
        yield
        print(f"{time.monotonic() - began:.1f} s", flush=True)


@dataclasses.dataclass
class Proof:
    what: str
    origin: str
    expected: str
    seen: str
    ok: bool


class Prover:
    """Makes the proofs and keeps them for the table."""

    def __init__(self, site, screen):
        self.site = site
        self.screen = screen
        self.proofs = []

    def note(self, what, origin, expected, seen, ok):
        self.proofs.append(Proof(what, origin, expected, seen, ok))
        print(f"  {self.screen.verdict(ok)}  {what}, from {origin}: {seen}", flush=True)

    def fetch(self, role, url, source=None, seconds=3.0):
        """curl on one host: (exit status, HTTP status, ms, body)."""
        result = self.site.hosts[role].run(
            "curl", "-sS", "--max-time", seconds, *(("--interface", source) if source else ()),
            "-w", "\n%{http_code} %{time_total}", url, check=False)
        body, _, figures = result.stdout.rpartition("\n")
        status, total = figures.split()
        return result.returncode, int(status), float(total) * 1000, body

    def page(self, what, role, url, title, source=None, origin=None):
        """A web page answers, and it is the right one."""
        code, status, took, body = self.fetch(role, url, source)
        found = re.search(r"<title>(.*?)</title>", body)
        seen = found[1] if found else f"nothing (curl: {code})"
        self.note(what, origin or role, f"page “{title}”", f"HTTP {status} “{seen}”, {took:.1f} ms",
                  status == 200 and seen == title)

    def stream(self, what, role, url):
        """An RTSP stream over TCP plays: codecs and decoded frames."""
        host = self.site.hosts[role]
        kinds = stream_kinds(host, url)
        frames, complaint = count_frames(host, url, FRAMES)
        self.note(what, role, f"h264 + pcm_alaw, {FRAMES} frames",
                  f"{' + '.join(kinds) or 'no stream'}, {frames} frames {complaint}".strip(),
                  kinds == ["h264", "pcm_alaw"] and frames == FRAMES)

    def silence(self, what, role, url, source=None, origin=None):
        """Nothing answers at all: not a page, not a refusal."""
        code, status, took, _ = self.fetch(role, url, source, seconds=1.0)
        seen = f"no answer in {took / 1000:.1f} s" if code == 28 else \
            f"HTTP {status}" if status else f"curl: {code} after {took:.0f} ms"
        self.note(what, origin or role, "no answer", seen, code == 28)

    def refusal(self, what, role, url):
        """Refused by a reset at once."""
        code, status, took, _ = self.fetch(role, url)
        seen = f"refused after {took:.1f} ms" if code == 7 else f"HTTP {status} (curl: {code})"
        self.note(what, role, "refused at once", seen, code == 7 and took < 100)

    def table(self):
        """All proofs, aligned."""
        rows = [("PROOF", "FROM", "EXPECTED", "SEEN")]
        rows += [(p.what, p.origin, p.expected, p.seen) for p in self.proofs]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        for index, row in enumerate(rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths))
            if index == 0:
                print(self.screen.paint("1", line))
            else:
                print(f"{line}  {self.screen.verdict(self.proofs[index - 1].ok)}")
        held = sum(proof.ok for proof in self.proofs)
        print(f"\n{held} of {len(self.proofs)} proofs hold", flush=True)
        return held == len(self.proofs)


def start_devices(site, screen):
    hosts, directory = site.hosts, site.directory
    with screen.step("the camera: H.264 and A-law over RTSP on 554, pages on 80 and 8080"):
        start_camera(hosts["camera"], directory, CAMERA, 554, "Front door")
        start_nginx(hosts["camera"], directory, CAMERA, 80, "Front door")
        start_nginx(hosts["camera"], directory, CAMERA, 8080, "Settings")
    with screen.step("the recorder: a page on 80, one a channel on 9000-9003"):
        start_nginx(hosts["nvr"], directory, NVR, 80, "Recorder")
        for channel in range(4):
            start_nginx(hosts["nvr"], directory, NVR, 9000 + channel, f"Channel {channel + 1}")
    with screen.step("three web servers"):
        for number, (address, port) in enumerate(zip(SERVERS, (8080, 8090, 8091)), 1):
            start_nginx(hosts["servers"], directory, address, port, f"Web server {number}")


def add_mappings(daemon):
    """Types what an installer would type."""
    for arguments in MAPPINGS:
        print(f"  $ portwright add {shlex.join(arguments)}", flush=True)
        for line in daemon.cli("add", *arguments).stdout.splitlines():
            print(f"    {line}", flush=True)


def prove(prover):
    """Everything the issue wants to see, and everything it wants not to see."""
    public = f"http://{GATEWAY}"
    rtsp = f"rtsp://{GATEWAY}:8889/stream"

    prover.page("tcp/8888 is the camera's page", "outside", f"{public}:8888/", "Front door")
    prover.stream("tcp/8889 is its stream, RTSP over TCP", "outside", rtsp)
    for number, port in enumerate((8080, 8090, 8091), 1):
        prover.page(f"tcp/{port} is web server {number}", "outside", f"{public}:{port}/",
                    f"Web server {number}")
    for channel in range(4):
        prover.page(f"tcp/800{channel} is shifted to 900{channel}", "outside",
                    f"{public}:800{channel}/", f"Channel {channel + 1}")
    prover.page("tcp/8443 lets the office in", "outside", f"{public}:8443/", "Recorder",
                source=TRUSTED, origin=f"office, {TRUSTED}")

    prover.page("tcp/8888 works from inside, too", "laptop", f"{public}:8888/", "Front door")
    prover.stream("tcp/8889 works from inside, too", "laptop", rtsp)
    prover.page("tcp/8888 from another LAN", "servers", f"{public}:8888/", "Front door")
    prover.page("tcp/8888 from the camera itself", "camera", f"{public}:8888/", "Front door")
    prover.page("tcp/8002 from inside", "laptop", f"{public}:8002/", "Channel 3")

    prover.silence("tcp/8443 keeps others out", "outside", f"{public}:8443/",
                   source=ELSEWHERE, origin=f"anybody, {ELSEWHERE}")
    prover.refusal("tcp/8555 is switched off, and says so", "outside", f"{public}:8555/")
    prover.silence("tcp/8887 is not mapped", "outside", f"{public}:8887/")
    prover.silence("tcp/8004, beside the range", "outside", f"{public}:8004/")
    prover.silence("tcp/80, the internal port", "outside", f"{public}:80/")
    prover.silence("the camera's private address", "outside", f"http://{CAMERA}/")
    prover.silence("the recorder's private address", "outside", f"http://{NVR}/")


def prove_devices(prover):
    """The camera maps itself, as one whose page says "Enable port mapping: manual" does."""
    asked = prover.site.hosts["camera"].run("natpmpc", "-g", LAN_GATEWAY, "-a", 8181, 8080, "tcp",
                                            3600, check=False).stdout
    granted = re.search(r"Mapped public port (\d+) .* life?time (\d+)", asked)
    seen = f"tcp/{granted[1]} for {granted[2]} s" if granted else asked.strip() or "no answer"
    prover.note("the camera asks by NAT-PMP", "camera", "tcp/8181 for 3600 s", seen,
                seen == "tcp/8181 for 3600 s")
    prover.page("tcp/8181 is the page it mapped", "outside", f"http://{GATEWAY}:8181/", "Settings")

    # -i: the demo's public addresses are the documentation's, which upnpc takes for no connection.
    asked = prover.site.hosts["camera"].run("upnpc", "-i", "-a", CAMERA, 8080, 8282, "tcp", 3600,
                                            check=False).stdout
    granted = re.search(r"external \S+:(\d+) TCP is redirected to \S+ \S+ \(duration=(\d+)\)", asked)
    seen = f"tcp/{granted[1]} for {granted[2]} s" if granted else "no mapping"
    prover.note("the camera asks by UPnP", "camera", "tcp/8282 for 3600 s", seen,
                seen == "tcp/8282 for 3600 s")
    prover.page("tcp/8282 is the page it mapped", "outside", f"http://{GATEWAY}:8282/", "Settings")


def show(daemon):
    """The command's own screen, with its colours where this is a terminal."""
    print("$ portwright", flush=True)
    subprocess.run([daemon.build / "portwright", "--socket", daemon.socket], check=True)


def stay(site, daemon):
    """Keeps the site up and says how to look around in it."""
    command = f"{daemon.build / 'portwright'} --socket {daemon.socket}"
    # Blocked first and waited for then: a signal between two statements must not be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    print(f"""
The site stays up until Ctrl-C. In another terminal, as root:

    {command}
    {command} watch
    ip netns exec {site.hosts['outside'].name} curl http://{GATEWAY}:8888/
    ip netns exec {site.hosts['outside'].name} ffprobe -rtsp_transport tcp rtsp://{GATEWAY}:8889/stream
    ip netns exec {site.hosts['gateway'].name} nft list table inet portwright
    ip netns exec {site.hosts['laptop'].name} bash

Hosts: {', '.join(host.name for host in site.hosts.values())}""", flush=True)
    signal.sigwait(ENDING)
    print("\nleaving", flush=True)


def interrupt(number, frame):
    """A polite end, by whatever signal: out through every context manager, once, undisturbed."""
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


def run_demo(once, screen):
    with Site() as site:
        screen.heading("A site in network namespaces")
        print(PICTURE)
        with screen.step("hosts, links, addresses"):
            build_standard(site)
        start_devices(site, screen)
        daemon = Daemon(site.hosts["gateway"], site.directory / "gateway", firewall="on")
        with screen.step("portwrightd on the gateway"):
            daemon.start()
        with contextlib.ExitStack() as stack:
            stack.callback(daemon.stop)
            screen.heading("Mappings, a line each")
            add_mappings(daemon)
            screen.heading("Proofs")
            prover = Prover(site, screen)
            prove(prover)
            prove_devices(prover)
            screen.heading("What the gateway says")
            show(daemon)
            screen.heading("Table of proofs")
            ok = prover.table()
            if not once:
                stay(site, daemon)
            return ok


def main():
    parser = argparse.ArgumentParser(description="a whole site, mapped and proven from outside")
    parser.add_argument("--once", action="store_true", help="leave after the proof")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("demo: network namespaces need root: sudo make demo")
    for program in ("portwrightd", "portwright"):
        if not (BUILD / program).exists():
            sys.exit(f"demo: {BUILD / program} is missing: make builds it")
    for ending in ENDING:
        signal.signal(ending, interrupt)
    try:
        ok = run_demo(options.once, Screen(sys.stdout.isatty()))
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
