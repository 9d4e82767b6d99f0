"""kill -9 of the runner: what it had begun is finished or undone, what ran goes on."""
import os
import pathlib
import random
import signal
import time

import pytest
import wire

MIB = 1 << 20


def restart(runner):
    runner.kill()
    runner.start()
    client = runner.client()
    runner.net(client)
    return client


def test_tasks_outlive_the_runner(runner, client):
    order = runner.order("while [ ! -e /scratch/go ]; do sleep 0.02; done; echo done; exit 5")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    client = restart(runner)
    assert [t["state"] for t in client.list()] == ["running"]
    client.ask("exec", key=order["key"], command=["/bin/touch", "/scratch/go"], env={},
               timeout_ms=10000)
    facts = client.wait_event("task-ended", order["key"])["task"]
    assert facts["exit_code"] == 5 and "done" in runner.output(order["key"])


def test_end_while_the_runner_is_away(runner, client):
    order = runner.order("echo up; sleep 0.3; exit 6")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    runner.wait_output(order["key"], "up")
    runner.kill()
    path = pathlib.Path(f"/run/berth-{runner.tag}/exits/{runner.name(order['key'])}")
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    runner.start()
    client = runner.client()
    deadline = time.monotonic() + 10
    while client.list()[0]["state"] != "ended" and time.monotonic() < deadline:
        time.sleep(0.01)
    facts = client.list()[0]
    assert facts["state"] == "ended" and facts["exit_code"] == 6
    # The facts stay until they are forgotten, over any number of restarts.
    client = restart(runner)
    assert client.list()[0]["exit_code"] == 6
    client.ask("task-delete", key=order["key"])
    assert client.list() == [] and runner.remains() == []


def test_created_stays_created(runner, client):
    order = runner.order("echo once >> /scratch/x; wc -l < /scratch/x")
    client.ask("task-create", **order)
    client = restart(runner)
    assert client.list()[0]["state"] == "created"
    assert client.ask("task-create", **order)["state"] == "created"  # repeated: the same answer
    client.ask("task-start", key=order["key"])
    client.wait_event("task-ended", order["key"])
    assert runner.output(order["key"]).split() == ["1"]


def test_a_reboot_is_known(runner, client):
    """Another boot id: what the record says runs cannot run any more."""
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    path = runner.data / "tasks" / runner.name(order["key"]) / "record.json"
    runner.kill()
    path.write_text(path.read_text().replace(client.welcome["boot_id"],
                                             "00000000-0000-0000-0000-000000000000"))
    runner.start()
    client = runner.client()
    deadline = time.monotonic() + 10
    while client.list()[0]["state"] != "ended" and time.monotonic() < deadline:
        time.sleep(0.01)
    facts = client.list()[0]
    assert facts["state"] == "ended" and facts["failure"] == "node"
    client.ask("task-delete", key=order["key"])
    assert runner.remains() == []


def test_clear(runner, client):
    """The instance is taken down: nothing stays on the machine, and it is known what became of all."""
    base = runner.net(client)["network"].rsplit(".", 1)[0]
    ended, running, created = [runner.order(c, address=f"{base}.{i + 2}") for i, c in
                               enumerate(["exit 3", "sleep 1000", "true"])]
    runner.run(client, ended)
    for order in [running, created]:
        client.ask("task-create", **order)
    client.ask("task-start", key=running["key"])
    runner.clear()
    assert runner.remains(records=False) == []
    assert not [n for n in os.listdir("/sys/class/net") if runner.tag in n]
    assert not pathlib.Path(f"/run/berth-{runner.tag}").exists()
    runner.start()
    client = runner.client()
    facts = {runner.name(t["key"]): t for t in client.list()}
    assert facts[runner.name(ended["key"])]["exit_code"] == 3
    for order in [running, created]:
        task = facts[runner.name(order["key"])]
        assert task["state"] == "ended" and task["failure"] == "node" and "taken down" in task["text"]
        client.ask("task-delete", key=order["key"])
    client.ask("task-delete", key=ended["key"])
    assert client.list() == [] and runner.remains() == []


def test_fence(runner, client):
    key = runner.key()
    workload = key["workload"]
    old, new = {**key, "fence": 5}, {**key, "number": 2, "fence": 9}
    first = runner.order("sleep 1000", key=old)
    client.ask("task-create", **first)
    client.ask("task-create", **runner.order("true", key=new))
    client = restart(runner)
    for verb, args in [("task-start", {"key": old}),
                       ("task-create", runner.order("true", key={**old, "index": 1}))]:
        with pytest.raises(wire.RunnerError) as caught:
            client.ask(verb, **args)
        assert caught.value.code == "conflict" and caught.value.field == "key.fence"
    client.ask("task-delete", key=old)  # taking away is always allowed
    client.ask("task-delete", key=new)
    for number in [1, 2]:
        client.ask("log-remove", workload=workload, number=number)
    assert not (runner.data / "fences" / workload).exists()


def churn(client, runner, orders, results):
    """Does one random thing with one random task; remembers what was acknowledged."""
    order = random.choice(orders)
    name = runner.name(order["key"])
    state = results.setdefault(name, "none")
    if state in ("none", "deleted"):
        order["key"] = runner.key()
        name = runner.name(order["key"])
        results[name] = "creating"
        client.ask("task-create", **order)
        results[name] = "created"
    elif state == "created":
        results[name] = "starting"
        client.ask("task-start", key=order["key"])
        results[name] = "started"
    elif state == "started" and random.random() < 0.5:
        results[name] = "deleting"
        client.ask("task-delete", key=order["key"])
        results[name] = "deleted"


@pytest.mark.parametrize("seed", range(int(os.environ.get("BERTH_KILL_SEEDS", "2"))))
def test_random_kills(runner, client, seed):
    """Fifty kills a seed at random moments. Nothing acknowledged is lost, nothing half-made stays,
    every started command ran exactly once."""
    random.seed(seed)
    print("seed", seed)
    base = runner.net(client)["network"].rsplit(".", 1)[0]
    volume = runner.new_id()
    client.ask("volume-make", id=volume, size_bytes=16 * MIB)
    orders = [runner.order("echo ran; sleep 0.05; exit 3", address=f"{base}.{10 + i}",
                           volumes=[{"volume": volume, "path": "/home/ada"}]) for i in range(6)]
    for order in orders:
        order["key"] = runner.key()
    results = {}
    for _ in range(50):
        pid = runner.process.pid
        delay = random.choice([0.001, 0.005, 0.02, 0.05, 0.1]) * random.random()
        end = time.monotonic() + delay
        child = os.fork()
        if child == 0:
            time.sleep(max(0, end - time.monotonic()))
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        try:
            while True:
                churn(client, runner, orders, results)
        except (ConnectionError, OSError):
            pass
        os.waitpid(child, 0)
        runner.kill()
        runner.start()
        client = runner.client()
        check_acknowledged(client, runner, orders, results)
    for order in orders:
        client.ask("task-delete", key=order["key"])
    runner.wait_clean()
    for path in (runner.data / "logs").rglob("*.log"):
        assert path.read_text().count(" ran\n") <= 1, path


def check_acknowledged(client, runner, orders, results):
    """What was in flight may have happened or not; bring our memory to what is."""
    deadline = time.monotonic() + 20
    while True:
        tasks = {runner.name(t["key"]): t for t in client.list()}
        busy = [t for t in tasks.values() if t["state"] in ("preparing", "deleting")]
        if not busy:
            break
        assert time.monotonic() < deadline, busy
        time.sleep(0.01)
    for order in orders:
        name = runner.name(order["key"])
        state, task = results.get(name, "none"), tasks.get(name)
        if state in ("created", "started", "starting"):
            assert task is not None, (name, state)
        if state == "deleted":
            assert task is None, (name, state)
        if state == "started":
            assert task["state"] in ("running", "ended"), task
            if task["state"] == "ended":
                assert task.get("exit_code") == 3 and "failure" not in task, task
        if task is None:
            results[name] = "none"
        else:
            results[name] = "created" if task["state"] == "created" else "started"


def kill_workers(runner):
    main = runner.process.pid
    for pid in open(f"/proc/{main}/task/{main}/children").read().split():
        try:
            if open(f"/proc/{pid}/comm").read() == "berth-runner\n":
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass  # gone already


def test_killed_workers(runner, client):
    """A worker dies at any moment: its order fails and is undone, and the same order works again."""
    base = runner.net(client)["network"].rsplit(".", 1)[0]
    failed = 0
    for i in range(60):
        order = runner.order("echo ran; exit 3", address=f"{base}.9")
        created = started = False
        for _ in range(20):
            number = client.send("task-start", key=order["key"]) if created else \
                client.send("task-create", **order)
            end = time.monotonic() + random.random() * 0.08
            while time.monotonic() < end and number not in client.replies:
                client.receive(end)
            if random.random() < 0.6:
                kill_workers(runner)
            try:
                client.wait(number)
            except wire.RunnerError as error:
                assert error.code in ("internal", "conflict"), error
                failed += 1
                if error.code == "conflict":  # it ended by the failure before
                    break
                if not created:
                    assert client.list() == [] and runner.remains() == []
                continue
            if created:
                started = True
                break
            created = True
        facts = client.wait_event("task-ended", order["key"])["task"] if started or created else None
        if facts is not None and facts.get("failure") is None:
            assert facts["exit_code"] == 3, facts
            assert runner.output(order["key"]) == "ran"
        while True:
            number = client.send("task-delete", key=order["key"])
            if random.random() < 0.3:
                client.receive(time.monotonic() + 0.01 * random.random())
                kill_workers(runner)
            try:
                client.wait(number)
                break
            except wire.RunnerError as error:
                assert error.code == "internal"
        client.events.clear()
    assert failed > 5
    runner.wait_clean()
