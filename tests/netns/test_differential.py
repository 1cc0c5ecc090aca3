# SPDX-License-Identifier: GPL-2.0-or-later
"""
Two gateways, the same requests: portwrightd, and miniupnpd as Debian has it, each in a site of its own.
Where they answer differently, docs/conformance-differences.md must say why Portwright is right.

The requests are in differential_natpmp.py, differential_pcp.py, differential_igd.py and
differential_upnp.py; some are drawn with a fixed seed, so that every run asks the same.
"""
import random

import differential_igd
import differential_natpmp
import differential_pcp
import differential_upnp
import pytest
from daemon import Daemon
from differences import DOCUMENT, Differences
from differential import CaseMaker, compare
from gateway_device import GatewayDevice
from namespaces import Site, build_standard
from peer import Miniupnpd, cut_off, readdress, version

SEED = 6887

pytestmark = pytest.mark.skipif(version() is None, reason="miniupnpd is not installed")


def build_site(site):
    build_standard(site)
    readdress(site)
    return site


@pytest.fixture(scope="module")
def sites():
    """Ours and theirs."""
    with Site() as ours, Site() as theirs:
        build_site(ours)
        cut_off(build_site(theirs))
        yield ours, theirs


class Portwright(Daemon):
    """Our side of what the suites need of a gateway."""

    def runs(self):
        return self.process.poll() is None

    def reset(self):
        """No mapping is left."""
        assert self.runs(), self.log()
        with self.api() as api:
            for mapping in self.mappings():
                api.ask("DELETE", f"/api/v1/mappings/{mapping['id']}")


@pytest.fixture
def gateways(sites, tmp_path):
    """Both with an empty table, and no quota that the cases together would exceed."""
    ours, theirs = sites
    keys = {"policy.max-mappings-per-client": 10000}
    with Miniupnpd(theirs.hosts["gateway"], theirs.directory / "miniupnpd") as miniupnpd, \
            Portwright(ours.hosts["gateway"], tmp_path, firewall="on", **keys) as portwright:
        portwright.device, miniupnpd.device = GatewayDevice(ours), GatewayDevice(theirs)
        yield portwright, miniupnpd
        assert portwright.runs() and miniupnpd.runs(), portwright.log()
    ours.hosts["gateway"].nft("flush", "ruleset")


def judge(answers):
    """Fails with every difference that has no row in the document, and every row that was not met."""
    differences = Differences()
    asked, unexplained = [], []
    for case, ours, theirs in answers:
        asked.append(case)
        if ours != theirs and not differences.explain(case, ours, theirs):
            unexplained.append(f"{case}\n    Portwright: {ours}\n    miniupnpd:  {theirs}")
    unmet = [row.line for row in differences.unmet(asked)]
    assert not unexplained, \
        f"{len(unexplained)} differences are not in {DOCUMENT}:\n" + "\n".join(unexplained)
    assert not unmet, f"no case differs as {DOCUMENT} says:\n" + "\n".join(unmet)


@pytest.mark.parametrize("requests", [differential_natpmp, differential_pcp],
                         ids=["natpmp", "pcp"])
def test_port_control(sites, gateways, requests):
    prefix = requests.__name__.removeprefix("differential_")
    cases = list(requests.cases(CaseMaker(prefix), random.Random(SEED)))
    judge(compare(sites, cases))


def test_actions(gateways):
    judge(differential_igd.compare(gateways, differential_igd.cases(differential_igd.CaseMaker())))


def test_discovery_descriptions_and_events(gateways):
    judge(differential_upnp.compare(gateways))
