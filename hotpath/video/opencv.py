"""Decode recordings with OpenCV, on boards for which there is no PyAV.

OpenCV can't seek to a time, so frames are counted from the start of the file here. OpenCV does not
turn every video, nor does it choose the stream as ffmpeg does.
"""

import os
import subprocess
import sys
from typing import Any, Callable, Optional, Tuple

import cv2

from hotpath.base.messages import pip_command
from hotpath.runtime.errors import BadSource
from hotpath.video.base import capture_fps, is_utf8, stated_frames
from hotpath.video.limits import check_size

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
    in_order = False  # it takes the average rate for an even one, so frames are counted

    def __init__(self, opened: Callable[[], Any]) -> None:
        self._opened = opened
        self._capture = opened()
        sides = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        check_size("the video", *(int(self._capture.get(side)) for side in sides))
        self.fps = capture_fps(self._capture)
        self.frames = stated_frames(self._capture)
        self.time_s = 0.0
        self._zero_s: Optional[float] = None  # time of the first frame

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) if there is none."""
        if not self._grab():
            return False, None
        good, frame = self._capture.retrieve()
        return good, frame

    def count(self) -> int:
        """How many frames there are, by decoding them."""
        self.seek(0)
        frames = 0
        while self._grab():
            frames += 1
        return frames

    def seek(self, number: int) -> Optional[int]:
        """Make the frame of that number the next one, from the start of the file on."""
        self._capture.release()
        self._capture = self._opened()
        self._zero_s = None
        there = all(self._grab() for _ in range(number))
        return number if there else None

    def release(self) -> None:
        """Close the file."""
        self._capture.release()

    def _grab(self) -> bool:
        if not self._capture.grab():
            return False
        stamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        self._zero_s = stamp_s if self._zero_s is None else self._zero_s
        self.time_s = stamp_s - self._zero_s
        return True


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
            f"`{pip_command('av')}`, which reads them"
        )
