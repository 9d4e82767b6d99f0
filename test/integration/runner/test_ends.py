"""How a task ends: each kind told apart, by the runner and by nobody's guess."""
import pytest

MIB = 1 << 20


def test_exit_code(runner, client):
    assert runner.run(client, runner.order("exit 3"))["exit_code"] == 3
    facts = runner.run(client, runner.order("exit 0"))
    assert "exit_code" not in facts and "signal" not in facts and "failure" not in facts
    # An exit code that looks like a signal's is still an exit code.
    facts = runner.run(client, runner.order("exit 137"))
    assert facts["exit_code"] == 137 and "signal" not in facts


def test_signal(runner, client):
    facts = runner.run(client, runner.order("kill -SEGV $$"))
    assert facts["signal"] == 11 and not facts.get("out_of_memory")


def test_out_of_memory(runner, client):
    order = runner.order("tail /dev/zero", memory_bytes=32 * MIB)
    facts = runner.run(client, order)
    assert facts["out_of_memory"] is True
    assert facts["signal"] == 9 or facts["exit_code"] == 137


def test_disk_full(runner, client):
    order = runner.order("dd if=/dev/zero of=/tmp/x bs=64k; exit 5", disk_bytes=32 * MIB)
    facts = runner.run(client, order)
    assert facts["disk_full"] is True and facts["exit_code"] == 5
    assert "No space left" in runner.output(order["key"])
    facts = runner.run(client, runner.order("dd if=/dev/zero of=/tmp/x bs=64k count=10"))
    assert not facts.get("disk_full")


def test_disk_full_and_killed(runner, client):
    """PID 1 has no time to say it; the disk itself tells."""
    order = runner.order("dd if=/dev/zero of=/scratch/x bs=64k; echo filled; sleep 1000",
                         disk_bytes=32 * MIB)
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    runner.wait_output(order["key"], "filled")
    client.ask("task-signal", key=order["key"], signal=9)
    facts = client.wait_event("task-ended", order["key"])["task"]
    assert facts["signal"] == 9 and facts["disk_full"] is True


@pytest.mark.parametrize("command, words", [
    (["no-such-program"], "command not found"),
    (["/no/such/program"], "no such file"),
    (["/etc/passwd"], "not executable"),
])
def test_start_error(runner, client, command, words):
    facts = runner.run(client, runner.order(command))
    assert facts["failure"] == "start" and words in facts["text"]


def test_start_error_workdir(runner, client):
    facts = runner.run(client, runner.order("true", workdir="/etc/passwd/x"))
    assert facts["failure"] == "start" and "/etc/passwd/x" in facts["text"]


def test_daemonised_child_dies_with_the_task(runner, client):
    order = runner.order("setsid sh -c 'sleep 1000' >/dev/null 2>&1 & exit 0")
    facts = runner.run(client, order)
    assert "exit_code" not in facts
    client.ask("task-delete", key=order["key"])
    assert runner.remains() == []


def test_term_is_passed_on(runner, client):
    order = runner.order("trap 'echo got it; exit 7' TERM; echo up; while :; do sleep 0.05; done")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    runner.wait_output(order["key"], "up")
    client.ask("task-signal", key=order["key"], signal=15)
    facts = client.wait_event("task-ended", order["key"])["task"]
    assert facts["exit_code"] == 7 and "got it" in runner.output(order["key"])


def test_term_ignored_then_killed(runner, client):
    order = runner.order("trap '' TERM; echo up; while :; do sleep 0.05; done")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    runner.wait_output(order["key"], "up")
    client.ask("task-signal", key=order["key"], signal=15)
    client.ask("task-signal", key=order["key"], signal=9)
    facts = client.wait_event("task-ended", order["key"])["task"]
    assert facts["signal"] == 9


def test_fork_bomb_meets_its_own_limit(runner, client):
    order = runner.order("b() { b | b & }; b; sleep 0.5; echo still here; sleep 1000", pids=64)
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    other = runner.order("echo unharmed")
    assert "exit_code" not in runner.run(client, other)
    client.ask("task-delete", key=other["key"])
    assert client.ask("stat", key=order["key"])["processes"] <= 64
    client.ask("task-delete", key=order["key"])
    assert runner.remains() == []


def test_pid_1_cannot_be_spoken_for(runner, client):
    """Container root cannot forge the report of how the task ended."""
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    for path in ["/proc/1/fd/3", "/proc/1/mem"]:
        result = client.ask("exec", key=order["key"], as_root=True, timeout_ms=10000, env={},
                            command=["/bin/sh", "-c", f"echo exit 0 > {path}"])
        assert result["exit_code"] != 0


def test_delete_a_running_task(runner, client):
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    client.ask("task-delete", key=order["key"])
    assert runner.remains() == [] and client.list() == []
    client.ask("task-delete", key=order["key"])  # again: done already


def test_delete_a_frozen_task(runner, client):
    order = runner.order("while :; do :; done")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    client.ask("task-freeze", key=order["key"])
    before = client.ask("stat", key=order["key"])["cpu_ms"]
    assert client.list()[0]["frozen"] is True
    assert client.ask("stat", key=order["key"])["cpu_ms"] - before < 20
    client.ask("task-delete", key=order["key"])
    assert runner.remains() == []


def test_thaw(runner, client):
    order = runner.order("while [ ! -e /scratch/go ]; do sleep 0.02; done; exit 4")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    client.ask("task-freeze", key=order["key"])
    client.ask("task-thaw", key=order["key"])
    client.ask("exec", key=order["key"], command=["/bin/touch", "/scratch/go"], env={},
               timeout_ms=10000)
    assert client.wait_event("task-ended", order["key"])["task"]["exit_code"] == 4


def test_killed_monitor(runner, client):
    """Without conmon nobody holds the output: the task ends, with the reason, nothing stays."""
    import os
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    name = runner.name(order["key"])
    pid = int(open(f"/run/berth-{runner.tag}/bundles/{name}/monitor.pid").read())
    os.kill(pid, 9)
    facts = client.wait_event("task-ended", order["key"])["task"]
    assert facts["failure"] == "engine" and "monitor" in facts["text"]
    client.ask("task-delete", key=order["key"])
    assert runner.remains() == []
