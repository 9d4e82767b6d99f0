"""GPUs by the stand-in driver: a task sees the nodes of the GPUs it was given and no others."""
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import BUILD

NVML = BUILD / "test/lib/libfakenvml.so"
# Devices that do no harm when opened (fuse, tun) and that a container may not open by itself.
NODES = [("nvidia0", 10, 229), ("nvidia1", 10, 200)]


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """A machine with two GPUs; the file that says so."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    text = "driver 550.1\n"
    for i, (name, major, minor) in enumerate(NODES):
        node = tmp_path / name
        os.mknod(node, 0o20666, os.makedev(major, minor))
        os.chmod(node, 0o666)
        text += (f"gpu\nmodel NVIDIA Test\nuuid GPU-{i}\nmemory 1073741824\nbus {i}\n"
                 f"node {node}\nlink 1\n")
    os.chmod(tmp_path, 0o755)
    conf = tmp_path / "gpus"
    conf.write_text(text)
    library = tmp_path / "libnvidia-ml.so.550.1"  # the driver's libraries lie side by side
    shutil.copy(NVML, library)
    (tmp_path / "libcuda.so.550.1").write_text("cuda of 550.1\n")
    (tmp_path / "libglx.so.550.1").write_text("graphics\n")
    (tmp_path / "libcuda.so.1").write_text("another version\n")
    monkeypatch.setenv("BERTH_NVML", str(library))
    monkeypatch.setenv("BERTH_FAKE_GPUS", str(conf))
    return conf


@pytest.fixture
def machine(gpus, runner):
    client = runner.client()
    runner.net(client)
    return client


def test_inventory(machine, gpus):
    inventory = machine.ask("inventory")
    assert inventory["driver"] == "550.1"
    assert [g["uuid"] for g in inventory["gpus"]] == ["GPU-0", "GPU-1"]
    assert all(g["healthy"] and g["link_group"] == 1 for g in inventory["gpus"])
    assert not inventory["gpus"][0].get("foreign")
    gpus.write_text(gpus.read_text() + "ecc 4\n")
    second = machine.ask("inventory")["gpus"][1]
    assert not second["healthy"] and "4 uncorrected" in second["why"]


def test_task_sees_its_gpus_only(machine, runner):
    order = runner.order("ls /dev/nvidia*; exec 3<>/dev/nvidia1 && echo open", gpus=["GPU-1"])
    facts = runner.run(machine, order)
    assert facts.get("exit_code", 0) == 0, facts
    assert runner.output(order["key"]).split() == ["/dev/nvidia1", "open"]


def test_task_gets_the_drivers_libraries(machine, runner):
    order = runner.order("cd /usr/lib/*-linux-gnu && ls && cat libcuda.so.1", gpus=["GPU-0"])
    runner.run(machine, order)
    assert runner.output(order["key"]).split("\n") == [
        "libcuda.so.1", "libcuda.so.550.1", "libnvidia-ml.so.1", "libnvidia-ml.so.550.1",
        "cuda of 550.1"]


def test_task_without_gpus_sees_none(machine, runner):
    order = runner.order("ls /dev/nvidia* 2>/dev/null | wc -l")
    runner.run(machine, order)
    assert runner.output(order["key"]).strip() == "0"


def test_unknown_gpu_is_refused(machine, runner):
    with pytest.raises(Exception, match="GPU-9"):
        machine.ask("task-create", **runner.order("true", gpus=["GPU-9"]))
    runner.wait_clean()


def test_foreign_user_is_told_and_own_is_not(machine, runner, gpus):
    node = pathlib.Path(gpus.parent / "nvidia0")
    order = runner.order("exec 3</dev/nvidia1; echo open; sleep 1000", gpus=["GPU-1"])
    machine.ask("task-create", **order)
    machine.ask("task-start", key=order["key"])
    runner.wait_output(order["key"], "open")
    with subprocess.Popen(["sleep", "1000"], stdin=open(node, "rb")) as stranger:
        try:
            first, second = machine.ask("inventory")["gpus"]
        finally:
            stranger.kill()
    assert str(stranger.pid) in first["foreign"] and "sleep" in first["foreign"]
    assert not second.get("foreign")
    assert not machine.ask("inventory")["gpus"][0].get("foreign")
    machine.ask("task-delete", key=order["key"])
