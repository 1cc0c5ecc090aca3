# SPDX-License-Identifier: GPL-2.0-or-later
"""
Golden tests: mappings in, exact ruleset out, one file a case.

A file NAME.golden has sections, each begun by a line "## SECTION":

    ## site        keys of [gateway] in portwright.conf
    ## mappings    command lines, as after `portwright`
    ## ruleset     `nft list table inet portwright`, all of it
    ## elements    or: only the sets that hold something; the rest must be that of empty.golden

Elements stand a line each, in natural order (tests/site/ruleset.py). After the comparison the daemon is
restarted, which must not change anything, and everything is deleted, which must leave the empty
table. `pytest tests/golden --update` rewrites the last section of each file.
"""
import pathlib
import re
import shlex

import pytest

from daemon import Daemon
from namespaces import Namespace
from ruleset import format_ruleset

HERE = pathlib.Path(__file__).resolve().parent
FILES = sorted(HERE.glob("*.golden"))
ELEMENTS = re.compile(r"\n\t\telements = \{\n(?:\t\t\t.*\n)*\t\t\}")


def read_sections(text):
    """What stands before the first section, and the sections by name."""
    head, *rest = re.split(r"(?m)^## (\w+)\n", text)
    return head, dict(zip(rest[::2], rest[1::2]))


def only_elements(ruleset):
    """The sets that hold something, without their types and flags."""
    shown = []
    for match in re.finditer(r"\t(?:set|map) (\w+) \{\n(.*?)\n\t\}\n", ruleset, re.S):
        held = ELEMENTS.search("\n" + match[2])
        if held:
            lines = held[0].strip("\n").splitlines()[1:-1]
            shown.append(f"{match[1]}\n" + "".join(f"\t{line.strip()}\n" for line in lines))
    return "".join(shown)


def without_elements(ruleset):
    return ELEMENTS.sub("", ruleset)


@pytest.fixture(scope="module")
def gateway():
    """A gateway with an uplink and two LANs that lead nowhere: this is about the ruleset alone."""
    with Namespace("golden") as host:
        host.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for link, addresses in {"wan0": ("203.0.113.7/24", "2001:db8:113::7/64"),
                                "lan0": ("192.168.69.1/24", "2001:db8:69::1/64"),
                                "lan1": ("192.168.2.1/24",)}.items():
            host.ip("link", "add", link, "type", "bridge")
            host.ip("link", "set", link, "up")
            for address in addresses:
                host.ip("address", "add", address, "dev", link)
        yield host


def table_of(gateway):
    return format_ruleset(gateway.nft("list", "table", "inet", "portwright"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_golden(gateway, tmp_path, path, request):
    head, sections = read_sections(path.read_text())
    keys = dict(re.split(r"\s*=\s*", line, maxsplit=1)
                for line in sections["site"].strip().splitlines())
    keys.setdefault("igd.enabled", "off")  # its port is any free one
    with Daemon(gateway, tmp_path, **keys) as daemon:
        empty = table_of(gateway)
        for line in sections["mappings"].strip().splitlines():
            daemon.cli(*shlex.split(line))
        seen = table_of(gateway)
        kind = "ruleset" if "ruleset" in sections else "elements"
        shown = seen if kind == "ruleset" else only_elements(seen)
        if request.config.getoption("--update"):
            path.write_text(head + "".join(f"## {name}\n{text}" for name, text in
                                           {**sections, kind: shown}.items()))
        else:
            assert shown == sections[kind]
        assert without_elements(seen) == without_elements(empty), "rules never change"
        daemon.restart()
        assert table_of(gateway) == seen, "after a restart"
        identities = [mapping["id"] for mapping in daemon.mappings()]
        if identities:
            daemon.cli("delete", *identities)
        assert table_of(gateway) == empty, "after all mappings were deleted"
    gateway.run(*daemon.command("--flush"))
    assert gateway.nft("list", "ruleset") == "", "after --flush"
