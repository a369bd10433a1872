"""What the camera component may ask of a run, and what it sees of it.

The frame loop hands over each frame with ``show``, which keeps a reference and wakes the link's
thread. Requests go the other way through the run's own queue, which the loop empties between two
frames.
"""

from collections import namedtuple
from concurrent.futures import Future
from typing import Optional, Tuple

View = namedtuple("View", "index captured_s size track number fps")
View.__doc__ = """What is known after a frame.

Attributes:
    index: of the frame, from 0.
    captured_s: when the frame was taken, seconds of the monotonic clock.
    size: (width, height) of the frame, pixels.
    track: ``Track`` of the target that is reported, or None.
    number: of that target, or None.
    fps: frames a second that are tracked, or None.
"""


class Run:
    """The narrow side of a run that the link's thread uses. All of it is called from that thread.

    Every request returns a ``Future``; its exception is a ``HotpathError`` with a sentence.
    """

    def newest(self) -> Optional[View]:
        """What is known after the newest frame; None before the first one."""
        raise NotImplementedError

    def start_box(self, box: Tuple[float, float, float, float], seen_s: float) -> "Future[int]":
        """Follow the target in a box of the frame that was seen; replaces the one that is reported.

        Args:
            box: (x, y, w, h), 0-based pixels.
            seen_s: when the frame that the user saw was taken, seconds of the monotonic clock.
        """
        raise NotImplementedError

    def start_point(
        self, point: Tuple[float, float], radius: float, seen_s: float
    ) -> "Future[int]":
        """Follow what is at a point of the frame that was seen; as ``start_box``.

        Args:
            point: (x, y), 0-based pixels.
            radius: how large the user says that it is, pixels; 0 where that is not said.
            seen_s: as for ``start_box``.
        """
        raise NotImplementedError

    def stop(self) -> "Future[None]":
        """Follow the reported target no more."""
        raise NotImplementedError

    def record(self, on: bool) -> "Future[None]":
        """Write to the run's files, or stop writing."""
        raise NotImplementedError

    @property
    def recording(self) -> Tuple[bool, bool]:
        """(whether there are files to write, whether they are written now)."""
        raise NotImplementedError

    def capture(self) -> "Future[str]":
        """Write the newest frame as a picture; the result is the file's path."""
        raise NotImplementedError

    @property
    def can_capture(self) -> bool:
        """Whether there is a folder for pictures."""
        raise NotImplementedError
