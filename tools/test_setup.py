"""setup.sh against stand-ins for dpkg and apt."""

import os
import subprocess
from pathlib import Path

import pytest

# Elsewhere it would go through sudo, which finds the real apt.
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
SETUP = Path(__file__).resolve().parent / "setup.sh"


@pytest.fixture
def machine(tmp_path):
    """A function that runs setup.sh where `installed` is installed and apt knows `available`."""

    def stand_in(name, body):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run(groups, installed, available=()):
        (tmp_path / "installed").write_text("".join(f"installed {p}\n" for p in installed))
        (tmp_path / "available").write_text("".join(f"{p}\n" for p in available))
        stand_in("dpkg-query", f"cat {tmp_path}/installed")
        stand_in("apt-cache", f"""
            shift
            for p in "$@"; do
                printf '%s:\\n  Installed: (none)\\n' "$p"
                if grep -qx "$p" {tmp_path}/available; then echo "  Candidate: 1.0"
                else echo "  Candidate: (none)"; fi
            done""")
        stand_in("apt-get", f'echo "$@" >>{tmp_path}/calls; exit 100')
        # A machine that has Node.js would not ask for it.
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run([SETUP, *groups], env=environment, text=True, capture_output=True, check=False)
        calls = tmp_path / "calls"
        return done, calls.read_text() if calls.exists() else ""

    return run


def packages_of(machine, *groups):
    """What a group asks for, as the script itself tells it."""
    done, _ = machine(groups, [])
    assert done.returncode == 1
    line = next(l for l in done.stdout.splitlines() if l.startswith("setup: installing for"))
    return line.split(": ", 2)[2].split()


def test_nothing_missing_is_silent(machine):
    done, calls = machine(["check"], packages_of(machine, "check"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "install" not in calls


def test_a_group_that_is_none(machine):
    done, calls = machine(["check", "nosuch"], ["clang-format", "shellcheck"])
    assert done.returncode == 1 and "no group named 'nosuch'" in done.stderr and calls == ""


def test_only_what_is_missing_and_unknown_is_named(machine):
    done, calls = machine(["check", "lint"], ["clang-format", "clang-tidy"], ["shellcheck"])
    assert done.returncode == 1
    assert "installing for 'check lint': cppcheck shellcheck" in done.stdout
    # An unreachable source is a warning; that no source has cppcheck is the error.
    assert "warning: some package lists could not be read" in done.stdout
    assert "no package source of this machine has: cppcheck\n" in done.stderr
    assert " install " not in calls


def test_without_apt_it_says_so(machine, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in ("bash", "env", "sort", "tr"):
        os.symlink(f"/usr/bin/{tool}", bare / tool)
    done = subprocess.run(["/usr/bin/bash", SETUP, "check"], env={"PATH": str(bare)}, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 1
    assert "this machine has no apt" in done.stderr and "clang-format shellcheck" in done.stderr
