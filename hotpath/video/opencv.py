"""Decode recordings with OpenCV, on boards for which there is no PyAV.

OpenCV can't seek to a time: it takes the average rate for an even one. So frames are
counted from the start of the file here. OpenCV does not turn every video, nor does it choose the
stream as ffmpeg does.
"""

import os
import subprocess
import sys
from typing import Any, Callable, List, Optional, Tuple

import cv2

from hotpath.base.commands import package
from hotpath.runtime.errors import BadSource
from hotpath.video.base import NEAR, SAME, capture_fps, is_utf8, stated_frames
from hotpath.video.limits import check_size
from hotpath.video.strays import mended

CONVERTS_NO_INTERLACED = (4, 13)  # the first OpenCV that reads interlaced videos wrongly
READ_SOME = """
import os, sys
os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "16"  # AV_LOG_ERROR
import cv2
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
for _ in range(10):
    capture.read()
"""


class CvCapture:
    """The frames of a ``cv2.VideoCapture``.

    Args:
        opened: function that opens it at the first frame.

    Attributes:
        aspect, errors, skipped, fps, frames, time_s: as those of ``pyav.AvCapture``.
    """

    aspect, errors, skipped = 1.0, 0, 0

    def __init__(self, opened: Callable[[], Any]) -> None:
        self._opened = opened
        self._capture = opened()
        sides = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        check_size("the video", *(int(self._capture.get(side)) for side in sides))
        self.fps = capture_fps(self._capture)
        self.frames = stated_frames(self._capture)
        self.time_s, self._zero_s = 0.0, 0.0
        self._next = 0  # number of the frame after the last one that was grabbed
        self._is_ahead = False  # that one was not given yet

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) if there is none."""
        if not self._is_ahead and not self._grab():
            return False, None
        self._is_ahead = False
        good, frame = self._capture.retrieve()
        return good, frame

    def count(self) -> int:
        """How many frames there are, by decoding them."""
        self._skip(0, lambda: True)
        return self._next

    def number_at(self, time_s: float) -> Optional[int]:
        """The number of the first frame at or after a time; None if it can't seek."""
        step_s = 1.0 / (self.fps or 25.0)
        wanted_s = time_s - SAME * step_s
        stamps_s: List[float] = []

        def more() -> bool:
            """Whether no NEAR frames in succession are late enough: one of them may be stray."""
            if self._next:
                stamps_s.append(self.time_s)
            return len(stamps_s) < NEAR or min(stamps_s[-NEAR:]) < wanted_s

        self._skip(0, more)
        times_s, _ = mended(stamps_s, step_s)
        late = [number for number, frame_s in enumerate(times_s) if frame_s >= wanted_s]
        return late[0] if late else None

    def seek(self, number: int) -> Optional[int]:
        """Make the frame of that number the next one, or the last frame; returns its number."""
        number = min(number, (self.frames or number + 1) - 1)
        return self._skip(number, lambda: self._next <= number)

    def release(self) -> None:
        """Close the file."""
        self._capture.release()

    def _skip(self, number: int, more: Callable[[], bool]) -> Optional[int]:
        """Go over frames while there are ``more`` to skip; returns the number of the next frame.

        Args:
            number: a lower number than that of the last frame needs the start of the file.
        """
        if number < self._next and not (self._is_ahead and number == self._next - 1):
            self._capture.release()
            self._capture = self._opened()
            self._next = 0
            self.time_s = -1.0
        while more():
            if not self._grab():
                return None
        self._is_ahead = True
        return self._next - 1

    def _grab(self) -> bool:
        if not self._capture.grab():
            return False
        self._next += 1
        self._take_time()
        return True

    def _take_time(self) -> None:
        stamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        self._zero_s = stamp_s if self._next == 1 else self._zero_s
        self.time_s = stamp_s - self._zero_s


def open_recording(path: str) -> Optional[CvCapture]:
    """A capture of a file, or None if OpenCV reads no frame of it.

    Raises:
        BadSource: OpenCV reads it wrongly, or can't open a file of such a name.
    """
    has_ffmpeg = cv2.CAP_FFMPEG in cv2.videoio_registry.getBackends()
    backend = cv2.CAP_FFMPEG if has_ffmpeg else cv2.CAP_ANY
    full = os.path.abspath(path)  # FFmpeg would take "a:b.mp4" for a protocol
    held = None
    if not is_utf8(full):  # OpenCV crashes on such a name; the system gives the file another one
        held = open(path, "rb")  # as long as the capture may be opened again
        full = f"/proc/self/fd/{held.fileno()}"
        if not os.path.exists(full):
            raise BadSource(f"{path!a}: OpenCV can't open such a name; rename the file")

    def opened(_: Any = held) -> Any:
        return cv2.VideoCapture(full, backend)

    capture = CvCapture(opened)
    if not capture.read()[0]:
        capture.release()
        return None
    _refuse_interlaced(path)
    return capture if capture.seek(0) == 0 else None


def _refuse_interlaced(path: str) -> None:
    """Raise ``BadSource`` if FFmpeg in OpenCV can't convert the frames, as interlaced ones.

    Such an OpenCV gives pictures all the same, of whatever its memory holds. Only the message of
    FFmpeg tells, so another process reads some frames.
    """
    version = tuple(int(part) for part in cv2.__version__.split(".")[:2])
    if version < CONVERTS_NO_INTERLACED:
        return
    asked = [sys.executable, "-c", READ_SOME, os.path.abspath(path)]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    done = subprocess.run(asked, stdin=nothing, stdout=pipe, stderr=subprocess.STDOUT)
    if b"Cannot convert" in done.stdout:
        raise BadSource(
            f"{path}: OpenCV {cv2.__version__} can't convert interlaced frames; run "
            f"`{package('av')}`, which reads them"
        )
