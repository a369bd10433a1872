"""Write targets as JSON, for the page, ``--publish`` and ROS."""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from hotpath.runtime.frames.directions import bearing
from hotpath.runtime.types import Track


def target_json(
    number: int, track: Track, frame_size: Sequence[int] = (), fov: Optional[Sequence[float]] = None
) -> Dict[str, Any]:
    """A target as a dict for JSON; unknown values are None.

    Args:
        frame_size, fov: as in ``hotpath.bearing``; without them there is no "bearing".
    """
    box = _rounded(track.box)
    there = {"bearing": box and _rounded(bearing(track.box, frame_size, fov), 3)} if fov else {}
    return {
        "number": number,
        "box": box,
        "score": round(float(track.score), 4) if np.isfinite(track.score) else None,
        "lost": bool(track.lost),
        "state": track.state,
        "found": track.found,
        "class": track.class_id,
        "class_name": track.class_name or None,
        "velocity": _rounded(track.velocity),
        "predicted": _rounded(track.predicted),
        "presence": None if track.presence is None else round(float(track.presence), 4),
        "witnessed": track.witnessed,
        **there,
    }


def _rounded(values: Optional[Sequence[float]], digits: int = 2) -> Optional[List[float]]:
    """Numbers for JSON; None if one of them is not known."""
    known = values is not None and np.isfinite(values).all()
    return [round(float(value), digits) for value in values or ()] if known else None
