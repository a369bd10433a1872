"""The rule by which one network counts as better.

Every source has the same weight, however many clips it has. The standard error is that of
``hotpath.calib.one_step_overlap.estimate``.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hotpath.calib.one_step_overlap import Estimate, estimate

LOST = 0.3  # an overlap below this means that another thing was found


def together(sources: Sequence[Estimate]) -> Estimate:
    """The mean of sources that weigh the same; one with a single clip adds nothing to the error."""
    means, errors = np.array(sources).T
    return Estimate(float(means.mean()), float(np.sqrt(np.nansum(errors**2)) / len(errors)))


def figures(name: str, overlaps: np.ndarray, clip: Any) -> dict[str, float]:
    """What is logged of a set of clips: mean overlap, its standard error, share of lost targets."""
    mean, error = estimate(overlaps, clip)
    lost = float((np.asarray(overlaps) < LOST).mean())
    return {"os_" + name: mean, "se_" + name: error, "lost_" + name: lost}


class Change(NamedTuple):
    """How much better a candidate is than the shipped network on some sources."""

    gain: float  # of one-step overlap
    error: float  # its standard error
    lost: float  # rise of the share of lost targets


def change(sources: Sequence[tuple[Any, Any, Any]]) -> Change:
    """Compare two networks on the same pairs.

    Args:
        sources: (overlaps of the candidate, of the shipped network, clip of each pair) of each.
    """
    parts = [(np.asarray(new, float), np.asarray(old, float), clip) for new, old, clip in sources]
    gain, error = together([estimate(new - old, clip) for new, old, clip in parts])
    lost = np.mean([(new < LOST).mean() - (old < LOST).mean() for new, old, _ in parts])
    return Change(gain, error, float(lost))


def against(change: Change) -> list[str]:
    """Return the reasons against a candidate as sentences. None means that it is better.

    The rule was fixed before the candidates were known: the gain is more than one standard error,
    and the share of lost targets does not rise.
    """
    reasons = []
    if not change.gain > change.error:
        gain_text = f"{change.gain:+.4f} ± {change.error:.4f}"
        reasons.append(f"{gain_text} is not a gain of more than one standard error")
    if change.lost > 0:
        reasons.append(f"{change.lost:+.2%} of the targets are lost more often")
    return reasons
