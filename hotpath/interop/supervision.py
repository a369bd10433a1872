"""Tracks for Roboflow's ``supervision``: its annotators, zones, counters and sinks take them."""

from typing import Dict, Union

import numpy as np

from hotpath.base.messages import missing_package_text
from hotpath.runtime.types import Track

try:
    import supervision as sv
except ImportError as error:
    sentence = missing_package_text("hotpath.interop.supervision", "supervision", error, "examples")
    raise ImportError(sentence, name="supervision") from None


def detections(tracks: Union[Track, Dict[int, Track]]) -> "sv.Detections":
    """The targets that are not lost, as ``supervision.Detections``.

    Args:
        tracks: of ``Targets.update``, number -> ``Track``; or the ``Track`` of one target.

    Returns:
        ``Detections`` with ``xyxy``, ``confidence`` (presence), ``class_id`` (0 if no detector
        found the target), ``tracker_id`` (its number), ``data["class_name"]`` and
        ``data["state"]``. Without a target it has the same columns and no rows.
    """
    shown = present(tracks)
    boxes = np.array([track.box for track in shown.values()], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return sv.Detections(
        xyxy=boxes,
        confidence=np.array(
            [track.score if track.presence is None else track.presence for track in shown.values()],
            np.float32,
        ),
        class_id=np.array([track.class_id or 0 for track in shown.values()], int),
        tracker_id=np.array(list(shown), int),
        data={
            "class_name": np.array([track.class_name for track in shown.values()], str),
            "state": np.array([track.state for track in shown.values()], str),
        },
    )


def present(tracks: Union[Track, Dict[int, Track]]) -> Dict[int, Track]:
    """Return the targets that are not lost, number -> ``Track``. A single target has number 0."""
    numbered = {0: tracks} if isinstance(tracks, Track) else tracks
    return {number: track for number, track in numbered.items() if not track.lost}
