"""What the daemons take of memory, and how long a start takes with much in the store."""

import os
import pathlib
import re
import sqlite3
import subprocess
import time

from berth import BUILD, Berth
from bench_jobs import SMALL, submit_many
from measure import median, need, need_root, row, say, scaled, until

# The fake engine plays 2 nodes of 64 CPUs: so small that all that is to run at once does.
SHORT = {"FAKE_RUN_MS": "1", "FAKE_PREPARE_MS": "1", "FAKE_START_MS": "1"}


def resident_mb(pid):
    """Proportional set size: what is shared between our processes counts once."""
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1)) / 1024
    except OSError:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+)", text, re.M).group(1)) / 1024


def daemons_mb(berth, *programs):
    return {p: resident_mb(berth.pid(p)) for p in programs}


def words(parts):
    return ", ".join(f"{p} {mb:.1f}" for p, mb in parts.items())


def database(berth):
    return sqlite3.connect(f"file:{berth.data}/db/berth.db?mode=ro", uri=True, timeout=30)


def wait_final(berth, count, seconds=900):
    def are():
        with database(berth) as db:
            return db.execute("SELECT count(*) FROM workloads WHERE is_final = 1").fetchone()[0]
    until(f"{count} ended", lambda: are() >= count, seconds, 0.2)


def wait_running(berth, count):
    def are():
        with database(berth) as db:
            return db.execute("SELECT count(*) FROM workloads WHERE state = 'RUNNING'"
                              ).fetchone()[0]
    until(f"{count} running", lambda: are() >= count, 120, 0.2)


def memory():
    """Idle with the local engine; loaded with the fake one, which keeps its pretended containers in
    berthd's memory, plus the idle runner: a runner keeps about 1 KB a running task."""
    need_root()
    need("h2load", "crun", "conmon")
    idle, loaded = [], []
    for _ in range(max(1, scaled(3))):
        berth = Berth()
        try:
            berth.up()
            for _ in range(20):
                berth.admin.get("/api/v1/workloads")
            idle.append(daemons_mb(berth, "berthd", "berth-gateway", "berth-runner"))
        finally:
            berth.end()
        finished, running = scaled(10000, 100), 200
        berth = Berth(engine="fake")
        try:
            berth.up()
            berth.image()
            spec = {"kind": "job", "image": "test", "command": ["true"], "env": SHORT,
                    "roles": {"worker": SMALL}}
            submit_many(berth, spec, finished)
            wait_final(berth, finished)
            submit_many(berth, dict(spec, env={"FAKE_RUN_MS": "forever"}), running)
            wait_running(berth, running)
            parts = daemons_mb(berth, "berthd", "berth-gateway")
            parts["berth-runner (idle)"] = idle[-1]["berth-runner"]
            loaded.append(parts)
        finally:
            berth.end()

    def middle(parts):
        return sorted(parts, key=lambda p: sum(p.values()))[len(parts) // 2]
    mid_idle, mid_loaded = middle(idle), middle(loaded)
    return [row("memory-idle", sum(mid_idle.values()), None, "MB", "", note=words(mid_idle)),
            row("memory-loaded", sum(mid_loaded.values()), None, "MB", "",
                note=f"{finished} finished, {running} running (fake engine): {words(mid_loaded)}")]


def spread_over_a_month(berth):
    """Moves the past back, as if the workloads had come one after the other in thirty days."""
    month_ms = 30 * 24 * 3600 * 1000
    times = ("submitted_ms", "started_ms", "ended_ms", "state_since_ms")
    db = sqlite3.connect(berth.data / "db/berth.db")
    with db:
        (last, count), = db.execute("SELECT max(n), count(*) FROM workloads")
        moved = ", ".join(f"{t} = {t} - ({last} - n) * {month_ms} / {count}" for t in times)
        db.execute(f"UPDATE workloads SET {moved}")
    db.close()


def restart():
    """berthd killed and started again by `berth up` with so many workloads of a month in the store:
    seconds from that command to the first answer, a list of workloads, through the gateway."""
    need_root()
    need("h2load")
    count = scaled(100000, 1000)
    berth = Berth(engine="fake")
    try:
        berth.up()
        berth.image()
        spec = {"kind": "job", "image": "test", "command": ["true"], "env": SHORT,
                "roles": {"worker": SMALL}}
        for done in range(0, count, 10000):
            part = min(10000, count - done)
            submit_many(berth, spec, part)
            wait_final(berth, done + part)
            say(f"restart: {done + part} workloads")
        berth.down()
        spread_over_a_month(berth)
        berth.up()
        times = []
        for _ in range(5):
            berth.kill("berthd")
            until("its end", lambda: not alive(berth), 10, 0.001)
            begin = time.monotonic()
            command = start(berth)
            until("the first answer", lambda: serves(berth), 60, 0.002)
            times.append(time.monotonic() - begin)
            command.wait()
    finally:
        berth.end()
    return [row("restart", median(times), None, "s", "", note=f"{count} workloads of 30 days in the store")]


def alive(berth):
    try:
        os.kill(berth.pid("berthd"), 0)
        return True
    except (ProcessLookupError, FileNotFoundError):
        return False


def start(berth):
    """`berth up` without waiting for it."""
    return subprocess.Popen([str(BUILD / "berth"), "up", "--data", str(berth.data), "--listen",
                             f"127.0.0.1:{berth.port}", "--engine", berth.engine],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def serves(berth):
    try:
        return berth.admin.api("GET", "/api/v1/workloads?limit=10", timeout=5).status == 200
    except OSError:
        return False


BENCHES = {"memory": memory, "restart": restart}
