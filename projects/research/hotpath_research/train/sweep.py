"""A sweep of the learning rate: one short training in which the rate grows at each step.

The rate is suggested where the smoothed loss falls fastest, as in fastai's ``lr_find`` (Smith,
"Cyclical learning rates for training neural networks", WACV 2017). Nothing of it is kept.
"""

import csv
import math
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hotpath.calib.command_line import say, say_written
from hotpath.calib.errors import TrainingStopped
from hotpath.calib.plots import pyplot
from hotpath_research.train.loop import Log, StageRunner, TrainingStage

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 100
SMOOTH = 0.9  # of the loss, a step
TOO_HIGH = 4.0  # times the lowest loss: the sweep ends
EDGE = 5  # first steps, whose smoothed loss means little


class Sweep(NamedTuple):
    """Rates, the smoothed loss at each, and the rate to take."""

    rates: np.ndarray
    losses: np.ndarray
    suggested: float


class Growing(StageRunner):
    """A runner whose rate grows from ``LOWEST`` to ``HIGHEST``, and which writes nothing."""

    last = math.nan  # the loss of the last step

    def rate(self) -> float:
        return float(LOWEST * (HIGHEST / LOWEST) ** (self.steps / (STEPS - 1)))

    def _backward(self, number: int) -> dict[str, float]:
        losses = super()._backward(number)
        self.last = sum(value for name, value in losses.items() if name[0] != "_")
        return losses


def sweep(stage: TrainingStage, out: Path, device: str = "cpu", seed: int = 0) -> Sweep:
    """Train for ``STEPS`` growing rates, then write lr.csv and lr.png into a folder.

    Raises:
        TrainingStopped: the loss never fell.
    """
    with tempfile.TemporaryDirectory() as folder:
        runner = Growing(stage, Path(folder), Log(Path(folder) / "log.jsonl"), device, seed)
        rates, losses, mean = [], [], 0.0
        for step in range(STEPS):
            rates.append(runner.rate())
            try:
                runner._step()
            except TrainingStopped:  # not a number: the rate is far too high
                break
            mean = SMOOTH * mean + (1 - SMOOTH) * runner.last
            losses.append(mean / (1 - SMOOTH ** (step + 1)))
            if losses[-1] > TOO_HIGH * min(losses):
                break
    result = suggest(np.array(rates[: len(losses)]), np.array(losses))
    say_written(*_write(result, stage.name, out))
    say(f"suggested: --lr {stage.name}={result.suggested:.1e} (now {stage.lr:.1e})")
    return result


def suggest(rates: np.ndarray, losses: np.ndarray) -> Sweep:
    """The rate at which the loss falls fastest, by the logarithm of the rate."""
    lowest = int(np.argmin(losses))
    if lowest <= EDGE:
        raise TrainingStopped("the loss never fell while the rate grew; check the pictures")
    slopes = np.gradient(losses[: lowest + 1], np.log(rates[: lowest + 1]))
    best = EDGE + int(np.argmin(slopes[EDGE:]))
    return Sweep(rates, losses, float(rates[best]))


def _write(result: Sweep, stage: str, out: Path) -> tuple[Path, Path]:
    table, picture = out / "lr.csv", out / "lr.png"
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows([("lr", "loss"), *zip(result.rates, result.losses)])
    plt: Any = pyplot()
    chart, axes = plt.subplots(figsize=(5, 3.2), dpi=110)
    axes.semilogx(result.rates, result.losses)
    axes.axvline(result.suggested, linestyle="--", color="k", label=f"{result.suggested:.1e}")
    axes.set(xlabel="learning rate", ylabel="smoothed loss", title=f"stage {stage}")
    axes.legend(frameon=False)
    chart.tight_layout()
    chart.savefig(picture)
    plt.close(chart)
    return table, picture
