"""image-build with the machine's own mirror: a small image, twice, and recipes that can't be."""
import os
import stat
import subprocess
import urllib.request

import pytest

import wire


def mirror_answers():
    lines = subprocess.run(["apt-get", "indextargets", "Created-By: Packages", "--format", "$(REPO_URI)dists/$(RELEASE)/InRelease"],
                           capture_output=True, text=True).stdout.split()
    lines = [x for x in lines if x.startswith("http") and "bookworm/" in x]
    try:
        urllib.request.urlopen(urllib.request.Request(lines[0], method="HEAD"), timeout=20)
        return True
    except (OSError, IndexError):
        return False


@pytest.fixture(autouse=True)
def needs_a_mirror():
    if not os.access("/usr/bin/mmdebstrap", os.X_OK) or not mirror_answers():
        pytest.skip("needs mmdebstrap and a Debian mirror")


def test_build(layers, runner, client):
    recipe = {"layer": "c" * 64, "suite": "bookworm", "packages": ["file"], "pip": []}
    number = client.send("image-build", **recipe)
    answer = client.wait(number, 600)
    top = layers.path("c" * 64)
    words = [e["text"] for e in client.events if e["event"] == "progress" and e["request"] == number]
    assert any(w.startswith("installing packages ") for w in words) and words[-1] == "saving"
    assert answer["size_bytes"] > 50 << 20
    sudo = os.lstat(top / "usr/bin/sudo")
    assert sudo.st_uid == runner.base and stat.S_IMODE(sudo.st_mode) == 0o4755
    assert (top / "etc/resolv.conf").read_text() == "" and not any((top / "var/cache/apt/archives").glob("*.deb"))
    assert client.ask("image-build", **recipe) == answer and layers.left_over() == []
    order = runner.order("file -b /bin/true | cut -c1-3; sudo -n id -u", layers=["c" * 64],
                         env={"PATH": "/usr/bin:/bin"})
    assert runner.run(client, order).get("exit_code", 0) == 0
    assert runner.output(order["key"]).split() == ["ELF", "0"]


def test_what_cannot_be_built(layers, client):
    with pytest.raises(wire.RunnerError) as caught:
        client.ask("image-build", 600, layer="d" * 64, suite="bookworm", packages=["no-such-package"], pip=[])
    assert caught.value.code == "invalid" and "no-such-package" in caught.value.text
    assert layers.left_over() == []
    for bad in [{"suite": "sid"}, {"packages": ["a b"]}, {"packages": ["../x"]}, {"pip": ["-r"]}, {"layer": "x"}]:
        with pytest.raises(wire.RunnerError, match="invalid"):
            client.ask("image-build", **({"layer": "d" * 64, "suite": "bookworm", "packages": [], "pip": []} | bad))
