# SPDX-License-Identifier: GPL-2.0-or-later
"""portwrightd itself: options, how it starts, how it refuses to, how it reloads and ends."""
import contextlib
import os
import signal
import socket
import stat
import subprocess
import time

import pytest

from conftest import Alone, running_daemon
from daemon import BUILD, Daemon
from namespaces import wait_until
from test_mappings import CAMERA, MAPPINGS, add


def portwrightd(*arguments, **options):
    return subprocess.run([BUILD / "portwrightd", *map(str, arguments)], capture_output=True,
                          text=True, timeout=20, **options)


def one_line(result, code):
    """A refusal is an exit code and one line on standard error; returns the line."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.endswith("\n"), result.stderr
    assert result.stderr.startswith("portwrightd: ")
    return result.stderr


def test_version_and_help():
    result = portwrightd("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("portwrightd 0.")
    result = portwrightd("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for option in ("--config", "--check-config", "--flush", "--version", "--help"):
        assert option in result.stdout


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-x"], ["-c"], ["argument"],
                                       ["--version=1"], ["--check-config", "more"]])
def test_usage(arguments):
    one_line(portwrightd(*arguments), 2)


def test_check_config(folder):
    path = folder / "portwright.conf"
    path.write_text("[gateway]\nfirewall = on\n")
    assert portwrightd("-c", path, "--check-config").returncode == 0
    path.write_text("[gateway]\nfirewall = yes\n")
    for arguments in (["--check-config"], ["--flush"], []):
        line = one_line(portwrightd("-c", path, *arguments), 2)
        for word in (str(path), ":2:", "firewall", "yes", "on"):
            assert word in line
    one_line(portwrightd("-c", folder / "none", "--check-config"), 2)
    path.write_text("[gateway]\nuplink = eth0\nlan = eth1 eth0\n")
    assert "eth0" in one_line(portwrightd("-c", path, "--check-config"), 2)


def start_beside(daemon, folder, **keys):
    """What a second daemon says that is started while the first runs."""
    second = Daemon(Alone(folder), folder, plane="memory", **{"state-dir": daemon.state, **keys})
    process = second.host.start(*second.command(), stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)
    out, err = process.communicate(timeout=20)
    return subprocess.CompletedProcess([], process.returncode, out, err)


def test_a_second_daemon_on_the_same_state(daemon, api, folder):
    add(api)
    line = one_line(start_beside(daemon, folder), 1)
    assert str(daemon.state) in line
    assert api.ask("GET", MAPPINGS + "/m1")[0] == 200


def test_a_second_daemon_on_the_same_socket(daemon, api):
    result = portwrightd("-c", daemon.config)
    assert str(daemon.socket) in one_line(result, 1)
    assert api.ask("GET", "/healthz")[0] == 200


def test_flush_beside_a_daemon(daemon):
    assert str(daemon.socket) in one_line(portwrightd("-c", daemon.config, "--flush"), 1)


def test_the_socket_of_a_killed_daemon_is_taken_over(daemon):
    daemon.kill()
    assert daemon.socket.exists()
    daemon.start()
    with contextlib.closing(daemon.api()) as api:
        assert api.ask("GET", "/healthz")[0] == 200


def test_everyone_may_connect(daemon):
    mode = daemon.socket.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o666


def test_the_socket_goes_with_the_daemon(daemon):
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_something_else_in_the_socket_s_place(folder):
    daemon = Daemon(Alone(folder), folder, plane="memory")
    daemon.socket.parent.mkdir(exist_ok=True)
    daemon.socket.write_text("precious")
    assert str(daemon.socket) in one_line(portwrightd("-c", daemon.config), 1)
    assert daemon.socket.read_text() == "precious"


def test_missing_folders_are_made(folder):
    keys = {"state-dir": folder / "a/b/state", "runtime-dir": folder / "c/d/run"}
    with running_daemon() as daemon:
        daemon.stop()
        daemon.write_config(**keys)
        daemon.start()
        assert (folder / "a/b/state").is_dir()
        assert (folder / "c/d/run").is_dir()


def test_a_folder_that_cannot_be_made(folder):
    (folder / "file").write_text("")
    for key in ("state-dir", "runtime-dir"):
        daemon = Daemon(Alone(folder), folder, plane="memory", **{key: folder / "file/below"})
        line = one_line(portwrightd("-c", daemon.config), 1)
        assert str(folder / "file/below") in line


def test_no_permission_for_netlink(folder):
    os.chown(folder, 65534, 65534)
    daemon = Daemon(Alone(folder), folder, plane="nft")
    for path in (daemon.state, daemon.socket.parent):
        path.mkdir(exist_ok=True)
        os.chown(path, 65534, 65534)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for option in ([], ["--flush"]):
        result = subprocess.run(["unshare", "--net", *nobody, BUILD / "portwrightd", "-c",
                                 daemon.config, *option], capture_output=True, text=True,
                                timeout=20)
        line = one_line(result, 1)
        assert "Operation not permitted" in line
        assert "CAP_NET_ADMIN" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(daemon, api, number):
    add(api)
    daemon.process.send_signal(number)
    assert daemon.process.wait(10) == 0
    assert "mappings stay in force" in daemon.log()


def test_requests_under_way_are_answered_at_the_end(daemon):
    """What was sent before SIGTERM is done and answered, or not done."""
    answered = []
    with contextlib.ExitStack() as stack:
        apis = [stack.enter_context(contextlib.closing(daemon.api())) for _ in range(20)]
        for port, api in enumerate(apis):
            api.connect()
            api.request("POST", MAPPINGS, b'{"external_port": %d, "internal_port": 80, '
                        b'"internal_client": "192.168.69.110"}' % (port + 1),
                        {"Content-Type": "application/json"})
        process = daemon.process
        process.send_signal(signal.SIGTERM)
        for port, api in enumerate(apis):
            with contextlib.suppress(OSError, Exception):
                if api.getresponse().status == 201:
                    answered.append(str(port + 1))
        assert process.wait(10) == 0
    daemon.stop()
    daemon.start()
    assert set(answered) <= {mapping["external_port"] for mapping in daemon.mappings()}


def test_reload(daemon, api):
    add(api)
    daemon.write_config(firewall="on", hairpin="off", uplink="lan0", lan="lan1",
                        **{"external-address": "203.0.113.9"})
    daemon.reload()
    status = wait_until("the new configuration", lambda: (
        lambda s: s if s["firewall"] else None)(api.ask("GET", "/api/v1/status")[1]))
    assert status["hairpin"] is False
    assert status["uplinks"] == ["lan0"]
    assert status["external_addrs"] == ["203.0.113.9"]
    assert api.ask("GET", MAPPINGS + "/m1")[0] == 200
    assert "reloaded" in daemon.log()


def test_reload_of_a_bad_file_changes_nothing(daemon, api):
    before = api.ask("GET", "/api/v1/status")[1]
    daemon.write_config(firewall="maybe")
    daemon.reload()
    wait_until("the log", lambda: "not reloaded" in daemon.log())
    assert "maybe" in daemon.log()
    after = api.ask("GET", "/api/v1/status")[1]
    assert {**after, "uptime": 0} == {**before, "uptime": 0}


def test_reload_says_what_needs_a_restart(daemon, api, folder):
    daemon.write_config(plane="nft", **{"state-dir": folder})
    daemon.reload()
    wait_until("the log", lambda: "reloaded" in daemon.log())
    assert "gateway.plane has changed: restart" in daemon.log()
    assert "gateway.state-dir has changed: restart" in daemon.log()
    assert "api.socket has changed" not in daemon.log()
    assert api.ask("GET", "/api/v1/status")[1]["plane"] == "memory"


def test_the_service_manager_is_told(folder):
    daemon = Daemon(Alone(folder), folder, plane="memory")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(folder / "manager"))
        notify.settimeout(10)
        process = daemon.host.start(*daemon.command(), stderr=subprocess.DEVNULL,
                                    env={**os.environ, "NOTIFY_SOCKET": str(folder / "manager")})
        assert notify.recv(4096) == b"READY=1"
        process.send_signal(signal.SIGHUP)
        lines = notify.recv(4096).split(b"\n")
        assert lines[0] == b"RELOADING=1"
        name, value = lines[1].split(b"=")
        assert name == b"MONOTONIC_USEC"
        assert abs(int(value) / 1e6 - time.monotonic()) < 5
        assert notify.recv(4096) == b"READY=1"
        process.send_signal(signal.SIGTERM)
        assert notify.recv(4096) == b"STOPPING=1"
        assert process.wait(10) == 0


def test_addresses_are_followed(daemon, api):
    def ip(*arguments):
        subprocess.run(["nsenter", "-t", str(daemon.process.pid), "-n", "ip", *arguments],
                       check=True)

    def external():
        return api.ask("GET", "/api/v1/status")[1]["external_addrs"]

    assert external() == ["203.0.113.1"]
    began = time.monotonic()
    ip("address", "add", "198.51.100.77/24", "dev", "wan0")
    ip("address", "delete", "203.0.113.1/24", "dev", "wan0")
    wait_until("the new address", lambda: external() == ["198.51.100.77"])
    assert time.monotonic() - began < 1
    ip("address", "flush", "dev", "wan0")
    wait_until("the problem", lambda: any("no public IPv4 address on wan0" in problem for problem in
                                          api.ask("GET", "/api/v1/status")[1]["problems"]))


def test_a_lease_that_ran_out_while_it_was_down(daemon):
    with contextlib.closing(daemon.api()) as api:
        add(api, lifetime=1)
        add(api, **{**CAMERA, "external_port": 9})
    daemon.stop()
    time.sleep(1.2)
    daemon.start()
    assert [mapping["external_port"] for mapping in daemon.mappings()] == ["9"]
