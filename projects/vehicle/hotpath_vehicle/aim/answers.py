"""How a target's box answers the turns of a camera: a fit of its motion to what was commanded.

A smooth trend is taken off both, so a target may move by itself as long as it moves smoothly.
"""

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
    turns = rest(turned(sent, at - np.array(delays)[:, None]))
    box = rest(seen[:, 1:])
    power = (turns * turns).sum((1, 2)) + 1e-9
    gains = -(turns * box).sum((1, 2)) / power
    left = box + gains[:, None, None] * turns
    squares = (left * left).sum((1, 2))
    alike = (left[:, 1:] * left[:, :-1]).sum((1, 2)) / np.maximum(squares, 1e-12)
    alike = np.clip(alike, 0.0, 0.95)
    free = max(1, 2 * (len(at) - degree - 1) - 1)
    errors = np.sqrt(squares / free * (1.0 + alike) / (1.0 - alike) / power)
    sizes = np.sqrt(squares / 2 / len(at))
    return [Answer(*map(float, values)) for values in zip(gains, errors, sizes)]


def turned(sent: Any, times: np.ndarray) -> np.ndarray:
    """What rates that were sent turn in all until some times, degrees; (right, up) comes last.

    Args:
        sent: (time, right, up) of each rate, which holds until the next one.
        times: seconds, of any shape.
    """
    if not len(sent):
        return np.zeros(times.shape + (2,))
    rows = np.array(sent, dtype=float)
    knots = np.append(rows[:, 0], max(rows[-1, 0], times.max()))
    angles = np.zeros((len(knots), 2))
    np.cumsum(rows[:, 1:] * np.diff(knots)[:, None], axis=0, out=angles[1:])
    return np.stack([np.interp(times, knots, axis) for axis in angles.T], axis=-1)


def without_trend(x: np.ndarray, degree: int) -> Any:
    """A function that takes the best polynomial of some centred times off values at these."""
    base, _ = np.linalg.qr(np.stack([x**n for n in range(degree + 1)], axis=1))
    return lambda values: values - np.matmul(base, np.matmul(base.T, values))
