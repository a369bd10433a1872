"""A budget of turn: how far a camera may turn until its picture has answered a turn of it.

With a calibration, the target's box must go against the camera wherever that speeds up or slows
down, with the right sign, scale and delay, and again a little later. A picture that hangs,
drifts or trembles does not.
Without one, only the answer to a probe counts: the camera follows what a stopped picture shows, so
each swing of that looks like a turn and its answer, a quarter of a period late.
It uses no angle that an actuator reports, so nothing that is wrong with those deceives it. The
numbers were chosen on seeds below 500 of ``vehicle_tests/drone/steering.py``.
"""

import math
from collections import deque
from typing import Deque, List, Optional, Tuple

import numpy as np

from hotpath_vehicle.aim.answers import Answer, answers, probe_answers
from hotpath_vehicle.aim.probe import HALF_S

UNANSWERED = "the target does not answer the camera's turn"
SHARE, SLOW_SHARE = 0.17, 0.09  # of the width: the turn without an answer; without a calibration
SLOWEST = 12.0  # a turn of the width in so many seconds is slow
REST_S = 0.15  # the rate is at most what is left of the budget in this time
WAIT_S = 6.0  # that an answer may be late when nothing is left
GAP_S, EVERY = 1.2, 4  # without a box: the past says nothing of now; frames between slow looks
LEAST, MOST, CLEAR = 7, 40, 5.0  # frames; means of frames; gain in standard errors
NOISE = 0.0075  # most that the turn may not explain, share of the width
OTHER, OPPOSITE = 1.15, 1.4  # how much worse another delay, and the other sign, must explain it
# seconds that are looked at, and the degree of the trend; gains of an answer; the last share of
# the seconds, for which it does not speak: a picture that stopped in them shows the answer, too
LOOKS, FIT, LATE = ((0.35, 1), (0.6, 1), (1.2, 3)), (0.6, 1.5), 0.3
# a fit by chance soon ends: an answer fills the budget if another one (or one to a nod) came so
# many seconds before
APART_S, CONFIRM_S = 0.2, 0.6
# without a calibration neither delay nor scale is known: seconds, gains, the last seconds for
# which an answer does not speak, and how much worse the other sign must explain it
SLOW_LOOKS, SLOW_FIT, SLOW_LATE_S, SLOW_OPPOSITE = (2.4, 5.8), (0.1, 10.0), 0.8, 1.2
DELAYS = tuple(0.1 * n for n in range(21))  # that are tried
KEPT_S, OLD_S = 6.0, 9.0  # of boxes; of the camera's path, which no later answer divides

Row = Tuple[float, float, float]
Rates = Tuple[float, float]


class Budget:
    """The turn of one camera since its picture has answered.

    Args:
        width: of the picture, degrees.
        delay: from a command until the time stamp of the frame that shows it; None: not known.

    Attributes:
        left: degrees that the camera may turn on.
        most: ``left`` after an answer.
        seen: (time stamp, right, up) of the target's errors, degrees.
        sent: (time, right, up) of the rates, degrees a second.
        probed: the part of ``sent`` that no picture chose.
    """

    def __init__(self, width: float, delay: Optional[float]) -> None:
        self._width, self._count = width, 0
        self.seen: Deque[Row] = deque()
        self.sent: Deque[Row] = deque()
        self.probed: Deque[Row] = deque()
        self._path: Deque[Row] = deque([(-math.inf, 0.0, 0.0)])  # time and angles since an answer
        self._old: List[Row] = []  # extreme angles of the path that is older than OLD_S
        self._since = -math.inf  # the last answer
        self._answers: Deque[float] = deque()  # the newest: until when each speaks
        self._spent_s: Optional[float] = None
        self.know(delay)

    def know(self, delay: Optional[float]) -> None:
        """Believe in a delay, or in none; the turn until now still counts."""
        self.delay = delay
        self.most = self._width * (SLOW_SHARE if delay is None else SHARE)
        self._measure()

    def clear(self) -> None:
        """Forget where the target was; the turn still counts."""
        self.seen.clear()
        self._answers.clear()
        self._spent_s = None

    def spend(self) -> None:
        """Nothing is left until the picture answers."""
        self._old = [(-math.inf, self.most, 0.0)]
        self._measure()

    def refill(self, since: float = math.inf) -> None:
        """The picture has answered the turns until a time."""
        self._since = max(self._since, min(since, self._path[-1][0]))
        self._note(self._since)
        while len(self._path) > 1 and self._path[1][0] <= self._since:
            self._path.popleft()
        self._old = []
        self._spent_s = None
        self._measure()

    def command(self, now: float, right: float, up: float, probe: Rates = (0.0, 0.0)) -> None:
        """Note a rate that was sent, and the part of it that no picture chose."""
        angle = self._path[-1][1:]
        if self.sent and now > self.sent[-1][0]:
            step, (_, x, y) = min(GAP_S, now - self.sent[-1][0]), self.sent[-1]
            angle = angle[0] + step * x, angle[1] + step * y
        self._path.append((now,) + angle)
        while len(self._path) > 1 and self._path[1][0] < now - OLD_S:
            self._old = _extremes(self._old + [self._path.popleft()])
        self.sent.append((now, right, up))
        self.probed.append((now,) + probe)
        while len(self.sent) > 1 and self.sent[0][0] < now - KEPT_S - DELAYS[-1]:
            self.sent.popleft()
            self.probed.popleft()
        self._measure()

    def _measure(self) -> None:
        rows = list(self._path) + self._old
        sides = [max(angles) - min(angles) for angles in list(zip(*rows))[1:]]
        self.left = max(0.0, self.most - math.hypot(*sides))

    @property
    def span_s(self) -> float:
        """Seconds of boxes since a gap."""
        return self.seen[-1][0] - self.seen[0][0] if self.seen else 0.0

    @property
    def rate(self) -> float:
        """The fastest turn now."""
        return max(self.left / REST_S, self._width / SLOWEST) if self.left > 0.0 else 0.0

    def add(self, at: float, error: Tuple[float, float]) -> Optional[str]:
        """Note the target's error in a frame with that time stamp; why to stop, or None."""
        if self.seen and not 0.0 <= at - self.seen[-1][0] <= GAP_S:
            self.clear()
        self.seen.append((at,) + error)
        while self.seen[0][0] < at - KEPT_S:
            self.seen.popleft()
        self._count += 1
        if self.left < 0.98 * self.most and (self.delay is not None or self._count % EVERY == 0):
            self._look(at)
        if self.left > 0.0:
            self._spent_s = None
        elif self._spent_s is None:
            self._spent_s = at
        return UNANSWERED if self._spent_s is not None and at - self._spent_s > WAIT_S else None

    def _look(self, at: float) -> None:
        """Refill after an answer in the newest frames."""
        rows, sent = np.array(self.seen), np.array(self.sent, dtype=float)
        if self.delay is None:
            self._look_for_probe(at, rows, sent)
            return
        for seconds, degree in LOOKS:
            part = rows[rows[:, 0] > at - seconds]
            if len(part) < LEAST or at - rows[0, 0] < 0.6 * seconds:
                continue
            if self._is_answered(_fewer(part), sent, degree):
                self._fill(at - LATE * seconds)
                return

    def _fill(self, since: float) -> None:
        """Refill after an answer to the turns until a time, if another one came just before."""
        self._note(since)
        if self._answers[0] <= since - APART_S:
            self.refill(since)

    def _note(self, since: float) -> None:
        """Remember until when an answer speaks, and forget those that confirm none any more."""
        if not self._answers or since > self._answers[-1]:
            self._answers.append(since)
        while self._answers[0] < since - CONFIRM_S:
            self._answers.popleft()

    def _look_for_probe(self, at: float, rows: np.ndarray, sent: np.ndarray) -> None:
        """Refill after an answer to the probe, at whatever delay and scale."""
        probed = np.array(self.probed, dtype=float)
        for seconds in SLOW_LOOKS:
            part = rows[rows[:, 0] > at - seconds]
            if len(part) < LEAST or self.span_s < 0.95 * seconds:
                continue
            fits = probe_answers(part, sent, probed, DELAYS, HALF_S)
            if _is_clear(fits, SLOW_FIT, SLOW_OPPOSITE):
                self.refill(at - SLOW_LATE_S)
                return

    def _is_answered(self, part: np.ndarray, sent: np.ndarray, degree: int) -> bool:
        assert self.delay is not None, "it is calibrated"
        (own,) = answers(part, sent, [self.delay], degree)
        if not _is_clear([own], FIT, OPPOSITE) or own.left >= NOISE * self._width:
            return False
        return own.left < OTHER * min(fit.left for fit in answers(part, sent, DELAYS, degree))


def _is_clear(fits: List[Answer], gains: Tuple[float, float], opposite: float) -> bool:
    """Whether the box goes against the turn, and nothing says that it goes with it."""
    best = min(fits, key=lambda fit: fit.left)
    if not gains[0] < best.gain < gains[1] or best.gain < CLEAR * best.error:
        return False
    return opposite * best.left < min([fit.left for fit in fits if fit.gain < 0.0] or [math.inf])


def _extremes(rows: List[Row]) -> List[Row]:
    """The rows with the least and the greatest angles."""
    axes = (lambda row: row[1]), (lambda row: row[2])
    return [select(rows, key=axis) for axis in axes for select in (min, max)]


def _fewer(rows: np.ndarray) -> np.ndarray:
    """Means of rows that follow each other, so that few are left."""
    group = -(-len(rows) // MOST)
    rows = rows[len(rows) % group :]
    return rows.reshape(-1, group, rows.shape[1]).mean(axis=1)
