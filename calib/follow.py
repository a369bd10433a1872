"""Run a tracker over an annotated clip and store its result for every frame.

Runs on every Python that a board has, as ``hotpath.calib.metrics`` does.
"""

import time
from typing import Any, Dict, List, Optional


def follow(tracker: Any, clip: Any, frames: Optional[int] = None) -> Dict[str, Any]:
    """Track every frame of a clip from its first box.

    Args:
        tracker: has ``init(frame, box)``, ``update(frame)`` and ``step_ms``.
        clip: ``hotpath.runtime.track.video.clips.Clip``, or anything with its frames and ``boxes``.
        frames: number of frames to track; None for the whole clip.

    Returns:
        dict: ``boxes`` (n, 4), ``scores`` (n,), ``ms`` (n,) of each frame, ``steps``: name of a
        step -> milliseconds of each frame after the first.
    """
    boxes, scores, ms = [], [], []
    steps: Dict[str, List[float]] = {}
    for index, frame in enumerate(clip):
        if index == frames:
            break
        box, score = clip.boxes[0], 1.0
        started = time.perf_counter()
        if index:
            track = tracker.update(frame)
            box, score = track.box, track.score
        else:
            tracker.init(frame, box)
        ms.append((time.perf_counter() - started) * 1e3)
        boxes.append([float(value) for value in box])
        scores.append(float(score))
        for name, value in tracker.step_ms.items() if index else ():
            steps.setdefault(name, []).append(value)
    return {"boxes": boxes, "scores": scores, "ms": ms, "steps": steps}
