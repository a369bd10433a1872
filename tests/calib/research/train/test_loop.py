"""Schedules of a stage, and going on with a larger budget."""

import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")

from calib.errors import TrainingStopped  # noqa: E402
from calib.research.train import export, start  # noqa: E402  (after the check for torch)
from calib.research.train.loop import WARM_UP, Log, Runner, Stage, load  # noqa: E402
from tests.calib.test_store import Planted  # noqa: E402


class Line(torch.nn.Module):
    """The smallest network: a number that should become 3."""

    config = {"shape": "line"}

    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(1))


def runner(folder, pairs, decay, name="line"):
    rates = []

    def step(network, numbers):
        rates.append(run.optimisers[0].param_groups[0]["lr"])
        return {"loss": (network.bias - 3).square().sum()}

    stage = Stage(name, Line(), lambda net: net, step, lambda net: {}, pairs, 0.01, 1, 1, decay)
    run = Runner(stage, folder, Log(folder / "log.jsonl"))
    return run, rates


def test_without_a_decay_the_rate_follows_a_cosine(tmp_path):
    run, rates = runner(tmp_path, 1000, 0.0)
    run.run()
    assert rates[500] == pytest.approx(0.005, rel=0.01)
    assert all(a > b for a, b in zip(rates[WARM_UP:], rates[WARM_UP + 1 :]))


def test_the_rate_falls_at_the_end_and_a_larger_budget_goes_on_from_before_the_fall(tmp_path):
    first, rates = runner(tmp_path, 1000, 0.2)
    first.run()
    assert rates[0] == pytest.approx(0.01 / WARM_UP)
    assert rates[WARM_UP:800] == [0.01] * (800 - WARM_UP)
    assert rates[900] == pytest.approx(0.005) and 0 < rates[-1] < 1e-4
    second, rates = runner(tmp_path, 2000, 0.2)
    assert second.steps == pytest.approx(800, abs=1) and not second.finished
    second.run()
    assert rates[0] == 0.01 and second.steps == 2000
    third, rates = runner(tmp_path, 2000, 0.2)
    third.run()
    assert third.finished and not rates


@pytest.mark.parametrize("steps, budget, rate", [(900, 1000, 0.005), (1500, 3000, 0.01)])
def test_a_killed_stage_goes_on_from_where_it_stands(tmp_path, steps, budget, rate):
    """With a smaller budget its rate falls from there; with a larger one it is not repeated."""
    runner(tmp_path, 1000, 0.2)[0].run() if budget > 1000 else None
    killed, _ = runner(tmp_path, max(budget, 3000), 0.2)
    while killed.steps < steps:
        killed._step()
    killed._save()
    again, rates = runner(tmp_path, budget, 0.2)
    assert again.steps == steps and not again.finished
    again.run()
    assert again.steps == budget and again.finished
    assert rates[0] == pytest.approx(rate) and rates[-1] < 1e-4


@pytest.mark.parametrize(
    "read",
    [
        load,
        export.load,
        lambda path: start.load_start("joint", None, path, None, None),
        lambda path: start.load_earlier_stages("finish", Line(), path.parent),
        lambda path: runner(path.parent, 64, 0.0, name="joint"),
    ],
)
def test_a_checkpoint_with_a_planted_pickle_is_refused_and_does_not_run(read, tmp_path):
    path, planted = tmp_path / "joint.pt", Planted(open, str(tmp_path / "trap"), "w")
    torch.save({"config": {"shape": "tiny"}, "average": planted}, path)
    # without PyTorch's advice, which runs it
    with pytest.raises(TrainingStopped, match="joint.pt is no checkpoint of weights alone; it is"):
        read(path)
    assert not (tmp_path / "trap").exists()
