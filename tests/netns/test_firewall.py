# SPDX-License-Identifier: GPL-2.0-or-later
"""firewall = on is the gateway, default deny; off translates only and drops nothing of others'."""
import pytest

from namespaces import (CAMERA, CAMERA6, GATEWAY, GATEWAY6, LAPTOP6, OUTSIDE, OUTSIDE6, SERVERS)
from witness import Witness, call


@pytest.fixture(scope="module", autouse=True)
def witnesses(site):
    with Witness(site.camera, ("tcp", CAMERA, 80), ("tcp", CAMERA6, 443)), \
            Witness(site.outside, ("tcp", OUTSIDE, 7000), ("udp", OUTSIDE, 7000),
                    ("tcp", OUTSIDE6, 7000)), \
            Witness(site.gateway, ("tcp", "0.0.0.0", 22), ("tcp", "0.0.0.0", 2222),
                    ("tcp", "::", 2223), name="gateway"):
        yield


def test_on_drops_what_is_not_mapped(site, daemon):
    assert call(site.outside, CAMERA, 80).outcome == "silence"
    assert call(site.outside, SERVERS[0], 80).outcome == "silence"
    assert call(site.outside, CAMERA6, 443).outcome == "silence"


def test_on_hides_the_gateways_own_services(site, daemon):
    assert call(site.outside, GATEWAY, 2222).outcome == "silence"
    assert call(site.outside, GATEWAY6, 2223).outcome == "silence"
    assert call(site.laptop, "192.168.69.1", 2222), "the LAN reaches them"


def test_on_shows_the_services_that_are_named(site, make_daemon):
    make_daemon(firewall="on", gateway_ports="tcp/22")
    assert call(site.outside, GATEWAY, 22).name == "gateway"
    assert call(site.outside, GATEWAY, 2222).outcome == "silence"


def test_on_masquerades_the_lans(site, daemon):
    for protocol in ("tcp", "udp"):
        assert call(site.camera, OUTSIDE, 7000, protocol).seen[0] == GATEWAY
    assert call(site.servers, OUTSIDE, 7000).seen[0] == GATEWAY


def test_on_leaves_ipv6_its_own_address(site, daemon):
    assert call(site.laptop, OUTSIDE6, 7000).seen[0] == LAPTOP6


def test_on_lets_lans_reach_each_other(site, daemon):
    assert call(site.servers, CAMERA, 80).seen[0] in SERVERS


def test_on_answers_ping(site, daemon):
    site.outside.run("ping", "-c1", "-W1", GATEWAY)
    site.outside.run("ping", "-c1", "-W1", GATEWAY6)


def test_off_drops_nothing(site, make_daemon):
    make_daemon(firewall="off")
    assert call(site.outside, CAMERA, 80)
    assert call(site.outside, CAMERA6, 443)
    assert call(site.outside, GATEWAY, 2222)


def test_off_does_not_masquerade(site, make_daemon):
    make_daemon(firewall="off")
    assert call(site.camera, OUTSIDE, 7000).seen[0] == CAMERA


def test_off_still_maps(site, make_daemon):
    daemon = make_daemon(firewall="off")
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.outside, GATEWAY, 8888).at == (CAMERA, 80)


def test_off_lives_beside_another_firewall(site, make_daemon):
    """Somebody else's table stays as it is, and its verdict counts."""
    site.gateway.run("nft", "-f", "-", stdin="""
        table inet other {
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                ct status dnat tcp dport 80 accept
            }
        }""")
    before = site.gateway.nft("list", "table", "inet", "other")
    daemon = make_daemon(firewall="off")
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.outside, GATEWAY, 8888)
    assert call(site.outside, CAMERA, 80).outcome == "silence"
    assert site.gateway.nft("list", "table", "inet", "other") == before


def test_reload_switches_it(site, make_daemon):
    from namespaces import wait_until
    daemon = make_daemon(firewall="off")
    daemon.add("8888", f"{CAMERA}:80")
    assert call(site.outside, CAMERA, 80)
    daemon.write_config(firewall="on")
    daemon.reload()
    wait_until("the firewall", lambda: not call(site.outside, CAMERA, 80, timeout=0.2))
    assert call(site.outside, GATEWAY, 8888)
    daemon.write_config(firewall="off")
    daemon.reload()
    wait_until("the firewall to go", lambda: call(site.outside, CAMERA, 80, timeout=0.2))


def test_flush_takes_everything_away(site, make_daemon):
    daemon = make_daemon(firewall="on")
    daemon.add("8888", f"{CAMERA}:80")
    daemon.stop()
    assert call(site.outside, GATEWAY, 8888), "the mapping outlives the daemon"
    site.gateway.run(*daemon.command("--flush"))
    assert "portwright" not in site.gateway.nft("list", "ruleset")
