"""berth-sim place on a small made-up cluster."""

from common import here, run_all, sim

LISTS = ["--nodes", here("nodes.csv"), "--pods", here("pods.csv")]


def place(policy, seeds="1-3", load="1.3"):
    return sim("place", *LISTS, "--policy", policy, "--seeds", seeds, "--load", load)


def stable(answer):
    """What does not depend on how fast the machine is."""
    return answer["allocated_percent"], [s["allocated_percent"] for s in answer["per_seed"]]


def test_every_policy_uses_most_and_never_more_than_all():
    for policy in ("random", "bestfit", "fgd", "berth"):
        answer = place(policy)
        assert answer["policy"] == policy
        assert [s["seed"] for s in answer["per_seed"]] == [1, 2, 3]
        assert 60 < answer["allocated_percent"] <= 100, answer
        assert answer["refused"] > 0


def test_same_seed_same_answer():
    for policy in ("random", "berth"):
        assert stable(place(policy)) == stable(place(policy))


def test_all_fits_where_there_is_room():
    answer = place("berth", load="0.1")
    assert answer["placed"] + answer["refused"] == 3 * 160


def test_ours_beats_chance():
    assert place("berth", "1-10")["allocated_percent"] > place("random", "1-10")["allocated_percent"]


def test_mistakes_are_told():
    assert "unknown policy" in sim("place", *LISTS, "--policy", "best", code=2)
    assert "--nodes is missing" in sim("place", "--pods", here("pods.csv"), code=2)
    assert "did you mean --seeds" in sim("place", *LISTS, "--seed", "1", code=2)
    assert "range like 42-51" in sim("place", *LISTS, "--seeds", "9-1", code=2)
    assert "has no column" in sim("place", "--nodes", here("jobs.csv"), "--pods", here("pods.csv"), code=2)
    assert "cannot open" in sim("place", "--nodes", "/nowhere", "--pods", here("pods.csv"), code=3)


run_all(globals())
