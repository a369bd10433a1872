"""Is one set of frame times slower than another? Statistics for autocorrelated frame times.

Frames that follow each other share heat, clocks and neighbours, so blocks of them are drawn anew,
not frames; and rounds differ by more than their frames tell (where memory lies, what else runs), so
the interval is never narrower than the rounds themselves allow.
"""

import math
from collections import namedtuple

import numpy as np

MARGIN = 0.03  # a smaller change of speed is no change
FEWEST_ROUNDS = 3  # fewer do not show how rounds differ
DRAWS = 2000
NEVER = 1000  # rounds; no larger number is suggested
# Student's t, two-sided 95%, for 1, 2, 3 ... degrees of freedom; then 1.96
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
STUDENT += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)

# change, low, high: of speed (-0.05 is 5% slower); effect: Cliff's delta, 1 when each new frame is
# slower than each old one; decision: slower, faster, same, undecided; needed: rounds, or None
Comparison = namedtuple("Comparison", "change low high effect decision needed")


def figures(ms):
    """Median, p95, p99, jitter (median step from one frame to the next), all ms, and FPS."""
    ms = np.asarray(ms, np.float64)
    median, p95, p99 = (float(v) for v in np.percentile(ms, (50, 95, 99)))
    jitter = float(np.median(np.abs(np.diff(ms)))) if len(ms) > 1 else 0.0
    return {"median": median, "p95": p95, "p99": p99, "jitter": jitter, "fps": 1e3 / median}


def block_length(ms):
    """Return a block length in frames: twice the time over which the autocorrelation decays."""
    # use ranks: one frame of ten times the length would hide the correlation of the others
    ranks = np.argsort(np.argsort(ms, kind="mergesort")).astype(np.float64)
    ranks -= ranks.mean()
    power = float(np.dot(ranks, ranks))
    together = 1.0
    for lag in range(1, len(ranks) // 4):
        correlation = float(np.dot(ranks[:-lag], ranks[lag:])) / power if power else 0.0
        if correlation < 0.05:
            break
        together += 2 * correlation
    return int(max(1, min(max(5, math.ceil(2 * together)), len(ranks) // 4)))


def compare(base, new, paired=False, draws=DRAWS, seed=1):
    """Compare two runs by the ratio of their medians."""
    base = [np.asarray(ms, np.float64) for ms in base if len(ms)]
    new = [np.asarray(ms, np.float64) for ms in new if len(ms)]
    random = np.random.RandomState(seed)
    if paired:
        count = min(len(base), len(new))
        base, new = base[:count], new[:count]
        each = _log_medians(base) - _log_medians(new)
        change, drawn = np.median(each), _redrawn_pairs(base, new, draws, random)
        error, rounds = np.var(each, ddof=1) / count if count > 1 else 0.0, count
    else:
        change = np.log(np.median(np.concatenate(base)) / np.median(np.concatenate(new)))
        drawn = _redrawn(base, draws, random) - _redrawn(new, draws, random)
        rounds = min(len(base), len(new))
        error = sum(np.var(_log_medians(r), ddof=1) / len(r) for r in (base, new) if rounds > 1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    student = STUDENT[rounds - 2] if 1 < rounds <= len(STUDENT) + 1 else 1.96
    reach = student * math.sqrt(error)
    change, low, high = (
        float(np.exp(v)) - 1 for v in (change, min(low, change - reach), max(high, change + reach))
    )
    decision = decide(low, high, rounds)
    needed = rounds_to_decide(change, low, high, rounds) if decision == "undecided" else None
    return Comparison(change, low, high, cliffs_delta(base, new), decision, needed)


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
    room = abs(abs(change) - MARGIN)
    if room * NEVER < MARGIN:  # practically on the margin
        return None
    shrink = max((high - low) / 2.0 / room, 1e-6)
    needed = max(FEWEST_ROUNDS, rounds + 1, int(math.ceil(rounds * shrink * shrink)))
    return needed if needed <= NEVER else None


def cliffs_delta(base, new):
    """Return the share of pairs with a slower new frame minus the share with a faster one."""
    base, new = np.sort(np.concatenate(base)), np.concatenate(new)
    below = np.searchsorted(base, new, "left").sum()
    above = (len(base) - np.searchsorted(base, new, "right")).sum()
    return float(below - above) / (len(base) * len(new))


def _log_medians(rounds):
    return np.array([math.log(np.median(ms)) for ms in rounds])


def _places(size, length, draws, random):
    """(draws, size) places of a round, by blocks; circular, with equal weight for all frames."""
    starts = random.randint(0, size, (draws, -(-size // length)))
    return (starts[:, :, None] + np.arange(length)).reshape(draws, -1)[:, :size] % size


def _redrawn(rounds, draws, random):
    """(draws,) logs of the median of all rounds, with resampled blocks in each."""
    drawn = [ms[_places(len(ms), block_length(ms), draws, random)] for ms in rounds]
    return np.log(np.median(np.concatenate(drawn, axis=1), axis=1))


def _redrawn_pairs(base, new, draws, random):
    """(draws,) logs of the median round's ratio: the same moments of both are drawn."""
    logs = np.zeros((draws, len(base)))
    for index, (ours, theirs) in enumerate(zip(base, new)):
        size = min(len(ours), len(theirs))
        length = max(block_length(ours), block_length(theirs))
        places = _places(size, length, draws, random)
        logs[:, index] = np.log(np.median(ours[places], axis=1) / np.median(theirs[places], axis=1))
    return np.median(logs, axis=1)
