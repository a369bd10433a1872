"""Oracles: trackers that get a part of the ground truth; their gain shows what fails.

``truesize`` leaves only the position to the tracker, ``trueplace`` only the size. ``truechoice``
chooses among the peaks of a window the one that overlaps the true box most.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import Box, Track, WindowResult

CHOICE = "truechoice"
HALVES = {"truesize": slice(2, 4), "trueplace": slice(0, 2)}  # of a state cx, cy, w, h
KINDS = (*HALVES, CHOICE)


class Oracle:
    """Follows an annotated clip with a part of its annotation.

    Args:
        tracker: a ``hotpath.runtime.tracker.tracker.Tracker``. For ``HALVES`` it has no search for
        a lost
            target. ``CHOICE`` needs the search, whose classifier chooses among peaks.
        boxes: (frames, 4) annotated (x, y, w, h); NaN where nothing is annotated.
        kind: of ``KINDS``.
    """

    def __init__(self, tracker: Tracker, boxes: Sequence[Any], kind: str) -> None:
        self._tracker, self._boxes, self._half = tracker, boxes, HALVES.get(kind)
        self._index = 0
        if kind == CHOICE and tracker.target.guard is not None:
            tracker.target.guard.choose = self._best_peak  # type: ignore[method-assign]  # the oracle

    @property
    def step_ms(self) -> Any:
        """Milliseconds of the last frame's steps."""
        return self._tracker.step_ms

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        """Start on the first frame."""
        self._index = 0
        self._tracker.init(frame, box)

    def update(self, frame: np.ndarray) -> Track:
        """Track the next frame. Its true half replaces that of the state and of the box."""
        self._index += 1
        track: Track = self._tracker.update(frame)
        truth = self._boxes[self._index]
        if self._half is None or not np.isfinite(truth).all():
            return track
        tracker, (height, width) = self._tracker, np.shape(frame)[:2]
        state = tracker.target.state.copy()
        state[self._half] = geometry.state_of(tracker.network, truth, width, height)[self._half]
        tracker.target.state = state
        box = track.box
        centre = np.array([box.x + box.w / 2, box.y + box.h / 2])
        size = np.array([box.w, box.h])
        if self._half.start:
            size = np.array(truth[2:])
        else:
            centre = np.array(truth[:2]) + np.array(truth[2:]) / 2
        return track._replace(box=Box(*map(float, (*(centre - size / 2), *size))))

    def _best_peak(
        self, result: WindowResult, is_followed: bool = True
    ) -> tuple[int, float | None]:
        """``DistractorGuard.choose`` by the true box; without one, the network's best peak."""
        guard: Any = self._tracker.target.guard
        truth = self._boxes[self._index]
        if len(result.scores) == 1:
            return 0, None
        best = 0
        if np.isfinite(truth).all():
            peaks = [geometry.box_of(self._tracker.network, state) for state in result.states]
            best = int(np.argmax(overlap(np.array(peaks), np.array([truth] * len(peaks)))))
        return best, float(guard.classifier.appearance(result)[best])
