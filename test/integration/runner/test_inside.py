"""What a task finds inside, and what it cannot do there."""
import pytest

MIB = 1 << 20


def said(runner, client, command, **other):
    order = runner.order(command, **other)
    facts = runner.run(client, order)
    return facts, runner.output(order["key"])


def test_user_and_names(runner, client):
    hosts = {"worker-0": "10.0.0.2", "worker-1": "10.0.0.3"}
    _, text = said(runner, client, "id; pwd; hostname; cat /etc/hosts; echo $HOME $USER; ls -ldn ~",
                   hosts=hosts)
    lines = text.splitlines()
    assert lines[0] == "uid=1000(ada) gid=1000(ada) groups=1000(ada)"
    assert lines[1] == "/home/ada" and lines[2] == "worker-0"
    assert "10.0.0.3 worker-1" in lines
    assert "/home/ada ada" in lines
    assert lines[-1].split()[2:4] == ["1000", "1000"]


def test_workdir_is_made(runner, client):
    facts, text = said(runner, client, "pwd; touch here", workdir="/home/ada/a/b")
    assert text == "/home/ada/a/b" and "exit_code" not in facts


def test_no_command_of_another_uid_range(runner, client):
    """Host ids are out of reach: files of nobody's stay nobody's."""
    _, text = said(runner, client, "cat /proc/self/uid_map; stat -c %u /proc/sys/kernel")
    assert text.split()[0] == "0" and text.split()[2] == "65536"
    assert text.split()[-1] == "65534"


@pytest.mark.parametrize("command", [
    "mount -t tmpfs none /mnt", "mount -t proc proc /proc", "umount /proc", "unshare -U true",
    "unshare -r true", "dmesg", "echo 1 > /proc/sys/kernel/panic", "echo b > /proc/sysrq-trigger",
    "mknod /tmp/x b 254 0 && cat /tmp/x", "cat /proc/kcore", "swapoff -a",
    "echo x > /.berth/init", "cat /dev/mem", "ls /dev/loop0", "ls /dev/kmsg", "chroot / mount -t tmpfs none /mnt",
    "hostname other", "echo 0 > /sys/fs/cgroup/memory/memory.limit_in_bytes",
    "mkdir /sys/fs/cgroup/pids/x",
])
def test_refused(runner, client, command):
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    result = client.ask("exec", key=order["key"], as_root=True, timeout_ms=10000,
                        env={"PATH": "/bin"}, command=["/bin/sh", "-c", command])
    assert result["exit_code"] != 0, result


def test_limits_are_set(runner, client):
    order = runner.order("echo up; exec sleep 1000", cpu_milli=1500, memory_bytes=48 * MIB, pids=77)
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    runner.wait_output(order["key"], "up")
    group = f"/berth-{runner.tag}/{runner.name(order['key'])}"
    root = "/sys/fs/cgroup"
    try:
        read = {name: int(open(f"{root}/{name.split('.')[0]}{group}/{name}").read()) for name in
                ["memory.limit_in_bytes", "pids.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"]}
    except OSError:
        pytest.skip("figures of cgroup v1 only")
    assert read == {"memory.limit_in_bytes": 48 * MIB, "pids.max": 77,
                    "cpu.cfs_quota_us": 150000, "cpu.cfs_period_us": 100000}
    stat = client.ask("stat", key=order["key"])
    assert 0 < stat["memory_bytes"] < 48 * MIB and stat["processes"] == 2
    assert stat["disk_bytes"] > 0


def test_exec(runner, client):
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    ask = {"key": order["key"], "timeout_ms": 10000, "env": {"X": "y z"}}
    result = client.ask("exec", command=["/bin/sh", "-c", "id -u; echo $X; exit 9"], **ask)
    assert result["exit_code"] == 9 and result["output"] == "1000\ny z\n"
    result = client.ask("exec", command=["/bin/seq", "20000"], **ask)
    assert result["output_cut"] and len(result["output"]) == 65536


def test_exec_timeout(runner, client):
    import wire
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    with pytest.raises(wire.RunnerError) as caught:
        client.ask("exec", key=order["key"], command=["/bin/sleep", "1000"], env={}, timeout_ms=200)
    assert caught.value.code == "timeout"
    client.ask("task-delete", key=order["key"])
    assert runner.remains() == []


def test_volume(runner, client):
    volume = runner.new_id()
    client.ask("volume-make", id=volume, size_bytes=32 * MIB)
    client.ask("volume-make", id=volume, size_bytes=32 * MIB)
    mount = {"volumes": [{"volume": volume, "path": "/home/ada"}]}
    facts, text = said(runner, client, "echo kept > ~/x; ls -ln ~/x; sleep 0", **mount)
    assert text.split()[2:4] == ["1000", "1000"]
    # Another task, another project, so another range of ids: the same file, the same owner.
    other = runner.new_id()
    runner.net(client, project=other)
    _, text = said(runner, client, "cat ~/x; ls -ln ~/x", project=other, **mount)
    assert text.split()[0] == "kept" and text.split()[3:5] == ["1000", "1000"]
    ro = {"volumes": [{"volume": volume, "path": "/data", "read_only": True}]}
    facts, text = said(runner, client, "cat /data/x; echo no > /data/y", **ro)
    assert facts["exit_code"] == 1 and "Read-only" in text


def test_volume_is_shared_and_grows(runner, client):
    volume = runner.new_id()
    client.ask("volume-make", id=volume, size_bytes=16 * MIB)
    mount = {"volumes": [{"volume": volume, "path": "/home/ada"}]}
    first = runner.order("while [ ! -e ~/from-second ]; do sleep 0.02; done; cat ~/from-second", **mount)
    client.ask("task-create", **first)
    client.ask("task-start", key=first["key"])
    facts, _ = said(runner, client, "echo hello > ~/from-second", **mount)
    assert "exit_code" not in facts
    client.wait_event("task-ended", first["key"])
    assert "hello" in runner.output(first["key"])


def has_cap_sys_resource():
    line = next(x for x in open("/proc/self/status") if x.startswith("CapEff"))
    return int(line.split()[1], 16) >> 24 & 1


@pytest.mark.parametrize("used", [False, True])
def test_volume_grows(runner, client, used):
    volume = runner.new_id()
    client.ask("volume-make", id=volume, size_bytes=16 * MIB)
    mount = {"volumes": [{"volume": volume, "path": "/home/ada"}]}
    fill = "dd if=/dev/zero of=$HOME/big bs=1M count=20"
    facts, _ = said(runner, client, fill, **mount)
    assert facts["exit_code"] == 1
    if used:
        if not has_cap_sys_resource():
            pytest.skip("the kernel grows a mounted file system for CAP_SYS_RESOURCE only")
        order = runner.order("sleep 1000", **mount)
        client.ask("task-create", **order)
        client.ask("task-start", key=order["key"])
    client.ask("volume-grow", id=volume, size_bytes=64 * MIB)
    facts, _ = said(runner, client, fill, **mount)
    assert "exit_code" not in facts


def test_code_is_writable_and_the_original_stays(runner, client):
    tree = runner.data / "trees" / ("2" * 64)
    tree.mkdir(parents=True)
    (tree / "main.sh").write_text("echo run > /code/out; cat /code/out; ls -ln /code/main.sh\n")
    facts, text = said(runner, client, "sh main.sh", code="2" * 64, workdir="/code")
    assert text.split()[0] == "run" and text.split()[3:5] == ["1000", "1000"]
    assert not (tree / "out").exists()


PROBE = r"""
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
int main(void)
{
    printf("euid %d\n", (int)geteuid());
    printf("setuid %d\n", setuid(0));
    printf("chown %d\n", chown("/scratch", 7, 7));
    printf("mknod %d\n", mknod("/scratch/x", S_IFBLK | 0600, makedev(7, 0)));
    return 0;
}
"""


def test_set_uid_works_inside_and_only_there(runner, client):
    """What sudo needs: a set-uid program of the image is root of the container, and no more."""
    import subprocess
    from conftest import LAYER
    source = runner.data / "probe.c"
    source.write_text(PROBE)
    program = runner.data / "layers" / LAYER / "bin/probe"
    try:
        subprocess.run(["cc", "-static", "-o", str(program), str(source)], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no compiler for static programs")
    program.chmod(0o4755)
    import os
    os.chown(program, runner.base, runner.base)
    program.chmod(0o4755)
    _, text = said(runner, client, "probe; cat /etc/sudoers.d/berth")
    assert text.splitlines()[:4] == ["euid 0", "setuid 0", "chown 0", "mknod -1"]
    assert "Permission denied" in text  # sudoers is root's


def test_devices_on_a_layer_are_dead(runner, client):
    """An image that brings the node of a disk gets nothing from it."""
    import os
    from conftest import LAYER
    node = runner.data / "layers" / LAYER / "disk"
    os.mknod(node, 0o666 | 0o60000, os.makedev(7, 0))
    os.chown(node, runner.base, runner.base)
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    result = client.ask("exec", key=order["key"], as_root=True, timeout_ms=10000, env={},
                        command=["/bin/dd", "if=/disk", "of=/dev/null", "count=1"])
    assert result["exit_code"] != 0 and "denied" in result["output"] or "permitted" in result["output"]
