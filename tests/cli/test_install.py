# SPDX-License-Identifier: GPL-2.0-or-later
"""`make install`: where things go."""
import subprocess

from daemon import BUILD, ROOT


def commands(*variables):
    """What `make install` would run."""
    return subprocess.run(["make", "-n", "install", f"BUILD={BUILD}", *variables], cwd=ROOT,
                          capture_output=True, text=True, check=True).stdout


def test_prefix_holds_for_a_folder_that_was_made_with_another():
    text = commands("PREFIX=/opt/portwright", "DESTDIR=/tmp/stage")
    assert f"meson configure {BUILD} -Dprefix=/opt/portwright" in text
    assert f"DESTDIR=/tmp/stage meson install -C {BUILD}" in text


def test_prefix_of_the_build_folder_is_kept():
    assert "-Dprefix=" not in commands()
