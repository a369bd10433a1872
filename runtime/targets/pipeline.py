"""Frames in flight: one at a time, or the next one sent before the last one's boxes are there.

``--pipeline`` says which. Either way every row and every picture belongs to its own frame.
"""

import time
from collections import deque
from typing import Callable, Deque, Dict, Mapping, NamedTuple, Optional

from runtime.errors import HotpathError
from runtime.pictures import AnyFrame
from runtime.targets.targets import Targets
from runtime.tracker import Tracker
from runtime.types import Track


class Taken(NamedTuple):
    """A frame that was read.

    Attributes:
        frame: BGR uint8 (H, W, 3), or a ``Picture`` of ``runtime.pictures``.
        index: 0-based in its source.
        time_s: of the source, or None.
        wait_ms: how long the source took for it.
        captured_s: when it was taken, seconds of the monotonic clock; None where not known.
    """

    frame: AnyFrame
    index: int  # type: ignore[assignment]  # in the place of a tuple's own method
    time_s: Optional[float]
    wait_ms: float
    captured_s: Optional[float] = None


class Pipeline:
    """Takes frames and reports their tracks, in order.

    Args:
        targets: the ``Targets``; as many frames are in flight as its ``pipeline`` says.
        report: function (``Taken``, dict of number -> ``Track``, milliseconds of the loop's time
            that the frame took).
    """

    def __init__(
        self, targets: Targets, report: Callable[[Taken, Dict[int, Track], float], None]
    ) -> None:
        self._targets, self._report = targets, report
        self._sent: Deque[_Sent] = deque()  # the oldest first

    @property
    def in_flight(self) -> int:
        """How many frames were taken and not reported."""
        return len(self._sent)

    def take(self, taken: Taken) -> None:
        """Take the next frame, and report what is found by now.

        Raises:
            NetworkFailed, GpuFailed …: of a frame, when it would have been reported; those before
                it were.
        """
        started = time.perf_counter()
        if self._targets.pipeline == 1:
            tracks = self._targets.update(taken.frame)
            self._report(taken, tracks, (time.perf_counter() - started) * 1e3)
            return
        self._catch_up()
        self._sent.append(_Sent(taken, self._targets.trackers))
        self._sent[-1].spent_ms = (time.perf_counter() - started) * 1e3
        if self.in_flight == self._targets.pipeline:
            self._collect()

    def empty(self) -> int:
        """Report all frames in flight; returns how many they were."""
        count = self.in_flight
        while self._sent:
            self._collect()
        return count

    def _collect(self) -> None:
        started = time.perf_counter()
        self._catch_up()
        sent = self._sent.popleft()
        tracks = sent.collect(self._targets.trackers)
        self._targets.sum_steps()
        self._report(sent.taken, tracks, sent.spent_ms + (time.perf_counter() - started) * 1e3)

    def _catch_up(self) -> None:
        """Find targets that were added while frames were in flight in those frames too."""
        for sent in self._sent:
            sent.catch_up(self._targets.trackers)


class _Sent:
    """A frame whose tracks are not known yet.

    Args:
        taken: ``Taken``.
        trackers: dict of number -> tracker, of all targets followed now.
    """

    def __init__(self, taken: Taken, trackers: Mapping[int, Tracker]) -> None:
        self.taken, self.spent_ms = taken, 0.0
        self._trackers: Dict[int, Tracker] = {}
        self._tracks: Dict[int, Track] = {}
        self._failure: Optional[HotpathError] = None
        for number, tracker in trackers.items():
            try:
                tracker.submit(taken.frame, is_kept=True)  # it is reported with its track
                self._trackers[number] = tracker
            except HotpathError as error:
                self._failure = self._failure or error

    def catch_up(self, trackers: Mapping[int, Tracker]) -> None:
        """Find the targets that were added since."""
        for number, tracker in trackers.items():
            if self._failure or number in self._trackers or number in self._tracks:
                continue
            try:
                self._tracks[number] = tracker.update(self.taken.frame)
            except HotpathError as error:
                self._failure = error

    def collect(self, trackers: Mapping[int, Tracker]) -> Dict[int, Track]:
        """dict of number -> ``Track``, of those targets that are still followed."""
        for number, tracker in self._trackers.items():
            if number not in trackers:
                continue
            try:
                self._tracks[number] = tracker.collect()
            except HotpathError as error:
                self._failure = self._failure or error
        if self._failure:
            raise self._failure
        return {number: self._tracks[number] for number in trackers if number in self._tracks}
