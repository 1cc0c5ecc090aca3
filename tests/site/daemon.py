# SPDX-License-Identifier: GPL-2.0-or-later
"""
daemon: the real portwrightd in a namespace, and the three ways to speak to it: its API, its command,
and what it left in the kernel.

PORTWRIGHT_BUILD names the build folder to take the programs from (default: build/), so that one
suite runs over the plain build and over the one with sanitizers.
"""
import http.client
import json
import os
import pathlib
import signal
import socket
import time

from ruleset import format_ruleset

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("PORTWRIGHT_BUILD", ROOT / "build")).resolve()


class Api(http.client.HTTPConnection):
    """HTTP over the daemon's unix socket. Sockets in the file system belong to no network
    namespace, so the tests speak to it from where they are."""

    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None, headers=None):
        """(status, decoded JSON or text, headers). `body`: an object, or bytes as they are."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            self.request(method, path, body, headers)
            response = self.getresponse()
            content = response.read()
        except Exception:
            self.close()
            raise
        text = content.decode()
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, json.loads(text) if is_json else text, response.headers


class Daemon:
    """The real portwrightd in a namespace, with its configuration, state and socket in a folder of
    its own. As a context manager it is started and, at the end, stopped."""

    def __init__(self, host, directory, build=BUILD, **keys):
        self.host = host
        self.build = build
        self.directory = pathlib.Path(directory)
        self.socket = self.directory / "run" / "api.sock"
        self.config = self.directory / "portwright.conf"
        self.log_path = self.directory / "log"
        self.process = None
        self.keys = {"uplink": "wan0", "lan": "lan0 lan1", "state-dir": self.directory / "state",
                     "runtime-dir": self.socket.parent, "api.socket": self.socket, "api.listen": ""}
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.write_config(**keys)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def write_config(self, **changes):
        """Writes portwright.conf anew. A key without a section is one of [gateway]; others are
        written as in **{"policy.quarantine": "on"}. `_` in a key stands for `-`, None leaves the
        key out, a list gives it several times."""
        self.keys.update({key.replace("_", "-"): value for key, value in changes.items()})
        sections = {}
        for key, value in self.keys.items():
            section, _, name = key.rpartition(".")
            lines = sections.setdefault(section or "gateway", [])
            values = value if isinstance(value, list) else [value]
            lines += [f"{name} = {each}" for each in values if each is not None]
        self.config.write_text("".join("\n".join([f"[{section}]", *lines, ""])
                                       for section, lines in sections.items()))

    @property
    def state(self):
        """The state folder."""
        return pathlib.Path(self.keys["state-dir"])

    def command(self, *arguments):
        return [self.build / "portwrightd", "-c", self.config, *arguments]

    def start(self, timeout=30, wait=True):
        """Starts it; with `wait`, returns the seconds it took until it said READY=1."""
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with notify, self.log_path.open("ab") as log:
            path = self.directory / "notify"
            path.unlink(missing_ok=True)
            notify.bind(str(path))
            notify.settimeout(0.05)
            began = time.monotonic()
            self.process = self.host.start(*self.command(), stderr=log, stdout=log,
                                           env={**os.environ, "NOTIFY_SOCKET": str(path)})
            return self._wait_ready(notify, began, timeout) if wait else None

    def _wait_ready(self, notify, began, timeout):
        while time.monotonic() < began + timeout:
            try:
                if b"READY=1" in notify.recv(4096).split(b"\n"):
                    return time.monotonic() - began
            except TimeoutError:
                if self.process.poll() is not None:
                    raise AssertionError(f"portwrightd ended with {self.process.returncode}:\n"
                                         f"{self.log()}") from None
        raise TimeoutError(f"portwrightd not ready after {timeout} s:\n{self.log()}")

    def stop(self):
        """SIGTERM; returns the exit code. Mappings stay in force."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        self.host.stop(process)
        return process.returncode

    def kill(self):
        """kill -9."""
        process, self.process = self.process, None
        process.kill()
        process.wait()
        self.host.stop(process)

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def log(self):
        return self.log_path.read_text(errors="backslashreplace") if self.log_path.exists() else ""

    def api(self, timeout=30):
        return Api(self.socket, timeout)

    def cli(self, *arguments, check=True, stdin=None, env=None):
        """`portwright ARGUMENTS` on the gateway."""
        return self.host.run(self.build / "portwright", "--socket", self.socket, *arguments,
                             check=check, stdin=stdin, env=env)

    def add(self, *arguments):
        """`portwright add ARGUMENTS`; returns the new mapping."""
        added = json.loads(self.cli("add", *arguments, "--json").stdout)
        return added[0] if isinstance(added, list) else added

    def mappings(self):
        """Every mapping, by the API."""
        found, after = [], None
        with self.api() as api:
            while True:
                query = "?limit=10000" + (f"&after={after}" if after else "")
                status, page, _ = api.ask("GET", "/api/v1/mappings" + query)
                assert status == 200, page
                found += page["mappings"]
                after = page.get("next")
                if not after:
                    return found

    def mapping(self, identity):
        with self.api() as api:
            status, mapping, _ = api.ask("GET", f"/api/v1/mappings/{identity}")
            assert status == 200, mapping
            return mapping

    def export(self):
        """The export as text: equal texts are equal tables."""
        return self.cli("export").stdout

    def ruleset(self):
        """Portwright's own nft tables, as sorted lines without counters' values: equal texts are
        equal rulesets, whatever order the kernel keeps its hashes in."""
        return format_ruleset(self.host.nft("list", "ruleset"))
