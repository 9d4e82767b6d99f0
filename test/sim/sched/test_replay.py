"""berth-sim replay: a trace small enough to count by hand, and a made-up one."""

import os
import tempfile

from common import here, run_all, sim

HAND = """timestamp,duration,num_gpus,gpu_time,cluster
2026-01-01 00:00:00,100.0,2,200.0,a
2026-01-01 00:00:01,10.0,1,10.0,a
2026-01-01 00:00:02,30.0,1,30.0,b
"""


def replay(policy, *more, jobs=None, cluster="4x8"):
    return sim("replay", "--jobs", jobs or here("jobs.csv"), "--cluster", cluster, "--policy", policy, *more)


def by_hand(policy, *more, cluster="1x2"):
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write(HAND)
        file.flush()
        return replay(policy, *more, jobs=file.name, cluster=cluster)


def test_by_hand():
    # first come: 100; both small ones start at 100 and end at 110 and 130
    assert by_hand("fifo")["avg_jct_s"] == round((100 + 109 + 128) / 3, 1)
    assert by_hand("sjf")["avg_jct_s"] == round((100 + 109 + 128) / 3, 1)
    # the small ones go first; the large one, after its first second, goes on from 32 on
    answer = by_hand("srsf")
    assert answer["avg_jct_s"] == round((131 + 10 + 30) / 3, 1), answer
    assert answer["preemptions"] == 1
    # a preemption costs the one who is preempted
    assert by_hand("srsf", "--preempt-cost", "60s")["makespan_s"] == 191
    # skipping: the 1-GPU jobs need no waiting on three GPUs
    assert by_hand("fifo-skip", cluster="1x3")["avg_jct_s"] == round((100 + 10 + 39) / 3, 1)


def test_everybody_ends_and_order_of_policies():
    answers = {p: replay(p) for p in ("fifo", "fifo-skip", "srsf", "las")}
    for answer in answers.values():
        assert 0 < answer["utilization"] <= 1
        assert answer["median_jct_s"] <= answer["p99_jct_s"]
    assert answers["srsf"]["avg_jct_s"] < answers["fifo-skip"]["avg_jct_s"] < answers["fifo"]["avg_jct_s"]


def test_ours_needs_no_run_times():
    answer = replay("berth", "--preempt-cost", "60s", cluster="3x8")
    assert answer["avg_jct_s"] < 0.8 * replay("fifo-skip", cluster="3x8")["avg_jct_s"], answer
    assert answer == replay("berth", "--preempt-cost", "60s", cluster="3x8")  # the same input, the same answer


def test_queues_are_told():
    answer = replay("berth", "--preempt-cost", "60s", "--queues", "from-cluster-column")
    assert sorted(q["name"] for q in answer["queues"]) == ["a", "b", "c"]
    assert sum(q["jobs"] for q in answer["queues"]) == 400


def test_report_stands_alone():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "page.html")
        replay("fifo", "--report", path)
        with open(path, encoding="utf-8") as file:
            page = file.read()
    assert page.startswith("<!doctype html>") and page.count("<svg") == 3
    assert "http" not in page and "<script" not in page


def test_mistakes_are_told():
    assert "unknown policy" in sim("replay", "--jobs", here("jobs.csv"), "--policy", "x", code=2)
    assert "NODESxGPUS" in sim("replay", "--jobs", here("jobs.csv"), "--cluster", "80", code=2)
    assert "--preempt-cost" in sim("replay", "--jobs", here("jobs.csv"), "--preempt-cost", "60", code=2)
    assert "by count only" in sim("replay", "--jobs", here("jobs.csv"), "--policy", "fifo", "--place", "nodes", code=2)


run_all(globals())
