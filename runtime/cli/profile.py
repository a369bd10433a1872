"""How long each step of a frame took: kept for the last frames, summed up as percentiles."""

import numpy as np

STEPS = ("wait", "crop", "network", "select", "total")


class Profile:
    """Times of the last frames, milliseconds a step.

    Args:
        capacity: frames kept; older ones are forgotten, so that a stream may run for ever.

    ``wait`` is for the source's frame, ``total`` from the frame to its box (crop, network, select
    and what lies between them); drawing and writing are in neither.
    """

    def __init__(self, capacity=20000):
        self.frames = 0
        self._ms = np.zeros((capacity, len(STEPS)), np.float32)

    def add(self, wait_ms, step_ms, total_ms):
        """Note one frame; ``step_ms`` is the tracker's own dict."""
        row = self._ms[self.frames % len(self._ms)]
        row[0] = wait_ms
        row[1] = step_ms["crop"]
        row[2] = step_ms["network"]
        row[3] = step_ms["select"]
        row[4] = total_ms
        self.frames += 1

    def figures(self):
        """dict of step -> {"median", "p95", "p99"}, milliseconds; empty before the first frame."""
        kept = self._ms[: min(self.frames, len(self._ms))]
        if not len(kept):
            return {}
        median, p95, p99 = np.percentile(kept, (50, 95, 99), axis=0)
        return {
            step: {"median": float(median[i]), "p95": float(p95[i]), "p99": float(p99[i])}
            for i, step in enumerate(STEPS)
        }

    def recent_ms(self, frames=30):
        """dict of step -> median over the last frames, for a picture or a status line."""
        last = np.arange(max(0, self.frames - frames), self.frames) % len(self._ms)
        if not len(last):
            return dict.fromkeys(STEPS, 0.0)
        return dict(zip(STEPS, (float(v) for v in np.median(self._ms[last], axis=0))))

    def table(self):
        """The figures as lines of text; steps that nobody timed (a GPU's) are left out."""
        lines = ["{:<8} {:>8} {:>8} {:>8}".format("ms", "median", "p95", "p99")]
        for step, ms in self.figures().items():
            if step in ("crop", "network", "select") and not any(ms.values()):
                continue
            lines.append("{:<8} {median:8.3f} {p95:8.3f} {p99:8.3f}".format(step, **ms))
        return "\n".join(lines)
