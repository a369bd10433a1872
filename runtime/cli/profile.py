"""How long each step of a frame took: kept for the last frames, reported as percentiles."""

from typing import Dict, Mapping

import numpy as np

STEPS = ("wait", "crop", "network", "select", "total")


class Profile:
    """Times of the last frames, milliseconds a step.

    Args:
        capacity: frames kept; older ones are forgotten, because a stream has no end.

    ``wait`` is the time until the source gave the frame. ``total`` is the time from the frame to
    its boxes: crop, network, select and what lies between them. Drawing and writing are in neither.
    """

    def __init__(self, capacity: int = 20000) -> None:
        self.frames = 0
        self._ms = np.zeros((capacity, len(STEPS)), np.float32)

    def add(self, wait_ms: float, step_ms: Mapping[str, float], total_ms: float) -> None:
        """Add one frame; ``step_ms`` is the tracker's own dict."""
        row = self._ms[self.frames % len(self._ms)]
        row[0] = wait_ms
        row[1] = step_ms["crop"]
        row[2] = step_ms["network"]
        row[3] = step_ms["select"]
        row[4] = total_ms
        self.frames += 1

    def figures(self) -> Dict[str, Dict[str, float]]:
        """dict of step -> {"median", "p95", "p99"}, milliseconds; empty before the first frame."""
        kept = self._ms[: min(self.frames, len(self._ms))]
        if not len(kept):
            return {}
        median, p95, p99 = np.percentile(kept, (50, 95, 99), axis=0)
        return {
            step: {"median": float(median[i]), "p95": float(p95[i]), "p99": float(p99[i])}
            for i, step in enumerate(STEPS)
        }

    def recent_ms(self, frames: int = 30) -> Dict[str, float]:
        """dict of step -> median over the last frames; empty before the first frame."""
        last = np.arange(max(0, self.frames - frames), self.frames) % len(self._ms)
        if not len(last):
            return {}
        return dict(zip(STEPS, (float(v) for v in np.median(self._ms[last], axis=0))))

    def table(self) -> str:
        """The figures as lines of text; steps that are not timed alone (on a GPU) are left out."""
        lines = ["{:<8} {:>8} {:>8} {:>8}".format("ms", "median", "p95", "p99")]
        for step, ms in self.figures().items():
            if step in ("crop", "network", "select") and not any(ms.values()):
                continue
            lines.append("{:<8} {median:8.3f} {p95:8.3f} {p99:8.3f}".format(step, **ms))
        return "\n".join(lines)
