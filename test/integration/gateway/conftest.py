import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import fakes  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BERTH_BUILD", pathlib.Path(__file__).parents[3] / "build"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Gateway:
    """Listens where it is told, or at port when instance.json says so."""

    def __init__(self, data, tls, *options, port=None):
        self.data, self.tls, self.port = data, tls, port or free_port()
        self.ca = f"{data}/tls/cert.pem"
        self.log = open(f"{data}/gateway.log", "ab")
        at = [] if port else ["--listen", f"127.0.0.1:{self.port}", *([] if tls else ["--plain"])]
        self.command = [str(BUILD / "berth-gateway"), "--data", data, "--user", "nobody", *at,
                        *options]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=self.log)
        try:
            fakes.wait_for("the gateway", self.answers)
        except BaseException:
            self.process.kill()
            raise

    def answers(self):
        assert self.process.poll() is None, pathlib.Path(f"{self.data}/gateway.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        assert self.stop() == 0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(fakes.DEADLINE_S)
        finally:
            self.process.kill()
            self.log.close()
        return code

    def log_text(self):
        return pathlib.Path(f"{self.data}/gateway.log").read_text()


@pytest.fixture
def data():
    with tempfile.TemporaryDirectory(prefix="gw") as path:
        os.chmod(path, 0o755)
        os.mkdir(f"{path}/run")
        yield path


@pytest.fixture
def berthd(data):
    b = fakes.Berthd(data).start()
    yield b
    if b.up:
        b.stop()


@pytest.fixture
def task():
    t = fakes.Task()
    yield t
    t.close()


@pytest.fixture(params=["plain", "tls"])
def gateway(request, data, berthd):
    with Gateway(data, request.param == "tls") as g:
        fakes.wait_for("the link", lambda: any(m["t"] == "hello" for m in berthd.heard))
        yield g


@pytest.fixture
def plain(data, berthd):
    with Gateway(data, False) as g:
        fakes.wait_for("the link", lambda: any(m["t"] == "hello" for m in berthd.heard))
        yield g
