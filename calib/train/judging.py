"""How sure a figure is, and the fixed rule by which one network counts as better than another.

Frames of one clip are alike, so what is drawn again for the standard error is clips, not frames:
each draw takes as many clips as there are, with repetition, and all pairs of those clips.
"""

import collections

import numpy as np

DRAWS = 2000
SEED = 12
LOST = 0.3  # an overlap below this means that another thing was found

Estimate = collections.namedtuple("Estimate", "mean error")


def _draws(clip):
    """(DRAWS, pairs) weight of every pair in every draw of clips."""
    clip = np.asarray(clip)
    names = np.unique(clip)
    rng = np.random.default_rng(SEED)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)
    return times[:, np.searchsorted(names, clip)].astype(float)


def estimate(values, clip):
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


def figures(name, overlaps, clip):
    """What is logged of a set of clips: mean overlap, its standard error, share of lost targets."""
    mean, error = estimate(overlaps, clip)
    lost = float((np.asarray(overlaps) < LOST).mean())
    return {"os_" + name: mean, "se_" + name: error, "lost_" + name: lost}
