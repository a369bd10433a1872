"""Tracks as dicts of COCO's results format, which many tools read (cocodataset.org, "Results")."""

from typing import Any, Dict, List, Union

from hotpath.runtime.types import Track


def results(
    tracks: Union[Track, Dict[int, Track]], image_id: int, category_id: int = 1
) -> List[Dict[str, Any]]:
    """Make a dict for each target that is not lost, ready for ``json.dump``.

    Args:
        tracks: from ``Targets.update``, number -> ``Track``; or the ``Track`` of one target.
        image_id: number of the frame, such as its index.
        category_id: class of targets that no detector found.

    Returns:
        A list of dicts with ``image_id``, ``category_id``, ``bbox`` [x, y, w, h] in 0-based pixels,
            ``score`` and ``track_id``, the target's number.
    """
    return [
        {
            "image_id": image_id,
            "category_id": category_id if track.class_id is None else track.class_id,
            "bbox": [float(value) for value in track.box],
            "score": float(track.score),
            "track_id": number,
        }
        for number, track in present(tracks).items()
    ]


def present(tracks: Union[Track, Dict[int, Track]]) -> Dict[int, Track]:
    """Return the targets that are not lost, number -> ``Track``. A single target has number 0."""
    numbered = {0: tracks} if isinstance(tracks, Track) else tracks
    return {number: track for number, track in numbered.items() if not track.lost}
