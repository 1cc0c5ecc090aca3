# SPDX-License-Identifier: GPL-2.0-or-later
"""
Two gateways, the same requests: portwrightd, and miniupnpd as Debian has it, each in a site of its own.
Where they answer differently, docs/conformance-differences.md must say why Portwright is right.

The requests are in differential_natpmp.py, differential_pcp.py and differential_igd.py; some are drawn
with a fixed seed, so that every run asks the same.
"""
import random

import differential_natpmp
import differential_pcp
import pytest
from daemon import Daemon
from differences import DOCUMENT, Differences
from differential import CaseMaker, compare
from namespaces import Site, build_standard
from peer import Miniupnpd, readdress, version

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
        yield build_site(ours), build_site(theirs)


@pytest.fixture
def gateways(sites):
    """Both with an empty table, and no quota that the cases together would exceed."""
    ours, theirs = sites
    keys = {"policy.max-mappings-per-client": 10000}
    with Miniupnpd(theirs.hosts["gateway"], theirs.directory / "miniupnpd") as miniupnpd, \
            Daemon(ours.hosts["gateway"], ours.directory / f"daemon-{random.getrandbits(32):x}",
                   firewall="on", **keys) as portwright:
        yield portwright, miniupnpd
        assert miniupnpd.runs()
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
