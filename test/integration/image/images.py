"""Layers' archives, good and evil ones, and how they are handed to a runner (of ../runner)."""
import hashlib
import importlib.util
import io
import pathlib
import sys
import tarfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "runner"))
import wire  # noqa: E402

_spec = importlib.util.spec_from_file_location("runner_conftest", HERE.parent / "runner/conftest.py")
runner_conftest = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(runner_conftest)


class Archive:
    """A tar in memory. Entries are added as they are told, however evil."""

    def __init__(self, mode="w"):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode=mode, format=tarfile.PAX_FORMAT)

    def add(self, name, data=b"", kind=tarfile.REGTYPE, mode=0o644, uid=0, gid=0, link="", **other):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid, info.linkname = kind, mode, uid, gid, link
        info.size = len(data)
        for key, value in other.items():
            setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def dir(self, name, mode=0o755, **other):
        return self.add(name, kind=tarfile.DIRTYPE, mode=mode, **other)

    def symlink(self, name, target):
        return self.add(name, kind=tarfile.SYMTYPE, link=target, mode=0o777)

    def hardlink(self, name, target):
        return self.add(name, kind=tarfile.LNKTYPE, link=target)

    def data(self):
        self.tar.close()
        return self.bytes.getvalue()


class Layers:
    """Hands archives to a runner as berthd does."""

    def __init__(self, runner, client):
        self.runner, self.client = runner, client

    def place(self, data, digest=None, folder="test"):
        digest = digest or hashlib.sha256(data).hexdigest()
        path = self.runner.data / "tmp" / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / digest).write_bytes(data)
        return digest

    def add(self, data, digest=None, folder="test"):
        digest = self.place(data, digest, folder)
        return self.client.ask("image-add", folder=folder, layer=digest)

    def refuse(self, data, **other):
        with pytest.raises(wire.RunnerError) as caught:
            self.add(data, **other)
        return caught.value

    def path(self, digest):
        return self.runner.data / "layers" / digest

    def left_over(self):
        return sorted(p.name for p in (self.runner.data / "layers").iterdir()
                      if p.name.endswith((".new", ".old")))
