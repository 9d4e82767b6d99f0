"""A berth of its own for a test: started with `berth up` in a temporary data directory, used through
its command line and REST as users do, ended with `berth down --purge`."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("BERTH_BUILD", "build")).resolve()
CACHE = pathlib.Path(os.environ.get("BERTH_CACHE", pathlib.Path.home() / ".cache/berth"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, check, seconds=30, every=0.05):
    """The first true answer of check(); fails the test with `what` when the time is up."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not seen in {seconds} s: {what}")
        time.sleep(every)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class User:
    """Somebody logged in: REST with a token, the command line with a configuration of their own."""

    def __init__(self, berth, name, token, password=None):
        self.berth, self.name, self.token, self.password = berth, name, token, password
        self.home = berth.root / "people" / name
        self.home.mkdir(parents=True, exist_ok=True)

    def api(self, method, path, body=None, headers=None, **more):
        head = {"Authorization": f"Bearer {self.token}"}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            head["Content-Type"] = "application/json"
        head.update(headers or {})
        return self.berth.request(method, path, body, head, **more)

    def get(self, path):
        answer = self.api("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    def cli(self, *args, check=True, stdin=None, timeout=300, cwd=None):
        env = dict(os.environ, BERTH_URL=self.berth.url, BERTH_TOKEN=self.token,
                   XDG_CONFIG_HOME=str(self.home), BERTH_CA=str(self.berth.ca))
        done = subprocess.run([str(BUILD / "berth"), *map(str, args)], input=stdin, text=True,
                              capture_output=True, timeout=timeout, env=env, cwd=cwd)
        if check:
            assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def submit(self, **spec):
        spec = {"kind": "job", "image": "test", **spec}
        answer = self.api("POST", "/api/v1/workloads", spec)
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def show(self, workload):
        return self.get(f"/api/v1/workloads/{workload}")

    def wait(self, workload, states=("SUCCEEDED", "FAILED", "STOPPED"), seconds=60):
        last = {}

        def check():
            last.update(self.show(workload))
            return last["state"] in states
        try:
            wait_for(f"{workload} in {states}", check, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}: it is {last.get('state')}: {last.get('reason')}")
        return dict(last)

    def log(self, workload, task=0):
        return self.api("GET", f"/api/v1/workloads/{workload}/logs?task={task}").body.decode()


class Berth:
    def __init__(self, engine="local", plain=False):
        # Short: the paths of unix sockets end at 107 bytes.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="bt-", dir="/var/tmp"))
        self.root.chmod(0o755)
        self.data = self.root / "d"
        self.port = free_port()
        self.plain = plain
        self.engine = engine
        self.url = f"{'http' if plain else 'https'}://localhost:{self.port}"
        self.ca = self.data / "tls" / "cert.pem"
        self.admin = None

    def command(self, *args, check=True, timeout=120):
        env = dict(os.environ, XDG_CONFIG_HOME=str(self.root / "config"))
        done = subprocess.run([str(BUILD / "berth"), *map(str, args)], text=True,
                              capture_output=True, timeout=timeout, env=env)
        if check:
            assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def up(self):
        args = ["up", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--engine",
                self.engine, "-o", "json"]
        first = self.admin is None
        said = self.command(*args, *(["--plain"] if self.plain else [])).stdout
        if first:
            login = json.loads(said)["first_login"]
            self.admin = User(self, "admin", login["token"], login["password"])
        return said

    def down(self, *more):
        return self.command("down", "--data", self.data, *more)

    def end(self):
        with contextlib.suppress(Exception):
            self.down("--purge")
        shutil.rmtree(self.root, ignore_errors=True)

    def pid(self, program):
        """Of a daemon ("berthd", "berth-gateway", "berth-runner")."""
        return json.loads((self.data / "run" / f"{program}.pid").read_text())["pid"]

    def kill(self, program):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(program), signal.SIGKILL)

    def connect(self, host="localhost", timeout=60):
        if self.plain:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = http.client.HTTPSConnection(host, self.port, timeout=timeout, context=context)
        # Names below localhost are this machine; not every resolver knows.
        connection._create_connection = lambda address, *a, **k: socket.create_connection(
            ("127.0.0.1", address[1]), *a, **k)
        return connection

    def request(self, method, path, body=None, headers=None, host=None, timeout=60):
        connection = self.connect(host or "localhost", timeout)
        try:
            head = {"Host": f"{host or 'localhost'}:{self.port}", **(headers or {})}
            connection.request(method, path, body=body, headers=head)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def user(self, name, project="default", role="editor", password="correct horse battery"):
        made = self.admin.api("POST", "/api/v1/users", {"name": name, "password": password})
        assert made.status == 201, made.body
        if project:
            member = self.admin.api("PUT", f"/api/v1/projects/{project}/members",
                                    {"user": name, "role": role})
            assert member.status == 200, member.body
        login = self.request("POST", "/api/v1/login",
                             json.dumps({"name": name, "password": password}),
                             {"Content-Type": "application/json"})
        assert login.status == 201, login.body
        return User(self, name, login.json["token"], password)

    def image(self, name="test", packages=()):
        """A small image from Debian packages; the recipe's layer is made once a data directory."""
        made = self.admin.api("POST", "/api/v1/images/build",
                              {"name": name, "from": "debian:bookworm", "packages": list(packages)})
        assert made.status in (200, 201, 202), made.body

        def ready():
            image = self.admin.get(f"/api/v1/images/{name}")
            assert image["state"] != "failed", image["reason"]
            return image["state"] == "ready"
        wait_for(f"image {name}", ready, 600, 0.5)
