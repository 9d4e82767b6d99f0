"""Gives tests a started berth-runner on a data directory of its own, with a busybox image."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import wire  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("BERTH_BUILD", ROOT / "build"))
LAYER = "1" * 64
MIB = 1 << 20


def chown_tree(top, base):
    for path, dirs, files in os.walk(top):
        for name in [path] + [os.path.join(path, f) for f in files + dirs]:
            st = os.lstat(name)
            if st.st_uid < base:
                os.lchown(name, base + st.st_uid, base + st.st_gid)
                if not os.path.islink(name):
                    os.chmod(name, st.st_mode & 0o7777)  # chown takes set-uid away


def make_busybox(top):
    """A root file system that is one static program with many names."""
    busybox = "/bin/busybox"
    for name in ["bin", "etc", "proc", "sys", "dev", "tmp", "root", "usr/bin"]:
        (top / name).mkdir(parents=True)
    os.chmod(top / "tmp", 0o1777)
    shutil.copy(busybox, top / "bin/busybox")
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for name in names.split():
        if name != "busybox" and not (top / "bin" / name).exists():
            os.symlink("busybox", top / "bin" / name)


class Runner:
    """One instance: data directory, process, and the means to look for what it left behind."""

    def __init__(self, data, slot):
        self.data = data
        self.tag = f"{random.randrange(1 << 24):06x}"
        self.base = 0x20000000 + slot * 0x500000
        self.network = f"10.{100 + slot % 100}.0.0/16"
        self.process = None
        self.arguments = []
        self.clients = []
        data.mkdir(parents=True, exist_ok=True)
        (data / "instance.json").write_text(json.dumps(
            {"tag": self.tag, "network": self.network, "uid_base": self.base}))
        layer = data / "layers" / LAYER
        make_busybox(layer)
        chown_tree(layer, self.base)
        os.chmod(data / "layers", 0o700)
        self.project = wire.new_id()
        self.fence = 0

    @property
    def socket(self):
        return str(self.data / "run/runner.sock")

    def start(self):
        log = open(self.data / "runner.log", "ab")
        before = log.tell()
        self.process = subprocess.Popen(
            [str(BUILD / "berth-runner"), "--data", str(self.data), *self.arguments], stderr=log,
            stdin=subprocess.DEVNULL)
        log.close()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if '"m":"ready"' in self.log()[before:]:
                return self
            if self.process.poll() is not None:
                raise RuntimeError(f"the runner ended: {self.log()[before:]}")
            time.sleep(0.005)
        raise TimeoutError("the runner does not get ready")

    def log(self):
        return (self.data / "runner.log").read_text()

    def kill(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
        if self.process:
            self.process.wait()
        self.process = None

    def client(self, **args):
        client = wire.Client(self.socket, **args)
        self.clients.append(client)
        return client

    def key(self, index=0, **other):
        self.fence += 1
        return {"workload": wire.new_id(), "number": 1, "fence": self.fence, "index": index} | other

    def order(self, command, **other):
        if isinstance(command, str):
            command = ["/bin/sh", "-c", command]
        return {"key": self.key(), "project": self.project, "user_name": "ada",
                "hostname": "worker-0", "layers": [LAYER], "command": command,
                "env": {"PATH": "/bin:/usr/bin"}, "cpu_milli": 1000, "memory_bytes": 64 * MIB,
                "disk_bytes": 64 * MIB, "log_max_bytes": MIB} | other

    def net(self, client, project=None, **other):
        args = {"project": project or self.project, "want": 0, "internet": False} | other
        return client.ask("net-project", **args)

    def run(self, client, order, timeout=60):
        """Creates, starts and waits; returns the facts of the end."""
        client.ask("task-create", **order)
        client.ask("task-start", key=order["key"])
        return client.wait_event("task-ended", order["key"], timeout)["task"]

    def log_path(self, key):
        return self.data / "logs" / key["workload"] / str(key["number"]) / f"{key['index']}.log"

    def output(self, key):
        """The log without conmon's marks."""
        lines = self.log_path(key).read_text(errors="replace").splitlines()
        return "\n".join(line.split(" ", 3)[3] for line in lines if line.count(" ") >= 3)

    def wait_output(self, key, words, timeout=30):
        deadline = time.monotonic() + timeout
        while words not in self.output(key):
            assert time.monotonic() < deadline, f"never said {words}: {self.output(key)}"
            time.sleep(0.01)

    @staticmethod
    def name(key):
        return wire.key_text(key)

    @staticmethod
    def new_id():
        return wire.new_id()

    # ---- what is left on the machine ----

    def remains(self, records=True):
        """Everything on this machine that carries this instance's tag or a task's disk."""
        found = []
        for top, dirs, _ in os.walk("/sys/fs/cgroup"):
            if top.count("/") > 6:
                dirs.clear()
            found += [f"cgroup {top}/{d}" for d in dirs if f"berth-{self.tag}/" in f"{top}/{d}"]
        found += [f"link {n}" for n in os.listdir("/sys/class/net") if n.startswith(f"v{self.tag}")]
        for block in os.listdir("/sys/block"):
            try:
                text = open(f"/sys/block/{block}/loop/backing_file").read().strip()
            except OSError:
                continue
            if text.startswith(str(self.data)):
                found.append(f"loop {block} {text}")
        own = self.process.pid if self.process else 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = open(f"/proc/{pid}/cmdline", "rb").read().decode(errors="replace")
                groups = open(f"/proc/{pid}/cgroup").read()
                state = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if state == "Z":  # dead; only its parent has not looked yet
                continue
            if int(pid) != own and (f"/run/berth-{self.tag}" in command or
                                    f"/berth-{self.tag}/" in groups):
                found.append(f"process {pid} {command!r}")
        run = pathlib.Path(f"/run/berth-{self.tag}")
        for name in ["bundles", "crun", "exits", "links"]:
            if (run / name).exists():
                found += [f"file {p}" for p in (run / name).iterdir()]
        if records and (self.data / "tasks").exists():
            found += [f"task {p}" for p in (self.data / "tasks").iterdir()]
        return found

    def wait_clean(self, timeout=5):
        deadline = time.monotonic() + timeout
        while self.remains() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.remains() == []

    def clear(self):
        self.kill(signal.SIGTERM)
        subprocess.run([str(BUILD / "berth-runner"), "--data", str(self.data), "--clear"], check=True,
                       stderr=subprocess.DEVNULL, timeout=120)


@pytest.fixture(scope="session")
def base_dir(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return tmp_path_factory.mktemp("runner")


@pytest.fixture
def runner(base_dir, request):
    made = Runner(base_dir / f"i{random.randrange(1 << 30):x}", random.randrange(100)).start()
    yield made
    print(made.log(), made.process and wire.Client(made.socket).list())  # shown when a test fails
    for client in made.clients:
        client.close()
    made.clear()
    assert made.remains(records=False) == []
    shutil.rmtree(made.data, ignore_errors=True)


@pytest.fixture
def client(runner):
    client = runner.client()
    runner.net(client)
    return client
