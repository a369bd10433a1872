"""How sure a figure is, and the fixed rule by which one network counts as better than another.

Frames of one clip are alike, so what is drawn again for the standard error is clips, not frames:
each draw takes as many clips as there are, with repetition, and all pairs of those clips.
"""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

DRAWS = 2000
SEED = 12
LOST = 0.3  # an overlap below this means that another thing was found

Estimate = collections.namedtuple("Estimate", "mean error")


def _draws(clip: Any) -> np.ndarray:
    """(DRAWS, pairs) weight of every pair in every draw of clips."""
    clip = np.asarray(clip)
    names = np.unique(clip)
    rng = np.random.default_rng(SEED)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)
    return times[:, np.searchsorted(names, clip)].astype(float)


def estimate(values: Any, clip: Any) -> tuple[float, float]:
    """Mean over all pairs and its standard error by bootstrap over clips.

    Args:
        values: (pairs,) overlaps, or differences of overlaps of two networks on the same pairs.
        clip: (pairs,) which clip each pair is of.

    Returns:
        ``Estimate``; the error is NaN if there are fewer than two clips.
    """
    values = np.asarray(values, float)
    if len(np.unique(clip)) < 2:
        return Estimate(float(values.mean()), float("nan"))
    weight = _draws(clip)
    means = weight @ values / weight.sum(1)
    return Estimate(float(values.mean()), float(means.std(ddof=1)))


def figures(name: str, overlaps: np.ndarray, clip: Any) -> dict[str, float]:
    """What is logged of a set of clips: mean overlap, its standard error, share of lost targets."""
    mean, error = estimate(overlaps, clip)
    lost = float((np.asarray(overlaps) < LOST).mean())
    return {"os_" + name: mean, "se_" + name: error, "lost_" + name: lost}


# the rule

Change = collections.namedtuple("Change", "name gain error lost lost_error must_gain")
Verdict = collections.namedtuple("Verdict", "better reasons")


def change(
    name: str, candidate: np.ndarray, shipped: np.ndarray, clip: Any, must_gain: bool
) -> Change:
    """How much better a candidate is on one set of clips.

    Args:
        name: of the set.
        candidate, shipped: (pairs,) overlaps of both networks on the same pairs.
        clip: (pairs,) which clip each pair is of.
        must_gain: whether the candidate has to be better here; elsewhere it must not be worse.

    Returns:
        ``Change``: mean gain, its standard error, by how much the share of lost targets rose, and
        the standard error of that.
    """
    candidate, shipped = np.asarray(candidate, float), np.asarray(shipped, float)
    gain, error = estimate(candidate - shipped, clip)
    more = (candidate < LOST).astype(float) - (shipped < LOST)
    lost, lost_error = estimate(more, clip)
    return Change(name, gain, error, lost, lost_error, must_gain)


def verdict(changes: Sequence[Any]) -> Verdict:
    """Whether a candidate counts as better than the shipped network.

    The rule was fixed before the candidates were known:

    1. On every set that must gain, the gain is more than one standard error, and the share of lost
       targets does not rise.
    2. On every other set, the loss is at most one standard error.

    Returns:
        ``Verdict``: bool, and a sentence for each set that speaks against it.
    """
    reasons = []
    for found in changes:
        said = f"{found.name}: {found.gain:+.4f} ± {found.error:.4f}"
        if not np.isfinite(found.error):
            reasons.append(f"{found.name}: two clips are needed for a standard error")
        elif found.must_gain and found.gain <= found.error:
            reasons.append(said + " is not a gain of more than one standard error")
        elif found.must_gain and found.lost > 0:
            reasons.append(f"{found.name}: {found.lost:+.2%} of the targets are lost more often")
        elif not found.must_gain and found.gain < -found.error:
            reasons.append(said + " is a loss of more than one standard error")
    return Verdict(not reasons, reasons)


def equal(changes: Sequence[Any]) -> Verdict:
    """Whether a candidate counts as equal to the shipped network, so that its licence may decide.

    On every set, the loss is at most one standard error, and so is the rise of the share of lost
    targets.

    Args:
        changes: one ``Change`` for each set, and one for all their pairs together.

    Returns:
        ``Verdict``: bool, and a sentence for each set that speaks against it.
    """
    reasons = verdict([found._replace(must_gain=False) for found in changes]).reasons
    for found in changes:
        if found.lost > found.lost_error:
            told = f"{found.name}: {found.lost:+.2%} ± {found.lost_error:.2%}"
            reasons.append(told + " of the targets are lost more often")
    return Verdict(not reasons, reasons)
