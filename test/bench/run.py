#!/usr/bin/python3
"""Runs benchmarks, prints them as a table with the aims, writes build/bench/NAME.json.

  usage: run.py [NAME…]       NAME: a benchmark, or a beginning of some (submit, gateway)

A module bench_*.py here has BENCHES = {"name": function}; a function gives a list of rows (see
measure.row), raises NotMeasured when its peer or something else that it needs is missing. Each runs
in a process of its own. BENCH_SCALE=0.05 makes a quick look of it."""

import ctypes
import importlib
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import measure  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OUT = measure.BUILD / "bench"

# Row → what is wanted of it: a ratio of at least so much, or of ours at most or least so much.
AIMS = {
    "gateway-static": ("ratio", ">=", 0.9),
    "gateway-proxy": ("ratio", ">=", 1.0),
    "gateway-proxy-chp": ("ratio", ">=", 5.0),
    "gateway-ws-idle": ("ours", "<=", 8.0),
    "submit-durable": ("ratio", ">=", 20.0),
    "submit-durable-32": ("ratio", ">=", 20.0),
    "jobs-isolated": ("ratio", ">=", 1.0),
    "container-start": ("ratio", ">=", round(1 / 1.3, 2)),
    "notebook-start": ("ours", "<=", 150.0),
    "memory-idle": ("ours", "<=", 25.0),
    "memory-loaded": ("ours", "<=", 60.0),
    "restart": ("ours", "<=", 1.0),
    "store-commit": ("ratio", ">=", 5.0),
    "store-submit": ("ratio", ">=", 5.0),
}


def is_reached(row):
    """True, False, or None where there is no aim or no figure."""
    what, relation, bound = AIMS.get(row["name"], ("ours", ">=", None))
    if bound is None or row[what] is None:
        return None
    return row[what] >= bound if relation == ">=" else row[what] <= bound


def aim_text(row):
    if row["name"] not in AIMS:
        return "-"
    what, relation, bound = AIMS[row["name"]]
    return f"{relation}{bound:g}{'x' if what == 'ratio' else ' ' + row['unit']}"


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cells(row):
    if "not_measured" in row:
        return [row["name"], "not measured", "", "", "", aim_text(row), "", row["not_measured"]]
    reached = {True: "yes", False: "NO", None: "-"}[is_reached(row)]
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}x"
    about = "; ".join(t for t in (row["peer_version"], row.get("note")) if t)
    return [row["name"], number(row["ours"]), number(row["peer"]), row["unit"], ratio,
            aim_text(row), reached, about]


HEAD = ["benchmark", "ours", "peer", "unit", "ratio", "aim", "reached", "peer, notes"]


def print_table(rows):
    lines = [HEAD] + [cells(r) for r in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    right = {1, 2, 4, 5}
    print("\na ratio above 1 means that berth is better")
    for line in lines:
        print("  ".join(c.rjust(w) if i in right else c.ljust(w)
                        for i, (c, w) in enumerate(zip(line, widths))).rstrip())


def load():
    benches = {}
    for path in sorted(HERE.glob("bench_*.py")):
        benches.update(importlib.import_module(path.stem).BENCHES)
    return benches


def choose(benches, wanted):
    if not wanted:
        return benches
    chosen = {}
    for word in wanted:
        exact = [word] if word in benches else [n for n in benches if n.startswith(word)]
        if not exact:
            sys.exit(f"bench: no benchmark '{word}'; there are: {' '.join(sorted(benches))}")
        chosen.update({n: benches[n] for n in exact})
    return chosen


def own_world():
    """A mount namespace in which /run is in memory, as it is on an installed system: the runtimes of
    both sides keep their state there, and it goes with this process."""
    clone_newns = 0x20000
    if os.geteuid() != 0 or ctypes.CDLL(None).unshare(clone_newns) != 0:
        return
    commands = [["mount", "--make-rprivate", "/"]]
    if subprocess.run(["stat", "-f", "-c", "%T", "/run"], capture_output=True, text=True,
                      check=False).stdout.strip() != "tmpfs":
        commands.append(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"])
    if os.path.ismount("/sys/fs/cgroup/unified"):
        # crun refuses hosts with both versions of cgroups; berth's runner does the same for itself.
        commands.append(["umount", "/sys/fs/cgroup/unified"])
    for command in commands:
        subprocess.run(command, check=True)


def in_process(name, function, pipe):
    try:
        own_world()
        rows = function()
    except measure.NotMeasured as why:
        rows = [measure.not_measured(name, str(why))]
    except BaseException as error:  # pylint: disable=broad-except
        traceback.print_exc()
        rows = [measure.not_measured(name, f"it failed: {error}".splitlines()[0][:120])]
    pipe.send(rows)


def run_one(name, function):
    measure.say(f"{name} …")
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=in_process, args=(name, function, theirs))
    process.start()
    theirs.close()
    try:
        rows = ours.recv()
    except EOFError:
        rows = [measure.not_measured(name, "its process died")]
    process.join()
    for row in rows:
        (OUT / f"{row['name']}.json").write_text(json.dumps(row, indent=1) + "\n")
    return rows


def main():
    chosen = choose(load(), sys.argv[1:])
    OUT.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, function in chosen.items():
        rows += run_one(name, function)
    print_table(rows)
    missed = [r["name"] for r in rows if is_reached(r) is False]
    if missed:
        print(f"\naims not reached: {', '.join(missed)}")
    return 1 if any("it failed" in r.get("not_measured", "") for r in rows) else 0


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    sys.exit(main())
