"""The machine's own disk is full: new work gets a clear error, what runs ends properly, all heals."""
import random
import shutil
import subprocess
import time

import pytest
import wire
from conftest import Runner

MIB = 1 << 20


@pytest.fixture
def small(base_dir):
    """A runner whose data directory is a file system of 64 MiB."""
    top = base_dir / f"small{random.randrange(1 << 30):x}"
    top.mkdir()
    image = base_dir / f"{top.name}.img"
    with open(image, "wb") as f:
        f.truncate(64 * MIB)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(top)], check=True)
    made = Runner(top / "d", random.randrange(100)).start()
    try:
        yield made
        for client in made.clients:
            client.close()
        made.clear()
        assert made.remains(records=False) == []
    finally:
        made.kill()
        subprocess.run(["umount", "-l", str(top)], check=True)
        top.rmdir()
        image.unlink()


def fill(runner):
    """Takes all the room there is."""
    with open(runner.data / "filler", "ab", buffering=0) as f:
        for size in [MIB, 4096]:
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass


def test_no_space_is_told_and_heals(small):
    client = small.client()
    small.net(client)
    first = small.order("while [ ! -e /run/go ]; do sleep 0.02; done; exit 3")
    client.ask("task-create", **first)
    client.ask("task-start", key=first["key"])
    fill(small)
    order = small.order("exit 4")
    with pytest.raises(wire.RunnerError) as caught:
        client.ask("task-create", **order)
    assert caught.value.code == "no-space"
    assert [t["key"] for t in client.list()] == [first["key"]]  # undone, and reads go on
    # A task ends meanwhile: its record has room of its own.
    client.ask("exec", key=first["key"], as_root=True, command=["/bin/touch", "/run/go"], env={},
               timeout_ms=10000)
    assert client.wait_event("task-ended", first["key"])["task"]["exit_code"] == 3
    (small.data / "filler").unlink()
    assert small.run(client, order)["exit_code"] == 4


def test_delete_frees_a_full_disk(small):
    client = small.client()
    small.net(client)
    order = small.order("dd if=/dev/urandom of=/scratch/x bs=64k count=400; echo filled; sleep 1000",
                        disk_bytes=48 * MIB)
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    small.wait_output(order["key"], "filled")
    fill(small)
    client.ask("task-delete", key=order["key"])
    assert client.list() == [] and small.remains() == []
    assert shutil.disk_usage(small.data).free > 10 * MIB
