"""berthd alone, with the fake engine, over its own socket: what holds for every route."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

BUILD = pathlib.Path(os.environ.get("BERTH_BUILD", "build")).resolve()


class Daemon:
    def __init__(self):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="ba-", dir="/var/tmp"))
        for name in ("db", "run", "blobs", "trees", "tmp"):
            (self.data / name).mkdir()
        (self.data / "instance.json").write_text('{"domain": "localhost"}')
        self.process = None
        self.start()
        self.token = json.loads((self.data / "db/first-login").read_text())["token"]

    def start(self):
        self.log = open(self.data / "log", "ab")
        self.process = subprocess.Popen(
            [str(BUILD / "berthd"), "--data", str(self.data), "--engine", "fake"],
            stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                if self.call("GET", "/api/v1/health")[0] == 200:
                    return
            except OSError:
                pass
            assert self.process.poll() is None, (self.data / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.data)

    def call(self, method, path, body=None, token=None, headers=None):
        c = http.client.HTTPConnection("x", timeout=30)
        c.sock = socket.socket(socket.AF_UNIX)
        c.sock.connect(str(self.data / "run/berthd.sock"))
        head = dict(headers or {})
        if token:
            head["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            head["Content-Type"] = "application/json"
        c.request(method, path, body=body, headers=head)
        answer = c.getresponse()
        data = answer.read()
        c.close()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(data) if "json" in kind and data else data, answer.headers

    def admin(self, method, path, body=None, **more):
        return self.call(method, path, body, self.token, **more)

    def wait(self, job, states=("SUCCEEDED", "FAILED", "STOPPED"), seconds=30):
        end = time.monotonic() + seconds
        while True:
            shown = self.admin("GET", f"/api/v1/workloads/{job}")[1]
            if shown["state"] in states:
                return shown
            assert time.monotonic() < end, shown
            time.sleep(0.02)


@pytest.fixture(scope="module")
def daemon():
    d = Daemon()
    d.admin("POST", "/api/v1/images/build", {"name": "test", "from": "debian:bookworm"})
    yield d
    d.end()


def routes(daemon):
    described = daemon.call("GET", "/api/v1/openapi.json")[1]
    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            yield path.replace("{", "").replace("}", ""), method.upper(), operation


def test_every_route_needs_a_login_unless_it_says_so(daemon):
    checked = 0
    for path, method, operation in routes(daemon):
        status = daemon.call(method, path)[0]
        if operation.get("security") == []:
            assert status != 401 or path == "/api/v1/login", (method, path)
        else:
            assert status == 401, (method, path, status)
            checked += 1
    assert checked > 30


def test_no_route_answers_nonsense_with_a_crash(daemon):
    bodies = [b"", b"{", b"[]", b"null", b'{"x":1}', b"\xff\xfe", b'{"name":' + b"[" * 100,
              json.dumps({"name": "a" * 100000}).encode()]
    for path, method, operation in routes(daemon):
        if path.endswith("/logout"):
            continue
        for body in bodies:
            status, answer, _ = daemon.admin(method, path, body,
                                             headers={"Content-Type": "application/json"})
            assert status < 500, (method, path, body[:40], answer)
            if status >= 400 and method != "HEAD":
                assert answer["code"] and answer["detail"], (method, path)
    assert daemon.process.poll() is None


def test_unknown_paths_and_methods(daemon):
    assert daemon.admin("GET", "/api/v1/nothing")[0] == 404
    status, answer, headers = daemon.admin("PATCH", "/api/v1/jobs")
    assert status == 405 and "GET" in headers["Allow"] and answer["code"] == "method-not-allowed"


def test_error_names_the_place(daemon):
    status, answer, _ = daemon.admin("POST", "/api/v1/jobs", '{\n "image": "test",\n "comand": []}',
                                     headers={"Content-Type": "application/json"})
    assert status == 400
    assert (answer["field"], answer["line"]) == ("comand", 3)
    assert "command" in answer["hint"]


def submit(daemon, **env):
    status, answer, _ = daemon.admin("POST", "/api/v1/jobs", {
        "image": "test", "command": ["x"], "env": {k: str(v) for k, v in env.items()}})
    assert status == 201, answer
    return answer["id"]


def test_life_and_log(daemon):
    job = submit(daemon, FAKE_RUN_MS=50, FAKE_LOG="hello", FAKE_EXIT=4)
    done = daemon.wait(job)
    assert (done["state"], done["attempt"]["end_code"]) == ("FAILED", 4)
    assert daemon.admin("GET", f"/api/v1/jobs/{job}/logs")[1].startswith(b"hello\n")


def test_pages_go_through_everything_once(daemon):
    made = [submit(daemon, FAKE_RUN_MS=1) for _ in range(25)]
    seen, cursor = [], ""
    while True:
        page = daemon.admin("GET", f"/api/v1/workloads?limit=7{cursor}")[1]
        seen += [w["id"] for w in page["items"]]
        if "next" not in page:
            break
        cursor = "&cursor=" + page["next"]
    assert len(seen) == len(set(seen)) and set(made) <= set(seen)


def read_stream(daemon, path, count, headers=None):
    """The first events of a stream: (id, data)."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(str(daemon.data / "run/berthd.sock"))
    lines = [f"GET {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {daemon.token}"]
    lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
    s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    data, found = b"", []
    while len(found) < count:
        piece = s.recv(65536)
        assert piece, data
        data += piece
        found = []
        for block in data.split(b"\n\n"):
            lines = block.replace(b"\r", b"").split(b"\n")
            ids = [line[4:] for line in lines if line.startswith(b"id: ")]
            texts = [line[6:] for line in lines if line.startswith(b"data: ")]
            if ids and texts:
                found.append((int(ids[0]), json.loads(b"\n".join(texts))))
    s.close()
    return found[:count]


def test_watch_resumes_without_a_gap(daemon):
    before = daemon.admin("GET", "/api/v1/workloads")[1]["event"]
    job = submit(daemon, FAKE_RUN_MS=1)
    daemon.wait(job)
    first = read_stream(daemon, f"/api/v1/events?watch=true&after={before}", 2)
    rest = read_stream(daemon, "/api/v1/events?watch=true", 2, {"Last-Event-ID": str(first[-1][0])})
    numbers = [n for n, _ in first + rest]
    assert numbers == list(range(before + 1, before + 5))


def test_cookies_work_only_from_the_own_page(daemon):
    daemon.admin("POST", "/api/v1/users", {"name": "eve", "password": "long enough"})
    status, _, headers = daemon.call("POST", "/api/v1/login", {
        "name": "eve", "password": "long enough", "session": True})
    assert status == 201
    cookie = headers["Set-Cookie"].split(";")[0]
    own = {"Cookie": cookie, "X-Berth-Origin": "https://localhost:1"}
    assert daemon.call("GET", "/api/v1/me", headers=own)[0] == 200
    body = {"label": "x"}
    for origin, wanted in [("https://localhost:1", 201), ("https://evil.example", 403),
                           ("null", 403), (None, 403)]:
        extra = {"Origin": origin} if origin else {}
        assert daemon.call("POST", "/api/v1/tokens", body, headers={**own, **extra})[0] == wanted


def test_wrong_passwords_are_slowed_down(daemon):
    daemon.admin("POST", "/api/v1/users", {"name": "mallory", "password": "long enough"})
    answers = {daemon.call("POST", "/api/v1/login", {"name": "mallory", "password": "wrong one"})[0]
               for _ in range(12)}
    assert answers == {401, 429}


def test_nothing_acknowledged_is_lost_by_kills(daemon):
    made = []
    for _ in range(15):
        made += [submit(daemon, FAKE_RUN_MS=1) for _ in range(5)]
        daemon.kill()
        daemon.start()
    for job in made:
        assert daemon.wait(job)["state"] == "SUCCEEDED"
    page = daemon.admin("GET", "/api/v1/events?after=0&limit=1000")[1]["items"]
    numbers = [e["seq"] for e in page]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_newer_database_is_refused(daemon):
    copy = pathlib.Path(tempfile.mkdtemp(prefix="ba-", dir="/var/tmp"))
    try:
        for name in ("db", "run", "blobs", "trees", "tmp"):
            (copy / name).mkdir()
        (copy / "instance.json").write_text('{"domain": "localhost"}')
        daemon.kill()
        for file in (daemon.data / "db").iterdir():
            shutil.copy(file, copy / "db")
        daemon.start()
        import sqlite3
        base = sqlite3.connect(copy / "db/berth.db")
        base.execute("pragma user_version = 999")
        base.commit()
        base.close()
        done = subprocess.run([str(BUILD / "berthd"), "--data", str(copy), "--engine", "fake"],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 5 and "999" in done.stderr
    finally:
        shutil.rmtree(copy)
