# SPDX-License-Identifier: GPL-2.0-or-later
"""
Fixtures of the namespaces' tests. A site (drawn in tests/site/namespaces.py) is built once a file; each
test gets a daemon of its own with an empty table.
"""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "site"))

from daemon import Daemon  # noqa: E402
from namespaces import Site, build_standard  # noqa: E402


def pytest_configure(config):
    if os.geteuid():
        pytest.exit("network namespaces need root: sudo make check", returncode=2)


@pytest.fixture(scope="module")
def site():
    """The standard site; its hosts also stand as attributes: site.outside, site.camera, ..."""
    with Site() as site:
        build_standard(site)
        for role, host in site.hosts.items():
            setattr(site, role, host)
        yield site


@pytest.fixture
def make_daemon(site, tmp_path):
    """A function that starts a daemon on the gateway with the given keys (Daemon.write_config());
    ended, with a clean exit, and wiped from the kernel after the test."""
    started = []

    def make(folder="daemon", host=site.gateway, **keys):
        daemon = Daemon(host, tmp_path / folder, **keys)
        started.append(daemon)
        daemon.start()
        return daemon

    yield make
    codes = [daemon.stop() for daemon in reversed(started)]
    wipe(site.gateway)
    for daemon, code in zip(reversed(started), codes):
        assert code in (0, None), f"portwrightd ended with {code}:\n{daemon.log()}"


def wipe(host):
    """Takes every table and every connection out of a namespace of ours."""
    host.run("nft", "flush", "ruleset")
    host.run("conntrack", "-F", check=False)


@pytest.fixture
def daemon(make_daemon):
    """The usual daemon: the gateway itself, default deny."""
    return make_daemon(firewall="on")
