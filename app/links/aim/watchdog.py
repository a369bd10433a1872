"""Notice that a camera does not bring its target nearer, by the box and the commands alone.

It uses no angle that an actuator reports, so nothing that is wrong with those deceives it. Each
rule compares what the target's error did with what the commands should have done to it. The
numbers were chosen on development seeds of ``tests/drone/steering.py``.
"""

import math
from collections import deque
from typing import Any, Deque, List, NamedTuple, Optional, Tuple

import numpy as np

OPPOSITE = "the picture moves the wrong way"
GROWS = "the target moves away although the camera turns to it"
GAP_S = 0.6  # without a box: the past says nothing of now
KEPT_S = 4.2
# two stories: the target moves evenly, and the box goes against the turn, or with it
STORY_S, STORY_GROWN, STORY_REST, BOX_NOISE = 0.4, 0.03, 0.3, 0.002  # the last: of the width
GROWTH_S, GROWTH, GROWTH_TURN = 0.3, 0.07, 0.3  # share of the width, and of the turn
# without a calibration: longer, and with the delay that suits best
SLOW_S, SLOW_GROWTH, SLOW_REST, SLOW_DELAYS = 4.0, 0.2, 0.4, np.arange(0.0, 1.3, 0.1)


class Seen(NamedTuple):
    """The target's error in a frame, and the command that shows in it."""

    at: float
    right: float
    up: float
    size: float
    turn_right: float
    turn_up: float


class Watchdog:
    """Watches one camera.

    Args:
        width: of the picture, degrees.
        delay: from a command until the time stamp of the frame that shows it; None: not known.
    """

    def __init__(self, width: float, delay: Optional[float]) -> None:
        self.width, self.delay, self._is_known = width, delay or 0.0, delay is not None
        self._growth_s = max(GROWTH_S, self.delay) if self._is_known else SLOW_S
        self._memory_s = self.delay + (1.6 if self._is_known else 6.0)
        self.sent: Deque[Tuple[float, float, float]] = deque()
        self.clear()

    def clear(self) -> None:
        """Forget the target; the commands stay."""
        self.seen: Deque[Seen] = deque()

    def command(self, now: float, right: float, up: float) -> None:
        """Note a rate that was sent."""
        self.sent.append((now, right, up))
        while len(self.sent) > 1 and self.sent[0][0] < now - self._memory_s:
            self.sent.popleft()

    def add(self, at: float, error: Tuple[float, float]) -> Optional[str]:
        """Note the target's error in a frame with that time stamp; why to stop, or None."""
        if self.seen and not 0.0 <= at - self.seen[-1].at <= GAP_S:
            self.clear()
        turn = self._commanded(at - self.delay)
        self.seen.append(Seen(at, error[0], error[1], math.hypot(*error), *turn))
        while self.seen[0].at < at - KEPT_S:
            self.seen.popleft()
        if self.goes_wrong_way(at):
            return OPPOSITE
        return GROWS if self.grows(at) else None

    def _commanded(self, at: float) -> Tuple[float, float]:
        last = (0.0, 0.0)
        for sent_at, right, up in self.sent:
            if sent_at > at:
                break
            last = (right, up)
        return last

    def goes_wrong_way(self, now: float) -> bool:
        """Whether the box goes with the turn rather than against it, and away."""
        window = max(STORY_S, self.delay) if self._is_known else SLOW_S
        part = [s for s in self.seen if s.at > now - window][:: 1 if self._is_known else 3]
        least, share = (6, 0.75) if self._is_known else (12, 0.5)
        if len(part) < least or part[-1].at - part[0].at < share * window:
            return False
        grown = part[-1].size - part[0].size
        if grown < (STORY_GROWN * self.width if self._is_known else 0.0):
            return False
        at = np.array([s.at for s in part])
        rest = without_trend(at - at.mean(), 1)
        error = np.array([(s.right, s.up) for s in part])
        noise = max(_noise(error), (BOX_NOISE * self.width) ** 2) * len(at)
        error = rest(error)
        against = with_it = math.inf
        for delay in (self.delay,) if self._is_known else SLOW_DELAYS:
            turn = rest(turned(self.sent, at - delay))
            against = min(against, float(((error + turn) ** 2).sum()))
            with_it = min(with_it, float(((error - turn) ** 2).sum()))
        most = STORY_REST if self._is_known else SLOW_REST
        return with_it + noise < most * against and against > 3 * noise

    def grows(self, now: float) -> bool:
        """Whether the error grew while the camera turned towards the target all the time."""
        part = [s for s in self.seen if s.at >= now - self._growth_s]
        whole = part and part[-1].at - part[0].at >= 0.7 * self._growth_s
        if len(part) < 4 or self.seen[0].at > now - self._growth_s or not whole:
            return False
        turn, towards = 0.0, 0
        for before, s in zip(part, part[1:]):
            along = (s.turn_right * s.right + s.turn_up * s.up) / max(s.size, 0.2)
            turn += along * (s.at - before.at)
            towards += along > 0.5
        if towards < 0.8 * (len(part) - 1):
            return False
        few = max(1, min(4, len(part) // 4))
        grown = _middle(part[-few:]) - _middle(part[:few])
        if not self._is_known:
            return grown > SLOW_GROWTH * self.width
        return grown > max(GROWTH * self.width, GROWTH_TURN * turn)


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


def _noise(error: np.ndarray) -> float:
    """Variance of what is not smooth in an error, both axes together."""
    bends = error[2:] - 2 * error[1:-1] + error[:-2]
    return float((bends**2).sum()) / 6 / len(bends)


def _middle(part: List[Seen]) -> float:
    return sorted(s.size for s in part)[len(part) // 2]
