"""The same with runc, for machines without crun."""
import os

import pytest

MIB = 1 << 20
RUNC = next((p for p in ["/usr/bin/runc", "/usr/sbin/runc"] if os.path.exists(p)), None)
pytestmark = pytest.mark.skipif(RUNC is None, reason="runc is not installed")


@pytest.fixture
def client(runner):
    runner.kill()
    runner.arguments = ["--runtime", RUNC]
    runner.start()
    client = runner.client()
    runner.net(client)
    assert client.ask("inventory")["runtime"].startswith("runc ")
    return client


def test_runc(runner, client):
    base = runner.net(client)["network"].rsplit(".", 1)[0]
    volume = runner.new_id()
    client.ask("volume-make", id=volume, size_bytes=16 * MIB)
    order = runner.order("id; echo x > ~/y; cat ~/y; exit 3", address=f"{base}.2",
                         volumes=[{"volume": volume, "path": "/home/ada"}])
    facts = runner.run(client, order)
    assert facts["exit_code"] == 3
    assert runner.output(order["key"]).splitlines()[-1] == "x"
    assert runner.run(client, runner.order("kill -9 $$"))["signal"] == 9
    facts = runner.run(client, runner.order("tail /dev/zero", memory_bytes=32 * MIB))
    assert facts["out_of_memory"]
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    result = client.ask("exec", key=order["key"], command=["/bin/id", "-u"], env={}, timeout_ms=10000)
    assert result["output"] == "1000\n"
    for task in client.list():
        client.ask("task-delete", key=task["key"])
    assert runner.remains() == []


def test_runc_recovers(runner, client):
    order = runner.order("echo once; sleep 0.2; exit 4")
    client.ask("task-create", **order)
    runner.kill()
    runner.start()
    client = runner.client()
    assert client.list()[0]["state"] == "created"
    client.ask("task-start", key=order["key"])
    assert client.wait_event("task-ended", order["key"])["task"]["exit_code"] == 4
