"""What a click in a box means: on the command line, in the window, on the page or in a ground
station. Elsewhere the network's head finds the object at the point
(``hotpath.runtime.tracker.point_prompt``).
"""

from typing import Iterable, Optional, Sequence

from hotpath.runtime.types import UNSURE, Box, Track


def holding(tracks: Iterable[Track], point: Sequence[float]) -> Optional[Box]:
    """Return the first of the boxes of targets that are not lost that holds a point, or None.

    A click in it means the larger object around it (``besides``), or yes (``says_yes``).
    """
    for track in tracks:
        box = track.box
        inside = [box[axis] <= point[axis] <= box[axis] + box[axis + 2] for axis in (0, 1)]
        if not track.lost and all(inside):
            return box
    return None


def says_yes(track: Optional[Track], point: Sequence[float]) -> bool:
    """Whether a click means "yes, that is it": it is in the box of an unsure target."""
    return track is not None and track.state == UNSURE and holding([track], point) is not None
