# SPDX-License-Identifier: GPL-2.0-or-later
"""--update writes what was seen into the golden files, to be read in the diff before it is committed."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "site"))


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="accept what is seen as right")
