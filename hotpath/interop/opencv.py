"""A tracker with the interface of OpenCV's, such as ``cv2.TrackerNano``.

A program that was written for one of them changes the line that makes the tracker.
"""

from typing import Any, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime import load_tracker
from hotpath.runtime.errors import NotReady
from hotpath.runtime.options import PathLike
from hotpath.runtime.types import Track


class OpenCvTracker:
    """A Hotpath tracker behind the methods of ``cv2.Tracker``.

    Boxes are whole numbers here, as OpenCV's rectangles are. ``track`` has the rest: the box in
    fractions of a pixel, the state, and the presence.

    Args:
        network, options: as in ``hotpath.load_tracker``.

    Attributes:
        tracker: the ``hotpath.runtime.tracker.tracker.Tracker``.
        track: the ``Track`` of the last frame; ``NotReady`` before ``init``.

    Example:
        >>> tracker = Tracker()  # instead of cv2.TrackerNano_create()
        >>> tracker.init(frame, (440, 270, 60, 90))
        >>> tracker.update(frame)
        (True, (440, 270, 60, 90))
    """

    def __init__(self, network: Optional[PathLike] = None, **options: Any) -> None:
        self.tracker = load_tracker(network, **options)
        self._track: Optional[Track] = None

    @property
    def track(self) -> Track:
        """See the class."""
        if self._track is None:
            raise NotReady("the tracker has no target yet; call init(image, box) first")
        return self._track

    def init(self, image: np.ndarray, boundingBox: Sequence[float]) -> None:  # OpenCV's name
        """Start to follow a target.

        Args:
            image: BGR uint8 (H, W, 3).
            boundingBox: (x, y, width, height), pixels.

        Raises:
            BadFrame, BadBox: see ``hotpath.runtime.tracker.tracker.Tracker.init``.
        """
        self._track = self.tracker.init(image, boundingBox)

    def update(self, image: np.ndarray) -> Tuple[bool, Tuple[int, int, int, int]]:
        """Find the target in the next frame.

        Returns:
            (ok, box): ``ok`` is False while the target is lost; the box is then the last one that
            was followed. While something that may be the target is followed, ``ok`` is True and
            ``track.state`` is "unsure".

        Raises:
            BadFrame, NotReady: see ``hotpath.runtime.tracker.tracker.Tracker.update``.
        """
        track = self._track = self.tracker.update(image)
        x, y, w, h = (int(round(value)) for value in track.box)
        return not track.lost, (x, y, w, h)

    def getTrackingScore(self) -> float:
        """Return how probable it is that the box holds the target, 0 to 1; else the score."""
        track = self.track
        return track.score if track.presence is None else track.presence


Tracker = OpenCvTracker  # the name that programs import
