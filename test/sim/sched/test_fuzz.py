"""10,000 random clusters with faults: no promise may break."""

from common import run_all, sim


def test_ten_thousand_seeds():
    answer = sim("fuzz", "--seeds", "1-10000")
    assert answer["violations"] == 0 and answer["seeds"] == 10000
    assert answer["starts"] > 100000 and answer["preemptions"] > 1000, answer


run_all(globals())
