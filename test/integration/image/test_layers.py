"""image-add: what a layer's archive becomes, and which archives are refused."""
import gzip
import hashlib
import lzma
import os
import stat
import subprocess
import tarfile

import pytest

from images import Archive


def test_files_keep_what_they_are(layers, runner):
    data = (Archive().dir("etc").add("etc/conf", b"text", mode=0o640, uid=1000, gid=42)
            .add("bin/su", b"x", mode=0o4755).symlink("lib", "usr/lib").hardlink("etc/same", "etc/conf")
            .dir("tmp", mode=0o1777).add("pax", b"c", pax_headers={"SCHILY.xattr.user.note": "hi"})
            .data())
    answer = layers.add(data)
    assert answer["size_bytes"] == 4 + 1 + 1
    top = layers.path(answer["digest"])
    conf = os.lstat(top / "etc/conf")
    assert (conf.st_uid, conf.st_gid) == (runner.base + 1000, runner.base + 42)
    assert stat.S_IMODE(conf.st_mode) == 0o640 and (top / "etc/conf").read_bytes() == b"text"
    assert os.lstat(top / "etc/same").st_ino == conf.st_ino
    assert stat.S_IMODE(os.lstat(top / "bin/su").st_mode) == 0o4755
    assert stat.S_IMODE(os.lstat(top / "tmp").st_mode) == 0o1777
    assert os.readlink(top / "lib") == "usr/lib"
    assert os.getxattr(top / "pax", "user.note") == b"hi"
    assert os.lstat(top).st_uid == runner.base and stat.S_IMODE(os.lstat(top).st_mode) == 0o755
    assert layers.left_over() == []


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, zstd])
def test_compressed(layers, compress):
    answer = layers.add(compress(Archive().add("a", b"text").data()))
    assert (layers.path(answer["digest"]) / "a").read_bytes() == b"text"


def test_a_layer_is_made_once(layers):
    data = Archive().add("a", b"text").data()
    first = layers.add(data)
    before = os.lstat(layers.path(first["digest"])).st_ino
    (layers.runner.data / "tmp/test" / first["digest"]).unlink()
    again = layers.client.ask("image-add", folder="test", layer=first["digest"])
    assert again == first and os.lstat(layers.path(first["digest"])).st_ino == before


def test_many_ask_at_once(layers):
    data = Archive().add("a", os.urandom(1 << 20)).data()
    digest = layers.place(data)
    numbers = [layers.client.send("image-add", folder="test", layer=digest) for _ in range(5)]
    answers = [layers.client.wait(n) for n in numbers]
    assert all(a == answers[0] for a in answers)
    assert layers.left_over() == []


def test_whiteouts(layers, runner, client):
    below = layers.add(Archive().dir("d").add("d/gone", b"1").add("d/stays", b"2").dir("o")
                       .add("o/old", b"3").dir("n").add("n/name", b"4").data())
    above = layers.add(Archive().add("d/.wh.gone").add("o/.wh..wh..opq").add("o/new", b"5")
                       .add("n/name", b"6").add("n/.wh.name").add("o/.wh..wh.plnk").data())
    top = layers.path(above["digest"])
    gone = os.lstat(top / "d/gone")
    assert stat.S_ISCHR(gone.st_mode) and gone.st_rdev == 0
    assert os.getxattr(top / "o", "user.overlay.opaque") == b"y"
    assert (top / "n/name").read_bytes() == b"6"  # of its own: not hidden
    order = runner.order("cd /; ls -A d o n; cat n/name")
    order["layers"] = [order["layers"][0], below["digest"], above["digest"]]
    facts = runner.run(client, order)
    assert facts.get("exit_code", 0) == 0, facts
    words = runner.output(order["key"]).split()
    assert words == ["d:", "stays", "n:", "name", "o:", "new", "6"]


EVIL = {
    "dotdot": (lambda a: a.add("a/../../evil", b"x"), ".."),
    "absolute": (lambda a: a.add("/evil", b"x"), "absolute"),
    "device": (lambda a: a.add("disk", kind=tarfile.BLKTYPE, devmajor=8), "device"),
    "char device": (lambda a: a.add("etc/mem", kind=tarfile.CHRTYPE, devmajor=1, devminor=1), "device"),
    "through a link": (lambda a: a.symlink("l", "/tmp").add("l/evil", b"x"), "through a link"),
    "through a link up": (lambda a: a.symlink("l", "..").add("l/evil", b"x"), "through a link"),
    "hard link out": (lambda a: a.hardlink("l", "/etc/shadow"), "absolute"),
    "hard link up": (lambda a: a.hardlink("l", "../../etc/shadow"), ".."),
    "hard link through a link": (lambda a: a.symlink("s", "/etc").hardlink("l", "s/passwd"), "l"),
    "whiteout of the parent": (lambda a: a.add("d/.wh..."), "hides"),
    "whiteout of itself": (lambda a: a.add("d/.wh.."), "hides"),
    "whiteout through a link": (lambda a: a.symlink("l", "/tmp").add("l/.wh.evil"), "through a link"),
    "owner": (lambda a: a.add("a", uid=70000), "65535"),
    "huge": (lambda a: a.add("a", pax_headers={"GNU.sparse.major": "0", "GNU.sparse.minor": "1",
                                               "GNU.sparse.size": str(1 << 60),
                                               "GNU.sparse.map": "0,0"}), "64G"),
}


@pytest.mark.parametrize("name", EVIL)
def test_evil_archives(layers, name):
    fill, words = EVIL[name]
    before = set(os.listdir("/tmp"))
    error = layers.refuse(fill(Archive()).data())
    assert error.code in ("invalid", "too-large") and words in error.text
    assert layers.left_over() == []
    assert not any("evil" in n for n in set(os.listdir("/tmp")) - before)


def test_devices_in_dev_are_left_out(layers):
    answer = layers.add(Archive().dir("dev").add("dev/null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)
                        .add("a", b"x").data())
    assert os.listdir(layers.path(answer["digest"]) / "dev") == []


def test_trusted_attributes_are_dropped(layers):
    answer = layers.add(Archive().dir("d", pax_headers={"SCHILY.xattr.user.overlay.opaque": "y",
                                                        "SCHILY.xattr.trusted.overlay.redirect": "/x",
                                                        "SCHILY.xattr.user.keep": "1"}).data())
    assert os.listxattr(layers.path(answer["digest"]) / "d") == ["user.keep"]


def test_wrong_digest(layers):
    data = Archive().add("a", b"x").data()
    error = layers.refuse(data, digest="ab" * 32)
    assert error.code == "invalid" and "another digest" in error.text
    assert not layers.path("ab" * 32).exists() and layers.left_over() == []
    # what comes after the end of the archive counts as well
    digest = hashlib.sha256(data).hexdigest()
    assert "another digest" in layers.refuse(data + b"more", digest=digest).text


@pytest.mark.parametrize("data", [b"no archive at all" * 100, b"\x1f\x8b\x08\x00" + b"\xff" * 64,
                                  Archive().add("a", b"x" * 100000).data()[:60000]])
def test_broken_archives(layers, data):
    assert layers.refuse(data).code == "invalid"
    assert layers.left_over() == []


def test_archives_are_files_of_berthd(layers):
    folder = layers.runner.data / "tmp/links"
    folder.mkdir(parents=True)
    digest = hashlib.sha256(open("/etc/hostname", "rb").read()).hexdigest()
    os.symlink("/etc/hostname", folder / digest)
    with pytest.raises(Exception, match="archive"):
        layers.client.ask("image-add", folder="links", layer=digest)
    for args in [{"folder": "..", "layer": digest}, {"folder": "a/b", "layer": digest},
                 {"folder": "a", "layer": "../../etc/shadow"}, {"folder": "a", "layer": "A" * 64}]:
        with pytest.raises(Exception, match="invalid"):
            layers.client.ask("image-add", **args)


def test_remove(layers, runner, client):
    answer = layers.add(Archive().dir("d").add("d/x", b"1").data())
    digest = answer["digest"]
    order = runner.order("exec sleep 1000")
    order["layers"].append(digest)
    client.ask("task-create", **order)
    with pytest.raises(Exception, match="used by task"):
        client.ask("image-remove", layer=digest)
    client.ask("task-start", key=order["key"])
    client.ask("task-signal", key=order["key"], signal=9)
    client.wait_event("task-ended", order["key"])
    client.ask("task-delete", key=order["key"])
    client.ask("image-remove", layer=digest)
    client.ask("image-remove", layer=digest)
    assert not any(digest in n for n in os.listdir(runner.data / "layers"))


def test_a_killed_runner_leaves_nothing_half(layers, runner):
    data = Archive().add("big", os.urandom(30 << 20)).data()
    digest = layers.place(data)
    layers.client.send("image-add", folder="test", layer=digest)
    runner.kill()
    runner.start()
    client = runner.client()
    assert client.ask("image-add", folder="test", layer=digest)["size_bytes"] == 30 << 20
    assert layers.left_over() == []
