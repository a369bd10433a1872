"""Measure a camera by nudges: which way it turns, how far, and how late the picture shows it.

Each axis is nudged to both sides and back, before a scene that stands still. The motion of the
picture is fitted to what was commanded, by least squares over all delays.
"""

import math
from typing import Any, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from hotpath.runtime.errors import HotpathError

REST_S, NUDGE_S, PAUSE_S = 1.0, 0.6, 1.2  # before the first nudge; a nudge; after it
LONGEST_S, STEP_S, FINE_S = 1.6, 0.01, 0.002  # delays that are tried
CLEAR = 8.0  # least range of an answer, in deviations of what is left over
CROSS = 0.3  # most that an axis may turn the picture along the other one, share
NINETY = 1.645  # deviations of a normal distribution that hold 90 %
FEWEST = 6  # frames of a nudge
AXES = ("right", "up")
SIDE_PX = 320  # pictures are compared at about this width


class BadScene(HotpathError):
    """The picture does not say how the camera turns."""


class Answer(NamedTuple):
    """How the picture answered: for right and up, or the same for both axes.

    Attributes:
        sign: 1 where the camera turns as commanded, else -1.
        scale: degrees turned for each commanded unit.
        delay, spread: seconds; the spread holds 90 % of the nudges.
    """

    sign: Tuple[int, int]
    scale: Tuple[float, float]
    delay: float
    spread: float


class Move(NamedTuple):
    """A nudge: (right, up) from a time on, for ``NUDGE_S``."""

    at: float
    right: float
    up: float


def plan(rate: float) -> List[Move]:
    """There and back to both sides, for each axis; times from 0."""
    moves, at = [], REST_S
    for axis in (0, 1):
        for rate_now in (rate, -rate, -rate, rate):
            moves.append(Move(at, *((rate_now, 0.0) if axis == 0 else (0.0, rate_now))))
            at += NUDGE_S + PAUSE_S
    return moves


def seconds_of(moves: Sequence[Move]) -> float:
    """How long a plan takes, with the longest delay of its last answer."""
    return moves[-1].at + NUDGE_S + LONGEST_S


def rates_at(moves: Sequence[Move], at: float) -> Tuple[float, float]:
    """(right, up) to command at a time of a plan."""
    for move in moves:
        if move.at <= at < move.at + NUDGE_S:
            return move.right, move.up
    return (0.0, 0.0)


class PictureMotion:
    """Adds up the motion of a picture, in degrees of the scene to the right and up.

    Args:
        fov: the width of the picture, degrees.
    """

    def __init__(self, fov: float) -> None:
        self._fov, self._before, self._window = fov, None, None  # type: float, Any, Any
        self.sum = (0.0, 0.0)

    def add(self, frame: np.ndarray) -> Tuple[float, float]:
        """Take the next frame, BGR uint8; returns the sum."""
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        factor = max(1, grey.shape[1] // SIDE_PX)
        grey = np.float32(grey[::factor, ::factor])
        if self._before is not None and self._before.shape == grey.shape:
            if self._window is None:
                self._window = cv2.createHanningWindow(grey.shape[::-1], cv2.CV_32F)
            (x, y), _ = cv2.phaseCorrelate(self._before, grey, self._window)
            focal = grey.shape[1] / 2.0 / math.tan(math.radians(self._fov) / 2.0)
            step = (math.degrees(math.atan(v / focal)) for v in (x, -y))
            self.sum = tuple(a + b for a, b in zip(self.sum, step))  # type: ignore[assignment]
        self._before = grey
        return self.sum


def measure(
    sent: Sequence[Tuple[float, float, float]],
    seen: Sequence[Tuple[float, float, float]],
    moves: Sequence[Move],
) -> Answer:
    """What the pictures answer.

    Args:
        sent: (time, right, up) of each command.
        seen: (time stamp, right, up) of each frame: the sum of ``PictureMotion``.
        moves: the plan, with the times of the same clock.

    Raises:
        BadScene: the picture moves by itself, or does not answer clearly.
    """
    at, scene = np.array([s[0] for s in seen]), np.array([s[1:] for s in seen])
    if len(at) < FEWEST * len(moves):
        raise BadScene("too few pictures came; measure again with a faster or steadier stream")
    answers, parts = [], []
    for axis in (0, 1):
        own = [move for move in moves if move[1 + axis]]
        inside = (at > own[0].at - PAUSE_S / 2) & (at < own[-1].at + NUDGE_S + LONGEST_S)
        times, values = at[inside], scene[inside]
        found = _fit(sent, times, values[:, axis], axis, _delays(0.0, LONGEST_S, STEP_S))
        fine = _delays(found[0] - 2 * STEP_S, found[0] + 2 * STEP_S, FINE_S)
        delay, gain, left = _fit(sent, times, values[:, axis], axis, fine)
        _check(sent, times, values, axis, (delay, gain, left))
        answers.append((delay, gain, left))
        for move in own:
            near = (at > move.at) & (at < move.at + NUDGE_S + PAUSE_S / 2 + delay)
            if near.sum() >= FEWEST:
                some = _delays(max(0.0, delay - 0.3), delay + 0.3, 0.005)
                parts.append((axis,) + _fit(sent, at[near], scene[near, axis], axis, some))
    if any(gain * answers[axis][1] < 0 for axis, _, gain, _ in parts) or len(parts) < len(moves):
        raise BadScene("the picture answers now this way, now the other; choose a still scene")
    delays = np.array([delay for _, delay, _, _ in parts])
    gains = [answer[1] for answer in answers]
    return Answer(
        tuple(1 if gain < 0 else -1 for gain in gains),  # type: ignore[arg-type]
        tuple(abs(gain) for gain in gains),
        float(np.mean([answer[0] for answer in answers])),
        float(NINETY * delays.std(ddof=1)),
    )


def _delays(start: float, end: float, step: float) -> np.ndarray:
    return np.arange(max(0.0, start), end, step)


def _fit(sent: Any, at: np.ndarray, values: np.ndarray, axis: int, delays: Any) -> Any:
    """(delay, gain, mean square of what is left) that suit best, apart from an even drift."""
    rest = without_trend(at - at.mean(), 1)
    values, best = rest(values), (0.0, 0.0, math.inf)
    for delay in delays:
        turn = rest(turned(sent, at - delay)[:, axis])
        power = float(turn.dot(turn))
        if power > 1e-9:
            gain = float(turn.dot(values)) / power
            left = float(((values - gain * turn) ** 2).mean())
            best = min(best, (float(delay), gain, left), key=lambda each: each[2])
    return best


def _clear(sent: Any, at: np.ndarray, axis: int, answer: Any) -> float:
    delay, gain, left = answer
    return abs(gain) * float(np.ptp(turned(sent, at - delay)[:, axis])) / max(math.sqrt(left), 1e-6)


def _check(sent: Any, at: np.ndarray, scene: np.ndarray, axis: int, answer: Any) -> None:
    """Raise ``BadScene`` unless the picture answers clearly, and along this axis."""
    across = _fit(sent, at, scene[:, 1 - axis], axis, _delays(0.0, LONGEST_S, STEP_S))
    is_clear = _clear(sent, at, axis, across) >= CLEAR
    if is_clear and abs(across[1]) > CROSS * abs(answer[1]):
        raise BadScene(
            f"a command to the {AXES[axis]} moves the picture along the other axis; mount or turn "
            "the picture so that its sides are those of the actuator",
            what="other axis",
        )
    clear = _clear(sent, at, axis, answer)
    if clear < CLEAR:
        raise BadScene(
            f"the picture does not answer a turn {AXES[axis]} clearly ({clear:.1f}, at least "
            f"{CLEAR:g}): choose a scene with texture in which nothing moves, and check that the "
            "actuator obeys",
            what="no answer",
        )


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
