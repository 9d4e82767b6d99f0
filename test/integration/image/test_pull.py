"""Pulling from a real registry: skopeo copies, the runner unpacks, layers are shared."""
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

from images import Archive, runner_conftest

TOOL = runner_conftest.BUILD / "test/integration/image/test_fetch_tool"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    if not shutil.which("docker-registry") or not shutil.which("skopeo"):
        pytest.skip("needs docker-registry and skopeo")
    top, port = tmp_path_factory.mktemp("registry"), free_port()
    config = top / "config.yml"
    config.write_text(json.dumps({
        "version": 0.1, "log": {"level": "error"}, "http": {"addr": f"127.0.0.1:{port}"},
        "storage": {"filesystem": {"rootdirectory": str(top / "data")}}}))
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).read()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    yield f"127.0.0.1:{port}", top
    process.kill()
    process.wait()


class Layout:
    """An OCI directory written by hand."""

    def __init__(self, top):
        self.top = pathlib.Path(top)
        (self.top / "blobs/sha256").mkdir(parents=True)
        (self.top / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data, kind):
        digest = hashlib.sha256(data).hexdigest()
        (self.top / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def write(self, layers, **config):
        tars = [gzip.compress(layer, mtime=0) for layer in layers]
        described = [self.blob(tar, "layer.v1.tar+gzip") for tar in tars]
        document = {"architecture": ARCH, "os": "linux", "config": config, "rootfs": {
            "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(x).hexdigest() for x in layers]}}
        manifest = {"schemaVersion": 2, "config": self.blob(json.dumps(document).encode(), "config.v1+json"),
                    "layers": described}
        entry = self.blob(json.dumps(manifest).encode(), "manifest.v1+json")
        entry["annotations"] = {"org.opencontainers.image.ref.name": "image"}
        (self.top / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        return [d["digest"].split(":")[1] for d in described]


def push(registry, name, layers, **config):
    host, top = registry
    layout = Layout(top / f"layout-{name.replace(':', '-')}")
    digests = layout.write(layers, **config)
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
                    f"oci:{layout.top}:image", f"docker://{host}/{name}"], check=True, timeout=60)
    return digests


def fetch(data, folder, reference):
    done = subprocess.run([str(TOOL), str(data), folder, reference], capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


BELOW = Archive().dir("opt").add("opt/a", b"below").add("opt/b", b"below").data()
ABOVE = Archive().dir("opt").add("opt/.wh.a").add("opt/c", b"above").data()


def test_pull_and_run(registry, layers, runner, client):
    pushed = push(registry, "team/app:1", [BELOW, ABOVE], Env=["A=1", "PATH=/bin"], Cmd=["sh"], WorkingDir="/opt")
    got = fetch(runner.data, "first", f"{registry[0]}/team/app:1")
    assert got["layers"] == pushed
    assert got["config"] == {"env": {"A": "1", "PATH": "/bin"}, "entrypoint": [], "cmd": ["sh"],
                             "user": "", "workdir": "/opt"}
    for layer in got["layers"]:
        client.ask("image-add", folder="first", layer=layer)
    order = runner.order("cd /opt && echo *; cat b c")
    order["layers"] += got["layers"]
    assert runner.run(client, order).get("exit_code", 0) == 0
    assert runner.output(order["key"]) == "b c\nbelowabove"


def test_images_share_layers(registry, layers, runner, client):
    push(registry, "one:1", [BELOW, ABOVE])
    push(registry, "two:1", [BELOW, Archive().add("other", b"x").data()])
    one, two = fetch(runner.data, "one", f"{registry[0]}/one:1"), fetch(runner.data, "two", f"{registry[0]}/two:1")
    assert one["layers"][0] == two["layers"][0] and one["layers"][1] != two["layers"][1]
    client.ask("image-add", folder="one", layer=one["layers"][0])
    inode = os.lstat(layers.path(one["layers"][0])).st_ino
    client.ask("image-add", folder="two", layer=two["layers"][0])
    assert os.lstat(layers.path(one["layers"][0])).st_ino == inode


def test_by_digest(registry, runner):
    push(registry, "exact:1", [BELOW])
    manifest = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry[0]}/exact:1"],
                              capture_output=True, check=True).stdout
    digest = hashlib.sha256(manifest).hexdigest()
    assert len(fetch(runner.data, "exact", f"{registry[0]}/exact@sha256:{digest}")["layers"]) == 1
    assert "error" in fetch(runner.data, "exact", f"{registry[0]}/exact@sha256:{'0' * 64}")


def test_failures_are_told_apart(registry, runner):
    assert fetch(runner.data, "none", f"{registry[0]}/none:1")["error"] == "not-found"
    assert fetch(runner.data, "none", f"127.0.0.1:{free_port()}/x:1")["error"] == "unavailable"


def test_a_layer_changed_in_the_registry(registry, runner):
    """What the registry stores of a layer is not what its manifest says."""
    digest = push(registry, "bad:1", [Archive().add("a", os.urandom(5000)).data()])[0]
    blob = registry[1] / f"data/docker/registry/v2/blobs/sha256/{digest[:2]}/{digest}/data"
    data = bytearray(blob.read_bytes())
    data[100] ^= 1
    blob.write_bytes(bytes(data))
    assert "error" in fetch(runner.data, "bad", f"{registry[0]}/bad:1")
