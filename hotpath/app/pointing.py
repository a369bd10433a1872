"""Start a target at a point that a user gave: on the command line, in the window, on the page or in
a ground station.

Where the user named classes, the detector's object at the point is taken. Else the network's head
finds the object (``hotpath.runtime.tap``), and a detector is only asked if the head finds none.
"""

from typing import Any, Iterable, Optional, Sequence

import numpy as np

from hotpath.app.detect import Detector
from hotpath.app.detect.boxes import boxes_around, nearest_to, smallest_at
from hotpath.runtime.errors import BadNetwork, BadOption, HotpathError, NoObject
from hotpath.runtime.pictures import AnyFrame, bgr_of
from hotpath.runtime.types import UNSURE, Box, Track

REACH = 0.35  # of a point from an object's centre, shares of its sides, where no class is named


def add_at(
    targets: Any,
    frame: AnyFrame,
    point: Sequence[float],
    detector: Optional[Detector] = None,
    besides: Optional[Sequence[float]] = None,
    time_s: Optional[float] = None,
) -> int:
    """Start a target at a point; returns its number.

    Args:
        targets: ``hotpath.runtime.targets.targets.Targets``.
        frame: the frame that the user saw.
        point: (x, y), 0-based pixels.
        detector: finds objects, or None.
        besides, time_s: as in ``Tracker.init``. With ``besides`` only the head is asked, if the
            network has one.

    Raises:
        NoObject: nothing is there.
        BadOption: the network has no head, and the detector finds nothing.
        BadNetwork: the head cannot be read or run, and the detector finds nothing.
        BadBox: the point is outside the frame.
    """
    if targets.network.tap is None:
        besides = None
    names_class = detector is not None and not detector.any_class
    asked = names_class and besides is None
    if asked:
        box = _detected(detector, frame, point, 0.5)
        if box is not None:
            return int(targets.add(frame, box, time_s=time_s))
    try:
        return int(targets.add(frame, time_s=time_s, point=point, besides=besides))
    except (NoObject, BadOption, BadNetwork) as error:
        # with ``besides``, a detector would find that object again: only where no head can run
        is_left = besides is None or not isinstance(error, NoObject)
        box = None
        if detector is not None and is_left and not asked:
            box = _detected(detector, frame, point, 0.5 if names_class else REACH)
        if box is None:
            raise
        return int(targets.add(frame, box, time_s=time_s))


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


def _detected(detector: Any, frame: AnyFrame, point: Any, reach: float) -> Any:
    """The detector's object at a point, or None; also where its network failed."""
    try:
        boxes = boxes_around(detector, np.ascontiguousarray(bgr_of(frame)), point)
    except HotpathError:
        return None  # the click is not lost: only the head finds a box
    box: Optional[Box] = smallest_at(boxes, point, reach)
    return nearest_to(boxes, point) if box is None and not detector.any_class else box
