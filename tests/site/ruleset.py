# SPDX-License-Identifier: GPL-2.0-or-later
"""
ruleset: `nft list` made comparable.

nft prints the elements of a set in the order of the kernel's hash, several on a line, with live
counters between. Here each element gets a line of its own, in natural order, and the counters'
values become 0 unless they are asked for: equal texts are equal rulesets.
"""
import re

COUNTER = re.compile(r"counter packets \d+ bytes \d+")
EXPIRES = re.compile(r" expires \w+")
ELEMENTS = re.compile(r"elements = \{(.*?)\}(?=\s*\n\s*\})", re.S)


def natural(text):
    """A sort key by which 9 comes before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def elements_of(text):
    """The elements inside one pair of braces."""
    return [element.strip() for element in re.sub(r"\s+", " ", text).split(", ")
            if element.strip()]


def format_ruleset(text, keep_counters=False):
    """The ruleset in its comparable form."""
    if not keep_counters:
        text = COUNTER.sub("counter packets 0 bytes 0", text)
    text = EXPIRES.sub("", text)

    def replace(match):
        lines = sorted(elements_of(match[1]), key=natural)
        return "elements = {\n" + "".join(f"\t\t\t{line},\n" for line in lines) + "\t\t}"

    text = ELEMENTS.sub(replace, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def elements(text, set_name):
    """The elements of one set or map, counters' values included."""
    match = re.search(rf"\b(?:set|map) {re.escape(set_name)} \{{(.*?)\n\t\}}", text, re.S)
    if not match:
        raise KeyError(set_name)
    inner = ELEMENTS.search(match[1] + "\n\t}")
    return elements_of(inner[1]) if inner else []
