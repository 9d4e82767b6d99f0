"""What the README and conf/examples tell people to do is done here."""

import json
import pathlib

from test_notebook import PACKAGES

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_digits(berth, ada):
    berth.image("ml", PACKAGES)
    said = ada.cli("job", "submit", ROOT / "conf/examples/digits/job.yaml", "--follow").stdout
    assert "1797 images" in said
    accuracy = float(said.split("accuracy ")[-1].split()[0])
    assert accuracy > 0.95
    result = ada.cli("run", "--image", "ml", "--", "cat", "models/digits/result.json").stdout
    assert json.loads(result.splitlines()[-1])["accuracy"] == accuracy or accuracy > 0.95
