# SPDX-License-Identifier: GPL-2.0-or-later
"""
differences: docs/conformance-differences.md as data: which answers of Portwright and of miniupnpd
differ, and the clause that makes ours right.

Each row of the document's tables that begins with a `pattern` in backquotes is one difference:

    | `case` | `ours` | `theirs` | why |

A case and two answers belong to a row where all three fit; `*` in them stands for anything, and a cell
with several patterns fits where any of them does. A row must be met by some case, or it is history.
"""
import fnmatch
import pathlib
import re

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "conformance-differences.md"


def fits(patterns, text):
    # Square brackets stand for themselves: [::1].
    return any(fnmatch.fnmatchcase(text, pattern.replace("[", "[[]")) for pattern in patterns)


class Row:
    def __init__(self, line, number, cells):
        self.line, self.number = line, number
        self.cases, self.ours, self.theirs = (re.findall(r"`([^`]+)`", cell) for cell in cells[:3])
        self.why = cells[3].strip()
        self.met = 0
        if not (self.cases and self.ours and self.theirs and self.why):
            raise ValueError(f"{DOCUMENT.name}:{number}: a row needs case, ours, theirs and why")

    def covers(self, case, ours, theirs):
        return fits(self.cases, case) and fits(self.ours, ours) and fits(self.theirs, theirs)


def read_rows(text):
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("| `"):
            cells = line.strip().strip("|").split("|")
            if len(cells) != 4:
                raise ValueError(f"{DOCUMENT.name}:{number}: {len(cells)} cells where 4 were expected")
            rows.append(Row(line, number, cells))
    return rows


class Differences:
    """The document, and what was met of it."""

    def __init__(self, path=DOCUMENT):
        self.rows = read_rows(path.read_text())

    def explain(self, case, ours, theirs):
        """The row that explains this difference, or None."""
        for row in self.rows:
            if row.covers(case, ours, theirs):
                row.met += 1
                return row
        return None

    def unmet(self, cases):
        """Rows about cases that were asked, none of which differed in the row's way."""
        return [row for row in self.rows
                if not row.met and any(fits(row.cases, case) for case in cases)]
