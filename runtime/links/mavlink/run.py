"""The interface between the camera component and a run: its requests, and what it learns.

The frame loop hands over each frame with ``Service.show``, which keeps a reference and wakes the
link's thread. The requests of that thread wait in the run's own queue. The loop carries them out
between two frames.
"""

from concurrent.futures import Future
from typing import NamedTuple, Optional, Tuple

from runtime.types import Track


class View(NamedTuple):
    """What is known after a frame.

    Attributes:
        index: of the frame, from 0.
        captured_s: when the frame was taken, seconds of the monotonic clock.
        size: (width, height) of the frame, pixels.
        track: ``Track`` of the target that is reported, or None.
        number: of that target, or None.
        fps: frames a second that are tracked, or None.
    """

    index: int  # type: ignore[assignment]  # in the place of a tuple's own method
    captured_s: float
    size: Tuple[int, int]
    track: Optional[Track]
    number: Optional[int]
    fps: Optional[float]


class Picture(NamedTuple):
    """A frame that was written as a picture.

    Attributes:
        path: of the file.
        captured_s: when the frame was taken, seconds of the monotonic clock.
    """

    path: str
    captured_s: float


class Run:
    """The requests that the link's thread may make of a run. Only that thread calls them.

    Every request returns a ``Future``. A request that fails sets a ``HotpathError`` in it. Where
    ``cancel`` returns True, the request is not carried out later.
    """

    def newest(self) -> Optional[View]:
        """What is known after the newest frame; None before the first one."""
        raise NotImplementedError

    def start_box(self, box: Tuple[float, float, float, float], seen_s: float) -> "Future[int]":
        """Follow the target in a box of the frame that the user saw; drop the reported target.

        Args:
            box: (x, y, w, h), 0-based pixels.
            seen_s: when the frame that the user saw was taken, seconds of the monotonic clock.
        """
        raise NotImplementedError

    def start_point(self, point: Tuple[float, float], seen_s: float) -> "Future[int]":
        """Follow what is at a point of the frame that the user saw, otherwise as ``start_box``.

        Args:
            point: (x, y), 0-based pixels.
            seen_s: as for ``start_box``.
        """
        raise NotImplementedError

    def stop(self) -> "Future[None]":
        """Stop following the reported target."""
        raise NotImplementedError

    def record(self, on: bool) -> "Future[None]":
        """Start or stop writing to the run's files."""
        raise NotImplementedError

    @property
    def recording(self) -> Tuple[bool, Optional[float]]:
        """Whether the run has files, and since when it writes to them.

        The time is in seconds of the monotonic clock; None while it does not write.
        """
        raise NotImplementedError

    def capture(self) -> "Future[Picture]":
        """Write the newest frame as a picture; the result comes when it is written."""
        raise NotImplementedError

    @property
    def can_capture(self) -> bool:
        """Whether there is a folder for pictures."""
        raise NotImplementedError
