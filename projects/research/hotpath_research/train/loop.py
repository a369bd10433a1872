"""One stage of the training: schedule, steps, averaged weights, checkpoints, log.

A stage is done when its pairs are used up. The learning rate falls along a cosine to that end. A
killed stage goes on from its last checkpoint.
"""

import copy
import json
import math
import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from hotpath.base import cache
from hotpath.calib.errors import TrainingStopped
from hotpath_research.train.backbones import layout_of
from hotpath_research.train.optimiser import PARTS, optimisers

WARM_UP = 100  # steps
AVERAGE = 0.999  # decay of the averaged weights, per step
GRADIENT = 5.0  # longest gradient, others are shortened to it
LOG_STEPS = 100


class Log:
    """One JSON object a line, appended; ``log.jsonl`` in the run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, **values: Any) -> None:
        line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S"), **values})
        print(line, flush=True)
        with open(self.path, "a") as file:
            file.write(line + "\n")


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a ``log.jsonl``; a last line that a kill cut off is left out."""
    lines = Path(path).read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def averaged(average: nn.Module, network: nn.Module, step: int) -> None:
    """Move the averaged copy a little towards the network, statistics of batch norms included."""
    decay = min(AVERAGE, (1 + step) / (10 + step))
    with torch.no_grad():
        for old, new in zip(average.state_dict().values(), network.state_dict().values()):
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - decay)
            else:
                old.copy_(new)


def save(path: str | Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill leaves either the old or the new one."""
    torch.save(state, str(path) + ".new")
    cache.replace(str(path) + ".new", str(path))


def load(path: str | Path, device: str = "cpu") -> Any:
    """Read a checkpoint. It holds only tensors and numbers, and nothing in it is executed."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError):  # whose advice is to run the contents
        raise TrainingStopped(
            f"{path} is not a checkpoint with only weights; it is not read, because other contents "
            "could run code; save its state_dict() with torch.save"
        ) from None


class TrainingStage(NamedTuple):
    """One stage: what it trains, by which step, and for how long; see ``stages.py``."""

    name: str  # of the stage, of its checkpoint and of its log lines
    network: nn.Module
    trained: Callable[[Any], Any]  # of the network: the module whose parameters are trained
    # of the network and numbers that seed the draw of the batch: a dict of losses; one whose name
    # begins with "_" is only logged
    step: Callable[[Any, Sequence[int]], dict[str, Any]]
    judge: Callable[[Any], dict[str, float]]  # of the network: validation figures
    pairs: float  # the budget
    lr: float  # the highest learning rate
    batch: int  # pairs a step
    judgements: int = 8  # how often the network is judged while the budget lasts
    rates: dict[str, float] = {}  # highest rate of a part (``PARTS``) that has its own
    frozen: dict[str, float] = {}  # pairs until which a part stays as it is
    compiled: bool = False  # by torch.compile
    fixed_norms: bool = False  # batch norms keep their statistics
    accumulate: int = 1  # batches whose gradients make one step


class StageRunner:
    """Runs a stage to its end. Afterwards, ``average`` is the network to use."""

    def __init__(
        self,
        stage: TrainingStage,
        folder: Path,
        log: Log,
        device: str = "cpu",
        seed: int = 0,
        checkpoint_seconds: float = 120,
    ) -> None:
        self.stage, self.log, self.device, self.seed = stage, log, device, seed
        self.checkpoint_seconds = checkpoint_seconds
        self.path = folder / (stage.name + ".pt")
        self.network = stage.network.to(device, memory_format=layout_of(stage.network))
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        for parameter in stage.trained(self.network).parameters():
            parameter.requires_grad_(True)
        self.average = copy.deepcopy(self.network).eval()
        self.optimisers = optimisers(self.network, stage.lr)
        if stage.compiled:
            for part in self.network.children():
                part.compile()
        self.frozen: set[str] | None = None
        self.steps = 0
        self.mean: dict[str, float] = {}
        self.seconds = 0.0
        self.finished = False
        self._resume()

    def _resume(self) -> None:
        if not self.path.is_file():
            return
        self._take_over(self.path)
        self.log(stage=self.stage.name, event="resumed", steps=self.steps, finished=self.finished)

    def _take_over(self, path: str | Path) -> None:
        state = load(path, self.device)
        if state["config"] != self.network.config:
            raise TrainingStopped(
                f"{self.path} holds another network ({state['config']}); choose another --out or "
                "delete it"
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        try:
            for optimiser, values in zip(self.optimisers, state["optimisers"]):
                optimiser.load_state_dict(values)
        except ValueError:  # of another version, or other parts were trained
            raise TrainingStopped(
                f"{path} was trained in other parts; name it with --start and choose another --out"
            ) from None
        torch.set_rng_state(state["random"].cpu())
        self.steps, self.seconds = state["steps"], state["seconds"]
        self.finished, self.mean = state["finished"], state["mean"]

    def _save(self) -> None:
        state = {
            "config": self.network.config,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "random": torch.get_rng_state(),
            "steps": self.steps,
            "seconds": self.seconds,
            "finished": self.finished,
            "mean": self.mean,
        }
        save(self.path, state)

    def progress(self) -> float:
        """0 at the start, 1 or more when the budget is used up."""
        return self.pairs() / self.stage.pairs

    def pairs(self) -> int:
        """Pairs that it was trained on."""
        return self.steps * self.stage.accumulate * self.stage.batch

    def rate(self) -> float:
        """The learning rate of the next step."""
        left = max(1.0 - self.progress(), 0.0)
        share = 0.5 * (1 - math.cos(math.pi * left))
        return self.stage.lr * min(1.0, (self.steps + 1) / WARM_UP) * share

    def run(self) -> nn.Module:
        """Train to the end of the budget; returns the averaged network."""
        stage = self.stage
        saved = time.monotonic()
        next_judgement = math.floor(self.progress() * stage.judgements) + 1
        while not self.finished and self.progress() < 1.0:
            started = time.monotonic()
            self._step()
            self.seconds += time.monotonic() - started
            if self.steps % LOG_STEPS == 0:
                mean = {name.lstrip("_"): value for name, value in self.mean.items()}
                self._say({"lr": round(self.rate(), 6)}, mean)
            if time.monotonic() - saved > self.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
            if next_judgement <= self.progress() * stage.judgements < stage.judgements:
                next_judgement += 1  # the last one is after the stage
                self._judge()
        if not self.finished:
            self.finished = True
            self._save()
            self._judge()
        return self.average

    def _freeze(self) -> None:
        """Let frozen parts be as they are, statistics of batch norms included."""
        frozen = {name for name, pairs in self.stage.frozen.items() if self.pairs() < pairs}
        if frozen != self.frozen:
            self.frozen = frozen
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    for parameter in group["params"]:
                        parameter.requires_grad_(group["part"] not in frozen)
        for layer in self.network.modules() if self.stage.fixed_norms else ():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
        for part in frozen:
            self.network.get_submodule(PARTS[part].rstrip(".")).eval()

    def _step(self) -> None:
        self.network.train()
        self._freeze()
        rate = self.rate()
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                share = self.stage.rates.get(group["part"], self.stage.lr) / self.stage.lr
                group["lr"] = rate * share
        self.network.zero_grad(set_to_none=True)
        parts = [self._backward(number) for number in range(self.stage.accumulate)]
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(parameters, GRADIENT)
        for optimiser in self.optimisers:
            optimiser.step()
        averaged(self.average, self.network, self.steps)
        self.steps += 1
        for name in parts[0]:
            value = sum(losses[name] for losses in parts) / len(parts)
            self.mean[name] = 0.98 * self.mean.get(name, value) + 0.02 * value

    def _backward(self, number: int) -> dict[str, float]:
        """Add the gradients of one batch of a step; returns its losses."""
        numbers = [self.seed, self.steps]
        numbers += [number] * (number > 0)  # the first batch is that of a step without more
        losses = self.stage.step(self.network, numbers)
        total = sum(value for name, value in losses.items() if name[0] != "_")
        if not torch.isfinite(total):
            raise TrainingStopped(
                f"the loss of stage {self.stage.name} is {float(total.detach())} at step "
                f"{self.steps}; the checkpoint {self.path} is unharmed: "
                "lower --lr and start again, or go on from it with the same command"
            )
        (total / self.stage.accumulate).backward()
        return {name: float(value.detach()) for name, value in losses.items()}

    def _judge(self) -> None:
        """Judge the averaged weights, and keep them for ``judge.py``."""
        with torch.no_grad():
            figures = self.stage.judge(self.average.eval())
        self._say({"event": "judged"}, figures)
        folder = self.path.parent / "checkpoints"
        folder.mkdir(exist_ok=True)
        name = f"{self.stage.name}-{self.pairs()}.pt"
        save(folder / name, {"config": self.network.config, "average": self.average.state_dict()})

    def _say(self, kind: dict[str, Any], figures: dict[str, Any]) -> None:
        """Log a line about the present step."""
        self.log(
            stage=self.stage.name,
            steps=self.steps,
            pairs=self.pairs(),
            seconds=round(self.seconds, 1),
            **kind,
            **{name: round(float(value), 4) for name, value in figures.items()},
        )


def batch_slots(numbers: Sequence[int], ring: Any, batch: int) -> np.ndarray:
    """Random filled slots of the ring for one step, the same for the same numbers."""
    rng = np.random.default_rng(numbers)
    filled = np.flatnonzero(ring.stamps.copy())
    return rng.choice(filled, batch, replace=len(filled) < batch)
