"""Expected average overlap of one clip, as the VOT toolkit's multi-start experiment has it.

Kristan et al., "The Eighth Visual Object Tracking VOT2020 Challenge Results", 2020, section 3.2.
The tracker is started at anchors all over the clip, forward or backward; from a failure on its
overlap counts as zero. Held to ``vot-toolkit`` 0.7.4 by the tests.
"""

import numpy as np

from calib.metrics import overlap

LOW, HIGH = 20, 100  # lengths averaged over; VOT's own 115 to 755 mean nothing on short clips
FAILED, GRACE = 0.1, 10  # overlap of a failure, and in how many frames on end
ANCHOR_EVERY = 50  # frames


def anchors(count):
    """Where runs begin: 1 forward from here, -1 backward, 0 not at all."""
    values = [0] * count
    for start in range(0, count, ANCHOR_EVERY):
        values[start] = 1 if count - start > start else -1
    values[-1] = -1
    return values


def runs_of(tracker, frames, truth):
    """All runs of one clip, list of (overlaps, whether it held to the end).

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


def score(runs, low=LOW, high=HIGH):
    """The score of all clips' runs together."""
    return float(np.mean(curve(runs, high)[low:]))


def _run(tracker, frames, truth, order):
    """(overlaps, whether it held to the end) of one run."""
    height, width = frames[order[0]].shape[:2]
    tracker.init(frames[order[0]], truth[order[0]])
    boxes = [truth[order[0]]] + [np.array(tracker.update(frames[i]).box) for i in order[1:]]
    return cut(overlap(np.array(boxes), truth[order], (width, height)))


def cut(overlaps):
    """(overlaps with zeros from the failure on, whether there was none); NaN: target absent."""
    late = 0
    for index, value in enumerate(overlaps):
        late = late + 1 if value <= FAILED else 0
        if late == GRACE:
            given = np.nan_to_num(overlaps)
            given[index + 1 - GRACE :] = 0
            return given, False
    return np.nan_to_num(overlaps), True


def curve(runs, high):
    """Mean overlap of the first j frames over the runs, (high,); 0 where no run is as long."""
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
