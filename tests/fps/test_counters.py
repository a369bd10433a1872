"""Instructions of the host's hot path: exact, and within the budgets that are kept."""

import pytest

from tests.fps import counters


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
        pytest.skip(f"no budget for {compiler}; `python -m tests.fps counters --update`")
    assert set(budget) == set(counters.JOBS)
    assert counters.over(counts, budget) == []


@pytest.mark.slow("it compiles and counts again")
def test_code_that_does_more_is_over_budget(counted, tmp_path):
    source = tmp_path / "more.cpp"
    text = (counters.HERE / "counted.cpp").read_text()
    text = text.replace("../../kernels", str(counters.HERE.parent.parent / "kernels"))
    source.write_text(text.replace("  hp_crop(&job);", "  hp_crop(&job);\n  hp_crop(&job);"))
    _, counts = counters.count(source, jobs=("crop-bytes",))
    (mistake,) = counters.over(counts, counted[1])
    assert "crop-bytes" in mistake and "+10" in mistake


def test_a_count_far_below_asks_for_a_new_budget():
    assert counters.over({"crop-bytes": 99}, {"crop-bytes": 100}) == []
    (mistake,) = counters.over({"crop-bytes": 90}, {"crop-bytes": 100})
    assert "--update" in mistake
