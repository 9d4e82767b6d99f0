"""berth on this machine: up, down, doctor, with the real daemons and the fake engine."""

import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import tempfile
import time

import pytest

from conftest import BUILD

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Machine:
    """One data directory and what runs in it."""

    def __init__(self, berth):
        self.berth = berth
        self.above = pathlib.Path(tempfile.mkdtemp(prefix="bu-", dir="/var/tmp"))
        self.above.chmod(0o755)
        self.data = self.above / "d"
        self.port = free_port()

    def up(self, *args, code=0, port=None, engine="fake"):
        return self.berth("up", "--data", self.data, "--listen", f"127.0.0.1:{port or self.port}",
                          "--engine", engine, *args, code=code)

    def down(self, *args, code=0):
        return self.berth("down", "--data", self.data, *args, code=code)

    def pid(self, name):
        return json.loads((self.data / f"run/{name}.pid").read_text())["pid"]

    def login(self, up):
        token = json.loads(up.stdout)["first_login"]["token"]
        self.berth("login", "--token-stdin", stdin=token + "\n", env={"BERTH_DATA": str(self.data)})

    def end(self):
        if self.data.exists():
            self.down("--purge")
        shutil.rmtree(self.above, ignore_errors=True)


@pytest.fixture
def machine(berth):
    m = Machine(berth)
    yield m
    m.end()


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_up_shows_the_first_login_once(machine, berth):
    up = machine.up("-o", "json")
    told = json.loads(up.stdout)
    assert told["started"] == ["berthd", "berth-gateway"]
    assert told["url"] == f"https://localhost:{machine.port}"
    assert not (machine.data / "db/first-login").exists()
    login = told["first_login"]
    berth("login", told["url"], "--name", login["name"], "--password-stdin", "--ca", told["ca"],
          stdin=login["password"] + "\n")
    assert login["name"] in berth("whoami").stdout
    again = json.loads(machine.up("-o", "json").stdout)
    assert again["started"] == [] and "first_login" not in again
    assert "running already" in machine.up().stdout


def test_files_belong_to_whom_they_should(machine):
    machine.up()
    key = (machine.data / "tls/key.pem").stat()
    assert key.st_uid == 0 and stat.S_IMODE(key.st_mode) == 0o600
    assert stat.S_IMODE((machine.data / "db").stat().st_mode) == 0o700
    assert (machine.data / "db").stat().st_uid != 0
    for name in ("layers", "tasks", "volumes"):
        assert (machine.data / name).stat().st_uid == 0
        assert stat.S_IMODE((machine.data / name).stat().st_mode) == 0o700
    for name in ("berthd", "berth-gateway"):
        assert os.stat(f"/proc/{machine.pid(name)}").st_uid != 0


def test_what_was_killed_is_started_again(machine):
    machine.up()
    old, gateway = machine.pid("berthd"), machine.pid("berth-gateway")
    os.kill(old, signal.SIGKILL)
    up = machine.up("-o", "json")
    assert json.loads(up.stdout)["started"] == ["berthd"]
    assert machine.pid("berthd") != old and machine.pid("berth-gateway") == gateway


def test_a_number_used_again_is_not_ours(machine):
    machine.up()
    path = machine.data / "run/berthd.pid"
    kept = path.read_text()
    path.write_text('{"pid":%d,"start":1}\n' % os.getpid())
    os.chown(path, 65534, 65534)
    doctor = machine.berth("doctor", "--data", machine.data, "-o", "json", code=1)
    found = {c["check"]: c for c in json.loads(doctor.stdout)["items"]}
    assert found["daemons"]["verdict"] == "FAIL" and "berthd" in found["daemons"]["found"]
    path.write_text(kept)  # still somebody else's: not believed, whatever it says
    assert "FAIL" in machine.berth("doctor", "--data", machine.data, code=1).stdout
    os.chown(path, 0, 0)
    machine.berth("doctor", "--data", machine.data)


def test_down_leaves_no_process_and_purge_no_file(machine):
    machine.up()
    pids = [machine.pid(n) for n in ("berthd", "berth-gateway")]
    tag = json.loads((machine.data / "instance.json").read_text())["tag"]
    assert pathlib.Path(f"/run/berth-{tag}").exists()
    machine.down()
    assert not any(is_running(p) for p in pids)
    assert (machine.data / "db/berth.db").exists()
    assert not pathlib.Path(f"/run/berth-{tag}").exists()
    machine.down("--purge")
    assert not machine.data.exists()
    assert "nothing to stop" in machine.down().stderr


def test_two_instances_do_not_meet(machine, berth):
    other = Machine(berth)
    try:
        machine.up()
        other.up()
        a, b = (json.loads((m.data / "instance.json").read_text()) for m in (machine, other))
        for key in ("tag", "network", "uid_base", "listen"):
            assert a[key] != b[key]
        machine.down()
        assert is_running(other.pid("berthd"))
    finally:
        other.end()


def test_a_taken_port_changes_nothing(machine):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = machine.up(port=s.getsockname()[1], code=5)
    assert "is taken by another program" in done.stderr and "--listen" in done.stderr
    assert not machine.data.exists()


def test_a_newer_version_is_refused(machine):
    machine.up()
    machine.down()
    path = machine.data / "instance.json"
    kept = path.read_text()
    path.write_text(kept.replace('"schema":1', '"schema":2'))
    for command in (machine.up, machine.down):
        assert "newer berth" in command(code=5).stderr
    assert json.loads(path.read_text())["schema"] == 2
    path.write_text(kept)


def test_other_options_need_a_down_first(machine):
    machine.up()
    assert "runs with other options" in machine.up(port=free_port(), code=5).stderr
    machine.down("--keep-running")
    port = free_port()
    assert str(port) in machine.up(port=port).stdout


def test_bad_options(machine):
    assert "loopback" in machine.berth("up", "--data", machine.data, "--plain", "--listen",
                                       "0.0.0.0:1234", code=2).stderr
    assert "--listen needs" in machine.berth("up", "--data", machine.data, "--listen", "here",
                                             code=2).stderr
    assert "--domain needs" in machine.up("--domain", "Under_Score", code=2).stderr
    long = machine.above / ("x" * 100)
    assert "too long" in machine.berth("up", "--data", long, "--listen", f"127.0.0.1:{machine.port}",
                                       code=2).stderr
    assert not machine.data.exists() and not long.exists()


def test_a_directory_that_others_cannot_enter(machine):
    machine.above.chmod(0o700)
    done = machine.up(code=4)
    assert f"can't enter {machine.above}" in done.stderr and "chmod o+x" in done.stderr
    assert not machine.data.exists()


def test_a_daemon_that_cannot_start_is_told_with_its_log(machine):
    machine.up()
    machine.down()
    (machine.data / "db/berth.db").write_bytes(b"no database" * 1000)
    (machine.data / "db/berth.db-wal").unlink(missing_ok=True)
    done = machine.berth("up", "--data", machine.data, code=6)
    assert "berthd ended at once" in done.stderr and "the end of" in done.stderr
    assert not any(is_running(machine.pid(n)) for n in ("berth-gateway",)
                   if (machine.data / f"run/{n}.pid").exists())


def test_plain_and_own_certificate(machine, berth):
    up = machine.up("--plain", "-o", "json")
    assert json.loads(up.stdout)["url"].startswith("http://") and not list(
        (machine.data / "tls").iterdir())
    machine.login(up)
    assert "admin" in berth("whoami").stdout


def test_the_certificate_is_made_again_for_another_domain(machine):
    machine.up()
    cert = machine.data / "tls/cert.pem"
    first = cert.read_bytes()
    machine.down()
    machine.up()
    assert cert.read_bytes() == first
    machine.down()
    machine.up("--domain", "berth.test")
    second = cert.read_bytes()
    assert second != first
    machine.down()
    (machine.data / "tls/names").unlink()  # the administrator's own from now on
    machine.up("--domain", "other.test")
    assert cert.read_bytes() == second


def test_an_unknown_certificate_is_explained(machine, berth):
    told = json.loads(machine.up("-o", "json").stdout)
    done = berth("login", told["url"], "--name", "admin", "--password-stdin", stdin="x\n", code=6)
    assert "signed by nobody known here" in done.stderr and "--ca" in done.stderr
    assert len(done.stderr.split("(SHA-256) is ")[1].split(";")[0].split(":")) == 32


def test_not_root(machine):
    if not os.access(BUILD / "berth", os.X_OK) or os.stat(BUILD / "berth").st_mode & 0o005 != 0o005:
        pytest.skip("the program can't be run by others here")
    import subprocess
    for command in ("up", "down"):
        done = subprocess.run([str(BUILD / "berth"), command, "--data", str(machine.data)], user=65534,
                              group=65534, extra_groups=[], capture_output=True, text=True, cwd="/",
                              env={"HOME": "/", "PATH": os.environ["PATH"]})
        assert done.returncode == 4 and f"sudo berth {command}" in done.stderr
    assert not machine.data.exists()


def test_a_whole_story(machine, berth):
    machine.login(machine.up("-o", "json"))
    berth("image", "build", "ml", "--from", "debian:bookworm", "--packages", "python3")
    assert "ml:latest" in berth("image", "ls").stdout
    src = berth.home / "src"
    src.mkdir()
    (src / "train.py").write_text("print(1)\n")
    (berth.home / "job.yaml").write_text(
        "kind: job\nname: digits\nimage: ml\ncommand: [python3, train.py]\ncode: ./src\n"
        "env: {FAKE_LOG_LINES: 2, FAKE_RUN_MS: 50}\n")
    done = berth("job", "submit", "job.yaml", "--follow")
    assert "sent 1 of 1 files" in done.stderr and "line 2" in done.stdout
    assert "sent 0 of 1 files" in berth("job", "submit", "job.yaml").stderr
    berth("run", "--image", "ml", "-e", "FAKE_EXIT=9", "-e", "FAKE_RUN_MS=10", "--", "x", code=9)
    assert "SUCCEEDED" in berth("job", "show", "digits").stdout
    assert "there is no image" in berth("run", "--image", "nope", "x", code=2).stderr
    berth("user", "add", "ada", "--password-stdin", stdin="long enough\n")
    berth("project", "create", "vision", "--admin", "ada")
    assert "ada (admin)" in berth("project", "member", "vision", "admin", "viewer").stdout
    assert "drained" in (berth("node", "drain", "fake-1") and berth("node", "ls")).stdout
    assert "Fake A100" in berth("gpus").stdout
    assert "audit.user-added" in berth("events", "-l", "200").stdout
    token = berth("token", "create", "ci").stdout.strip()
    assert "admin" in berth("whoami", env={"BERTH_TOKEN": token}).stdout
    url = berth("notebook", "start", "--image", "ml", "--name", "nb", "--wait").stdout
    assert ".localhost" in url and "ticket=" in url
    berth("notebook", "stop", "nb", "--wait")
    assert "STOPPED" in berth("notebook", "ls").stdout


def test_follow_survives_a_restart(machine, berth):
    machine.login(machine.up("-o", "json"))
    berth("image", "build", "ml", "--from", "debian:bookworm")
    run = berth.start("run", "--image", "ml", "--name", "long", "-e", "FAKE_RUN_MS=forever", "-e",
                      "FAKE_LOG_LINES=1", "--", "x")
    end = time.monotonic() + 30
    while "RUNNING" not in berth("job", "ls", "-s", "RUNNING").stdout:
        assert time.monotonic() < end
    os.kill(machine.pid("berthd"), signal.SIGKILL)
    machine.up()
    berth("job", "stop", "long")
    out, err = run.communicate(timeout=60)
    assert run.returncode in (143, 125), (out, err)
    assert "long STOPPED" in err or "long FAILED" in err


def test_prepare_starts_nothing(machine):
    done = machine.up("--prepare")
    assert "is ready for a berth at" in done.stdout
    assert (machine.data / "instance.json").exists() and (machine.data / "tls/key.pem").exists()
    assert not list((machine.data / "run").iterdir())
    assert "is up at" in machine.up().stdout


def test_programs_that_others_cannot_reach(machine, berth):
    """A clone below /root: the daemons that are not root run from copies."""
    private = machine.above / "private"
    private.mkdir(mode=0o700)
    for name in ("berth", "berthd", "berth-gateway", "berth-runner"):
        shutil.copy(BUILD / name, private / name)
    berth.command = lambda *args: [str(private / "berth"), *map(str, args)]
    machine.up()
    for name in ("berthd", "berth-gateway"):
        assert os.readlink(f"/proc/{machine.pid(name)}/exe") == str(machine.data / "bin" / name)
    inode = (machine.data / "bin/berthd").stat().st_ino
    machine.down()
    machine.up()
    assert (machine.data / "bin/berthd").stat().st_ino == inode  # the same is not copied again


def test_the_local_engine_comes_and_goes_without_a_trace(machine, berth):
    machine.login(machine.up("-o", "json", engine="local"))
    tag = json.loads((machine.data / "instance.json").read_text())["tag"]
    node = json.loads(berth("node", "ls", "-o", "json").stdout)["items"][0]
    assert node["ready"] and "place" in node["abilities"]
    runner = machine.pid("berth-runner")
    assert os.stat(f"/proc/{runner}").st_uid == 0
    os.kill(runner, signal.SIGKILL)
    assert json.loads(machine.up("-o", "json", engine="local").stdout)["started"] == ["berth-runner"]
    berth("node", "ls")
    runner = machine.pid("berth-runner")
    machine.down()
    assert not is_running(runner)
    assert not [n for n in os.listdir("/sys/class/net") if n.startswith(f"b{tag}")]
    assert not list(pathlib.Path("/sys/fs/cgroup").glob(f"**/berth-{tag}"))
    assert str(machine.data) not in pathlib.Path("/proc/self/mountinfo").read_text()
    assert not pathlib.Path(f"/run/berth-{tag}").exists()
