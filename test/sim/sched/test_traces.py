"""Published traces: our copies of published policies give the published figures, and ours holds its
promises. Skipped where the traces are not at hand."""

import csv
import os
import sys

from common import SKIP, run_all, sim, traces

ROOT = traces()
if ROOT is None:
    print("skipped: no traces (set BERTH_TRACES to their folder)")
    sys.exit(SKIP)

LISTS = ("default", "cpu100", "gpushare40", "multigpu30")
PHILLY = os.path.join(ROOT, "philly/jobs.csv")
SEEDS = "42-45"


def place(name, policy):
    nodes, pods = (os.path.join(ROOT, "openb", f) for f in ("node_list_gpu_node.csv", f"pod_list_{name}.csv"))
    return sim("place", "--nodes", nodes, "--pods", pods, "--policy", policy, "--seeds", SEEDS)["allocated_percent"]


def test_placement():
    with open(os.path.join(ROOT, "openb/expected_allocation.csv"), encoding="utf-8") as file:
        published = {(r["workload"], r["policy"]): float(r["mean_allocated_percent"]) for r in csv.DictReader(file)}
    for name in LISTS:
        for policy, row in (("random", "01-Random"), ("bestfit", "05-BestFit"), ("fgd", "06-FGD")):
            assert abs(place(name, policy) - published[name, row]) <= 0.3, (name, policy)
        ours, fgd = place(name, "berth"), place(name, "fgd")
        assert 100 - ours <= 0.95 * (100 - fgd), (name, ours, fgd)


def test_published_orders_of_jobs():
    for policy, cluster, published in (
        ("fifo", "80x8", 61042),
        ("fifo-skip", "80x8", 35688),
        ("sjf", "80x8", 19099),
        ("srsf", "80x8", 14156),
    ):
        answer = sim("replay", "--jobs", PHILLY, "--cluster", cluster, "--policy", policy)
        assert abs(answer["avg_jct_s"] - published) <= 0.01 * published, (policy, answer)


def test_our_order_of_jobs():
    answer = sim("replay", "--jobs", PHILLY, "--cluster", "80x8", "--policy", "berth", "--preempt-cost", "60s")
    assert answer["avg_jct_s"] <= 1.25 * 14156, answer


run_all(globals())
