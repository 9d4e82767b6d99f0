"""Submitting, following, waiting: against a server that misbehaves as networks do."""

import hashlib
import json
import signal
import threading

import pytest

JOB = "/api/v1/workloads/abcdefghjk"
LOGS = JOB + "/logs"


def workload(state, number=0, end=None, code=0, **more):
    attempt = {"number": number, "started": "2026-11-25T01:00:00Z" if number else None}
    if end:
        attempt.update(end=end, end_code=code, end_text=more.get("reason", ""))
    return {"id": "abcdefghjk", "name": "digits", "kind": "job", "state": state,
            "reason": more.get("reason", ""), "asked": {"tasks": 1, "cpu": "1", "memory": "1G", "gpu": "0"},
            **({"attempt": attempt} if number else {})}


def text(number, value, task=0):
    return (number, None, {"task": task, "text": value})


def test_run_follows_and_ends_with_the_jobs_code(known, api):
    api.on("POST", "/api/v1/jobs", workload("QUEUED"))
    api.on("GET", JOB, workload("QUEUED", reason="waits for 1 GPU"), workload("RUNNING", 1),
           workload("FAILED", 1, "exit-code", 7, reason="ended with exit code 7"))
    api.on("GET", LOGS, lambda r: r.events(text(5, "hello\n"), text(9, "w\u00f6rld"), (9, "end", {})))
    done = known("run", "--image", "ml", "--gpu", "1", "-e", "A=b", "--", "python3", "-u", "x.py", code=7)
    assert done.stdout == "hello\nw\u00f6rld"
    assert "waits for 1 GPU" in done.stderr and "digits FAILED: ended with exit code 7" in done.stderr
    sent = api.requests("POST", "/api/v1/jobs")[0]
    assert json.loads(sent.body) == {
        "kind": "job", "image": "ml", "roles": {"worker": {"gpu": 1}}, "env": {"A": "b"},
        "command": ["python3", "-u", "x.py"]}
    assert sent.headers["Authorization"] == "Bearer bt_secret"
    assert "follow=true" in api.requests("GET", LOGS)[0].query


def test_a_broken_log_goes_on_where_it_was(known, api):
    api.on("POST", "/api/v1/jobs", workload("RUNNING", 1))
    api.on("GET", JOB, workload("RUNNING", 1), workload("RUNNING", 1),
           workload("SUCCEEDED", 1, "completed"))
    api.on("GET", LOGS, lambda r: r.events(text(5, "one\n"), end=False), lambda r: r.drop(),
           lambda r: r.problem(503, "unavailable", "berth is restarting"),
           lambda r: r.events(text(9, "two\n"), (9, "end", {})))
    assert known("run", "--image", "ml", "x").stdout == "one\ntwo\n"
    positions = [r.headers["Last-Event-ID"] for r in api.requests("GET", LOGS)]
    assert positions[0] is None and set(positions[1:]) == {"5"}


def test_a_second_attempt_has_a_log_of_its_own(known, api):
    api.on("POST", "/api/v1/jobs", workload("RUNNING", 1))
    api.on("GET", JOB, workload("RUNNING", 1), workload("QUEUED", 1), workload("RUNNING", 2),
           workload("SUCCEEDED", 2, "completed"))
    api.on("GET", LOGS, lambda r: r.events(text(50, "first\n"), (50, "end", {})),
           lambda r: r.events(text(9, "second\n"), (9, "end", {})))
    assert known("run", "--image", "ml", "x").stdout == "first\nsecond\n"
    queries = [r.query for r in api.requests("GET", LOGS)]
    assert "attempt=1" in queries[0] and "attempt=2" in queries[1]
    assert api.requests("GET", LOGS)[1].headers["Last-Event-ID"] is None


def test_a_log_without_an_end_holds_nobody_up(known, api):
    api.on("POST", "/api/v1/jobs", workload("RUNNING", 1))
    api.on("GET", JOB, workload("FAILED", 1, "exit-code", 3))
    api.on("GET", LOGS, lambda r: r.events(text(5, "one\n")), lambda r: r.events())
    done = known("run", "--image", "ml", "x", code=3)
    assert done.stdout == "one\n" and "its log can't be read" in done.stderr


def test_a_submission_is_repeated_with_its_key(known, api):
    api.on("POST", "/api/v1/jobs", lambda r: r.drop(),
           lambda r: r.problem(503, "unavailable", "restarting"), workload("QUEUED"))
    assert known("run", "--no-follow", "--image", "ml", "x").stdout == "abcdefghjk\n"
    keys = {r.headers["Idempotency-Key"] for r in api.requests("POST", "/api/v1/jobs")}
    assert len(api.requests("POST", "/api/v1/jobs")) == 3 and len(keys) == 1 and None not in keys


def test_bad_input_sends_nothing(known, api):
    done = known("run", "--image", "ml", "--memory", "16", "x", code=2)
    assert "roles.worker.memory" in done.stderr
    (known.home / "job.yaml").write_text("kind: job\nimage: ml\ncommand: [x]\nimge: y\n")
    done = known("job", "submit", "job.yaml", code=2)
    assert done.stderr.startswith("berth: job.yaml:4:1: imge: unknown key") and "image" in done.stderr
    assert "there is no file away.yaml" in known("job", "submit", "away.yaml", code=3).stderr
    assert api.seen == []


def ship_routes(api, missing):
    api.on("POST", "/api/v1/code/missing", {"missing": missing})
    api.on("POST", "/api/v1/code", {"digest": "ab" * 32})
    api.on("POST", "/api/v1/workloads", workload("QUEUED"))


def test_code_is_sent_once(known, api):
    src = known.home / "src"
    (src / "sub").mkdir(parents=True)
    (src / ".git").mkdir()
    (src / ".git/config").write_text("no")
    (src / ".gitignore").write_text("*.bin\n")
    (src / "big.bin").write_bytes(b"no")
    (src / "train.py").write_text("print(1)\n")
    (src / "sub/empty").write_bytes(b"")
    (src / "sub/large").write_bytes(b"x" * 700_000)
    (known.home / "job.yaml").write_text("kind: job\nimage: ml\ncommand: [x]\ncode: ./src\n")
    digests = {name: hashlib.sha256((src / name).read_bytes()).hexdigest()
               for name in (".gitignore", "train.py", "sub/empty", "sub/large")}
    ship_routes(api, [digests["sub/large"], digests["sub/empty"]])
    for digest in digests.values():
        api.on("PUT", f"/api/v1/blobs/{digest}", lambda r: r.empty())
    done = known("job", "submit", "job.yaml")
    assert "sent 2 of 4 files, 684 KiB" in done.stderr
    manifest = json.loads(api.requests("POST", "/api/v1/code/missing")[0].body)
    assert {e["path"]: e["digest"] for e in manifest} == digests
    assert len(api.requests("PUT", f"/api/v1/blobs/{digests['sub/large']}")[0].body) == 700_000
    assert api.requests("PUT", f"/api/v1/blobs/{digests['sub/empty']}")[0].headers["Content-Length"] == "0"
    assert not api.requests("PUT", f"/api/v1/blobs/{digests['train.py']}")
    assert json.loads(api.requests("POST", "/api/v1/workloads")[0].body)["code"] == "ab" * 32


def test_an_upload_that_fails_submits_nothing(known, api):
    src = known.home / "src"
    src.mkdir()
    names = []
    for i in range(30):
        (src / f"f{i}").write_text(str(i))
        names.append(hashlib.sha256(str(i).encode()).hexdigest())
    ship_routes(api, names)
    for name in names:
        api.on("PUT", f"/api/v1/blobs/{name}", lambda r: r.empty())
    assert "sent 30 of 30 files" in known("run", "--no-follow", "--image", "ml", "--code", src, "x",
                                          code=3).stderr  # no route for jobs
    assert all(len(api.requests("PUT", f"/api/v1/blobs/{name}")) == 1 for name in names)
    api.on("PUT", f"/api/v1/blobs/{names[17]}",
           lambda r: r.problem(507, "no-space", "the disk is full", hint="make room"))
    done = known("run", "--image", "ml", "--code", src, "x", code=6)
    assert "sending code: the disk is full" in done.stderr and "hint: make room" in done.stderr
    assert len(api.requests("POST", "/api/v1/jobs")) == 1
    assert "directory" in known("run", "--image", "ml", "--code", src / "away", "x", code=3).stderr


def test_a_script_with_sbatch_lines(known, api):
    script = known.home / "train.sh"
    script.write_text("#!/bin/sh\n#SBATCH --job-name=Digits --mem=2G -p gpu\necho hello\n")
    ship_routes(api, [])
    done = known("job", "submit", "train.sh", "--", "--epochs", "3")
    sent = json.loads(api.requests("POST", "/api/v1/workloads")[0].body)
    assert sent == {"kind": "job", "command": ["/code/train.sh", "--epochs", "3"], "name": "digits",
                    "roles": {"worker": {"memory": "2G"}}, "code": "ab" * 32}
    manifest = json.loads(api.requests("POST", "/api/v1/code")[0].body)
    assert [(e["path"], e["mode"]) for e in manifest] == [("train.sh", "0755")]
    assert "train.sh:2: -p has no meaning" in done.stderr


def test_dry_run_ships_nothing(known, api):
    (known.home / "src").mkdir()
    (known.home / "job.yaml").write_text("kind: job\nimage: ml\ncommand: [x]\ncode: src\n")
    api.on("POST", "/api/v1/workloads", {"starts_now": False, "reason": "waits for 4 GPUs", "tasks": []})
    done = known("job", "submit", "job.yaml", "--dry-run", "--set", "roles.worker.gpu=4")
    assert "waits for 4 GPUs" in done.stdout
    assert [r.path for r in api.seen] == ["/api/v1/workloads?dry_run=true"]


def test_wait_gives_the_code_and_can_give_up(known, api):
    api.on("GET", JOB, workload("RUNNING", 1), workload("FAILED", 1, "out-of-memory", 9))
    known("job", "wait", "abcdefghjk", code=137)
    assert not api.requests("GET", LOGS)
    api.on("GET", JOB, workload("RUNNING", 1))
    done = known("job", "wait", "abcdefghjk", "--timeout", "200ms", code=6)
    assert "has not ended in time, it is RUNNING" in done.stderr


def test_interrupting_a_run_stops_the_job(known, api):
    stopped, reading = threading.Event(), threading.Event()

    def log(request):
        reading.set()
        if stopped.wait(30):
            request.events(text(1, "working\n"), (1, "end", {}))

    def stop(request):
        stopped.set()
        request.json(workload("STOPPING", 1))

    api.on("POST", "/api/v1/jobs", workload("RUNNING", 1))
    api.on("GET", JOB, lambda r: r.json(
        workload("STOPPED", 1, "stopped", reason="stopped by ada") if stopped.is_set()
        else workload("RUNNING", 1)))
    api.on("GET", LOGS, log)
    api.on("POST", JOB + "/stop", stop)
    run = known.start("run", "--image", "ml", "x")
    assert reading.wait(30)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 143, (out, err)
    assert "stopping digits" in err and "stopped by ada" in err


@pytest.mark.parametrize("follow", [False, True])
def test_logs(known, api, follow):
    def log(request):
        if "follow=true" in request.query:
            request.events(text(4, "abc\n"), (4, "end", {}))
        else:
            request.send_response(200)
            request.send_header("Content-Length", "5")
            request.end_headers()
            request.wfile.write(b"a\xff\0b\n")

    api.on("GET", "/api/v1/workloads/digits/logs", log)
    args = ["-f"] if follow else []
    out = known("job", "logs", *args, "--task", "2", "digits") if follow else None
    if follow:
        assert out.stdout == "abc\n"
    else:
        run = known.start("job", "logs", "digits", "--task", "2")
        assert run.stdout.buffer.read() == b"a\xff\0b\n"  # bytes as they are
        run.communicate(timeout=60)
        assert run.returncode == 0
    assert "task=2" in api.requests("GET", "/api/v1/workloads/digits/logs")[0].query


def test_images_are_waited_for(known, api):
    image = {"id": "i1", "name": "ml", "tag": "latest", "state": "making", "size": ""}
    api.on("POST", "/api/v1/images/build", lambda r: r.json(image, 202))
    api.on("GET", "/api/v1/images/i1", {**image, "progress": "unpacking 3/9"},
           {**image, "state": "ready", "size": "1.5 GiB"})
    done = known("image", "build", "ml", "--packages", "a,b", "--packages", "c", "--pip", "x==1, y")
    assert "ml: unpacking 3/9" in done.stderr and "ml:latest is ready (1.5 GiB)" in done.stderr
    assert json.loads(api.requests("POST", "/api/v1/images/build")[0].body) == {
        "name": "ml", "from": "debian:bookworm", "packages": ["a", "b", "c"], "pip": ["x==1", "y"],
        "no_cache": False}
    api.on("GET", "/api/v1/images/i1", {**image, "state": "failed", "reason": "no package zzz"})
    assert "no package zzz" in known("image", "build", "ml", code=5).stderr


def test_notebook_start_waits_and_prints_the_address(known, api):
    book = {**workload("QUEUED"), "kind": "notebook"}
    api.on("POST", "/api/v1/notebooks", book)
    api.on("GET", JOB, book, {**workload("RUNNING", 1), "kind": "notebook"})
    api.on("POST", "/api/v1/notebooks/abcdefghjk/open", {"url": "https://x.localhost/t"})
    done = known("notebook", "start", "--image", "ml", "--classic", "--wait")
    assert done.stdout == "https://x.localhost/t\n"
    assert json.loads(api.requests("POST", "/api/v1/notebooks")[0].body) == {
        "kind": "notebook", "image": "ml", "app": "classic"}
    api.on("GET", JOB, {**workload("FAILED", 1, "image-error", reason="there is no Jupyter")})
    assert "there is no Jupyter" in known("notebook", "start", "--image", "x", "-w", code=5).stderr
