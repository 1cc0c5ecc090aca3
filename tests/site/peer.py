# SPDX-License-Identifier: GPL-2.0-or-later
"""
peer: Debian's miniupnpd (the nftables build) as the reference gateway, in a site of its own.

The site is the one that tests/site/namespaces.py draws, but for the gateway's public address: miniupnpd
does not serve at all behind an address that is reserved, and 203.0.113.0/24 is reserved for
documentation. readdress() gives any site's gateway PUBLIC instead, so that two gateways that are
compared hear and say the same bytes.

Nothing of the package's own set-up is used: its scripts, which make the chains that miniupnpd fills,
write to fixed places in /tmp, so the same chains are made here from a file of the site's.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess

from namespaces import GATEWAY, OUTSIDE, wait_until

PROGRAM = "/usr/sbin/miniupnpd"
PUBLIC, PUBLIC_NEIGHBOUR = "11.0.0.7", "11.0.0.1"
HTTP_PORT = 5000

# What /etc/miniupnpd/nft_init.sh makes, under the names that are compiled in.
CHAINS = """
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname { "lan0", "lan1" } accept
        jump miniupnpd
    }
    chain miniupnpd { }
    chain prerouting {
        type nat hook prerouting priority -100; policy accept;
        jump prerouting_miniupnpd
    }
    chain postrouting {
        type nat hook postrouting priority 100; policy accept;
        jump postrouting_miniupnpd
    }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
"""

# Permissions as Portwright's policy has them by default: own address only, from port 1024.
CONFIG = """
ext_ifname=wan0
ext_ifname6=wan0
listening_ip=lan0
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
http_port={port}
system_uptime=no
lease_file={directory}/leases
lease_file6={directory}/leases6
uuid=5f4e3d2c-0000-4000-8000-000000000001
serial=1
model_number=1
allow 1024-65535 0.0.0.0/0 0-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


def version():
    """"2.3.1", or None where it is not installed."""
    try:
        shown = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    found = re.search(r"miniupnpd (\d[\d.]*)", shown.stdout + shown.stderr)
    return found[1] if found else None


def cut_off(site):
    """The gateway knows no way to the world: names it looks up, as miniupnpd does with any client
    that is not an address, are unknown at once."""
    site.hosts["gateway"].ip("route", "delete", "default")


def readdress(site):
    """The gateway of a standard site faces the world as PUBLIC."""
    gateway, outside = site.hosts["gateway"], site.hosts["outside"]
    site.address(outside, "eth0", f"{PUBLIC_NEIGHBOUR}/24")
    site.address(gateway, "wan0", f"{PUBLIC}/24")
    gateway.ip("route", "replace", "default", "via", PUBLIC_NEIGHBOUR)
    gateway.ip("address", "delete", f"{GATEWAY}/24", "dev", "wan0")
    outside.ip("address", "delete", f"{OUTSIDE}/24", "dev", "eth0")


class Miniupnpd:
    """miniupnpd in a namespace; as a context manager it is started and, at the end, stopped.

    It runs in the background, as an init script would start it: its -d, which keeps it in the
    foreground, also makes it say so much that it is slower by two orders of magnitude."""

    name = "miniupnpd"
    http_port = HTTP_PORT

    def __init__(self, host, directory):
        self.host = host
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = self.directory / "miniupnpd.conf"
        self.chains = self.directory / "chains.nft"
        self.pid_path = self.directory / "pid"
        self.pid = None
        self.config.write_text(CONFIG.format(directory=self.directory, port=HTTP_PORT))
        self.chains.write_text(CHAINS)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, timeout=10):
        """Starts it with an empty table, and returns once it listens."""
        self.host.nft("flush", "ruleset")
        self.host.nft("-f", self.chains)
        for leases in self.directory.glob("leases*"):
            leases.unlink()
        self.pid_path.unlink(missing_ok=True)
        self.host.run(PROGRAM, "-f", self.config, "-P", self.pid_path)
        self.pid = wait_until("miniupnpd's pid", self._read_pid, timeout)
        wait_until("miniupnpd to listen", self._listens, timeout)

    def _read_pid(self):
        text = self.pid_path.read_text() if self.pid_path.exists() else ""
        return int(text) if text.endswith("\n") else None

    def _listens(self):
        """The socket for NAT-PMP and PCP is the last one that it opens."""
        assert self.runs(), "miniupnpd has ended"
        return self.host.run("ss", "-Hlnu", "sport", "=", ":5351").stdout

    def runs(self):
        """Does it still? It is nobody's child here, so it may stay a zombie."""
        try:
            status = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] not in "ZX"

    def stop(self):
        if self.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        try:
            wait_until("miniupnpd to end", lambda: not self.runs())
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
        self.pid = None

    def reset(self):
        """No mapping is left."""
        self.stop()
        self.start()

    def resident(self):
        """VmRSS in bytes."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
