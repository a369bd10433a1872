"""Is one set of frame times slower than another? An interval from the medians of rounds.

Frames that follow each other share heat, clocks and neighbours, and rounds differ by more than
their frames tell (where memory lies, what else runs). So a round counts as one observation.
"""

import math
from typing import Dict, NamedTuple, Optional, Sequence

import numpy as np

MARGIN = 0.02  # a smaller change of speed is no change
FEWEST_ROUNDS = 3  # fewer do not show how rounds differ
# Student's t, two-sided 95%, for 1, 2, 3 ... degrees of freedom; then 1.96
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228) + (
    (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)
)


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


def figures(ms: np.ndarray) -> Dict[str, float]:
    """Median, p95 and p99, all ms, and FPS."""
    median, p95, p99 = (float(v) for v in np.percentile(ms, (50, 95, 99)))
    return {"median": median, "p95": p95, "p99": p99, "fps": 1e3 / median}


def compare(
    base: Sequence[np.ndarray], new: Sequence[np.ndarray], paired: bool = False
) -> Comparison:
    """Compare two runs by the medians of their rounds, lists of arrays of frame times.

    Paired rounds took turns, so that what slowed one down slowed down the other.
    """
    first, second = _log_medians(base), _log_medians(new)
    rounds = min(len(first), len(second))
    if paired:
        differences = first[:rounds] - second[:rounds]
        change, error, freedom = differences.mean(), _error(differences), rounds - 1.0
    else:
        change = first.mean() - second.mean()
        errors = _error(first), _error(second)
        error, freedom = math.hypot(*errors), _freedom(errors, (len(first), len(second)))
    reach = student(freedom) * error
    change, low, high = np.expm1([change, change - reach, change + reach]).tolist()
    return Comparison(change, low, high, decide(low, high, rounds))


def reach(rounds: Sequence[np.ndarray]) -> float:
    """Half of the 95 % interval that a run itself causes in every comparison with it."""
    logs = _log_medians(rounds)
    return student(len(logs) - 1.0) * _error(logs)


def student(freedom: float) -> float:
    """Student's t of a two-sided 95 % interval; between whole degrees the wider one is taken."""
    whole = int(freedom)
    return STUDENT[max(whole, 1) - 1] if whole <= len(STUDENT) else 1.96


def decide(low: float, high: float, rounds: int) -> str:
    """Return the decision that an interval of the change of speed allows."""
    if rounds < FEWEST_ROUNDS:
        return "undecided"
    if high < -MARGIN:
        return "slower"
    if low > MARGIN:
        return "faster"
    return "same" if low >= -MARGIN and high <= MARGIN else "undecided"


def _freedom(errors: Sequence[float], counts: Sequence[int]) -> float:
    """Degrees of freedom of the difference of two means (Welch and Satterthwaite)."""
    if min(counts) < 2:
        return 1.0
    parts = sum(error**4 / (count - 1) for error, count in zip(errors, counts))
    total = sum(error**2 for error in errors)
    return float(total**2 / parts) if parts else min(counts) - 1.0


def _log_medians(rounds: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([math.log(np.median(ms)) for ms in rounds if len(ms)])


def _error(values: np.ndarray) -> float:
    """The standard error of a mean; none is known of one round."""
    return math.sqrt(np.var(values, ddof=1) / len(values)) if len(values) > 1 else math.inf
