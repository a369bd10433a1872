"""The velocity of a target, and its extrapolated box while it is hidden.

A tracker has no clock. The program that reads the frames knows their times and calls a ``Motion``.
The same boxes and times always give the same numbers.
"""

import math
from typing import Dict, Optional

from hotpath.runtime.types import LOST, UNSURE, Box, Track

SMOOTH_S = 0.3  # time constant of the velocity: a change has 63 % of its effect after it
COAST_S = 0.5  # time constant with which the velocity of a hidden target decays


class Motion:
    """Estimates the velocity of one target.

    While the target is tracked or found, the velocity is a mean over the last frames that weighs
    later frames more. While it is unsure or lost, the box is extrapolated with a decaying velocity.
    """

    def __init__(self) -> None:
        self._box: Optional[Box] = None  # the last one that was certain
        self._x = self._y = 0.0  # velocity at that time, pixels a second
        self._time_s = self._known_s = 0.0  # of that box; for how long boxes were seen before it

    def step(self, track: Track, time_s: Optional[float]) -> Track:
        """Return the track of the next frame with ``velocity`` and ``predicted`` filled in.

        Args:
            track: from ``Tracker.update``.
            time_s: time of the frame, seconds from any origin. If None or not finite, both stay
                None.
        """
        if time_s is None or not math.isfinite(time_s):
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
            known = self._known_s > 0
            return track._replace(
                velocity=(self._x * left, self._y * left) if known else None, predicted=there
            )
        if passed_s > 0:
            self._known_s += passed_s
            share = max(1 - math.exp(-passed_s / SMOOTH_S), passed_s / self._known_s)
            x, y = box.x + box.w / 2 - last.x - last.w / 2, box.y + box.h / 2 - last.y - last.h / 2
            self._x += (x / passed_s - self._x) * share
            self._y += (y / passed_s - self._y) * share
            self._box, self._time_s = box, time_s
        return track._replace(velocity=(self._x, self._y)) if self._known_s else track


class Motions:
    """A ``Motion`` for each of several targets."""

    def __init__(self) -> None:
        self._motions: Dict[int, Motion] = {}

    def step(self, tracks: Dict[int, Track], time_s: Optional[float]) -> Dict[int, Track]:
        """Call ``Motion.step`` for a dict of number -> ``Track``; forgets all other targets."""
        known = self._motions
        self._motions = {number: known.get(number) or Motion() for number in tracks}
        return {n: self._motions[n].step(track, time_s) for n, track in tracks.items()}
