"""The schedule of a stage, and going on after a kill."""

import pytest

torch = pytest.importorskip("torch")

from hotpath.calib.errors import TrainingStopped  # noqa: E402
from hotpath_research.train import export, start  # noqa: E402  (after the check for torch)
from hotpath_research.train.loop import WARM_UP, Log, StageRunner, TrainingStage, load  # noqa: E402
from tests.support.malformed import Planted  # noqa: E402


class Line(torch.nn.Module):
    """The smallest network: a number that should become 3."""

    config = {"shape": "line"}

    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(1))


def runner(folder, pairs, name="line"):
    rates = []

    def step(network, numbers):
        rates.append(run.optimisers[0].param_groups[0]["lr"])
        return {"loss": (network.bias - 3).square().sum()}

    stage = TrainingStage(name, Line(), lambda net: net, step, lambda net: {}, pairs, 0.01, 1, 1)
    run = StageRunner(stage, folder, Log(folder / "log.jsonl"))
    return run, rates


def test_the_rate_follows_a_cosine_after_the_warm_up(tmp_path):
    run, rates = runner(tmp_path, 1000)
    run.run()
    assert rates[0] == pytest.approx(0.01 / WARM_UP, rel=0.01)
    assert rates[500] == pytest.approx(0.005, rel=0.01)
    assert all(a > b for a, b in zip(rates[WARM_UP:], rates[WARM_UP + 1 :]))


def test_a_killed_stage_goes_on_from_where_it_stands(tmp_path):
    killed, _ = runner(tmp_path, 1000)
    while killed.steps < 500:
        killed._step()
    killed._save()
    again, rates = runner(tmp_path, 1000)
    assert again.steps == 500 and not again.finished
    again.run()
    assert again.steps == 1000 and again.finished
    assert rates[0] == pytest.approx(0.005, rel=0.01) and rates[-1] < 1e-4


@pytest.mark.parametrize(
    "read",
    [
        load,
        export.load,
        lambda path: start.load_start("head", Line(), path),
        lambda path: start.load_features(Line(), path.parent),
        lambda path: runner(path.parent, 64, name="features"),
    ],
)
def test_a_planted_pickle_is_refused_and_does_not_run(read, tmp_path):
    path, planted = tmp_path / "features.pt", Planted(open, str(tmp_path / "trap"), "w")
    torch.save({"config": {"shape": "tiny"}, "average": planted}, path)
    # without PyTorch's advice, which runs it
    with pytest.raises(TrainingStopped, match="features.pt.*checkpoint"):
        read(path)
    assert not (tmp_path / "trap").exists()


def test_fixed_norms_keep_their_statistics(tmp_path):
    class Normed(Line):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(1)

    def mean_after(fixed):
        def step(network, numbers):
            return {"loss": network.norm(torch.full((2, 1, 2, 2), 5.0) + network.bias).sum()}

        stage = TrainingStage("n", Normed(), lambda n: n, step, lambda n: {}, 3, 0.01, 1, 1)
        folder = tmp_path / str(fixed)
        folder.mkdir()
        run = StageRunner(stage._replace(fixed_norms=fixed), folder, Log(folder / "log.jsonl"))
        run.run()
        return float(run.network.norm.running_mean)

    assert mean_after(True) == 0.0 and mean_after(False) > 0.5
