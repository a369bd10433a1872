"""Chooses among the alternatives of a proposal by trying them on annotated clips.

Every combination of answers takes a few steps. Those that are clearly worse than the best one are
left out, and the others take more steps (successive halving). The last step varies one answer at a
time, with all other answers fixed, so that a report can say which answers are equally good.
"""

import itertools
import math
import pathlib
from typing import Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from hotpath.app.cli.networks.propose import (
    BY_HAND,
    Answers,
    Proposal,
    Table,
    network_for,
    table_for,
)
from hotpath.base.commands import counted
from hotpath.runtime.errors import BadNetwork, NetworkFailed
from hotpath_lab.trial import Trial
from hotpath_lab.trial_clips import read_clips

STEPS = 240  # of all clips together
# Of the overlap that a box lacks which stays where it is, a tracker gains a share in one step.
# On many clips published ones gained 0.39 to 0.76, and one that INT8 had damaged 0.12. On a single
# clip good ones gained 0.01 to 0.70, so that there only a loss tells.
LEAST_GAIN = 0.2
CLOSE = 0.01  # overlaps that differ by less can't be told apart
FEWEST = 8  # steps of the first round
SIFTING = 24  # steps of answers that are clearly worse, in the last comparison
GROWTH = 3  # how many times more steps the next round takes
KEPT = 0.1  # share of the combinations that may take part in the next round
ALONE = ("border",)  # matters too little to be part of the combinations

Say = Callable[[str], None]
Overlaps = Dict[str, np.ndarray]  # answer -> its overlap in each step


class Choice(NamedTuple):
    """The answer to one question.

    Attributes:
        question, answer: texts.
        overlaps: of each answer, the mean with the other questions answered as in the best
            combination. Clearly worse answers took ``SIFTING`` steps only.
        equal: the other answers that cannot be told apart from this one.
    """

    question: str
    answer: str
    overlaps: Dict[str, float]
    equal: List[str]


def settings(
    proposal: Proposal,
    paths: Mapping[str, pathlib.Path],
    clips: Sequence[pathlib.Path],
    engine: str,
    say: Say,
) -> Table:
    """Return the TOML with the best answers; say where the network tracks badly with them.

    Args:
        proposal: what the files themselves tell.
        paths: dict of part -> path.
        clips: annotated clips, or folders of them.
        engine: name of the engine to try them with.
        say: function of one line.

    Raises:
        BadClips: no annotated clip.
        BadNetwork: no settings find a target.
    """
    films = read_clips(clips, STEPS)
    trial = Trial(paths, films, engine)
    try:
        table, choices = choose(proposal, trial)
        overlap = float(trial.overlaps([network_for(Proposal(table, {}), {})]).mean())
    finally:
        trial.close()
    if not overlap:
        raise finds_nothing(trial)
    names = films[0].name if len(films) == 1 else counted(len(films), "clip")
    steps = counted(len(trial.steps), "step")
    say(f"measured   {steps} on {names}, each from near the true box; mean overlap:")
    for choice in choices:
        _report(choice, say)
    say(f"all        {overlap:.3f}, and {trial.unmoved:.3f} where the box stays")
    if len(films) == 1:
        say(
            "warning    one clip is all evidence: files that are damaged or do not belong together "
            "may do well on it; name a folder of several annotated clips with --clips before you "
            "trust this"
        )
    least = LEAST_GAIN if len(films) > 1 else 0.0
    if overlap < trial.unmoved + least * (1 - trial.unmoved):
        than = "little better" if overlap > trial.unmoved else "no better"
        say(
            f"warning    even with the best settings it tracks {than} than a box that stays: the "
            "files may be damaged (by INT8, or by an export), or need settings that were not "
            "tried; compare them with those that they were made from, by `add` on more --clips"
        )
    return table


def _report(choice: Choice, say: Say) -> None:
    """Say what was decided, with the overlap of each alternative."""
    means = choice.overlaps
    say(f"{choice.question:<10} {choice.answer} {means[choice.answer]:.3f}")
    for answer in sorted(means, key=lambda answer: -means[answer]):
        if answer != choice.answer:
            equal = ", can't be told apart" if answer in choice.equal else ""
            say("{:<10}   {} {:.3f}{}".format("", answer, means[answer], equal))


def choose(proposal: Proposal, trial: Trial) -> Tuple[Table, List[Choice]]:
    """Find the best answers: the TOML with them in it, and how each was found."""
    if not proposal.alternatives:
        return proposal.table, []
    best = _best(proposal, trial)
    tried = _each_alone(proposal, trial, best)
    choices = []
    for question, overlaps in tried.items():
        whole = [a for a in overlaps if len(overlaps[a]) == len(overlaps[best[question]])]
        top = max(whole, key=lambda answer: float(overlaps[answer].mean()))
        means = {a: mean_beside(overlaps[a], overlaps[top]) for a in overlaps}
        good = [a for a in whole if not is_worse(overlaps[a], overlaps[top])]
        answer, equal = good[0], good[1:]  # the usual answer comes first
        choices.append(Choice(question, answer, means, equal))
    usual = {choice.question: choice.answer for choice in choices}
    changes = sum(usual[question] != best[question] for question in best)
    if changes > 1:
        rows = trial.overlaps([network_for(proposal, answers) for answers in (usual, best)])
        if is_worse(rows[0], rows[1]):  # each single change is as good, but not all together
            usual = best
            for place, (question, answer, means, equal) in enumerate(choices):
                alternatives = [a for a in [answer] + equal if a != best[question]]
                choices[place] = Choice(question, best[question], means, alternatives)
    return table_for(proposal, usual), choices


def _each_alone(proposal: Proposal, trial: Trial, best: Answers) -> Dict[str, Overlaps]:
    """Overlaps of each answer to each question, with all others answered as in ``best``."""
    pairs = [(q, answer) for q, answers in proposal.alternatives.items() for answer in answers]
    networks = [network_for(proposal, dict(best, **{q: answer})) for q, answer in pairs]
    rows = list(trial.overlaps(networks, 0, SIFTING))
    chosen = rows[[best[q] == answer for q, answer in pairs].index(True)]
    near = [i for i, row in enumerate(rows) if not is_worse(row, chosen)]
    more = trial.overlaps([networks[i] for i in near], SIFTING)
    for i, row in zip(near, more):
        rows[i] = np.concatenate([rows[i], row])
    tried: Dict[str, Overlaps] = {q: {} for q in proposal.alternatives}
    for (question, answer), row in zip(pairs, rows):
        tried[question][answer] = row
    return tried


def _best(proposal: Proposal, trial: Trial) -> Answers:
    """The combination with the highest overlap, by successive halving."""
    questions = {
        question: list(answers)[:1] if question in ALONE else list(answers)
        for question, answers in proposal.alternatives.items()
    }
    left = [dict(zip(questions, answers)) for answers in itertools.product(*questions.values())]
    overlaps = np.zeros((len(left), 0))
    while len(left) > 1 and overlaps.shape[1] < len(trial.steps):
        done = overlaps.shape[1]
        more = trial.overlaps(
            [network_for(proposal, answers) for answers in left], done, max(FEWEST, done * GROWTH)
        )
        overlaps = np.concatenate([overlaps, more], axis=1)
        order = np.argsort(-overlaps.mean(axis=1), kind="stable")
        most = max(2, math.ceil(KEPT * len(left)))
        best = overlaps[order[0]]
        kept = [i for i in order[:most] if not is_worse(overlaps[i], best)]
        left, overlaps = [left[i] for i in kept], overlaps[kept]
    return left[0]


def finds_nothing(trial: Trial) -> BadNetwork:
    """The error for files that find no target with any settings."""
    files = ", ".join(path.name for path in trial.paths.values())
    why = str(trial.problem or "the boxes lie elsewhere").split(";")[0]
    if isinstance(trial.problem, NetworkFailed):
        why = "what it gives is not finite, NaN or infinite"
    return BadNetwork(
        f"{files}: the network finds no target with any of the settings tried ({why}); try "
        f"--like with a network of its kind, or {BY_HAND}"
    )


def is_worse(overlaps: np.ndarray, best: np.ndarray) -> bool:
    """Whether settings are clearly worse than others, by their overlaps in the same first steps."""
    count = min(len(best), len(overlaps))
    difference = best[:count] - overlaps[:count]
    error = float(difference.std()) / math.sqrt(max(1, len(difference) - 1))
    return bool(difference.mean() > max(CLOSE, 2 * error))


def mean_beside(overlaps: np.ndarray, best: np.ndarray) -> float:
    """Mean overlap of settings that may have taken fewer steps than the best ones.

    It is the mean of the best ones less the mean difference in the steps that both took, and not
    below 0.
    """
    count = len(overlaps)
    return max(0.0, float(best.mean() - (best[:count] - overlaps).mean()))
