"""Is one set of frame times slower than another? Wilcoxon's signed ranks of medians of rounds.

Frames that follow each other share heat, clocks and neighbours, and rounds differ by more than
their frames tell (where memory lies, what else runs). So a round counts as one observation. Of
their spread only symmetry is assumed; on simulated rounds the sign test, which assumes nothing,
leaves nearly twice as many runs undecided.
"""

import math
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.deploy.fps import Result

MARGIN = 0.02  # a smaller change of speed is no change
DOUBT = 0.025  # that the truth lies beyond one end of an interval of 95 %


class Comparison(NamedTuple):
    """A change of speed; -0.05 is 5 % slower.

    Attributes:
        change, low, high: the change and its 95 % interval.
        decision: "slower", "faster", "same" or "undecided".
        machine: change of the speed of the network alone, which is taken out; or None.
    """

    change: float
    low: float
    high: float
    decision: str
    machine: Optional[float] = None


def figures_of(result: Result) -> Dict[str, Dict[str, float]]:
    """Step -> its median, p95 and p99, all ms, and FPS, of all rounds."""
    steps = {}
    for step in result["rounds"][0]["ms"]:
        ms = np.maximum(np.concatenate([r["ms"].get(step, []) for r in result["rounds"]]), 1e-6)
        median, p95, p99 = (float(v) for v in np.percentile(ms, (50, 95, 99)))
        steps[step] = {"median": median, "p95": p95, "p99": p99, "fps": 1e3 / median}
    return steps


def compare(
    base: Sequence[np.ndarray], new: Sequence[np.ndarray], paired: bool = False
) -> Comparison:
    """Compare two runs by the medians of their rounds, lists of arrays of frame times.

    Paired rounds took turns, so that what slowed one down slowed down the other.
    """
    first, second = _log_medians(base), _log_medians(new)
    if paired:
        low, change, high = interval([a - b for a, b in zip(first, second)])
    else:
        (low_1, middle_1, high_1), (low_2, middle_2, high_2) = interval(first), interval(second)
        change = middle_1 - middle_2
        low = change - math.hypot(middle_1 - low_1, high_2 - middle_2)
        high = change + math.hypot(high_1 - middle_1, middle_2 - low_2)
    change, low, high = np.expm1([change, low, high]).tolist()
    return Comparison(change, low, high, decide(low, high))


def interval(values: Sequence[float]) -> Tuple[float, float, float]:
    """The low end, the middle and the high end of the 95 % interval of a centre.

    The middle is the median of the means of all pairs (Hodges and Lehmann). The ends are those
    centres that the signed-rank test just rejects (Tukey). Fewer than six values show no end,
    because all of them may lie on one side by chance.
    """
    count = len(values)
    if not count:
        return -math.inf, 0.0, math.inf
    numbers = np.asarray(values, np.float64)
    means = np.sort((numbers[:, None] + numbers)[np.triu_indices(count)] / 2)
    chance = np.ones(1)  # of each sum of the ranks so far that are positive
    for rank in range(1, count + 1):
        nothing = np.zeros(rank)
        chance = (np.append(chance, nothing) + np.append(nothing, chance)) / 2
    outside = np.searchsorted(np.cumsum(chance), DOUBT, side="right")
    middle = float(np.median(means))
    if not outside:
        return -math.inf, middle, math.inf
    return float(means[outside - 1]), middle, float(means[-outside])


def decide(low: float, high: float) -> str:
    """Return the decision that an interval of the change of speed allows."""
    if high < -MARGIN:
        return "slower"
    if low > MARGIN:
        return "faster"
    return "same" if low >= -MARGIN and high <= MARGIN else "undecided"


def _log_medians(rounds: Sequence[np.ndarray]) -> Sequence[float]:
    return [math.log(max(np.median(ms), 1e-6)) for ms in rounds if len(ms)]
