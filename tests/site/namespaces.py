# SPDX-License-Identifier: GPL-2.0-or-later
"""
namespaces: a whole site on one machine, made of network namespaces. The demo and the tests stand
on it.

                               the world: 203.0.113.0/24, 2001:db8:113::/64
      outside  .1 ------------------------------------------ wan0 .7  gateway
        also 198.51.100.10 (a trusted office)                         |   runs the real portwrightd
        and  192.0.2.66 (anybody)                                     |
                                                                      |
          lan0  192.168.69.1/24, 2001:db8:69::1/64 -------------------+
            |-- camera .110    |-- nvr .120    |-- laptop .20         |
          lan1  192.168.2.1/24 ---------------------------------------+
            |-- servers .101 .102 .103

A Namespace is one host, a Site a set of them joined by links; both are context managers and leave
nothing behind, whatever happened inside. Nothing here sleeps and hopes: things are waited for by
asking again until a deadline (wait_until) or by an event. Names carry the process id, so several runs share a machine.

Sockets need no child process: `with ns.entered():` moves the calling thread into the namespace, and
a socket stays where it was made.
"""
import contextlib
import ctypes
import ipaddress
import itertools
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


def wait_until(what, ask, timeout=5.0, interval=0.01):
    """Asks until the answer is true and returns it; a TimeoutError names what never came."""
    deadline = time.monotonic() + timeout
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(interval)


def ip(*arguments):
    """One `ip` command on the machine itself (that is, on namespaces by name)."""
    subprocess.run(["ip", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


class CommandFailed(AssertionError):
    """A command ended with an unexpected code; says what it printed."""

    def __init__(self, result):
        super().__init__(f"{' '.join(map(str, result.args))}: exit {result.returncode}\n"
                         f"{result.stdout}{result.stderr}")
        self.result = result


class Namespace:
    """One host. `close()` ends what was started in it, then removes it."""

    def __init__(self, role):
        self.role = role
        self.name = f"pw{os.getpid()}-{next(_numbers)}-{role}"
        self.processes = []
        ip("netns", "add", self.name)
        try:
            # accept_dad: addresses are usable at once; they are ours alone.
            self.sysctl("net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                        "net.ipv6.conf.default.accept_ra=0")
            self.ip("link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends every process started here, youngest first, and removes the namespace."""
        while self.processes:
            end_process(self.processes.pop())
        subprocess.run(["ip", "netns", "delete", self.name], check=False,
                       stderr=subprocess.DEVNULL)

    def command(self, *arguments):
        """The same command, to be run in this namespace."""
        return ["ip", "netns", "exec", self.name, *map(str, arguments)]

    def run(self, *arguments, check=True, timeout=60, stdin=None, env=None):
        """Runs a command to its end; text in, text out. `check=False` allows any exit code."""
        result = subprocess.run(self.command(*arguments), input=stdin if stdin is not None else "",
                                capture_output=True, text=True, timeout=timeout, check=False,
                                errors="backslashreplace", env=env)
        if check and result.returncode:
            raise CommandFailed(result)
        return result

    def start(self, *arguments, **options):
        """Starts a command that goes on; it ends with the namespace at the latest."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("start_new_session", True)  # a terminal's Ctrl-C is for us, not for them
        process = subprocess.Popen(self.command(*arguments), **options)
        self.processes.append(process)
        return process

    def stop(self, process):
        """Ends one of our processes now."""
        if process in self.processes:
            self.processes.remove(process)
        end_process(process)

    def ip(self, *arguments):
        """An `ip` command about this namespace's links, addresses and routes."""
        ip("-n", self.name, *arguments)

    def sysctl(self, *settings):
        self.run("sysctl", "-qw", *settings)

    def nft(self, *arguments):
        """What `nft` prints here."""
        return self.run("nft", *arguments).stdout

    @contextlib.contextmanager
    def entered(self):
        """The calling thread stands in this namespace until the block ends."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
            yield
        finally:
            _setns(home)
            os.close(there)
            os.close(home)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        """A new socket of this host."""
        with self.entered():
            return socket.socket(family, kind, protocol)


def _setns(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def end_process(process, timeout=5):
    """SIGTERM, and SIGKILL for those who do not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


class Site:
    """
    Hosts and the links between them. Used as a context manager:

        with Site() as site:
            outside = site.host("outside")
            gateway = site.host("gateway")
            site.link(outside, "eth0", gateway, "wan0")
    """

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.hosts = {}
        self.directory = None

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="portwright-site-"))
        self._stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        return self

    def __exit__(self, *_):
        self._stack.close()

    def enter(self, context):
        """Keeps another context manager open until the site is left."""
        return self._stack.enter_context(context)

    def host(self, role, forwarding=False):
        """A new host; `forwarding` makes it a router."""
        host = self._stack.enter_context(Namespace(role))
        self.hosts[role] = host
        if forwarding:
            host.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        return host

    @staticmethod
    def link(a, a_name, b, b_name):
        """A cable: a veth pair, both ends up."""
        ip("link", "add", a_name, "netns", a.name, "type", "veth",
           "peer", "name", b_name, "netns", b.name)
        a.ip("link", "set", a_name, "up")
        b.ip("link", "set", b_name, "up")

    @staticmethod
    def bridge(host, name):
        """A switch inside `host`, which also is its interface on that LAN."""
        host.ip("link", "add", name, "type", "bridge", "forward_delay", 0)
        host.ip("link", "set", name, "up")
        # Kernels with br_netfilter built in pass bridged packets to netfilter unless told not to; where
        # it is a module, as in Debian, nobody does before Docker loads it.
        with contextlib.suppress(CommandFailed):
            host.sysctl("net.bridge.bridge-nf-call-iptables=0",
                        "net.bridge.bridge-nf-call-ip6tables=0")

    def plug(self, device, a_name, host, bridge):
        """A cable from a device to a switch."""
        port = f"{bridge}-{device.role}"[:15]
        self.link(device, a_name, host, port)
        host.ip("link", "set", port, "master", bridge)

    @staticmethod
    def address(host, link, *addresses):
        for address in addresses:
            host.ip("address", "add", address, "dev", link)

    @staticmethod
    def route(host, *route):
        host.ip("route", "add", *route)


# The addresses of the standard site, as drawn above.
GATEWAY = "203.0.113.7"
GATEWAY_2 = "203.0.113.8"
GATEWAY6 = "2001:db8:113::7"
OUTSIDE = "203.0.113.1"
TRUSTED = "198.51.100.10"
ELSEWHERE = "192.0.2.66"
OUTSIDE6 = "2001:db8:113::1"
ELSEWHERE6 = "2001:db8:bad::66"
CAMERA, NVR, LAPTOP = "192.168.69.110", "192.168.69.120", "192.168.69.20"
CAMERA6, LAPTOP6 = "2001:db8:69::110", "2001:db8:69::20"
SERVERS = ("192.168.2.101", "192.168.2.102", "192.168.2.103")


def build_outside(site, gateway):
    """The world: one host with several addresses, on the gateway's uplink. It also has routes to
    the private networks, as a neighbour on the uplink's segment could: whether they can be used is
    the gateway's decision."""
    outside = site.host("outside")
    site.link(outside, "eth0", gateway, "wan0")
    site.address(outside, "eth0", f"{OUTSIDE}/24", f"{OUTSIDE6}/64")
    site.address(outside, "lo", f"{TRUSTED}/32", f"{ELSEWHERE}/32", f"{ELSEWHERE6}/128")
    site.address(gateway, "wan0", f"{GATEWAY}/24", f"{GATEWAY6}/64")
    site.route(outside, "192.168.0.0/16", "via", GATEWAY)
    site.route(outside, "2001:db8:69::/64", "via", GATEWAY6)
    site.route(gateway, "default", "via", OUTSIDE)
    gateway.ip("-6", "route", "add", "default", "via", OUTSIDE6)
    return outside


def build_device(site, gateway, role, bridge, addresses):
    """A device on one of the gateway's LANs, with the gateway as its default route."""
    device = site.host(role)
    site.plug(device, "eth0", gateway, bridge)
    for address in addresses:
        interface = ipaddress.ip_interface(address)
        site.address(device, "eth0", address)
        first = next(interface.network.hosts())
        if interface.version == 6:
            device.ip("-6", "route", "replace", "default", "via", first)
        else:
            device.ip("route", "replace", "default", "via", first)
    return device


def build_standard(site):
    """The whole picture at the head of this file."""
    gateway = site.host("gateway", forwarding=True)
    build_outside(site, gateway)
    for bridge, addresses in (("lan0", ("192.168.69.1/24", "2001:db8:69::1/64")),
                              ("lan1", ("192.168.2.1/24",))):
        site.bridge(gateway, bridge)
        site.address(gateway, bridge, *addresses)
    build_device(site, gateway, "camera", "lan0", (f"{CAMERA}/24", f"{CAMERA6}/64"))
    build_device(site, gateway, "nvr", "lan0", (f"{NVR}/24",))
    build_device(site, gateway, "laptop", "lan0", (f"{LAPTOP}/24", f"{LAPTOP6}/64"))
    build_device(site, gateway, "servers", "lan1", tuple(f"{a}/24" for a in SERVERS))
    return site
