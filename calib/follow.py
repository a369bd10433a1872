"""Run a tracker over an annotated clip and keep what it said of every frame.

Runs on every Python that a board has, as ``calib.clips`` and ``calib.metrics`` do.
"""

import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

GRACE = 3  # late frames that the VOT real-time challenge forgives after a start


def follow(tracker: Any, clip: Any, frames: Optional[int] = None) -> Dict[str, Any]:
    """Track a clip from its first box, every frame however long it takes.

    Args:
        tracker: has ``init(frame, box)``, ``update(frame)`` and ``step_ms``.
        clip: ``calib.clips.Clip``, or anything with its frames and ``boxes``.
        frames: stop after so many frames; None for the whole clip.

    Returns:
        dict: ``boxes`` (n, 4), ``scores`` (n,), ``ms`` (n,) of each frame, ``steps``: name of a
        step -> milliseconds of each frame after the first.
    """
    boxes, scores, ms = [], [], []
    steps = {}  # type: Dict[str, List[float]]
    for index, frame in enumerate(clip):
        if index == frames:
            break
        started = time.perf_counter()
        box, score = start_or_update(tracker, clip, index, frame)
        ms.append((time.perf_counter() - started) * 1e3)
        boxes.append(box)
        scores.append(score)
        for name, value in tracker.step_ms.items() if index else ():
            steps.setdefault(name, []).append(value)
    return {"boxes": boxes, "scores": scores, "ms": ms, "steps": steps}


def follow_late(tracker: Any, clip: Any, fps: float, ms: Sequence[float]) -> Dict[str, Any]:
    """Track a clip as the VOT real-time challenge does: each frame takes as long as was measured.

    While the tracker is busy, the camera goes on. A frame that comes meanwhile is never seen and
    gets the last box. The first ``GRACE`` late frames after the start are forgiven.

    Args:
        tracker, clip: as ``follow`` takes them.
        fps: frames a second of the camera.
        ms: (n,) milliseconds that each frame took, as ``follow`` measured them.

    Returns:
        dict as ``follow`` returns it, with ``skipped``, the number of frames never seen.
    """
    interval, grace, debt, skipped = 1e3 / fps, GRACE, 0.0, 0
    boxes, scores = [], []  # type: List[List[float]], List[float]
    for index, frame in enumerate(clip):
        if debt > interval:
            debt -= interval
            skipped += 1
            boxes.append(boxes[-1])
            scores.append(scores[-1])
            continue
        debt = 0.0
        box, score = start_or_update(tracker, clip, index, frame)
        boxes.append(box)
        scores.append(score)
        if ms[index] > interval:
            grace, debt = (grace - 1, 0.0) if grace > 0 else (0, ms[index] - interval)
    return {"boxes": boxes, "scores": scores, "ms": ms, "steps": {}, "skipped": skipped}


def start_or_update(
    tracker: Any, clip: Any, index: int, frame: np.ndarray
) -> Tuple[List[float], float]:
    """Start on the true box in frame 0, update in every other one.

    Returns:
        (box, score): list of four floats x, y, w, h in pixels of the frame; 0 to 1.
    """
    if index == 0:
        tracker.init(frame, clip.boxes[0])
        return [float(value) for value in clip.boxes[0]], 1.0
    track = tracker.update(frame)
    return [float(value) for value in track.box], float(track.score)
