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


def probe_answers(
    seen: np.ndarray, sent: Any, probed: Any, delays: Sequence[float], half_s: float
) -> List[Answer]:
    """The answer to a probe for each delay, whatever else turned the camera.

    The probe is the instrument: what moves the box apart from it, and the turns that follow from
    the box, have no part in the gain.

    Args:
        seen, sent, delays: as in ``answers``.
        probed: (time, right, up) of the part of ``sent`` that no picture chose.
        half_s: seconds of the probe to one side.
    """
    at = seen[:, 0]
    start, end = at[0] + 1.5 * half_s, at[-1] - 1.5 * half_s
    middles = end - half_s * np.arange(int((end - start) / half_s) + 1)
    late = at - np.array(delays)[:, None]
    box = _bumps(at, seen[:, 1:], middles, half_s)
    probes = _bumps(at, turned(probed, late), middles, half_s)
    turns = _bumps(at, turned(sent, late), middles, half_s)
    power = (probes * probes).sum((1, 2)) + 1e-9
    covered = (probes * turns).sum((1, 2))
    covered = np.where(covered > 0.2 * power, covered, np.inf)
    gains = -(probes * box).sum((1, 2)) / covered
    left = box + gains[:, None, None] * turns
    squares = (left * left).sum((1, 2))
    errors = np.sqrt(2.0 * squares / max(1.0, len(middles) - 1) * power) / covered
    return [Answer(*map(float, v)) for v in zip(gains, errors, np.sqrt(squares / 2 / len(middles)))]


def _bumps(at: np.ndarray, values: np.ndarray, middles: np.ndarray, half_s: float) -> np.ndarray:
    """How far values are off the line between those ``half_s`` before and after, around times."""
    steps = 0.5 * (values[..., 1:, :] + values[..., :-1, :]) * np.diff(at)[:, None]
    sums = np.zeros(values.shape)
    np.cumsum(steps, axis=-2, out=sums[..., 1:, :])
    edges = middles[:, None] + half_s * np.array([-1.5, -0.5, 0.5, 1.5])
    rows = sums.reshape((-1,) + sums.shape[-2:])
    whole = np.array([[np.interp(edges, at, axis) for axis in row.T] for row in rows])
    means = np.diff(whole, axis=-1) / half_s
    bumps = means[..., 1] - 0.5 * (means[..., 0] + means[..., 2])
    return np.moveaxis(bumps, -2, -1).reshape(values.shape[:-2] + (len(middles), 2))


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
