"""Compute how fast a camera turns after its target, and check that the picture answers.

With a calibration ``gimbal.control`` gives the rate; without one it is proportional to the error
and slow. A fixed pattern makes the turn a little faster and slower, and a live picture shows that
pattern again, one delay later and the other way round. What moves the target by itself, and a
picture that hangs, know nothing of it. Once the camera has turned by some degrees without such an
answer, it stops, says why, and waits until somebody selects or confirms a target.

Nothing here opens a link or reads a clock. Angles are in degrees, rates in degrees a second, times
in seconds. Vectors are (right, up).
"""

import math
from collections import deque
from typing import Any, Deque, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.links import CONFIRM
from hotpath_vehicle.aim.calibration import AimCalibration, error_of, settings_for
from hotpath_vehicle.gimbal.control import Control

UNANSWERED = f"the picture does not answer the camera's turn; {CONFIRM}"
# Degrees below are those of a picture of this width, and scale with it. The numbers were chosen on
# seeds 5100 to 5105 and 6300 to 6303 of vehicle_tests/drone/steering.py.
WIDTH = 60.0
BOUND, SLOW_BOUND = 15.0, 8.0  # turn without an answer; without a calibration
SPENT = 0.95  # share of the bound at which it stops; the rate falls towards it
SLOW_GAIN, SLOWEST = 0.33, 12.0  # 1/s; seconds for a turn of the width, without a calibration
SLOW_BAND = 0.01  # an error that counts as none without a calibration, share of the width
ANSWER_S, ANSWER_FRAMES = 0.25, 4  # the least time that an answer needs
HANDLING_S, UNKNOWN_S = 0.03, 0.5  # from a frame's time to its command; a delay that is not known
# The ripple: its signs, the time of one, at least so many frames; its share of the rate and degrees
# a second besides; degrees a second without a calibration
SIGNS = "0000101011101100011111001101001"
SIGN_S, SIGN_FRAMES = 0.16, 2
RIPPLE, RIPPLE_RATE, SLOW_RIPPLE = 0.4, 1.5, 2.0
# The answer: what changes slower than this does not count, three times over; degrees of turn in
# which it is forgotten; the weight of the rest of the turn beside the ripple; gains, also without a
# calibration, whose scale is not known; standard errors; how much clearer than its opposite; weight
HIGH_S, HIGH_FRAMES, ORDER = 0.12, 1.5, 3
FORGET, SHARE = 4.0, 0.1
GAINS, SLOW_GAINS = (0.6, 1.8), (0.1, 10.0)
CLEAR, OPPOSITE, LEAST = 2.0, 1.2, 5.0
# A lens that was zoomed in since the calibration: the picture answers by more, and the box's way
# from the middle is divided by that. What counts and is said, how fast it is learnt, the most
ZOOMED, LEARN, MOST_ZOOM = 1.3, 0.02, 8.0
LEAP, LEAP_DEG = 1.5, 0.3  # a faster motion of the box counts as this, in turns; the least, degrees
WRONG_S = 0.08  # a measured delay is tried, and so much less and more
DELAYS = tuple(0.1 * n for n in range(9))  # that are tried without a calibration
GAP_S, LOST_S, STEP_S = 0.4, 2.0, 0.5  # a jump over a gap is none of the target; the past is gone
KEPT_S = 5.0
# Before a first answer, and before the first one after a silence of the link: a link that comes and
# goes would get some by chance.
SETTLED_S, SILENT_SETTLED_S = 0.7, 1.5

Rates = Tuple[float, float]


class Sums(NamedTuple):
    """What the answer is judged by: sums over the frames, for each delay that is tried."""

    turns: np.ndarray  # products of what is asked, mostly the ripple, with the turn
    answers: np.ndarray  # with the box's motion the other way
    power: np.ndarray  # with itself
    left: np.ndarray  # squares of the box's motion, without the turn
    still: np.ndarray  # of the box's motion as it is
    values: np.ndarray  # how many squares these are


class Follow:
    """Computes the rates for one target of one camera.

    Args:
        settings: result of ``gimbal.settings.load_settings``.
        fov: (horizontal, vertical) field of view, degrees; a calibration replaces it.
        calibration: of this camera, or None.
        assumed: degrees a second for a command of 1, without a calibration.

    Attributes:
        control: the ``Control``. It knows where the camera points, also while it is slow.
        why: why the camera must stand; None while it may turn.
        note: a sentence on what the camera does instead, to say once; None without news.
    """

    def __init__(
        self,
        settings: Dict[str, Dict[str, float]],
        fov: Tuple[float, float],
        calibration: Optional[AimCalibration] = None,
        assumed: float = 1.0,
    ) -> None:
        own_s = None
        if calibration is not None:
            settings = settings_for(settings, calibration)
            fov = calibration.fov, fov[1] * calibration.fov / fov[0]
            own_s = calibration.delay - calibration.age_s
        self.control = Control(settings, fov, own_s)
        self.calibration, self._width, self._assumed = calibration, fov[0], assumed
        self._age_s = 0.0 if calibration is None else calibration.age_s
        self._zoom, self._is_zoom_told = 1.0, False
        self._band = max(SLOW_BAND * self._width, settings["limits"]["dead_band"])
        self.why: Optional[str] = None
        self.note = None if calibration else "goes slowly: it has no calibration"
        # (time, right, up, and the same two of the ripple alone): the whole turn until a time
        self._path: Deque[Tuple[float, ...]] = deque([(-1e9, 0.0, 0.0, 0.0, 0.0)])
        self._low = self._high = np.zeros(2)  # extremes of the turn since the picture answered
        self._rate = self._ripple = self._next_ripple = (0.0, 0.0)
        self._moved = 0.0  # degrees since the last frame
        self._phase, self._phase_s, self._step_s = 0.0, 0.0, 0.1
        self._configure()

    def _configure(self) -> None:
        known, unit = self.calibration, self._width / WIDTH
        self._unit, self._forget = unit, unit * FORGET
        around = (-WRONG_S, 0.0, WRONG_S)
        self._delays = np.array([known.delay + more for more in around] if known else DELAYS)
        self._reaction_s = (known.delay if known else UNKNOWN_S) + HANDLING_S
        self._most = known.most if known else self._width / SLOWEST
        self._bound = unit * (BOUND if known else SLOW_BOUND)
        self._gains = GAINS if known else SLOW_GAINS
        self.restart()

    @property
    def unanswered(self) -> float:
        """Degrees between the farthest places that the camera saw since the picture answered."""
        return float(np.hypot(*(self._high - self._low)))

    def restart(self) -> None:
        """Another target: what the box did before says nothing; the turn counts."""
        self._settled_s = SETTLED_S
        self._begin()

    def _begin(self) -> None:
        """Gather the evidence anew."""
        self._at: Optional[float] = None
        self._values = np.zeros((1 + 2 * len(self._delays), 2))
        self._sums = Sums(*(np.zeros(len(self._delays)) for _ in Sums._fields))

    def acted(self) -> None:
        """Somebody selected, dropped or confirmed a target: a camera that stopped goes on."""
        if self.why is not None:
            self.why = None
            self._low = self._high = np.array(self._path[-1][1:3])
            self.restart()

    def refuse(self, why: str) -> None:
        """The calibration is of another camera: go slowly."""
        self.note, self.calibration = f"goes slowly: {why}", None
        self._configure()

    # the check

    def see(self, at: float, box: Sequence[float], size: Tuple[int, int]) -> None:
        """Take the target of a frame that is evidence.

        Args:
            at: the frame's time stamp, seconds.
            box: (x, y, w, h) of the target, pixels.
            size: (width, height) of the frame.
        """
        box = self._unzoomed(box, size)
        error = error_of((box[0], box[1], box[2], box[3]), size, self._width)
        if self._at is not None and not 0.0 < at - self._at <= LOST_S:
            if at == self._at:
                return
            self._begin()
        turned = self._turned(at - self._delays)
        values = np.concatenate([[error], turned[:, :2], turned[:, 2:]])
        if self._at is None:
            self._began_s, self._jump = at, np.zeros_like(values)
            self._slow = [values.copy()] + [np.zeros_like(values) for _ in range(ORDER - 1)]
        elif at - self._at > GAP_S:
            self._jump = self._jump + values - self._values
        step_s = 0.0 if self._at is None else at - self._at
        self._at, self._values = at, values
        if not step_s:
            return
        self._step_s += 0.2 * (min(STEP_S, step_s) - self._step_s)
        fast = self._fast(values - self._jump, step_s)
        share = math.exp(-self._moved / self._forget)
        self._moved = 0.0
        if at - self._began_s >= ORDER * HIGH_S:
            self._add(share, *np.split(fast, [1, 1 + len(self._delays)]))
            if at - self._began_s >= self._settled_s and self._is_answered():
                self._forgive(at)

    def _fast(self, values: np.ndarray, step_s: float) -> np.ndarray:
        """What of the values changes fast: a smooth motion of the target does not."""
        share = 1.0 - math.exp(-step_s / max(HIGH_S, HIGH_FRAMES * self._step_s))
        for slow in self._slow:
            slow += share * (values - slow)
            values = values - slow
        return values

    def _add(self, share: float, box: np.ndarray, turns: np.ndarray, ripples: np.ndarray) -> None:
        """Keep a share of the sums; add how box, turn and ripple moved, (1 or delays, 2) each."""
        most = LEAP * max(LEAP_DEG * self._unit, np.abs(turns).max())
        box = np.clip(box, -most, most)
        asked = ripples + SHARE * (turns - ripples)
        more = Sums(
            turns=(asked * turns).sum(1),
            answers=(-asked * box).sum(1),
            power=(asked * asked).sum(1),
            left=((box + turns) ** 2).sum(1),
            still=(box * box).sum(1),
            values=np.array([2.0]),
        )
        self._sums = Sums(*(share * kept + new for kept, new in zip(self._sums, more)))

    def _is_answered(self) -> bool:
        """Whether the box goes against the ripple, at the delay where that is clearest."""
        sums = self._sums
        gains = sums.answers / np.maximum(sums.turns, 1e-9)
        noise = np.minimum(sums.left, sums.still) / np.maximum(sums.values - 1.0, 1.0)
        clear = sums.answers / np.sqrt(np.maximum(sums.power * noise, 1e-12))
        best = int(np.argmax(clear))
        if (
            sums.values[best] < LEAST
            or clear[best] < CLEAR
            or clear[best] <= -OPPOSITE * clear.min()
        ):
            return False
        is_answered = bool(self._gains[0] <= gains[best] <= self._gains[1])
        if is_answered and self.calibration is not None:
            self._learn_zoom(float(gains[best]))
        return is_answered

    def _learn_zoom(self, gain: float) -> None:
        """The picture answers by that gain: by more than 1, the lens was zoomed in since."""
        if gain > ZOOMED or self._zoom > 1.0:
            self._zoom = min(MOST_ZOOM, max(1.0, self._zoom * max(gain, 0.1) ** LEARN))
        if self._zoom > ZOOMED and not self._is_zoom_told:
            self._is_zoom_told = True
            self.note = "turns more slowly: it was zoomed in since its calibration"

    def _unzoomed(self, box: Sequence[float], size: Tuple[int, int]) -> Sequence[float]:
        """The box where it would be in the picture of the calibration."""
        (x, y, w, h), share = box, 1.0 - 1.0 / self._zoom
        return x + share * (size[0] / 2 - x - w / 2), y + share * (size[1] / 2 - y - h / 2), w, h

    def _forgive(self, at: float) -> None:
        """The picture answers the turn until that frame: only what it can't show yet counts."""
        delay = self.calibration.delay if self.calibration else DELAYS[1]
        since = self._turned(np.array([at - delay]))[:, :2]
        later = [row[1:3] for row in self._path if row[0] > at - delay]
        rows = np.concatenate([since, np.array(later).reshape(-1, 2)])
        self._low, self._high = rows.min(0), rows.max(0)

    def _turned(self, times: np.ndarray) -> np.ndarray:
        """(right, up) until some times, and the same of the ripple alone."""
        path = np.array(self._path)
        return np.stack([np.interp(times, path[:, 0], side) for side in path.T[1:]], -1)

    # the control

    def rates(self, now: float, at: float, box: Sequence[float], size: Tuple[int, int]) -> Rates:
        """The rates that bring the target to the middle; ``now``: seconds, others as in ``see``."""
        if self.calibration is None:
            wanted = self._slow_rates(box, size)
        else:
            box = self._unzoomed(box, size)
            up, right = self.control.update(now, at - self._age_s, box, size)
            wanted = math.degrees(right), math.degrees(up)
        speed = math.hypot(*wanted)
        if not speed:
            return (0.0, 0.0)
        wait_s = self._reaction_s + max(ANSWER_S, ANSWER_FRAMES * self._step_s)
        most = min(self._most, max(0.0, self._bound - self.unanswered) / wait_s)
        rate = min(speed, most)
        if self.calibration is None:
            ripple = SLOW_RIPPLE * min(self._unit, rate, self._unit * most / self._most)
            rate = min(rate, most - ripple)
        else:
            ripple = RIPPLE * rate + RIPPLE_RATE * min(self._unit, rate)
        if self.calibration is None or rate < speed:
            self.control.ease(now, _radians(_along(wanted, rate)))
        ripple = max(-rate, min(self._most - rate, self._sign(now) * ripple))
        self._next_ripple = _along(wanted, ripple)
        return _along(wanted, rate + ripple)

    def _slow_rates(self, box: Sequence[float], size: Tuple[int, int]) -> Rates:
        """Without a calibration: a share of the error."""
        error = error_of((box[0], box[1], box[2], box[3]), size, self._width)
        return _along(error, SLOW_GAIN * max(0.0, math.hypot(*error) - self._band))

    def _sign(self, now: float) -> int:
        """The sign of the ripple now."""
        sign_s = max(SIGN_S, SIGN_FRAMES * self._step_s)
        self._phase += min(STEP_S, max(0.0, now - self._phase_s)) / sign_s
        self._phase_s = now
        return 1 if SIGNS[int(self._phase) % len(SIGNS)] == "1" else -1

    def sent(self, now: float, rates: Rates) -> Rates:
        """Note the rates that go out; returns them within the pitch's range."""
        up, right = self.control.sent(now, _radians(rates))
        rates = math.degrees(right), math.degrees(up)
        since, *angles = self._path[-1]
        step = max(0.0, min(STEP_S, now - since)) if since > -1e8 else 0.0
        steps = [step * rate for rate in self._rate + self._ripple]
        self._path.append((now, *(angle + more for angle, more in zip(angles, steps))))
        while len(self._path) > 2 and self._path[1][0] < now - KEPT_S:
            self._path.popleft()
        self._moved += math.hypot(*steps[:2])
        angle = np.array(self._path[-1][1:3])
        self._low, self._high = np.minimum(self._low, angle), np.maximum(self._high, angle)
        self._rate, self._ripple, self._next_ripple = rates, self._next_ripple, (0.0, 0.0)
        if self.unanswered > SPENT * self._bound and self.why is None:
            self.why = UNANSWERED
        return rates

    def ease(self, now: float, rates: Sequence[float]) -> None:
        """Take rates that go out without evidence, so that the control goes on from them."""
        self.control.ease(now, _radians(rates))

    def stop(self, now: float) -> Rates:
        """Note that the camera is stopped at once; returns zeros."""
        self.control.stop(now)
        return self.sent(now, (0.0, 0.0))

    def forget(self) -> None:
        """The actuator was out of reach: where it points is not known. Its turns count."""
        self.control.forget()
        self._begin()
        self._settled_s = SILENT_SETTLED_S

    def command(self, rates: Rates) -> Any:
        """The rates in the actuator's own units and signs."""
        if self.calibration is None:
            return rates[0] / self._assumed, rates[1] / self._assumed
        pairs = zip(rates, self.calibration.sign, self.calibration.scale)
        return tuple(rate * sign / scale for rate, sign, scale in pairs)


def _along(direction: Rates, length: float) -> Rates:
    """A vector of that length along a direction."""
    share = length / max(math.hypot(*direction), 1e-9)
    return share * direction[0], share * direction[1]


def _radians(rates: Sequence[float]) -> Tuple[float, float]:
    """(pitch, yaw) for ``Control``."""
    return math.radians(rates[1]), math.radians(rates[0])
