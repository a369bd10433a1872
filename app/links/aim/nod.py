"""Ask whether a calibration still fits: the box must answer a short nod of the camera.

A nod adds half a degree there and back to the camera's turn. It is asked at the start, after each
gap, and where the camera has turned for some time towards a target that stays where it is.
"""

import math
from typing import NamedTuple, Optional, Tuple

import numpy as np

from hotpath.app.links.aim.watchdog import OPPOSITE, Watchdog, turned, without_trend

SILENT = "the target does not answer a nod of the camera"
UNFIT = "the calibration does not fit"
RATE = 0.07  # of a nod, share of the width a second
HALF_S = 0.12  # a quarter of a nod
WAIT_S, LATER_S, PAUSE_S = 0.15, 0.2, 1.5  # for its answer; to the next nod, or after an answer
SUSPECT_S, SUSPECT, SIDE = 0.6, 0.08, 0.008  # the error keeps its side during such a turn
EVERY = 0.75  # turned since the last answer, share of the width
FIT = 0.6, 1.5  # gain of the answer that proves a calibration
LEAST, SURE, BACKWARDS, ANSWER = 9, 0.2, -0.2, 0.55  # frames; error; gains
TRIES = 5  # at the start
# With a long delay a target that is followed is slow, so the turn can halve until it answers. With
# a short one the camera would lose fast targets.
LONG_S, CAUTIOUS = 0.25, 0.5


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
        most: the fastest turn while a nod is asked; None while none is.
        answers: the last answers.
    """

    def __init__(self, width: float, delay: float, rate: float = 0.0, half_s: float = HALF_S):
        self.is_proven, self.silent = False, 0
        self.most: Optional[float] = None
        self._width, self._delay, self._rate = width, delay, rate or RATE * width
        self._half_s = self._usual_s = half_s
        self._began: Optional[float] = None
        self._along = (0.0, 0.0)
        self._next = -math.inf
        self._since, self._before = 0.0, None  # type: float, Optional[float]
        self._tries = 0

    def restart(self) -> None:
        """The calibration must answer again."""
        self.is_proven, self._tries = False, 0
        self.cancel()

    def cancel(self) -> None:
        """End the nod that is asked."""
        self._began = self.most = None
        self.silent, self._half_s = 0, self._usual_s

    def rates(self, now: float) -> Tuple[float, float]:
        """What the nod adds to the camera's turn now."""
        if self._began is None or now < self._began:
            return (0.0, 0.0)
        quarter = int((now - self._began) / self._half_s)
        rate = self._rate * (1, -1, -1, 1)[quarter] if quarter < 4 else 0.0
        return rate * self._along[0], rate * self._along[1]

    def step(self, now: float, watchdog: Watchdog) -> Optional[str]:
        """Begin or judge a nod after a frame; why to stop, or None.

        Args:
            now: the time; the frame's time stamp is a little earlier.
            watchdog: has seen the frame.
        """
        if self._began is None:
            self._begin(now, watchdog)
            return None
        end = self._began + 4 * self._half_s + self._delay + WAIT_S
        if watchdog.seen[-1].at < end:
            return None
        answer = self._answer(end, watchdog)
        self._began = self.most = None
        if answer is None:
            self._next = now + LATER_S
            return None
        return self._judge(now, answer, watchdog)

    def _begin(self, now: float, watchdog: Watchdog) -> None:
        """Begin a nod along the camera's turn, where there is a reason for one."""
        last = watchdog.seen[-1]
        part = [s for s in watchdog.seen if s.at > last.at - SUSPECT_S]
        speed = math.hypot(last.turn_right, last.turn_up)
        if self._before is not None and speed > 0.05 * self._width:
            self._since += max(0.0, now - self._before) * speed
        self._before = now
        if now < self._next or len(part) < 4 or watchdog.seen[0].at > last.at - SUSPECT_S:
            return
        steps = [(b.at - a.at, b.turn_right, b.turn_up) for a, b in zip(part, part[1:])]
        turn = sum(s * right for s, right, _ in steps), sum(s * up for s, _, up in steps)
        if not self.is_proven:
            turn = (last.right, last.up) if last.size > 0.02 * self._width else (1.0, 0.0)
        size = math.hypot(*turn)
        if size < 1e-6:
            return
        along = turn[0] / size, turn[1] / size
        kept = sum(s.right * along[0] + s.up * along[1] > SIDE * self._width for s in part)
        is_suspect = size > SUSPECT * self._width and kept >= 0.9 * len(part)
        is_due = self._since >= EVERY * self._width or self.silent > 0 or not self.is_proven
        if is_suspect or is_due:
            self._began, self._along = now, along
            self.most = speed + 0.03 * self._width
            if is_suspect and self.is_proven and self._delay >= LONG_S:
                self.most = max(self._width / 12.0, CAUTIOUS * speed)

    def _answer(self, end: float, watchdog: Watchdog) -> Optional[Answer]:
        """The gain of the box's answer, apart from the target's own smooth motion."""
        assert self._began is not None, "a nod was asked"
        start = self._began + self._delay - 2 * self._half_s
        part = [s for s in watchdog.seen if start < s.at <= end]
        if len(part) < LEAST:
            return None
        at, along = np.array([s.at for s in part]), np.array(self._along)
        rest = without_trend(at - at.mean(), 3 if len(at) > 14 else 2)
        nod = rest(turned(watchdog.sent, at - self._delay).dot(along))
        box = rest(np.array([(s.right, s.up) for s in part]).dot(along))
        power = float(nod.dot(nod)) + 1e-9
        gain = -float(nod.dot(box)) / power
        left = box + gain * nod
        return Answer(gain, math.sqrt(float(left.dot(left)) / max(1, len(at) - 5) / power))

    def _judge(self, now: float, answer: Answer, watchdog: Watchdog) -> Optional[str]:
        gain, error = answer
        is_clear = error < SURE
        if is_clear and gain + 2 * error < BACKWARDS:
            return OPPOSITE
        if self.is_proven:
            if is_clear and gain + 2 * error < ANSWER:
                self.silent += 1
                self._half_s = self._usual_s * (1.4 if self.silent % 2 else 1.0)
                self._next = now
                return SILENT if self.silent >= 2 else None
            if gain - 2 * error > -BACKWARDS:
                self.silent, self._half_s, self._since = 0, self._usual_s, 0.0
                self._next = now + PAUSE_S
            else:
                self._next = now + LATER_S
            return None
        self._tries += 1
        self._next = now
        low, high = FIT
        if is_clear and low < gain < high and gain - 2 * error > -BACKWARDS:
            self.is_proven = True
            self._since, self._next = 0.0, now + PAUSE_S
            watchdog.clear()
            return None
        return UNFIT if self._tries >= TRIES else None
