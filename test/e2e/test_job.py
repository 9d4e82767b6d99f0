"""A data scientist runs jobs: every end has its own reason, and nothing is left behind."""

import json

import pytest


def run(user, script, **more):
    job = user.submit(command=["sh", "-c", script], **more)
    return user.wait(job)


def test_output_and_exit_code(ada):
    done = run(ada, "echo out; echo err >&2; exit 0")
    assert done["state"] == "SUCCEEDED" and done["attempt"]["end"] == "completed"
    log = ada.log(done["id"])
    assert "out\n" in log and "err\n" in log
    failed = run(ada, "exit 7")
    assert failed["state"] == "FAILED"
    assert (failed["attempt"]["end"], failed["attempt"]["end_code"]) == ("exit-code", 7)
    assert "exit code 7" in failed["reason"]


def test_command_line_gives_the_exit_code(ada):
    done = ada.cli("run", "--image", "test", "--", "sh", "-c", "echo hello; exit 3", check=False)
    assert done.returncode == 3
    assert "hello" in done.stdout


def test_signal_is_told_apart(ada):
    done = run(ada, "kill -SEGV $$")
    assert (done["attempt"]["end"], done["attempt"]["end_code"]) == ("signal", 11)


def test_unknown_command(ada):
    job = ada.submit(command=["no-such-program"])
    done = ada.wait(job)
    assert done["state"] == "FAILED"
    assert "no-such-program" in done["reason"]


def test_memory_limit(ada):
    done = run(ada, "python3 -c 'x = bytearray(600 << 20); print(len(x))'",
               roles={"worker": {"memory": "128M"}})
    assert done["attempt"]["end"] == "out-of-memory"
    assert "128M" in done["reason"]


def test_disk_limit(ada):
    done = run(ada, "head -c 200M /dev/zero > /var/tmp/big", roles={"worker": {"disk": "64M"}})
    assert done["attempt"]["end"] == "disk-limit", done["reason"]


def test_time_limit(ada):
    done = run(ada, "sleep 600", time_limit="2s", grace="1s")
    assert done["state"] == "FAILED" and done["attempt"]["end"] == "time-limit"
    assert "2s" in done["reason"]


def test_stop_reaches_one_who_ignores_sigterm(ada):
    job = ada.submit(command=["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"],
                     grace="1s")
    ada.wait(job, ["RUNNING"])
    assert ada.api("POST", f"/api/v1/workloads/{job}/stop").status == 202
    done = ada.wait(job)
    assert done["state"] == "STOPPED"
    again = ada.api("POST", f"/api/v1/workloads/{job}/stop")
    assert again.status == 409 and again.json["code"] == "conflict"


def test_daemonised_children_end_with_the_job(ada):
    done = run(ada, "setsid sleep 300 & echo started")
    assert done["state"] == "SUCCEEDED"


def test_fork_bomb_meets_its_own_limit(ada):
    bomb = ada.submit(command=["sh", "-c", "b() { b | b & }; b; sleep 60"], time_limit="3s",
                      grace="1s")
    other = run(ada, "echo fine")
    assert other["state"] == "SUCCEEDED"
    assert ada.wait(bomb)["state"] == "FAILED"


def test_home_is_kept_and_code_is_fresh(ada, tmp_path):
    (tmp_path / "main.sh").write_text("echo count >> ~/count; cat data/one; wc -l < ~/count\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one").write_text("first\n")
    file = tmp_path / "job.yaml"
    file.write_text("kind: job\nname: coded\nimage: test\ncode: .\ncommand: [sh, main.sh]\n")
    first = ada.cli("job", "submit", file, "--follow")
    assert "first\n" in first.stdout
    second = ada.cli("job", "submit", file, "--follow")
    assert "2\n" in second.stdout


def test_gang_finds_each_other_by_name(ada):
    job = ada.submit(command=["sh", "-c", "getent hosts ps-0 worker-0 worker-1; echo $BERTH_ROLE "
                                          "$BERTH_RANK of $BERTH_WORLD_SIZE"],
                     roles={"ps": {"replicas": 1, "cpu": "100m", "memory": "64M"},
                            "worker": {"replicas": 2, "cpu": "100m", "memory": "64M"}})
    done = ada.wait(job)
    assert done["state"] == "SUCCEEDED", done["reason"]
    said = ada.log(job, 2)
    assert "ps-0" in said and "worker-1" in said and "worker 1 of 2" in said


def test_parameter_servers_end_when_workers_do(ada):
    job = ada.submit(command=["true"], stop_when="worker", grace="1s",
                     roles={"ps": {"cpu": "100m", "memory": "64M", "command": ["sleep", "600"]},
                            "worker": {"cpu": "100m", "memory": "64M"}})
    done = ada.wait(job)
    assert done["state"] == "SUCCEEDED", done["reason"]


@pytest.mark.parametrize("spec, field, words", [
    ({"comand": ["x"]}, "comand", "unknown key"),
    ({"roles": {"worker": {"memory": "16"}}}, "roles.worker.memory", ""),
    ({"roles": {"worker": {"cpu": 4000}}}, "roles.worker.cpu", "largest node"),
    ({"image": "nosuch"}, "image", "no image"),
    ({"project": "lab"}, "project", "project"),
    ({"time_limit": "5"}, "time_limit", ""),
])
def test_bad_input_changes_nothing(ada, spec, field, words):
    before = ada.get("/api/v1/workloads?limit=1")["items"][0]["id"]
    body = {"kind": "job", "image": "test", "command": ["true"], **spec}
    answer = ada.api("POST", "/api/v1/workloads", body)
    assert answer.status == 400, answer.body
    assert answer.json["field"] == field and words in answer.json["detail"]
    assert ada.get("/api/v1/workloads?limit=1")["items"][0]["id"] == before


def test_a_repeated_key_makes_one_job(ada):
    body = {"kind": "job", "image": "test", "command": ["true"]}
    key = {"Idempotency-Key": "same-key"}
    one = ada.api("POST", "/api/v1/workloads", body, key).json["id"]
    two = ada.api("POST", "/api/v1/workloads", body, key).json["id"]
    assert one == two
    ada.wait(one)


def test_events_resume(ada):
    job = ada.submit(command=["true"])
    ada.wait(job)
    page = ada.get("/api/v1/events?after=0&limit=1000")["items"]
    mine = [e for e in page if e["subject"] == job]
    assert [e["data"]["state"] for e in mine if e["type"] == "workload.state"][-1] == "SUCCEEDED"
    numbers = [e["seq"] for e in page]
    assert numbers == sorted(numbers)
    assert json.dumps(page)
