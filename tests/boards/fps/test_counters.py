"""Instructions of the host's hot path: exact, and within the budgets that are kept."""

import pytest

from hotpath.boards.fps import counters


@pytest.fixture(scope="module")
def counted():
    try:
        return counters.count()
    except counters.CannotCount as error:
        pytest.skip(str(error))


def test_crop_and_select_stay_within_their_instructions(counted):
    compiler, counts = counted
    budget = counters.read().get(compiler)
    if budget is None:
        pytest.skip(f"no budget for {compiler}; `python -m hotpath.boards.fps counters --update`")
    assert set(budget) == set(counters.JOBS)
    assert counters.over(counts, budget) == []


def test_a_count_above_its_budget_or_far_below_is_told():
    assert counters.over({"crop-bytes": 99}, {"crop-bytes": 100}) == []
    for count, words in ((90, "far below"), (110, "+10.0% of its budget")):
        (mistake,) = counters.over({"crop-bytes": count}, {"crop-bytes": 100})
        assert words in mistake and "--update" in mistake
