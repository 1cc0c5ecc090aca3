# SPDX-License-Identifier: GPL-2.0-or-later
"""
Fixtures of the command's tests: the real `portwright` against the real portwrightd with `plane =
memory`, in a network namespace of its own:

    wan0  203.0.113.7/24, the default route          lan0  192.168.69.1/24, 2001:db8:69::1/64

The command itself runs outside, since a unix socket belongs to no network namespace.
"""
import contextlib
import fcntl
import os
import pathlib
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "site"))

from daemon import BUILD, Daemon  # noqa: E402
from namespaces import Site  # noqa: E402

PROGRAM = BUILD / "portwright"


def pytest_configure(config):
    if os.geteuid():
        pytest.exit("network namespaces need root: sudo make check", returncode=2)


@pytest.fixture(scope="session")
def gateway():
    with Site() as site:
        outside, gateway = site.host("outside"), site.host("gateway")
        site.link(outside, "eth0", gateway, "wan0")
        site.link(outside, "eth1", gateway, "lan0")
        site.address(gateway, "wan0", "203.0.113.7/24")
        site.address(gateway, "lan0", "192.168.69.1/24", "2001:db8:69::1/64")
        site.route(gateway, "default", "via", "203.0.113.1")
        yield gateway


@pytest.fixture
def daemon(gateway):
    # Not pytest's own folder: other users must be able to reach the socket.
    folder = tempfile.mkdtemp(prefix="pw-cli-")
    os.chmod(folder, 0o755)
    daemon = Daemon(gateway, folder, plane="memory", lan="lan0")
    try:
        daemon.start()
        yield daemon
        code = daemon.stop()
        assert code in (0, None), f"portwrightd ended with {code}:\n{daemon.log()}"
    finally:
        daemon.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def killing(process, after=30):
    timer = threading.Timer(after, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        process.kill()


class Command:
    """`portwright` as somebody at a shell has it: by its environment it knows the daemon."""

    def __init__(self, socket):
        self.environment = {"PATH": os.environ["PATH"], "PORTWRIGHT_SOCKET": str(socket),
                            "TZ": "CET-1CEST,M3.5.0,M10.5.0/3", "TERM": "xterm", "LANG": "C.UTF-8",
                            **{key: value for key, value in os.environ.items()
                               if key.endswith("SAN_OPTIONS")}}

    def run(self, *words, **options):
        """Exit status, standard output, standard error."""
        options.setdefault("env", self.environment)
        options.setdefault("timeout", 60)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        result = subprocess.run([str(PROGRAM), *map(str, words)], check=False, text=True,
                                capture_output=True, errors="surrogateescape", **options)
        return result.returncode, result.stdout, result.stderr

    def ok(self, *words, **options):
        """Standard output of a command that must succeed without a word on standard error."""
        code, out, err = self.run(*words, **options)
        assert (code, err) == (0, ""), f"{words}: exit {code}: {err}"
        return out

    def refused(self, code, *words, **options):
        """The one line on standard error of a command that must fail with `code`, without its
        "portwright: "."""
        status, out, err = self.run(*words, **options)
        assert status == code, f"{words}: exit {status}: {out}{err}"
        assert out == ""
        assert err.startswith("portwright: ") and err.endswith("\n") and err.count("\n") == 1, err
        return err[len("portwright: "):-1]

    @contextlib.contextmanager
    def started(self, *words, **options):
        """One that goes on; killed at the end if it still does, and after half a minute, so that
        whoever waits for its next line gets an end of file."""
        with subprocess.Popen([str(PROGRAM), *map(str, words)], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, **options) as process, killing(process):
            yield process

    @contextlib.contextmanager
    def on_terminal(self, *words, columns=80, rows=24, **environment):
        """Started with a terminal for standard output; yields the process and the other end."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen([str(PROGRAM), *map(str, words)], stdin=theirs, stdout=theirs,
                                   stderr=theirs, env={**self.environment, **environment},
                                   start_new_session=True)
        # The other end stays open here: the kernel may drop what nobody read when the last closes it.
        try:
            with killing(process):
                yield process, ours
        finally:
            process.wait()
            os.close(ours)
            os.close(theirs)

    def seen(self, *words, **terminal):
        """What a terminal got from a command that ended by itself."""
        with self.on_terminal(*words, **terminal) as (process, screen):
            text = read_all(process, screen)
            assert process.wait() == 0, text
        return text.replace("\r\n", "\n")


def read_all(process, screen):
    """Everything until the process has ended."""
    text = b""
    while True:
        ended = process.poll() is not None
        if select.select([screen], [], [], 0 if ended else 0.02)[0]:
            text += os.read(screen, 65536)
        elif ended:
            return text.decode()


@pytest.fixture
def portwright(daemon):
    return Command(daemon.socket)
