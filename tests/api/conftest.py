# SPDX-License-Identifier: GPL-2.0-or-later
"""
Fixtures of the API's tests: the real portwrightd with `plane = memory`, in a network namespace of
its own with three links that lead nowhere, so that nothing of this machine shows and nothing of it
is touched.

    wan0  203.0.113.1/24, 2001:db8:f::1/64, the default route     lan0  192.168.69.1/24
                                                                  lan1  192.168.2.1/24
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "site"))

from daemon import Daemon  # noqa: E402

# A group of this number administers, as far as the daemon can see.
GROUP = 54321

SETUP = """
set -e
mount --bind "$0" /etc/group
ip link set lo up
for link in wan0:203.0.113.1/24 wan0:2001:db8:f::1/64 lan0:192.168.69.1/24 lan1:192.168.2.1/24; do
	name=${link%%:*}
	ip link show "$name" >/dev/null 2>&1 || ip link add "$name" type veth peer name "$name-end"
	ip link set "$name" up
	ip link set "$name-end" up
	ip address add "${link#*:}" dev "$name"
done
ip route add default via 203.0.113.254
exec "$@"
"""


class Alone:
    """A host of Daemon's: a network namespace that lives as long as the process in it."""

    def __init__(self, folder):
        self.group = pathlib.Path(folder) / "group"
        self.group.write_text(f"root:x:0:\nportwright:x:{GROUP}:\n")

    def start(self, *command, **options):
        return subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", SETUP, str(self.group),
             *map(str, command)], **options)

    def run(self, *command, **options):
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@contextlib.contextmanager
def public_folder():
    """A folder that other users can look into, as they can into /run."""
    folder = tempfile.mkdtemp(prefix="pw-api-")
    os.chmod(folder, 0o755)
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_daemon(**keys):
    with public_folder() as folder:
        daemon = Daemon(Alone(folder), folder, plane="memory", **keys)
        daemon.start()
        try:
            yield daemon
        finally:
            code = daemon.stop()
            assert code in (0, None), f"portwrightd ended with {code}:\n{daemon.log()}"


def pytest_configure(config):
    if os.geteuid():
        pytest.exit("network namespaces need root: sudo make check", returncode=2)


@pytest.fixture
def daemon():
    with running_daemon() as daemon:
        yield daemon


@pytest.fixture
def folder():
    with public_folder() as folder:
        yield folder


@pytest.fixture
def api(daemon):
    with contextlib.closing(daemon.api()) as api:
        yield api


@pytest.fixture(scope="module")
def shared():
    """One daemon for tests that leave no trace in it."""
    with running_daemon() as daemon:
        yield daemon
