"""Run a tracker over an annotated clip or film, and return its result for every frame.

Runs on every Python that a board has, as ``hotpath_lab.metrics`` does.
"""

import time
import warnings
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from hotpath.base.gc_tuning import tuned_gc
from hotpath.runtime.tracker.first_box import DoubtfulBox
from hotpath.runtime.types import TRACKED

if TYPE_CHECKING:
    from hotpath.runtime.tracker.tracker import Tracker


@tuned_gc()  # as hotpath.app does
def run_clip(tracker: "Tracker", clip: Any, frames: Optional[int] = None) -> Dict[str, Any]:
    """Track every frame of a clip from its first box.

    Args:
        tracker: has ``init(frame, box)``, ``update(frame)`` and ``step_ms``.
        clip: ``hotpath.video.clips.AnnotatedClip``, or anything with its frames and ``boxes``.
        frames: number of frames to track; None for the whole clip.

    Returns:
        dict, with a list of n values each: ``boxes``; ``states``, the tracker's words; ``found``;
        ``claimed``, whether it says that the target is in the box; ``presence``, None for a tracker
        without; ``certainty``, the presence, or the score of such a tracker; ``ms`` of each
        frame. ``steps``: name of a step -> milliseconds of each frame after the first.
    """
    boxes: List[List[float]] = []
    states: List[str] = []
    certainty: List[float] = []
    presence: List[Optional[float]] = []
    found: List[bool] = []
    ms: List[float] = []
    steps: Dict[str, List[float]] = {}
    for index, frame in enumerate(clip):
        if index == frames:
            break
        started = time.perf_counter()
        first = None if index else clip.boxes[0]
        box, state, sure, is_find, is_presence = take(tracker, frame, first)
        ms.append((time.perf_counter() - started) * 1e3)
        boxes.append([float(value) for value in box])
        states.append(state)
        found.append(is_find)
        certainty.append(float(sure))
        presence.append(float(sure) if is_presence else None)
        for name, value in tracker.step_ms.items() if index else ():
            steps.setdefault(name, []).append(value)
    claimed = [state == TRACKED for state in states]
    record = {"boxes": boxes, "states": states, "claimed": claimed, "certainty": certainty}
    record["presence"] = presence
    return dict(record, found=found, ms=ms, steps=steps)


def take(tracker: "Tracker", frame: Any, first: Any = None) -> Tuple[Any, str, float, bool, bool]:
    """Give a tracker one frame.

    Returns:
        (box, state, certainty, found), as of ``run_clip``; whether the certainty is a presence.

    Args:
        first: the target's box in a clip's first frame; None in those after it.
    """
    if first is None:
        track = tracker.update(frame)
        sure = track.score if track.presence is None else track.presence
        return track.box, track.state, sure, track.found, track.presence is not None
    with warnings.catch_warnings():  # nobody can draw a better one
        warnings.simplefilter("ignore", DoubtfulBox)
        tracker.init(frame, first)
    return first, TRACKED, 1.0, False, True
