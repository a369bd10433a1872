"""Pictures of the targets for the page, and the words of the past.

The frame loop only notes which frames a picture is wanted of. The thread that encodes pictures cuts
them out, once a second and at each find.
"""

import threading
import time
from bisect import bisect_right
from collections import OrderedDict, deque
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Tuple

from hotpath.app.report.cut import cut
from hotpath.runtime.types import Box
from hotpath.video.base import TrackedFrame

PICTURE_PX = 160
EVERY_S = 1.0  # a picture of what the box holds now
STILL_S = 0.4  # without a new frame: the newest one gets a picture too
KEPT_S = 600.0  # of a live source
MOST_WAITING = 16  # pictures that are still to be cut out; older ones are left out
MOST_TARGETS = 24  # of which the past is kept, with those that were dropped
MOST_MOMENTS = 700  # of one target: those of KEPT_S, and finds
MOST_RUNS = 2000  # of one target


class Moment(NamedTuple):
    """A picture of a target, ``jpeg``, in the frame of an index at a time (None: unknown)."""

    frame: int
    time_s: Optional[float]
    jpeg: bytes


class Line:
    """The past of one target.

    Attributes:
        selected: the ``Moment`` of its selection, or None.
        moments: ``Moment``s since then, oldest first; of a recording finds and the newest only.
        passing: whether the next picture takes the place of the last moment.
        runs: [frame, time_s, word] where a word began, oldest first.
        last: (frame, time_s) of the newest frame.
        finds: (frame, time_s) of each find.
    """

    def __init__(self) -> None:
        self.selected: Optional[Moment] = None
        self.moments: Deque[Moment] = deque(maxlen=MOST_MOMENTS)
        self.passing = False
        self.runs: Deque[List[Any]] = deque(maxlen=MOST_RUNS)
        self.last: Tuple[int, Optional[float]] = (0, None)
        self.finds: Deque[Tuple[int, Optional[float]]] = deque(maxlen=MOST_RUNS)


class Album:
    """The past of all targets. ``write`` and ``select`` are for the frame loop.

    Attributes:
        version: grows with each picture.
    """

    def __init__(self, live: bool) -> None:
        self.version = 0
        self._live = live
        self._lines: OrderedDict[int, Line] = OrderedDict()
        self._waiting: Deque[Tuple[int, TrackedFrame, Box, bool, bool]] = deque(maxlen=MOST_WAITING)
        self._next_s = 0.0
        self._passed: Optional[TrackedFrame] = None  # the newest frame, if it got no picture
        self._came_s = 0.0
        self._lock = threading.Lock()

    def write(self, tracked: TrackedFrame) -> None:
        """Note the words of a frame, and which pictures are wanted of it."""
        if not tracked.tracks:
            return
        now = time.monotonic()
        due = now >= self._next_s
        if due:
            self._next_s = now + EVERY_S
        at = tracked.index, tracked.time_s
        with self._lock:
            self._passed, self._came_s = None if due else tracked, now
            for number, track in tracked.tracks.items():
                line = self._lines.get(number)
                new = line is None
                if line is None:
                    line = self._begun(number)
                if not line.runs or line.runs[-1][2] != track.state:
                    line.runs.append([*at, track.state])
                line.last = at
                if track.found:
                    line.finds.append(at)
                if new or due or track.found:
                    first = new and track.taken is not None
                    kept = self._live or track.found
                    self._waiting.append((number, tracked, track.box, first, kept))

    def select(self, tracked: TrackedFrame) -> None:
        """Note the frame in which targets were selected, which may be older than the newest."""
        with self._lock:
            for number, track in tracked.tracks.items():
                line = self._begun(number)
                line.runs.append([tracked.index, tracked.time_s, track.state])
                line.last = tracked.index, tracked.time_s
                self._waiting.append((number, tracked, track.box, True, self._live))

    def _begun(self, number: int) -> Line:
        line = self._lines[number] = Line()
        while len(self._lines) > MOST_TARGETS:
            self._lines.popitem(last=False)
        return line

    def develop(self) -> None:
        """Cut out the pictures that are wanted. For one thread only."""
        self._want_the_last()
        while True:
            with self._lock:
                if not self._waiting:
                    return
                number, tracked, box, first, kept = self._waiting.popleft()
            moment = Moment(tracked.index, tracked.time_s, cut(tracked.frame, box, PICTURE_PX))
            with self._lock:
                line = self._lines.get(number)
                if line is None or not moment.jpeg:
                    continue
                if first or line.selected is None:
                    line.selected = moment
                if line.moments and line.passing:
                    line.moments.pop()
                line.moments.append(moment)
                line.passing = not kept
                self.version += 1

    def _want_the_last(self) -> None:
        """Where the run stands still, want a picture of the frame that everybody sees."""
        with self._lock:
            tracked = self._passed
            if tracked is None or time.monotonic() - self._came_s < STILL_S:
                return
            self._passed = None
            for number, track in tracked.tracks.items():
                self._waiting.append((number, tracked, track.box, False, self._live))

    def picture(
        self, number: int, frame: Optional[int] = None, time_s: Optional[float] = None
    ) -> Optional[Moment]:
        """The newest picture of a target, at or before a frame or a time; None: there is none."""
        with self._lock:
            line = self._lines.get(number)
            moments = list(line.moments) if line else []
        if not moments:
            return None
        place = len(moments)
        if frame is not None:
            place = bisect_right([moment.frame for moment in moments], frame)
        if time_s is not None:
            place = min(place, bisect_right([moment.time_s or 0.0 for moment in moments], time_s))
        return moments[max(0, place - 1)]

    def selected(self, number: int) -> Optional[Moment]:
        """The picture of a target's selection, or None."""
        with self._lock:
            line = self._lines.get(number)
            return line.selected if line else None

    def as_json(self) -> List[Dict[str, Any]]:
        """The words of all targets, ready for JSON."""
        with self._lock:
            return [
                {
                    "number": number,
                    "runs": [list(run) for run in self._recent(line)],
                    "last": list(line.last),
                    "finds": [list(find) for find in line.finds],
                }
                for number, line in self._lines.items()
            ]

    def _recent(self, line: Line) -> List[List[Any]]:
        """The runs of words that a time line shows."""
        runs = list(line.runs)
        newest_s = line.last[1]
        if not self._live or newest_s is None:
            return runs
        ends = [run[1] for run in runs[1:]] + [newest_s]
        return [run for run, end in zip(runs, ends) if end is None or end > newest_s - KEPT_S]
