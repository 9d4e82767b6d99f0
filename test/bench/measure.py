"""What benchmarks share: rounds that alternate, medians, rows of the table, temporary folders."""

import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BERTH_BUILD", ROOT / "build")).resolve()
sys.path[:0] = [str(ROOT / "test/lib"), str(ROOT / "test/integration/runner")]

# BENCH_SCALE=0.05 for a quick look: fewer rounds of fewer things. Its figures are worth little.
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
ROUNDS = 5 if SCALE >= 1 else max(1, round(5 * SCALE))


class NotMeasured(Exception):
    """Something that the benchmark needs is not there; the text says what."""


def scaled(count, least=1):
    return max(least, round(count * SCALE))


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def alternate(*functions, rounds=None):
    """Calls them in turn, `rounds` times; a list of results each. A fault is not hidden."""
    results = [[] for _ in functions]
    for _ in range(rounds or ROUNDS):
        for function, result in zip(functions, results):
            result.append(function())
    return results


median = statistics.median


def row(name, ours, peer, unit, peer_version, more_is_better=True, note=None):
    """One line of the table. The ratio is above 1 where we are better, whichever way that is."""
    ratio = None
    if ours and peer:
        ratio = ours / peer if more_is_better else peer / ours
    made = {"name": name, "ours": ours, "peer": peer, "ratio": ratio, "unit": unit,
            "peer_version": peer_version}
    if note:
        made["note"] = note
    return made


def not_measured(name, why):
    return {"name": name, "ours": None, "peer": None, "ratio": None, "unit": "",
            "peer_version": "", "not_measured": why}


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise NotMeasured(f"{program} is not installed")


def need_root():
    if os.geteuid() != 0:
        raise NotMeasured("needs root")


def version(*command):
    """The first line that a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def run(*command, check=True, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False,
                          **more)
    if check and done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return done


@contextlib.contextmanager
def folder():
    """On a disk, as the data of both sides; short, for the paths of sockets."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="bb-", dir="/var/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def program(*command, log, **more):
    """A program that runs meanwhile and is ended after it."""
    with open(log, "ab") as out:
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=out, start_new_session=True, **more)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(what, check, seconds=60, every=0.02):
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise RuntimeError(f"not seen in {seconds} s: {what}")
        time.sleep(every)
