"""Ask whether a calibration still fits: the box must answer a short nod of the camera.

A nod adds a turn there and back, of 0.5 to 1.3 degrees where the picture is 60 wide. It is asked at
the start, after each gap, and before a camera that turns has used up its budget.
"""

import math
from typing import NamedTuple, Optional, Tuple

import numpy as np

from hotpath_vehicle.aim.answers import turned, without_trend
from hotpath_vehicle.aim.budget import Budget

OPPOSITE = "the picture moves the wrong way"
SILENT = "the target does not answer a nod of the camera"
UNFIT = "the calibration does not fit"
RATE = 0.07  # of a nod, share of the width a second
HALF_S = 0.12  # a quarter of a nod
# Sign and length of nods: no two in a row are alike, else a late answer to one would pass for an
# answer to the next.
KINDS = (1, 1.0), (-1, 1.0), (1, 1.4), (-1, 1.2), (1, 1.2), (-1, 1.4)
FRAMES = 1.5  # least of a quarter
WAIT_S, LATER_S = 0.15, 0.2  # for its answer; to the next nod, where it was not clear
PART_S = 0.6  # of the turn and the boxes that say which way to nod
SPARE = 0.3  # of the budget, which a nod should leave
FIT = 0.6, 1.5  # gain of the answer that proves a calibration
LEAST, SURE, BACKWARDS, ANSWER = 9, 0.2, -0.2, 0.55  # frames; error; gains
TRIES = 5  # at the start, and since the budget was spent


class Answer(NamedTuple):
    """How far the box went against the nod, as a share of it, and the error of that."""

    gain: float
    error: float


class Nod:
    """Nods of one camera, at most one at a time.

    Args:
        width: of the picture, degrees.
        delay: from a command until the time stamp of the frame that shows it.
        rate, half_s: of a nod; longer and slower for a camera that gets few commands.

    Attributes:
        is_proven: whether the calibration has answered.
        silent: how many nods in a row had no answer.
    """

    def __init__(self, width: float, delay: float, rate: float = 0.0, half_s: float = HALF_S):
        self.is_proven, self.silent = False, 0
        self._width, self._delay, self._rate = width, delay, rate or RATE * width
        self._half_s = self._usual_s = half_s
        self._began: Optional[float] = None
        self._along = (0.0, 0.0)
        self._next = -math.inf
        self._tries = self._count = 0
        self._spent = 0  # nods since the budget was spent

    def restart(self) -> None:
        """The calibration must answer again."""
        self.is_proven, self._tries = False, 0
        self.cancel()

    def retry(self) -> None:
        """Ask as often as at the start, also where the budget is spent."""
        self._spent = 0
        self.restart()

    def cancel(self) -> None:
        """End the nod that is asked."""
        self._began, self.silent = None, 0

    def rates(self, now: float) -> Tuple[float, float]:
        """What the nod adds to the camera's turn now."""
        if self._began is None or now < self._began:
            return (0.0, 0.0)
        quarter = int((now - self._began) / self._half_s)
        rate = self._rate * (1, -1, -1, 1)[quarter] if quarter < 4 else 0.0
        return rate * self._along[0], rate * self._along[1]

    def step(self, now: float, budget: Budget) -> Optional[str]:
        """Begin or judge a nod after a frame; why to stop, or None.

        Args:
            now: the time; the frame's time stamp is a little earlier.
            budget: has seen the frame.
        """
        if self.silent and budget.left <= 0.0:
            return SILENT
        if self._began is None:
            self._begin(now, budget)
            return None
        end = self._began + 4 * self._half_s + self._delay + WAIT_S
        if budget.seen[-1][0] < end:
            return None
        answer = self._answer(end, budget)
        self._began = None
        if answer is None:
            self._next = now + LATER_S
            return None
        return self._judge(now, answer, budget)

    def _begin(self, now: float, budget: Budget) -> None:
        """Begin a nod along the camera's turn, where there is a reason for one."""
        at, right, up = budget.seen[-1]
        few = sum(row[0] > at - PART_S for row in budget.seen) < 4
        self._spent = 0 if budget.left > 0.0 else self._spent
        if self._spent >= TRIES or now < self._next or few or budget.seen[0][0] > at - PART_S:
            return
        before, after = turned(budget.sent, np.array([now - PART_S, now]))
        along = tuple(after - before)
        speed = math.hypot(*along) / PART_S
        needs = speed * (4 * self._half_s + self._delay + WAIT_S)
        is_due = self.silent > 0 or not self.is_proven
        if not is_due and budget.left - needs > SPARE * budget.most:
            return
        if not self.is_proven or speed < 0.01 * self._width:
            along = (right, up) if math.hypot(right, up) > 0.02 * self._width else (1.0, 0.0)
        size = math.hypot(*along)
        sign, longer = KINDS[self._count % len(KINDS)]
        step = (at - budget.seen[0][0]) / (len(budget.seen) - 1)
        self._began, self._half_s = now, longer * max(self._usual_s, FRAMES * step)
        self._along = sign * along[0] / size, sign * along[1] / size
        self._count += 1
        self._spent += budget.left <= 0.0

    def _answer(self, end: float, budget: Budget) -> Optional[Answer]:
        """The gain of the box's answer, apart from the target's own smooth motion."""
        assert self._began is not None, "a nod was asked"
        start = self._began + self._delay - 2 * self._half_s
        part = np.array([row for row in budget.seen if start < row[0] <= end])
        if len(part) < LEAST:
            return None
        at, along = part[:, 0], np.array(self._along)
        rest = without_trend(at - at.mean(), 3 if len(at) > 14 else 2)
        nod = rest(turned(budget.sent, at - self._delay).dot(along))
        box = rest(part[:, 1:].dot(along))
        power = float(nod.dot(nod)) + 1e-9
        gain = -float(nod.dot(box)) / power
        left = box + gain * nod
        return Answer(gain, math.sqrt(float(left.dot(left)) / max(1, len(at) - 5) / power))

    def _judge(self, now: float, answer: Answer, budget: Budget) -> Optional[str]:
        gain, error = answer
        is_clear, self._next = error < SURE, now
        if is_clear and gain + 2 * error < BACKWARDS:
            return OPPOSITE
        if self.is_proven:
            if is_clear and gain + 2 * error < ANSWER:
                self.silent += 1
                return SILENT if self.silent >= 2 else None
            if gain - 2 * error > -BACKWARDS:
                self.silent = 0
            else:
                self._next = now + LATER_S
            return None
        self._tries += 1
        if is_clear and FIT[0] < gain < FIT[1] and gain - 2 * error > -BACKWARDS:
            self.is_proven = True
            budget.refill()
            return None
        return UNFIT if self._tries >= TRIES else None
