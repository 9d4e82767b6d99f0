"""Jobs: durable submissions through the front door, and whole lives in isolated containers, against
Debian's Slurm."""

import json
import os
import re
import time

from berth import Berth
from measure import (NotMeasured, alternate, folder, median, need, need_root, row, run, scaled, until)
from slurm import Slurm

CLIENTS = 32
# So small that as many run at once as the machine bears; Slurm gets as many of its CPUs.
AT_ONCE = 32
SMALL = {"cpu": "10m", "memory": "16M", "shm": "1M", "disk": "16M"}


def submit_many(berth, spec, count, clients=CLIENTS):
    """By h2load, over keep-alive HTTPS; seconds it took. Every one must be accepted."""
    body, head = berth.root / "spec.json", f"Authorization: Bearer {berth.admin.token}"
    body.write_text(json.dumps(spec))
    said = run("h2load", "--h1", "-n", count, "-c", min(clients, count), "-t", 1, "-d", body,
               "-H", head, "-H", "Content-Type: application/json",
               f"{berth.url}/api/v1/workloads", timeout=900).stdout
    accepted = int(re.search(r"status codes: (\d+) 2xx", said).group(1))
    if accepted != count:
        raise RuntimeError(f"only {accepted} of {count} were accepted: {said[-400:]}")
    took = re.search(r"finished in ([\d.]+)(m?s|us)", said)
    return float(took.group(1)) * {"s": 1, "ms": 1e-3, "us": 1e-6}[took.group(2)]


def submit_durable():
    """Jobs that wait for a node that takes none, here and there: only taking them in is measured."""
    need_root()
    need("h2load")
    ours_count, their_count = scaled(5000, 100), scaled(200, 10)
    with folder() as top, Slurm(top, AT_ONCE) as slurm:
        berth = Berth(engine="fake")
        try:
            berth.up()
            berth.image()
            drained = berth.admin.api("POST", "/api/v1/nodes/fake-1/drain")
            assert drained.status in (200, 202, 204), drained.body
            spec = {"kind": "job", "image": "test", "command": ["true"], "roles": {"worker": SMALL},
                    "placement": {"node": "fake-1"}}

            def ours():
                return ours_count / submit_many(berth, spec, ours_count)

            def one_after_the_other():
                begin = time.monotonic()
                for _ in range(their_count):
                    slurm.sbatch("--hold")
                return their_count / (time.monotonic() - begin)

            def at_once():
                begin = time.monotonic()
                slurm.sbatch_at_once(their_count, CLIENTS, "--hold")
                took = time.monotonic() - begin
                slurm.clear()
                return their_count / took

            rates = alternate(ours, one_after_the_other, at_once)
        finally:
            berth.end()
        mine, single, many = map(median, rates)
        note = "32 HTTPS connections, each answer after its fsync; sbatch answers without one"
        return [row("submit-durable", mine, single, "jobs/s", f"{slurm.version}, one sbatch after the "
                    "other", note=note),
                row("submit-durable-32", mine, many, "jobs/s", f"{slurm.version}, 32 sbatch at once")]


class Events:
    """The stream of events, which tells only what is durable, by one connection: looking must not
    cost much beside what is measured."""

    def __init__(self, berth):
        self.connection = berth.connect()
        self.head = {"Authorization": f"Bearer {berth.admin.token}"}
        self.after = 0
        while self.page():
            pass

    def page(self):
        self.connection.request("GET", f"/api/v1/events?after={self.after}&limit=1000",
                                headers=self.head)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"events: {body}")
        items = json.loads(body)["items"]
        if items:
            self.after = items[-1]["seq"]
        return items

    def wait_ended(self, count, seconds=900):
        ends = {}

        def look():
            while page := self.page():
                for event in page:
                    state = event.get("data", {}).get("state")
                    if state in ("SUCCEEDED", "FAILED", "STOPPED"):
                        ends[state] = ends.get(state, 0) + 1
            return sum(ends.values()) >= count
        until(f"{count} ends", look, seconds, 0.25)
        if ends != {"SUCCEEDED": count}:
            raise RuntimeError(f"jobs ended as {ends}")


def jobs_isolated():
    """No-op jobs from the first submission to the last durable end: ours each in a container of its
    own with network, limits and log, submitted one by one; Slurm's bare processes from one array."""
    need_root()
    need("h2load", "crun", "conmon", "mmdebstrap")
    count = scaled(1000, 20)
    with folder() as top, Slurm(top, AT_ONCE) as slurm:
        berth = Berth()
        try:
            berth.up()
            berth.image()
            spec = {"kind": "job", "image": "test", "command": ["true"], "roles": {"worker": SMALL}}

            def ours():
                events = Events(berth)
                begin = time.monotonic()
                submit_many(berth, spec, count)
                events.wait_ended(count)
                return count / (time.monotonic() - begin)

            def theirs():
                begin = time.monotonic()
                job = slurm.sbatch(f"--array=1-{count}")
                slurm.wait_ended(job)
                took = time.monotonic() - begin
                states = slurm.states(job)
                if states != ["COMPLETED"] * count:
                    raise NotMeasured(f"Slurm completed {states.count('COMPLETED')} of {count}")
                return count / took

            ours()  # the first one makes the disk's template and the network
            mine, peers = map(median, alternate(ours, theirs))
        finally:
            berth.end()
        return [row("jobs-isolated", mine, peers, "jobs/s", f"{slurm.version}, array, no containers",
                    note=f"{count} jobs, {os.cpu_count()} cores")]


BENCHES = {"submit-durable": submit_durable, "jobs-isolated": jobs_isolated}
