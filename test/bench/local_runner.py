"""A berth-runner of its own with a root file system of one static program, and the same root under
bare conmon and crun: what the platform adds to a container, without the platform's other parts."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import time

from measure import BUILD, program, run, until
import wire

LAYER = "b" * 64
IDS = 65536
MIB = 1 << 20
BUSYBOX = "/bin/busybox"


def make_root(top, base):
    """busybox and its names; all of it belongs to the ids from base on."""
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "run", "scratch", ".berth"):
        (top / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, top / "bin/busybox")
    for name in run(BUSYBOX, "--list").stdout.split():
        if name != "busybox":
            (top / "bin" / name).symlink_to("busybox")
    for path, dirs, files in os.walk(top):
        for entry in [path] + [os.path.join(path, n) for n in dirs + files]:
            os.lchown(entry, base, base)
    (top / "tmp").chmod(0o1777)


def wait_file(path, size=1, seconds=30):
    """Until the file has grown to that size: somebody's first words."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_size >= size:
                return
        if time.monotonic() > end:
            raise RuntimeError(f"{path} stays empty")
        time.sleep(0.0002)


class LocalRunner:
    """One instance of berth-runner; used as a context."""

    def __init__(self, top):
        self.data = top / "data"
        self.tag = f"{random.randrange(1 << 24):06x}"
        self.base = 0x60000000
        self.data.mkdir()
        self.data.joinpath("instance.json").write_text(json.dumps(
            {"tag": self.tag, "network": "10.199.0.0/16", "uid_base": self.base}))
        make_root(self.data / "layers" / LAYER, self.base)
        self.data.joinpath("layers").chmod(0o700)
        self.project = wire.new_id()
        self.fence = 0

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        log = self.data / "runner.log"
        self.process = self.stack.enter_context(
            program(BUILD / "berth-runner", "--data", self.data, log=log))
        until("the runner is ready", lambda: '"m":"ready"' in log.read_text(), 30)
        self.client = wire.Client(str(self.data / "run/runner.sock"))
        net = self.client.ask("net-project", project=self.project, want=0, internet=False)
        self.addresses = net["network"].split("/")[0].rsplit(".", 1)[0]
        return self

    def __exit__(self, *error):
        self.client.close()
        self.stack.close()
        run(BUILD / "berth-runner", "--data", self.data, "--clear", timeout=120)

    def order(self, script, address=None):
        self.fence += 1
        key = {"workload": wire.new_id(), "number": 1, "fence": self.fence, "index": 0}
        made = {"key": key, "project": self.project, "user_name": "ada", "hostname": "worker-0",
                "layers": [LAYER], "command": ["/bin/sh", "-c", script], "env": {"PATH": "/bin"},
                "cpu_milli": 1000, "memory_bytes": 64 * MIB, "disk_bytes": 64 * MIB,
                "log_max_bytes": MIB}
        if address:
            made["address"] = address
        return made

    def bundle(self, key):
        return pathlib.Path(f"/run/berth-{self.tag}/bundles") / wire.key_text(key)

    def log_of(self, key):
        return self.data / "logs" / key["workload"] / str(key["number"]) / f"{key['index']}.log"

    def start(self, order):
        """Seconds from the order to the command's first words."""
        begin = time.perf_counter()
        self.client.ask("task-create", **order)
        self.client.ask("task-start", key=order["key"])
        wait_file(self.log_of(order["key"]))
        return time.perf_counter() - begin

    def finish(self, key):
        self.client.wait_event("task-ended", key)
        self.client.events.clear()
        self.client.ask("task-delete", key=key)


class Bare:
    """The same root and container by conmon and crun alone: no writable layer of its own, no layers,
    no init, no network card. Configured by what the runner wrote for a task of its own."""

    def __init__(self, top, config, base):
        self.top = top
        self.config = config
        self.number = 0
        self.root = top / "root"
        self.root.mkdir()
        make_root(self.root, base)

    def _bundle(self, name, script):
        config = json.loads(json.dumps(self.config))
        config["root"]["path"] = str(self.root)
        config["process"]["args"] = ["/bin/sh", "-c", script]
        config["mounts"] = [m for m in config["mounts"] if m["type"] != "bind"]
        config["linux"]["cgroupsPath"] = f"/{name}"
        bundle = self.top / name
        bundle.mkdir()
        bundle.joinpath("config.json").write_text(json.dumps(config))
        return bundle

    def start(self, script):
        self.number += 1
        name = f"berth-bench-{os.getpid()}-{self.number}"
        bundle = self._bundle(name, script)
        state, log = f"{self.top}/crun", bundle / "log"
        begin = time.perf_counter()
        self._create(name, bundle, state, log)
        # Not by subprocess: what Python does around a program would count as the peer's.
        crun = os.posix_spawn("/usr/bin/crun", ["crun", f"--root={state}", "start", name], os.environ)
        wait_file(log)
        took = time.perf_counter() - begin
        os.waitpid(crun, 0)
        until("the container's end", (bundle / "exits" / name).exists, 30)
        run("crun", f"--root={state}", "delete", name)
        shutil.rmtree(bundle)
        return took

    @staticmethod
    def _create(name, bundle, state, log):
        """conmon tells through a pipe that crun has created it, as to any of its users."""
        bundle.joinpath("exits").mkdir()
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        conmon = subprocess.Popen(
            ["conmon", "--api-version", "1", "-c", name, "-u", name, "-r", "/usr/bin/crun",
             "-b", str(bundle), "-p", f"{bundle}/pid", "-l", f"k8s-file:{log}",
             "--exit-dir", f"{bundle}/exits", "--socket-dir-path", f"{bundle}", "--no-sync-log",
             "--runtime-arg", f"--root={state}"],
            env={"PATH": os.environ["PATH"], "_OCI_SYNCPIPE": str(writer)}, pass_fds=[writer],
            stdin=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as answer:
            said = answer.readline()
        conmon.wait()
        if json.loads(said or "{}").get("data", -1) <= 0:
            raise RuntimeError(f"conmon says {said!r}")
