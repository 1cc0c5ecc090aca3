# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machine may refuse: a second daemon, no rights, a full disk, a damaged database. Each is said
in one line, and nothing is lost or half done."""
import os
import subprocess

import pytest

from daemon import Daemon
from namespaces import CAMERA, GATEWAY, NVR, wait_until
from witness import Witness, call


def start_fails(daemon, *prefix):
    """The last line of a daemon that does not start, with its exit code."""
    result = subprocess.run([*daemon.host.command(*prefix), *map(str, daemon.command())],
                            capture_output=True, text=True, check=False, timeout=20,
                            stdin=subprocess.DEVNULL)
    return result.returncode, result.stderr.strip().splitlines()[-1]


def test_second_daemon_on_the_state_folder(site, daemon, tmp_path):
    daemon.add("8888", f"{CAMERA}:80")
    before = daemon.export(), daemon.ruleset()
    second = Daemon(site.gateway, tmp_path / "second", firewall="on", state_dir=daemon.state)
    code, line = start_fails(second)
    assert code != 0
    assert str(daemon.state) in line and str(daemon.process.pid) in line
    assert (daemon.export(), daemon.ruleset()) == before


def test_no_permission_for_netlink(site, tmp_path):
    daemon = Daemon(site.gateway, tmp_path / "daemon", firewall="on")
    daemon.state.mkdir()
    for path in (tmp_path, daemon.directory, daemon.state, daemon.socket.parent):
        os.chmod(path, 0o777)
    # pytest's folders are root's alone; the way to ours has to be open to nobody.
    for parent in tmp_path.parents:
        if "pytest" in parent.name:
            os.chmod(parent, 0o755)
    before = site.gateway.nft("list", "ruleset")
    code, line = start_fails(daemon, "setpriv", "--reuid=65534", "--regid=65534",
                             "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")
    assert code != 0
    assert "CAP_NET_ADMIN" in line or "permi" in line.lower()
    assert site.gateway.nft("list", "ruleset") == before


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte, in a folder of ours."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "portwright-test", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk(site, make_daemon, small_disk):
    daemon = make_daemon(firewall="on", state_dir=small_disk / "state")
    daemon.add("8888", f"{CAMERA}:80", "--name", "before")
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    before = daemon.export(), daemon.ruleset()
    refused = 0
    for port in range(9000, 9100):  # the log has some room left in its last page
        result = daemon.cli("add", str(port), f"{NVR}:80", "--notes", "n" * 4000, check=False)
        if result.returncode:
            refused += 1
            assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
            assert "full" in result.stderr or "space" in result.stderr, result.stderr
            break
        before = daemon.export(), daemon.ruleset()
    assert refused
    assert (daemon.export(), daemon.ruleset()) == before
    filler.unlink()
    wait_until("the disk to be of use again", lambda: daemon.cli(
        "add", "9999", f"{NVR}:80", check=False).returncode == 0, timeout=10, interval=0.2)
    table = daemon.export()
    daemon.restart()
    assert daemon.export() == table


@pytest.mark.parametrize("damage", ["overwritten", "cut short", "a text file"])
def test_damaged_database(site, daemon, damage):
    """Reported, set aside, never silently replaced: the damaged file is still there afterwards."""
    daemon.add("8888", f"{CAMERA}:80")
    daemon.stop()
    database = daemon.state / "portwright.db"
    content = database.read_bytes()
    for path in daemon.state.glob("portwright.db-*"):
        path.unlink()
    spoilt = {"overwritten": content[:100] + b"\xaa" * (len(content) - 100),
              "cut short": content[:50], "a text file": b"this is no database\n" * 500}[damage]
    database.write_bytes(spoilt)
    daemon.start()
    aside = [path for path in daemon.state.iterdir()
             if "damaged" in path.name and not path.name.endswith(("-wal", "-shm"))]
    assert len(aside) == 1 and aside[0].read_bytes() == spoilt
    assert "damaged" in daemon.log()
    with daemon.api() as api:
        _, status, _ = api.ask("GET", "/api/v1/status")
    assert not status["healthy"] and any("damaged" in problem for problem in status["problems"])


def test_state_folder_that_cannot_be(site, tmp_path):
    daemon = Daemon(site.gateway, tmp_path / "daemon")
    file = tmp_path / "a-file"
    file.write_text("")
    daemon.write_config(state_dir=file)
    code, line = start_fails(daemon)
    assert code != 0 and str(file) in line


@pytest.mark.parametrize("line, words", [
    ("firewall = perhaps", ("firewall", "perhaps", "on")),
    ("uplink = an-interface-name-too-long", ("uplink", "an-interface-name-too-long")),
    ("external-address = 203.0.113", ("external-address", "203.0.113")),
    ("plane = iptables", ("plane", "iptables", "nft")),
    ("colour = red", ("colour",)),
    ("gateway-ports = sctp/22", ("gateway-ports", "sctp/22")),
    ("hairpin", ("hairpin",)),
    ("[colours]", ("colours",)),
], ids=lambda value: value if isinstance(value, str) else "")
def test_configuration_error(site, tmp_path, line, words):
    """File, line, key, value and what was expected; exit 2."""
    config = tmp_path / "portwright.conf"
    config.write_text(f"[gateway]\n{line}\n")
    from daemon import BUILD
    for extra in ([], ["--check-config"]):
        result = site.gateway.run(BUILD / "portwrightd", "-c", config, *extra, check=False)
        assert result.returncode == 2, result
        said = result.stderr.strip()
        assert "\n" not in said and f"{config}:2" in said
        for word in words:
            assert word in said, said


def test_memory_plane_needs_no_rights(site, tmp_path):
    """plane = memory is a dry run: the verbs work, the kernel stays untouched."""
    with Daemon(site.gateway, tmp_path / "daemon", plane="memory") as daemon, \
            Witness(site.camera, ("tcp", CAMERA, 80)):
        daemon.add("8888", f"{CAMERA}:80")
        assert len(daemon.mappings()) == 1
        assert "portwright" not in site.gateway.nft("list", "ruleset")
        assert call(site.outside, GATEWAY, 8888).outcome == "refused"
