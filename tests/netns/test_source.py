# SPDX-License-Identifier: GPL-2.0-or-later
"""A mapped endpoint's own packets leave from its external port (RFC 4787 REQ-1, IGD:2)."""
import pytest

from namespaces import CAMERA, GATEWAY, LAPTOP, NVR, OUTSIDE
from witness import Witness, call


@pytest.fixture(scope="module", autouse=True)
def witness(site):
    with Witness(site.outside, ("tcp", OUTSIDE, 7000), ("udp", OUTSIDE, 7000)):
        yield


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("firewall", ["on", "off"])
def test_mapped_endpoint(site, make_daemon, protocol, firewall):
    daemon = make_daemon(firewall=firewall)
    daemon.add("8889", f"{CAMERA}:5554", "--proto", protocol)
    reply = call(site.camera, OUTSIDE, 7000, protocol, source=CAMERA, source_port=5554)
    assert reply and reply.seen == (GATEWAY, 8889)


def test_only_the_mapped_protocol(site, daemon):
    daemon.add("8889", f"{CAMERA}:5554", "--proto", "udp")
    reply = call(site.camera, OUTSIDE, 7000, "tcp", source=CAMERA, source_port=5554)
    assert reply and reply.seen[0] == GATEWAY and reply.seen[1] != 8889


def test_range(site, daemon):
    daemon.add("8000-8003", f"{NVR}:9000", "--proto", "udp")
    for offset in range(4):
        reply = call(site.nvr, OUTSIDE, 7000, "udp", source=NVR, source_port=9000 + offset)
        assert reply and reply.seen == (GATEWAY, 8000 + offset)


def test_unmapped_endpoint_is_only_masqueraded(site, daemon):
    daemon.add("8889", f"{CAMERA}:5554", "--proto", "udp")
    reply = call(site.laptop, OUTSIDE, 7000, "udp", source=LAPTOP, source_port=5554)
    assert reply and reply.seen == (GATEWAY, 5554)


def test_next_mapping_inherits_the_source(site, daemon):
    """Two mappings lead to one endpoint; the first holds the source until it goes."""
    first = daemon.add("8889", f"{CAMERA}:5554", "--proto", "udp")
    daemon.add("8890", f"{CAMERA}:5554", "--proto", "udp")

    def seen():
        site.gateway.run("conntrack", "-F", check=False)
        return call(site.camera, OUTSIDE, 7000, "udp", source=CAMERA, source_port=5554).seen

    assert seen() == (GATEWAY, 8889)
    daemon.cli("delete", first["id"])
    assert seen() == (GATEWAY, 8890)
