"""What the tests of berth-sim share: starting it, and where the large traces may lie."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SKIP = 77


def sim(*args, code=0):
    """Runs berth-sim (the first argument of the test) and returns its JSON, or its complaint."""
    done = subprocess.run([sys.argv[1], *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{args}: exit {done.returncode}: {done.stderr}"
    return json.loads(done.stdout) if code == 0 else done.stderr


def here(name):
    return os.path.join(HERE, name)


def traces():
    """The folder of the public traces, or None: they are not part of the repository."""
    root = os.environ.get("BERTH_TRACES") or os.path.join(HERE, "../../../../shared/traces")
    return root if os.path.isdir(root) else None


def run_all(names):
    """Calls every test_ function of a module."""
    count = 0
    for name, function in sorted(names.items()):
        if name.startswith("test_"):
            function()
            print(f"ok {name}")
            count += 1
    assert count > 0
