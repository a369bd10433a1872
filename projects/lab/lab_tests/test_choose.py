"""Answers are compared in the steps that all of them took."""

import types
from pathlib import Path

import numpy as np
import pytest

from hotpath.app.cli.networks.propose import Proposal
from hotpath_lab.choose import choose, finds_nothing, is_worse, mean_beside

TABLE = {
    "family": "points",
    "input": {"exemplar": 127, "search": 255},
    "head": {"stride": 16, "map_size": 16, "score": "sigmoid"},
    "tracking": {"penalty": 0.1, "window": 0.4, "lr": 0.4},
    "file": [{"part": "backbone", "name": "a.onnx"}, {"part": "head", "name": "b.onnx"}],
}


class Scores:
    """In the place of a ``Trial``: overlaps by a table of (channels, border), easy steps first."""

    problem = None

    def __init__(self, means, steps=90):
        self.steps = list(range(steps))
        self.means = means
        self.taken = 0

    def overlaps(self, networks, first=0, last=None):
        steps = self.steps[first:last]
        self.taken += len(steps) * len(networks)
        noise = np.random.RandomState(first).uniform(-0.05, 0.05, (len(networks), len(steps)))
        easier = np.where(np.array(steps) < 30, 0.1, -0.05)
        means = [self.means[network.channels, network.border] for network in networks]
        return np.array(means)[:, None] + easier + noise


QUESTIONS = {
    "colours": {"BGR": {"channels": "BGR"}, "RGB": {"channels": "RGB"}},
    "border": {"mean": {"border": "mean"}, "black": {"border": "zero"}},
}


def answers_of(means):
    trial = Scores(means)
    table, choices = choose(Proposal(TABLE, QUESTIONS), trial)
    return table["input"], {choice.question: choice for choice in choices}, trial


def test_the_better_answer_or_the_usual_one_is_chosen():
    means = {("BGR", "mean"): 0.5, ("BGR", "zero"): 0.5, ("RGB", "mean"): 0.7, ("RGB", "zero"): 0.7}
    keys, choices, _ = answers_of(means)
    assert keys["channels"] == "RGB"
    assert choices["colours"].equal == []
    assert abs(choices["colours"].overlaps["RGB"] - choices["colours"].overlaps["BGR"] - 0.2) < 0.05
    assert keys["border"] == "mean"
    assert choices["border"].equal == ["black"]
    better = {answers: 1.2 - overlap for answers, overlap in means.items()}
    assert answers_of(better)[0]["channels"] == "BGR"


def test_the_usual_answer_stays_unless_another_is_better():
    means = {("BGR", "mean"): 0.7, ("BGR", "zero"): 0.708}
    means.update({("RGB", border): means["BGR", border] + 0.008 for border in ("mean", "zero")})
    keys, choices, _ = answers_of(means)
    assert (keys["channels"], keys["border"]) == ("BGR", "mean")
    assert (choices["colours"].equal, choices["border"].equal) == (["RGB"], ["black"])


def test_clearly_worse_answers_take_few_steps():
    means = {("BGR", "mean"): 0.7, ("BGR", "zero"): 0.3, ("RGB", "mean"): 0.3, ("RGB", "zero"): 0.3}
    _, _, trial = answers_of(means)
    assert trial.taken < 2.6 * len(trial.steps)  # all of both answers to both questions are 4


def test_a_mean_of_fewer_easier_steps_is_brought_to_all():
    best = np.array([0.9, 0.9, 0.5, 0.5])
    assert mean_beside(np.array([0.8, 0.8]), best) == np.mean(best) - 0.1
    assert is_worse(np.array([0.8, 0.8]), best)


@pytest.mark.parametrize(
    "problem, why",
    [(None, "the boxes lie elsewhere"), ("b.onnx does not run; update it", "b.onnx does not run")],
)
def test_files_that_find_no_target_are_named_with_the_reason(problem, why):
    trial = types.SimpleNamespace(paths={"head": Path("x/b.onnx")}, problem=problem)
    said = str(finds_nothing(trial))
    assert said.startswith("b.onnx: the network finds no target")
    assert f"({why}); try --like" in said
