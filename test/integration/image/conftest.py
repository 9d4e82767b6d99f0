"""A started runner (of ../runner) that layers are given to."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from images import Layers, runner_conftest  # noqa: E402

base_dir = runner_conftest.base_dir
runner = runner_conftest.runner
client = runner_conftest.client


@pytest.fixture
def layers(runner, client):
    return Layers(runner, client)
