"""Expected average overlap (EAO) of clips, as the VOT toolkit's multi-start experiment defines it.

Kristan et al., "The Eighth Visual Object Tracking VOT2020 Challenge Results", 2020, section 3.2.
The tracker starts at anchors all over the clip and runs forward or backward. After a failure its
overlap counts as zero. The tests compare it with ``vot-toolkit`` 0.7.4.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from calib.metrics import overlap

Run = tuple[np.ndarray, bool]  # overlaps; whether it never failed
LOW, HIGH = 20, 100  # lengths averaged over; VOT's own 115 to 755 mean nothing on short clips
FAILED, GRACE = 0.1, 10  # a failure: at most this overlap in so many frames in a row
ANCHOR_EVERY = 50  # frames


def anchors(count: int) -> list[int]:
    """Return a number for each frame: 1 a run starts forward, -1 backward, 0 no run starts."""
    values = [0] * count
    for start in range(0, count, ANCHOR_EVERY):
        values[start] = 1 if count - start > start else -1
    values[-1] = -1
    return values


def runs_of(tracker: Any, frames: Any, truth: np.ndarray) -> list[Run]:
    """Run the tracker from every anchor of a clip: list of (overlaps, whether it never failed).

    Args:
        tracker: ``init`` and ``update``.
        frames: sequence of frames.
        truth: (n, 4) boxes, NaN where the target is absent; a run never begins there.
    """
    runs = []
    for start, way in enumerate(anchors(len(truth))):
        if not way or np.isnan(truth[start]).any():
            continue
        order = range(start, len(truth)) if way > 0 else range(start, -1, -1)
        runs.append(_run(tracker, frames, truth, list(order)))
    return runs


def score(runs: Sequence[Run], low: int = LOW, high: int = HIGH) -> float:
    """Return the EAO over the runs of all clips."""
    return float(np.mean(curve(runs, high)[low:]))


def _run(tracker: Any, frames: Any, truth: np.ndarray, order: Sequence[int]) -> Run:
    """Return (overlaps, whether it never failed) of one run."""
    height, width = frames[order[0]].shape[:2]
    tracker.init(frames[order[0]], truth[order[0]])
    boxes = [truth[order[0]]] + [np.array(tracker.update(frames[i]).box) for i in order[1:]]
    return cut(overlap(np.array(boxes), truth[order], (width, height)))


def cut(overlaps: np.ndarray) -> Run:
    """Return (overlaps, zero from a failure on; whether there was none). NaN: target absent."""
    late = 0
    for index, value in enumerate(overlaps):
        late = late + 1 if value <= FAILED else 0
        if late == GRACE:
            given = np.nan_to_num(overlaps)
            given[index + 1 - GRACE :] = 0
            return given, False
    return np.nan_to_num(overlaps), True


def curve(runs: Sequence[Run], high: int) -> np.ndarray:
    """Return (high,): mean overlap of the first j frames over all runs; 0 where none is so long."""
    total, count = np.zeros(high), np.zeros(high)
    for overlaps, held in runs:
        sums = np.concatenate([[0.0], np.cumsum(overlaps[1:])])
        for j in range(1, high):
            if j < len(overlaps):
                total[j] += sums[j] / j
                count[j] += 1
            elif not held:
                total[j] += sums[-1] / max(1, j - 1)
                count[j] += 1
    return np.divide(total, count, out=np.zeros(high), where=count > 0)
