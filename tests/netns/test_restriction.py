# SPDX-License-Identifier: GPL-2.0-or-later
"""Remote-host lists: a mapping for some is no mapping for others."""
import pytest

from namespaces import (CAMERA, CAMERA6, ELSEWHERE, ELSEWHERE6, GATEWAY, NVR, OUTSIDE, OUTSIDE6,
                        TRUSTED)
from witness import Witness, call


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("udp", CAMERA, 80), ("tcp", CAMERA6, 443)), \
            Witness(site.nvr, ("tcp", NVR, 80), ("tcp", NVR, 81)):
        yield


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_trusted_only(site, daemon, protocol):
    daemon.add("8888", f"{CAMERA}:80", "--from", "198.51.100.0/24", "--proto", protocol)
    assert call(site.outside, GATEWAY, 8888, protocol, source=TRUSTED).seen[0] == TRUSTED
    assert call(site.outside, GATEWAY, 8888, protocol, source=ELSEWHERE).outcome == "silence"
    assert call(site.outside, GATEWAY, 8888, protocol, source=OUTSIDE).outcome == "silence"


def test_several_prefixes(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--from", f"198.51.100.0/24,{ELSEWHERE}")
    assert call(site.outside, GATEWAY, 8888, source=TRUSTED)
    assert call(site.outside, GATEWAY, 8888, source=ELSEWHERE)
    assert call(site.outside, GATEWAY, 8888, source=OUTSIDE).outcome == "silence"


def test_forty_prefixes(site, daemon):
    prefixes = [f"10.{i}.0.0/16" for i in range(39)] + [f"{TRUSTED}/32"]
    mapping = daemon.add("8888", f"{CAMERA}:80", "--from", ",".join(prefixes))
    assert len(mapping["remote_hosts"]) == 40
    assert call(site.outside, GATEWAY, 8888, source=TRUSTED)
    assert call(site.outside, GATEWAY, 8888, source=ELSEWHERE).outcome == "silence"


def test_everyone_is_no_restriction(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--from", "0.0.0.0/0")
    for source in (TRUSTED, ELSEWHERE, OUTSIDE):
        assert call(site.outside, GATEWAY, 8888, source=source)


def test_one_port_shared_by_callers(site, daemon):
    """Remote hosts that do not overlap may be led to different devices."""
    daemon.add("8888", f"{CAMERA}:80", "--from", "198.51.100.0/24")
    daemon.add("8888", f"{NVR}:80", "--from", "192.0.2.0/24")
    assert call(site.outside, GATEWAY, 8888, source=TRUSTED).name == "camera"
    assert call(site.outside, GATEWAY, 8888, source=ELSEWHERE).name == "nvr"
    assert call(site.outside, GATEWAY, 8888, source=OUTSIDE).outcome == "silence"


def test_restricted_range(site, daemon):
    daemon.add("8000-8001", f"{NVR}:80", "--from", "198.51.100.0/24")
    assert call(site.outside, GATEWAY, 8001, source=TRUSTED).at == (NVR, 81)
    assert call(site.outside, GATEWAY, 8001, source=ELSEWHERE).outcome == "silence"


def test_narrowing_and_widening(site, daemon):
    mapping = daemon.add("8888", f"{CAMERA}:80")
    assert call(site.outside, GATEWAY, 8888, source=ELSEWHERE)
    daemon.cli("set", mapping["id"], "remote_hosts=198.51.100.0/24")
    assert call(site.outside, GATEWAY, 8888, source=ELSEWHERE).outcome == "silence"
    assert call(site.outside, GATEWAY, 8888, source=TRUSTED)
    daemon.cli("set", mapping["id"], "remote_hosts=")
    assert call(site.outside, GATEWAY, 8888, source=ELSEWHERE)


def test_refusal_holds_for_the_permitted_only(site, daemon):
    daemon.add("8888", f"{CAMERA}:80", "--from", "198.51.100.0/24", "--disabled=refuse")
    assert call(site.outside, GATEWAY, 8888, source=TRUSTED).outcome == "refused"
    assert call(site.outside, GATEWAY, 8888, source=ELSEWHERE).outcome == "silence"


def test_ipv6_prefixes(site, daemon):
    daemon.add(f"[{CAMERA6}]:443", "--from", "2001:db8:113::/64")
    assert call(site.outside, CAMERA6, 443, source=OUTSIDE6)
    assert call(site.outside, CAMERA6, 443, source=ELSEWHERE6).outcome == "silence"
