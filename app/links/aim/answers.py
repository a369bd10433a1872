"""How a target's box answers the turns of a camera: a fit of its motion to what was commanded.

A smooth trend is taken off both, so a target may move by itself as long as it moves smoothly.
"""

import math
from typing import Any, List, NamedTuple, Sequence

import numpy as np


class Answer(NamedTuple):
    """How the box went against the camera's turn.

    Attributes:
        gain: its motion, as a share of the turn.
        error: standard error of the gain.
        left: what the turn does not explain, root mean square of an axis, degrees.
    """

    gain: float
    error: float
    left: float


def answers(seen: np.ndarray, sent: Any, delays: Sequence[float], degree: int) -> List[Answer]:
    """The answer for each delay.

    What is left over is seldom white, so its correlation from frame to frame widens the error.

    Args:
        seen: (frames, 3): time stamp, and the target's error to the right and up.
        sent: (time, right, up) of each rate that was sent.
        delays: from a command until the time stamp of the frame that shows it.
        degree: of the polynomial that is taken off.
    """
    at = seen[:, 0]
    rest = without_trend(at - at.mean(), degree)
    box, fits = rest(seen[:, 1:]), []
    free = max(1, 2 * (len(at) - degree - 1) - 1)
    for delay in delays:
        turn = rest(turned(sent, at - delay))
        power = float((turn * turn).sum()) + 1e-9
        gain = -float((turn * box).sum()) / power
        left = box + gain * turn
        squares = float((left * left).sum())
        alike = float((left[1:] * left[:-1]).sum()) / max(squares, 1e-12)
        alike = min(0.95, max(0.0, alike))
        error = math.sqrt(squares / free * (1.0 + alike) / (1.0 - alike) / power)
        fits.append(Answer(gain, error, math.sqrt(squares / 2 / len(at))))
    return fits


def turned(sent: Any, times: np.ndarray) -> np.ndarray:
    """(times, 2): what rates that were sent turn in all until some times, degrees.

    Args:
        sent: (time, right, up) of each rate, which holds until the next one.
        times: seconds.
    """
    if not len(sent):
        return np.zeros((len(times), 2))
    rows = np.array(sent, dtype=float)
    steps = rows[:-1, 1:] * np.diff(rows[:, 0])[:, None]
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    last = np.maximum(np.searchsorted(rows[:, 0], times, "right") - 1, 0)
    after = np.maximum(times - rows[last, 0], 0.0)[:, None]
    result: np.ndarray = sums[last] + rows[last, 1:] * after
    return result


def without_trend(x: np.ndarray, degree: int) -> Any:
    """A function that takes the best polynomial of some centred times off values at these."""
    base, _ = np.linalg.qr(np.stack([x**n for n in range(degree + 1)], axis=1))
    return lambda values: values - base.dot(base.T.dot(values))
