"""The velocity of a target, and its extrapolated box while it is hidden.

A tracker has no clock. The program that reads the frames knows their times, and passes them to
``update``. The same boxes and times always give the same numbers.
"""

import math
import warnings
from typing import Optional

from hotpath.base.log import users_level
from hotpath.runtime.errors import BadOption
from hotpath.runtime.types import LOST, UNSURE, Box, Track

SMOOTH_S = 0.3  # time constant of the velocity: a change has 63 % of its effect after it
LEAST_STEP_S = 9e-6  # between two frames (100,000 per second); less is a clock's rounding
LONG_S, MOST_LONG = 9.0, 3  # from a frame to the next; so many of them are told
COAST_S = 0.5  # time constant with which the velocity of a hidden target decays


class Motion:
    """Estimates the velocity of one target.

    While the target is tracked, the velocity is a mean over the last frames, with more weight on
    the latest ones. While it is unsure or lost, the box is extrapolated with a decaying velocity.

    Args:
        box: the box in the first frame.
        time_s: time of that frame, as in ``step``.
    """

    def __init__(self, box: Optional[Box] = None, time_s: Optional[float] = None) -> None:
        self._box = box if is_time(time_s) else None  # the last one that was certain
        self._x = self._y = 0.0  # velocity at that time, pixels a second
        self._time_s = (time_s or 0.0) if self._box else 0.0
        self._known_s = 0.0  # for how long boxes were seen before it
        self._long = 0  # steps one after another that took ``LONG_S``

    def step(self, track: Track, time_s: Optional[float]) -> Track:
        """Return the track of the next frame with ``velocity`` and ``predicted`` filled in.

        Args:
            track: the target in that frame.
            time_s: time of the frame, seconds from any origin. If None or not finite, both stay
                None.

        Raises:
            BadOption: ``time_s`` is no number.
        """
        if time_s is None or not is_time(time_s):
            return track
        box, last = track.box, self._box
        hidden = track.state in (LOST, UNSURE)
        if last is None or time_s < self._time_s:  # a new target, or the recording was wound back
            self._known_s, self._x, self._y = 0.0, 0.0, 0.0
            self._box, self._time_s = (None if hidden else box), time_s
            return track
        passed_s = time_s - self._time_s
        if hidden:
            left = math.exp(-passed_s / COAST_S)
            way_s = COAST_S * (1 - left)
            there = Box(last.x + self._x * way_s, last.y + self._y * way_s, last.w, last.h)
            is_known = self._known_s > 0
            return track._replace(
                velocity=(self._x * left, self._y * left) if is_known else None, predicted=there
            )
        if passed_s >= LEAST_STEP_S:
            self._known_s += passed_s
            self._long = self._long + 1 if passed_s >= LONG_S else 0
            if self._long == MOST_LONG:
                step = f"time_s grows by {passed_s:.4g} seconds a frame"
                warnings.warn(f"{step}; divide milliseconds by 1000", stacklevel=users_level())
            share = max(1 - math.exp(-passed_s / SMOOTH_S), passed_s / self._known_s)
            x, y = box.x + box.w / 2 - last.x - last.w / 2, box.y + box.h / 2 - last.y - last.h / 2
            self._x += (x / passed_s - self._x) * share
            self._y += (y / passed_s - self._y) * share
            self._box, self._time_s = box, time_s
        return track._replace(velocity=(self._x, self._y)) if self._known_s else track

    def rescale(self, x: float, y: float) -> None:
        """Scale what is known after the source changed its resolution by these factors."""
        if self._box is not None:
            box = self._box
            self._box = Box(box.x * x, box.y * y, box.w * x, box.h * y)
        self._x, self._y = self._x * x, self._y * y


def is_time(time_s: Optional[float]) -> bool:
    """Whether a frame has a time; raises ``BadOption`` if it is no number."""
    try:
        return time_s is not None and math.isfinite(time_s + 0.0)
    except (TypeError, OverflowError):  # a Decimal, or a whole number that no float can hold
        kind = type(time_s).__name__
        raise BadOption(
            f"time_s is the time of a frame in seconds, a number, not {kind}", what="not seconds"
        ) from None
