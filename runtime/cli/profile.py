"""How long each step of a frame took, and what limits the whole program."""

import time
from collections import deque
from typing import Deque, Dict, List, Mapping, Tuple

import numpy as np

STEPS = ("wait", "crop", "network", "select", "total")
KEPT = 20000  # frames; older ones are forgotten, because a stream has no end
BUSY = 0.7  # a thread that works for this share of the time limits the program


class Profile:
    """Times of the last frames, milliseconds a step.

    Args:
        capacity: frames kept.

    ``wait`` is the time until the source gave the frame: of a recording, the time of decoding it.
    A live source captures and decodes in a thread of its own. ``total`` is the time from the frame
    to its boxes: crop, network, select and what lies between them. ``note`` adds the times of other
    steps.
    """

    def __init__(self, capacity: int = KEPT) -> None:
        self.frames = 0
        self._ms = np.zeros((capacity, len(STEPS)), np.float32)
        self._notes: Dict[str, Deque[float]] = {}
        self._threads: Dict[str, str] = {}
        self._busy_ms: Dict[str, float] = {}  # step -> sum over the whole run
        self._began = time.perf_counter()

    def add(self, wait_ms: float, step_ms: Mapping[str, float], total_ms: float) -> None:
        """Add one frame; ``step_ms`` is the tracker's own dict."""
        row = self._ms[self.frames % len(self._ms)]
        row[0] = wait_ms
        row[1] = step_ms["crop"]
        row[2] = step_ms["network"]
        row[3] = step_ms["select"]
        row[4] = total_ms
        self.frames += 1
        self._busy_ms["wait"] = self._busy_ms.get("wait", 0.0) + wait_ms
        self._busy_ms["tracking"] = self._busy_ms.get("tracking", 0.0) + total_ms

    def note(self, step: str, ms: float, thread: str = "loop", is_work: bool = True) -> None:
        """Add the time of another step.

        Args:
            step: its name in the table.
            ms: milliseconds.
            thread: in which it ran, the same for all times of a step; "" for a time that passes
                through several threads.
            is_work: False for what gives way to other work, which therefore limits nothing.
        """
        if step not in self._notes:
            self._notes[step] = deque(maxlen=KEPT)
            self._threads[step] = thread
        self._notes[step].append(ms)
        if thread and is_work:
            self._busy_ms[step] = self._busy_ms.get(step, 0.0) + ms

    def figures(self) -> Dict[str, Dict[str, float]]:
        """dict of step -> {"median", "p95", "p99"}, milliseconds; empty before the first frame."""
        kept = self._ms[: min(self.frames, len(self._ms))]
        if not len(kept):
            return {}
        return {step: _percentiles(kept[:, i]) for i, step in enumerate(STEPS)}

    def recent_ms(self, frames: int = 30) -> Dict[str, float]:
        """dict of step -> median over the last frames; empty before the first frame."""
        last = np.arange(max(0, self.frames - frames), self.frames) % len(self._ms)
        if not len(last):
            return {}
        return dict(zip(STEPS, (float(v) for v in np.median(self._ms[last], axis=0))))

    def latency_ms(self, frames: int = 0) -> Dict[str, float]:
        """From capture to boxes over the last frames: median, p95, p99; empty without them.

        Args:
            frames: how many; 0 for all that are kept.
        """
        times = np.array(self._notes.get("latency", ()))[-frames:]
        return _percentiles(times) if len(times) else {}

    def table(self, live: bool = False) -> str:
        """The figures as lines of text; steps that are not timed alone (on a GPU) are left out.

        Args:
            live: whether ``wait`` is waiting for a live source, else decoding.
        """
        rows: List[Tuple[str, str, Dict[str, float]]] = []
        for step, ms in self.figures().items():
            if step in ("crop", "network", "select") and not any(ms.values()):
                continue
            rows.append(("decode" if step == "wait" and not live else step, "loop", ms))
        for step, times in sorted(self._notes.items()):
            rows.append((step, self._threads[step], _percentiles(np.array(times))))
        lines = ["{:<8} {:>8} {:>8} {:>8}  {}".format("ms", "median", "p95", "p99", "thread")]
        for step, thread, ms in rows:
            text = "{:<8} {median:8.3f} {p95:8.3f} {p99:8.3f}  {}".format(step, thread, **ms)
            lines.append(text.rstrip())
        return "\n".join(lines)

    def program_line(self, live: bool, paced: bool) -> str:
        """Frames a second of the whole program, and what limits it.

        Args:
            live: whether the source is live.
            paced: whether a window or the page plays a recording at its own speed.
        """
        elapsed_s = time.perf_counter() - self._began
        fps = self.frames / max(elapsed_s, 1e-9)
        tracking_fps = self.frames * 1e3 / max(self._busy_ms.get("tracking", 0.0), 1e-6)
        return (
            f"{self.frames} frames in {elapsed_s:.1f} s: {fps:.0f} a second in all, "
            f"{tracking_fps:.0f} of tracking; limited by "
            f"{self._limit(elapsed_s * 1e3, live, paced)}"
        )

    def _limit(self, elapsed_ms: float, live: bool, paced: bool) -> str:
        """The step that takes most of the busiest thread's time."""
        work = {("decoding" if step == "wait" else step): ms for step, ms in self._busy_ms.items()}
        if live:
            work.pop("decoding", None)  # waiting is not work
        in_loop = {s: ms for s, ms in work.items() if self._threads.get(s, "loop") == "loop"}
        others = {s: ms for s, ms in work.items() if s not in in_loop}
        loop_ms = sum(in_loop.values())
        most = max(others, key=lambda step: others[step]) if others else None
        busiest_ms = max(loop_ms, others[most] if most else 0.0)
        if busiest_ms < BUSY * elapsed_ms and (live or paced):
            return "the source" if live else "the playing speed"
        if most and others[most] > loop_ms:
            return most
        return max(in_loop, key=lambda step: in_loop[step])


def _percentiles(values: np.ndarray) -> Dict[str, float]:
    median, p95, p99 = np.percentile(values, (50, 95, 99))
    return {"median": float(median), "p95": float(p95), "p99": float(p99)}
