"""The measuring loop itself: frames in, milliseconds of each step out."""

import time  # and nothing of this repository: it runs in other commits' processes too
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from hotpath.runtime.tracker import Tracker

Steps = Dict[str, List[float]]  # step -> ms of each frame
Timed = Tuple[Steps, List[Tuple[int, Tuple[float, ...]]]]  # and (frame, box) of each frame


class Loop:
    """Runs a tracker over a clip repeatedly."""

    def __init__(self, tracker: "Tracker", frames: Sequence[object], box: Sequence[float]) -> None:
        self.tracker, self.frames, self.box = tracker, frames, box
        self.place = 0

    def run(self, count: int, between: Optional[Callable[[], None]] = None) -> Timed:
        """Time ``count`` frames (those on which the tracker takes the target are not counted)."""
        clock, tracker, frames = time.perf_counter, self.tracker, self.frames
        steps: Steps = {"wait": [], "total": []}
        boxes = []
        while len(steps["total"]) < count:
            if self.place == 0:
                tracker.init(frames[0], self.box)
                self.place = 1
            asked = clock()
            frame = frames[self.place]
            started = clock()
            track = tracker.update(frame)
            ended = clock()
            steps["wait"].append((started - asked) * 1e3)
            steps["total"].append((ended - started) * 1e3)
            for name, value in tracker.step_ms.items():
                steps.setdefault(name, []).append(value)
            boxes.append((self.place, tuple(float(v) for v in track.box)))
            self.place = (self.place + 1) % len(frames)
            if between is not None:
                between()
        return {name: ms for name, ms in steps.items() if name == "total" or any(ms)}, boxes


def waited_s() -> Optional[float]:
    """Seconds in which this thread was ready but had no processor, or None if unknown."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) * 1e-9
    except (OSError, IndexError, ValueError):
        return None
