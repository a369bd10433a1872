"""The suite's statistics on made-up frame times whose right answer is known."""

import numpy as np
import pytest

from hotpath.deploy.fps import compare, evidence
from tests.support.examples import count


def times(random, correlation=0.9):
    """One round of frame times of which each resembles the one before."""
    steps = np.arange(200)
    past = np.tril(correlation ** np.abs(steps[:, None] - steps))
    noise = random.randn(200) * np.append(1, np.full(199, np.sqrt(1 - correlation**2)))
    return 2.0 * np.exp(0.03 * past.dot(noise))


def run(random, rounds, slowdown=1.0, between=0.004):
    """A run whose rounds differ a little by themselves."""
    return [times(random) * np.exp(between * random.randn()) * slowdown for _ in range(rounds)]


def decisions(slowdown, paired, pairs):
    random = np.random.RandomState(3)
    return [
        compare.compare_rounds(run(random, 15), run(random, 15, slowdown), paired).decision
        for _ in range(pairs)
    ]


@pytest.mark.parametrize("paired", [False, True])
def test_a_change_is_found_and_the_same_speed_is_hardly_one(paired):
    found = decisions(1.0, paired, pairs=count(12, 40))
    assert found.count("slower") + found.count("faster") <= 1
    assert 2 * found.count("same") >= len(found)
    assert set(decisions(1.10, paired, pairs=count(4, 10))) == {"slower"}
    assert set(decisions(1 / 1.10, paired, pairs=3)) == {"faster"}
    # a twentieth
    found = decisions(1.05, paired, pairs=count(4, 10))
    assert found.count("slower") >= 0.8 * len(found)
    assert set(found) <= {"slower", "undecided"}


def test_the_interval_holds_the_truth_for_correlated_frames():
    random = np.random.RandomState(5)
    truth, tries = 1 / 1.04 - 1, count(20, 40)
    found = [
        compare.compare_rounds(run(random, 15, between=0.0), run(random, 15, 1.04, between=0.0))
        for _ in range(tries)
    ]
    assert sum(each.low <= truth <= each.high for each in found) >= 0.9 * tries


def test_drift_cancels_where_rounds_took_turns():
    """Each round is slower than the last by 10%: alike for both sides of a pair."""
    random = np.random.RandomState(4)
    base, new = ([times(random, 0.5) * 1.1**number for number in range(8)] for _ in range(2))
    assert compare.compare_rounds(base, new, paired=True).decision == "same"
    assert compare.compare_rounds(base, new, paired=False).decision == "undecided"


@pytest.mark.parametrize(
    "rounds, critical", [(6, 0), (7, 2), (8, 3), (10, 8), (15, 25), (20, 52), (30, 137)]
)
def test_the_interval_is_that_of_tables_of_the_signed_rank_test(rounds, critical):
    values = np.random.RandomState(8).randn(rounds)
    means = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    low, middle, high = compare.interval(values)
    assert (low, high) == (means[critical], means[-critical - 1])
    assert middle == np.median(means)


def test_a_thousand_rounds_have_a_narrow_interval():
    low, middle, high = compare.interval(np.random.RandomState(9).randn(1100))
    assert low < middle < high < low + 0.2


@pytest.mark.parametrize("of_base, of_new", [(5, 5), (3, 40)])
def test_a_few_rounds_decide_nothing(of_base, of_new):
    random = np.random.RandomState(6)
    base, new = run(random, of_base), run(random, of_new, slowdown=1.3)
    assert compare.compare_rounds(base, new).decision == "undecided"


@pytest.mark.parametrize(
    "low, high, decision",
    [
        (-0.08, -0.021, "slower"),
        (-0.08, -0.019, "undecided"),
        (-0.019, 0.019, "same"),
        (0.021, 0.2, "faster"),
        (-0.1, 0.1, "undecided"),
    ],
)
def test_decisions_follow_the_interval(low, high, decision):
    assert compare.decide(low, high) == decision


def test_figures_are_those_of_numpy():
    ms = [2.0, 4.0, 3.0, 10.0]
    rounds = [{"ms": {"total": ms[:2]}}, {"ms": {"total": ms[2:]}}]
    found = evidence.figures_of({"rounds": rounds})["total"]
    assert found["median"] == 3.5 and found["fps"] == pytest.approx(1e3 / 3.5)
    assert found["p99"] == pytest.approx(np.percentile(ms, 99))
