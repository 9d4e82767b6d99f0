"""SIGKILL of any of our processes at random moments, under load: nothing acknowledged is lost,
nothing runs twice, nothing is left behind."""

import os
import pathlib
import random
import subprocess
import threading
import time

from berth import wait_for

KILLS = int(os.environ.get("BERTH_TEST_KILLS", "300"))
SEED = int(os.environ.get("BERTH_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
DAEMONS = ("berthd", "berth-gateway", "berth-runner")


class Load(threading.Thread):
    """Submits jobs one after the other and keeps what was acknowledged."""

    def __init__(self, user, seed):
        super().__init__(daemon=True)
        self.user, self.random = user, random.Random(seed)
        self.made, self.stop = {}, threading.Event()

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            code = self.random.choice([0, 0, 0, 3, 75])
            mark = f"m{self.ident}-{number}"
            # Appends to the home exactly once an attempt: what ran twice would show.
            script = f"echo {mark} >> ~/marks; echo said {mark}; sleep 0.{number % 5}; exit {code}"
            body = {"kind": "job", "image": "test", "command": ["sh", "-c", script],
                    "roles": {"worker": {"cpu": "100m", "memory": "64M"}}, "retry": {"max": 0}}
            key = {"Idempotency-Key": mark}
            while not self.stop.is_set():
                try:
                    answer = self.user.api("POST", "/api/v1/workloads", body, key, timeout=10)
                except OSError:
                    time.sleep(0.05)
                    continue
                if answer.status == 201:
                    self.made[answer.json["id"]] = (mark, code)
                    break
                assert answer.status in (429, 502, 503, 504), answer.body
                time.sleep(0.05)
            self.stop.wait(0.3)


def start_again(berth, program):
    """What a service manager does when a unit dies."""
    berth.up()


def left_behind(berth):
    """Processes, mounts, cgroups and network devices of this installation's tasks."""
    tag = __import__("json").loads((berth.data / "instance.json").read_text())["tag"]
    left = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"conmon" in command and tag.encode() in command:
            left.append(f"process {folder.name} {command[:80]!r}")
    links = subprocess.run(["ip", "-o", "link"], text=True, capture_output=True).stdout
    left += [line.split(":")[1].strip() for line in links.splitlines()
             if f"v{tag}" in line or f"t{tag}" in line]
    for tree in ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"):
        root = pathlib.Path(tree) / f"berth-{tag}"
        if root.is_dir():
            left += [str(p) for p in root.iterdir() if p.is_dir()]
    return left


def test_kills_lose_nothing(berth):
    user = berth.user("kim")
    chance = random.Random(SEED)
    print(f"seed {SEED}, {KILLS} kills")
    loads = [Load(user, SEED + i) for i in range(2)]
    for load in loads:
        load.start()
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.0, 0.25))
            program = chance.choice(DAEMONS)
            berth.kill(program)
            start_again(berth, program)
    finally:
        for load in loads:
            load.stop.set()
        for load in loads:
            load.join(60)
        berth.up()
    made = {}
    for load in loads:
        made.update(load.made)
    assert len(made) > 20
    for job, (mark, code) in made.items():
        done = user.wait(job, seconds=120)
        ended = done["attempt"]["end"], done["attempt"]["end_code"]
        assert ended == (("completed", 0) if code == 0 else ("exit-code", code)), (job, done)
        assert f"said {mark}" in user.log(job)
    marks = user.wait(user.submit(command=["sh", "-c", "cat ~/marks"]))
    seen = user.log(marks["id"]).split()
    for mark, _ in made.values():
        assert seen.count(mark) == 1, f"{mark} ran {seen.count(mark)} times"
    wait_for("nothing left behind", lambda: not left_behind(berth), 10)
