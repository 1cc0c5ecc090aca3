# SPDX-License-Identifier: GPL-2.0-or-later
"""
clients: programs of others that map ports, as Debian ships them, on the site's devices.
"""
import contextlib
import http.client
import json
import pathlib
import select
import subprocess
import time

import miniupnpc

from namespaces import wait_until

HERE = pathlib.Path(__file__).resolve().parent


class Miniupnpc:
    """libminiupnpc by its Python module. Its calls happen in the calling thread, so this one steps
    into the device's namespace for each."""

    def __init__(self, host, search_ms=1000):
        self.host = host
        self.upnp = miniupnpc.UPnP()
        self.upnp.discoverdelay = search_ms

    def __getattr__(self, name):
        with self.host.entered():
            found = getattr(self.upnp, name)
        if not callable(found):
            return found

        def call(*arguments):
            with self.host.entered():
                return found(*arguments)
        return call


class Gupnp:
    """gupnp_client.py in a namespace."""

    def __init__(self, host, interface="eth0"):
        self.host = host
        self.process = host.start("/usr/bin/python3", "-W", "ignore", HERE / "gupnp_client.py",
                                  interface, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.heard = []
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.host.stop(self.process)

    def order(self, do, **arguments):
        self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, *keys, timeout=10, **values):
        """The next news that has one of these keys and these values; what is passed over stays to
        be heard later."""
        deadline = time.monotonic() + timeout
        while True:
            for news in self.heard:
                if (not keys or set(keys) & set(news)) and values.items() <= news.items():
                    self.heard.remove(news)
                    return news
            if not select.select([self.process.stdout], [], [],
                                 max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"{keys} {values} not heard in {timeout} s, but {self.heard}")
            self._read()

    def _read(self):
        more = self.process.stdout.read1()
        assert more, "the control point ended"
        *lines, self.rest = (self.rest + more).split(b"\n")
        self.heard += [json.loads(line) for line in lines]

    def call(self, service, action, out=(), **arguments):
        """A dict of what an action returned, or its fault's code."""
        self.order("call", service=service, action=action, out=out, **{"in": {
            name: str(value) for name, value in arguments.items()}})
        news = self.hear("returned", "fault", "error")
        return news["fault"] if "fault" in news else news["returned"]


class Transmission:
    """transmission-daemon, told by its RPC. With a `speed` its clock runs that much faster (faketime):
    what it maps it looks at again every 20 minutes."""

    PORT, RPC_PORT = 51413, 9091

    def __init__(self, host, directory, port=PORT, speed=None):
        self.host = host
        self.home = pathlib.Path(directory) / f"transmission-{host.role}"
        self.home.mkdir()
        self.log_path = self.home / "log"
        self.session = ""
        (self.home / "settings.json").write_text(json.dumps({
            "port-forwarding-enabled": True, "peer-port": port, "rpc-port": self.RPC_PORT,
            "dht-enabled": False, "lpd-enabled": False, "pex-enabled": False,
            "download-dir": str(self.home)}))
        clock = ["faketime", "-f", f"+0 x{speed}"] if speed else []
        self.process = host.start(*clock, "transmission-daemon", "--foreground", "--log-debug",
                                  "--config-dir", self.home, "--logfile", self.log_path)

    def __enter__(self):
        wait_until("transmission's RPC", self._answers, timeout=15, interval=0.1)
        return self

    def __exit__(self, *_):
        self.host.stop(self.process)

    def _answers(self):
        with contextlib.suppress(OSError):
            return self.ask("session-get")

    def ask(self, method, **arguments):
        """One RPC; it first answers with the session's name, as a guard against other web pages."""
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", self.RPC_PORT, timeout=10)
            connection.sock = self.host.socket()
            connection.sock.settimeout(10)
            with contextlib.closing(connection):
                connection.sock.connect(("127.0.0.1", self.RPC_PORT))
                connection.request("POST", "/transmission/rpc", json.dumps(
                    {"method": method, "arguments": arguments}),
                    {"X-Transmission-Session-Id": self.session})
                response = connection.getresponse()
                body = response.read()
            if response.status != 409:
                return json.loads(body)
            self.session = response.headers["X-Transmission-Session-Id"]
        raise AssertionError("transmission gives no session")

    def set(self, **settings):
        """Settings by their names, `_` for `-`."""
        answer = self.ask("session-set", **{name.replace("_", "-"): value
                                            for name, value in settings.items()})
        assert answer["result"] == "success", answer

    def log(self):
        return self.log_path.read_text(errors="backslashreplace")
