"""Many at once, bad messages, and one that is stuck."""
import json
import socket
import struct

import pytest
import wire


def test_fifty_at_once(runner, client):
    base = runner.net(client)["network"].rsplit(".", 1)[0]
    volume = runner.new_id()
    client.ask("volume-make", id=volume, size_bytes=16 << 20)
    orders = [runner.order(f"echo {i} > ~/{i}; exit {i}", address=f"{base}.{10 + i}",
                           volumes=[{"volume": volume, "path": "/home/ada"}]) for i in range(50)]
    numbers = [client.send("task-create", **order) for order in orders]
    for number in numbers:
        client.wait(number, 120)
    numbers = [client.send("task-start", key=order["key"]) for order in orders]
    for number in numbers:
        client.wait(number, 120)
    for i, order in enumerate(orders):
        facts = client.wait_event("task-ended", order["key"], 120)["task"]
        assert facts.get("exit_code", 0) == i, facts
    assert len(client.list()) == 50
    numbers = [client.send("task-delete", key=order["key"]) for order in orders]
    for number in numbers:
        client.wait(number, 120)
    assert runner.remains() == []


def test_list_in_pages(runner, client):
    """More tasks than a page: made by hand, since their records are all that counts here."""
    runner.kill()
    for i in range(450):
        key = runner.key(index=i % 7)
        top = runner.data / "tasks" / runner.name(key)
        top.mkdir()
        (top / "record.json").write_text(json.dumps({
            "facts": {"key": key, "state": "ended", "ended_ms": 1}, "slot": 0,
            "boot_id": client.welcome["boot_id"], "pid": 0, "pid_start": 0, "monitor_pid": 0,
            "monitor_start": 0, "log_max_bytes": 1}))
    runner.start()
    client = runner.client()
    names = [runner.name(t["key"]) for t in client.list()]
    assert len(names) == 450 and names == sorted(set(names))


def test_repeated_orders_are_harmless(runner, client):
    order = runner.order("echo once; exit 2")
    numbers = [client.send("task-create", **order) for _ in range(3)]
    numbers += [client.send("task-start", key=order["key"]) for _ in range(3)]
    for number in numbers:
        client.wait(number)
    assert client.wait_event("task-ended", order["key"])["task"]["exit_code"] == 2
    assert client.ask("task-start", key=order["key"])["state"] == "ended"
    assert client.ask("task-create", **order)["state"] == "ended"
    assert runner.output(order["key"]) == "once"


@pytest.mark.parametrize("change, field", [
    ({"layers": ["../../etc"]}, "layers"),
    ({"layers": []}, "layers"),
    ({"code": "/etc"}, "code"),
    ({"user_name": "root"}, "user_name"),
    ({"user_name": "a/b"}, "user_name"),
    ({"hostname": "A B"}, "hostname"),
    ({"workdir": "/a/../b"}, "workdir"),
    ({"address": "1.2.3"}, "address"),
    ({"command": []}, "command"),
    ({"env": {"A=B": "x"}}, "env"),
    ({"memory_bytes": 1}, "memory_bytes"),
    ({"volumes": [{"volume": "aaaaaaaaaa", "path": "/proc/x"}]}, "volumes.path"),
    ({"volumes": [{"volume": "aaaaaaaaaa", "path": "home"}]}, "volumes.path"),
    ({"hosts": {"a b": "1.2.3.4"}}, "hosts"),
    ({"surprise": 1}, "surprise"),
])
def test_bad_orders_are_refused(runner, client, change, field):
    with pytest.raises(wire.RunnerError) as caught:
        client.ask("task-create", **(runner.order("true") | change))
    assert caught.value.code == "invalid" and field.split(".")[0] in caught.value.field
    assert client.list() == []


def test_missing_things_are_told_and_undone(runner, client):
    for change in [{"layers": ["9" * 64]}, {"code": "9" * 64},
                   {"volumes": [{"volume": runner.new_id(), "path": "/data"}]}]:
        with pytest.raises(wire.RunnerError) as caught:
            client.ask("task-create", **runner.order("true", **change))
        assert caught.value.code == "not-found" and caught.value.field == list(change)[0]
    assert client.list() == [] and runner.remains() == []


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x05\0\0\0hello",
                                  struct.pack("<I", 2) + b"{}"])
def test_bad_frames(runner, client, data):
    other = socket.socket(socket.AF_UNIX)
    other.connect(runner.socket)
    other.sendall(data)
    other.settimeout(10)
    other.recv(4096)  # an error or the end, never a hang
    other.close()
    assert client.ask("list")["tasks"] == []


def test_a_stranger_is_refused(runner):
    import os
    os.chmod(runner.socket, 0o666)
    for part in [runner.data, runner.data / "run"]:
        os.chmod(part, 0o755)
    pid = os.fork()
    if pid == 0:
        try:
            os.setresuid(65534, 65534, 65534)
            s = socket.socket(socket.AF_UNIX)
            s.connect(runner.socket)
            s.settimeout(10)
            os._exit(0 if s.recv(1) == b"" else 1)
        except PermissionError:
            os._exit(0)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_only_one_runner_a_directory(runner):
    import subprocess
    from conftest import BUILD
    result = subprocess.run([str(BUILD / "berth-runner"), "--data", str(runner.data)],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 5 and "another berth-runner" in result.stderr


def test_a_stuck_order_stops_nobody(runner, client):
    """Somebody holds a volume's lock: only orders on that volume wait."""
    import fcntl
    volume = runner.new_id()
    client.ask("volume-make", id=volume, size_bytes=16 << 20)
    with open(runner.data / "volumes" / f"{volume}.img") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        stuck = runner.order("exit 1", volumes=[{"volume": volume, "path": "/data"}])
        number = client.send("task-create", **stuck)
        facts = runner.run(client, runner.order("exit 2"))
        assert facts["exit_code"] == 2 and number not in client.replies
    client.wait(number)
