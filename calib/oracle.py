"""Trackers that are told half of the truth, so that an evaluation says what fails.

With the true size (``:truesize``) a tracker finds only the position, and with the true position
(``:trueplace``) only the size. If the overlap rises much with the one, that one is what fails.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hotpath.runtime import geometry
from hotpath.runtime.tracker import Tracker
from hotpath.runtime.types import Box, Track

KINDS = {"truesize": slice(2, 4), "trueplace": slice(0, 2)}  # what of cx, cy, w, h is given


class Oracle:
    """Gives a tracker the true size, or the true position, before each next frame.

    Args:
        tracker: a ``hotpath.runtime.tracker.Tracker`` without a search for lost targets.
        boxes: (frames, 4) annotated (x, y, w, h); NaN where nothing is annotated.
        kind: a key of ``KINDS``.
    """

    def __init__(self, tracker: Tracker, boxes: Sequence[Any], kind: str) -> None:
        self._tracker, self._boxes, self._given = tracker, boxes, KINDS[kind]
        self._index = 0

    @property
    def step_ms(self) -> Any:
        """Milliseconds of the last frame's steps."""
        return self._tracker.step_ms

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        """Start on the first frame."""
        self._index = 0
        self._tracker.init(frame, box)

    def update(self, frame: np.ndarray) -> Track:
        """Find the target, and replace what is known of its box."""
        self._index += 1
        track: Track = self._tracker.update(frame)
        truth = self._boxes[self._index]
        if not np.isfinite(truth).all():
            return track
        tracker, (height, width) = self._tracker, np.shape(frame)[:2]
        state = tracker.state.copy()
        state[self._given] = geometry.state_of(tracker.network, truth, width, height)[self._given]
        tracker.state = state
        box = track.box
        centre = np.array([box.x + box.w / 2, box.y + box.h / 2])
        size = np.array([box.w, box.h])
        if self._given.start:
            size = np.array(truth[2:])
        else:
            centre = np.array(truth[:2]) + np.array(truth[2:]) / 2
        return track._replace(box=Box(*map(float, (*(centre - size / 2), *size))))
