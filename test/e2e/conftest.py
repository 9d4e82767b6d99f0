import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from berth import Berth  # noqa: E402


def need_local_engine():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for program in ("crun", "conmon", "mmdebstrap"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")


@pytest.fixture(scope="session")
def berth():
    """One installation with the local engine and the small image `test`, shared by many tests."""
    need_local_engine()
    b = Berth()
    try:
        b.up()
        b.image("test", ["python3-minimal"])
        yield b
    finally:
        b.end()


@pytest.fixture(scope="session")
def ada(berth):
    return berth.user("ada")


@pytest.fixture(scope="session")
def bob(berth):
    made = berth.admin.api("POST", "/api/v1/projects", {"name": "lab"})
    assert made.status == 201, made.body
    return berth.user("bob", project="lab")
