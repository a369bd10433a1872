"""Is one set of frame times slower than another? An interval from the medians of rounds.

Frames that follow each other share heat, clocks and neighbours, and rounds differ by more than
their frames tell (where memory lies, what else runs). So a round counts as one observation.
"""

import math
from collections import namedtuple

import numpy as np

MARGIN = 0.03  # a smaller change of speed is no change
FEWEST_ROUNDS = 3  # fewer do not show how rounds differ
NEVER = 1000  # rounds; no larger number is suggested
# Student's t, two-sided 95%, for 1, 2, 3 ... degrees of freedom; then 1.96
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
STUDENT += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)

# change, low, high: of speed (-0.05 is 5% slower); decision: slower, faster, same, undecided;
# needed: rounds, or None
Comparison = namedtuple("Comparison", "change low high decision needed")


def figures(ms):
    """Median, p95, p99, jitter (median step from one frame to the next), all ms, and FPS."""
    ms = np.asarray(ms, np.float64)
    median, p95, p99 = (float(v) for v in np.percentile(ms, (50, 95, 99)))
    jitter = float(np.median(np.abs(np.diff(ms)))) if len(ms) > 1 else 0.0
    return {"median": median, "p95": p95, "p99": p99, "jitter": jitter, "fps": 1e3 / median}


def compare(base, new, paired=False):
    """Compare two runs by the medians of their rounds, lists of arrays of frame times.

    Paired rounds took turns, so that what slowed one down slowed down the other.
    """
    base, new = _log_medians(base), _log_medians(new)
    rounds = min(len(base), len(new))
    if paired:
        differences = base[:rounds] - new[:rounds]
        change = differences.mean()
        error = _error(differences)
    else:
        change = base.mean() - new.mean()
        error = math.hypot(_error(base), _error(new))
    student = STUDENT[rounds - 2] if 1 < rounds <= len(STUDENT) + 1 else 1.96
    reach = student * error
    change, low, high = (float(np.exp(v)) - 1 for v in (change, change - reach, change + reach))
    decision = decide(low, high, rounds)
    needed = rounds_to_decide(change, low, high, rounds) if decision == "undecided" else None
    return Comparison(change, low, high, decision, needed)


def decide(low, high, rounds):
    """Return the decision that an interval of the change of speed allows."""
    if rounds < FEWEST_ROUNDS:
        return "undecided"
    if high < -MARGIN:
        return "slower"
    if low > MARGIN:
        return "faster"
    return "same" if low >= -MARGIN and high <= MARGIN else "undecided"


def rounds_to_decide(change, low, high, rounds):
    """Rounds with which the interval would lie on one side of a margin; None beyond ``NEVER``."""
    if rounds < FEWEST_ROUNDS:
        return FEWEST_ROUNDS
    room = abs(abs(change) - MARGIN)
    if room * NEVER < MARGIN:  # practically on the margin
        return None
    shrink = (high - low) / 2.0 / room
    needed = max(rounds + 1, int(math.ceil(rounds * shrink * shrink)))
    return needed if needed <= NEVER else None


def _log_medians(rounds):
    return np.array([math.log(np.median(ms)) for ms in rounds if len(ms)])


def _error(values):
    """The standard error of a mean; none is known of one round."""
    return math.sqrt(np.var(values, ddof=1) / len(values)) if len(values) > 1 else math.inf
