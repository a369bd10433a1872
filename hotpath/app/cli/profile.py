"""Measure the time of each step of a frame, and the frames per second."""

import time
from collections import deque
from itertools import islice
from statistics import median
from typing import Callable, Deque, Dict, Mapping, Optional

import numpy as np

STEPS = ("wait", "crop", "network", "select", "total")
KEPT = 20000  # frames; older ones are forgotten, because a stream has no end
RECENT = 30  # frames of the figures that a picture or the page shows
STILL_S = 1.0  # a longer time between two frames, without work, is a pause


def title_of(step: str, live: bool) -> str:
    """Return what a step is called for people; ``total`` is of tracking alone, without decoding."""
    return {"total": "tracking", "wait": "wait" if live else "decode"}.get(step, step)


class Profile:
    """The times of the last frames, milliseconds a step.

    ``wait`` is the time until the source returned the frame. For a recording this is the time of
    decoding. A live source captures and decodes in its own thread. ``total`` is the time from the
    frame to its boxes: crop, network, select and the work between them. These four leave out
    frames without a target. ``note`` adds the times of other steps.

    Args:
        clock: function that returns seconds. Only differences count.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.frames = 0
        self._clock = clock
        self._last_s: Optional[float] = None  # when the last frame was added
        self._loop_s = 0.0  # of all frames, without pauses
        self._periods: Deque[float] = deque(maxlen=RECENT)  # of the last frames, the same
        self._ms: Dict[str, Deque[float]] = {step: deque(maxlen=KEPT) for step in STEPS}
        self._threads = dict.fromkeys(STEPS, "loop")

    def add(
        self, wait_ms: float, step_ms: Mapping[str, float], total_ms: float, tracked: bool = True
    ) -> None:
        """Add one frame; ``step_ms`` is the tracker's own dict; ``tracked``: it had a target."""
        self.frames += 1
        now_s = self._clock()
        busy_s = (wait_ms + total_ms) / 1e3
        period_s = busy_s if self._last_s is None else now_s - self._last_s
        if period_s - busy_s > STILL_S:
            period_s = busy_s
        self._last_s = now_s
        self._loop_s += period_s
        self._periods.append(period_s)
        if tracked:  # the median of frames without work says nothing
            for step in ("crop", "network", "select"):
                self._ms[step].append(step_ms[step])
            self._ms["total"].append(total_ms)
        self._ms["wait"].append(wait_ms)

    def note(self, step: str, ms: float, thread: str = "loop") -> None:
        """Add the time of another step.

        Args:
            step: its name in the table.
            ms: milliseconds.
            thread: in which it ran, the same for all times of a step; "" for a time that passes
                through several threads.
        """
        if step not in self._ms:
            self._ms[step] = deque(maxlen=KEPT)
            self._threads[step] = thread
        self._ms[step].append(ms)

    def figures(self, step: str, frames: int = KEPT) -> Dict[str, float]:
        """{"median", "p95", "p99"} of a step over the last frames, milliseconds; empty without any.

        The step ``latency`` is the time from capture to boxes.
        """
        times = list(islice(reversed(self._ms.get(step, ())), frames))
        if not times:
            return {}
        of = np.percentile(times, (50, 95, 99)).tolist()
        return dict(zip(("median", "p95", "p99"), of))

    def fps(self) -> Optional[float]:
        """Frames that were tracked a second of wall time in the frame loop; None before the first.

        The loop reads, tracks, draws and writes. Pauses of more than ``STILL_S`` do not count.
        """
        return self.frames / max(self._loop_s, 1e-9) if self.frames else None

    def recent_fps(self) -> Optional[float]:
        """The same over the last ``RECENT`` frames."""
        periods = list(self._periods)  # the page asks while the loop adds a frame
        return len(periods) / max(sum(periods), 1e-9) if periods else None

    def recent_ms(self) -> Dict[str, float]:
        """dict of step -> median over the last frames; empty before the first frame."""
        last = [list(islice(reversed(self._ms[step]), RECENT)) for step in STEPS]
        count = min(map(len, last))  # the page asks while the loop adds a frame
        if not count:
            return {}
        return {step: float(median(ms[:count])) for step, ms in zip(STEPS, last)}

    def table(self, live: bool = False) -> str:
        """Return the figures as lines of text. Steps without a time of their own are left out.

        Args:
            live: whether ``wait`` is waiting for a live source, else decoding.
        """
        lines = ["{:<8} {:>8} {:>8} {:>8}  {}".format("ms", "median", "p95", "p99", "thread")]
        for step in list(STEPS) + sorted(set(self._ms) - set(STEPS)):
            ms = self.figures(step)
            if step in ("crop", "network", "select", "total") and not any(ms.values()):
                continue
            text = "{:<8} {median:8.3f} {p95:8.3f} {p99:8.3f}  {}"
            lines.append(text.format(title_of(step, live), self._threads[step], **ms).rstrip())
        return "\n".join(lines)
