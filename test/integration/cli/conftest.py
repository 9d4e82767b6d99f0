import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from fake_api import FakeApi  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BERTH_BUILD", pathlib.Path(__file__).parents[3] / "build")).resolve()


class Berth:
    """Runs the program with a home of its own."""

    def __init__(self, home):
        self.home = home
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("BERTH_")}
        self.env.update(HOME=str(home), TZ="UTC")
        self.env.pop("XDG_CONFIG_HOME", None)

    def command(self, *args):
        return [str(BUILD / "berth"), *map(str, args)]

    def __call__(self, *args, stdin="", code=0, env=None, timeout=60):
        done = subprocess.run(self.command(*args), input=stdin, capture_output=True, text=True,
                              env={**self.env, **(env or {})}, timeout=timeout, cwd=self.home)
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *args):
        return subprocess.Popen(self.command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=self.env, cwd=self.home)


@pytest.fixture
def berth(tmp_path):
    return Berth(tmp_path)


@pytest.fixture
def api():
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def known(berth, api):
    """A berth that is logged in at the fake API."""
    berth.env.update(BERTH_URL=api.url, BERTH_TOKEN="bt_secret")
    return berth
