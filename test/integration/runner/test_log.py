"""The log file: complete when the end is told, capped, and removed only when nobody writes it."""
import pytest
import wire


def test_log_is_whole_at_the_end(runner, client):
    order = runner.order("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done")
    facts = runner.run(client, order)
    path = runner.log_path(order["key"])
    assert facts["log_bytes"] == path.stat().st_size
    assert runner.output(order["key"]).splitlines()[-1] == "line 1999"
    assert oct(path.stat().st_mode & 0o777) == "0o640"


def test_log_cap(runner, client):
    cap = 64 * 1024
    order = runner.order("i=0; while [ $i -lt 5000 ]; do echo line $i of a flood; i=$((i+1)); done; "
                         "exit 6", log_max_bytes=cap)
    facts = runner.run(client, order)
    assert facts["exit_code"] == 6 and facts["log_cut"] is True
    assert facts["log_bytes"] < cap + 1024
    lines = runner.output(order["key"]).splitlines()
    assert lines[0] == "line 0 of a flood"
    assert "reached its limit of 64 KiB" in lines[-1]


def test_log_remove(runner, client):
    order = runner.order("echo hi")
    runner.run(client, order)
    key = order["key"]
    with pytest.raises(wire.RunnerError) as caught:
        client.ask("log-remove", workload=key["workload"], number=1)
    assert caught.value.code == "busy"
    client.ask("task-delete", key=key)
    assert runner.log_path(key).exists()
    client.ask("log-remove", workload=key["workload"], number=1)
    assert not runner.log_path(key).parent.parent.exists()
