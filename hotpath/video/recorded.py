"""Recorded videos as sources: a file, a pipe, or a recording on a web server."""

import os
from collections import deque
from typing import Any, Callable, Deque, Optional, Tuple

import cv2

from hotpath.base.messages import pip_command
from hotpath.runtime.errors import BadSource
from hotpath.runtime.tracker.lock import exclusive
from hotpath.video import opencv, pyav
from hotpath.video.base import (
    PLAYED_FPS,
    Log,
    Source,
    check_readable,
)
from hotpath.video.containers import (
    is_cut_off,
    is_in_fragments,
    looks_like_text,
    states_no_rate,
)
from hotpath.video.hardware import Decoder
from hotpath.video.stamps import LONGEST_S, Stamps


class RecordedVideo(Source):
    """All frames of an open capture that has an end, in order.

    A recording that ends early gives all frames that can be decoded, then raises ``BadSource`` with
    the frame at which it broke. The container's headers decide what "early" means.

    Args:
        name: its name in messages.
        capture: a ``pyav.AvCapture`` or an ``opencv.CvCapture``; ``close`` closes it.
        cut_off: whether the file is shorter than its headers state; None if they do not tell.
        depth: used bits of 16-bit pictures. None takes each picture's own range.
    """

    def __init__(
        self,
        name: str,
        capture: Any,
        log: Log = None,
        cut_off: Optional[bool] = None,
        depth: Optional[int] = None,
    ) -> None:
        super().__init__(name, log, depth)
        self._capture, self._cut_off = capture, cut_off
        self.fps, self.frames, self.aspect = capture.fps, capture.frames, capture.aspect
        self._last_s = 0.0  # the stamp of the last frame
        self._stamps = Stamps(1.0 / (self.fps or PLAYED_FPS))
        self._zero_s: Optional[float] = None  # of the capture's clock: the first frame's time
        # frames that were decoded before ``read`` is called, with their stamps
        self._ahead: Deque[Tuple[Any, float]] = deque()
        self._ahead_s: Optional[float] = None  # the time of the first of them, once it is known
        if not self._decode():
            self.close()
            raise BadSource(f"{name}: {why_no_frame(cut_off)}")

    @exclusive
    def read(self, timeout_s: float = 1.0) -> Any:
        """The next frame, or None at the end; see ``Source.read``."""
        is_there = self._ahead or self._decode()
        if self._capture is not None:
            self.errors, self.skipped = self._capture.errors, self._capture.skipped
        if is_there:
            time_s = None if self.by_rate else self._time_ahead()
            frame, self._last_s = self._ahead.popleft()
            self._ahead_s = None
            return self._give_any(frame, time_s)
        if self._ended_early():
            of = "" if self.frames is None else f" of {self.frames}"
            raise BadSource(
                f"{self.name}: broke at frame {self.given}{of}; the recording is cut off or "
                "damaged",
                what="broke off",
            )
        return None

    @exclusive
    def seek(self, index: int) -> bool:
        """Make the frame of that index the next one; see ``Source.seek``."""
        if self._capture is None:
            return False
        if not getattr(self._capture, "in_order", True):
            return self._play_to(lambda: self.given >= index)
        return self._go(max(0, index))

    @exclusive
    def seek_time(self, time_s: float) -> bool:
        """Make the first frame from that time on the next one; see ``Source.seek_time``."""
        if self.by_rate or not self.fps or self._capture is None:
            return super().seek_time(time_s)
        if not getattr(self._capture, "in_order", True):
            return self._play_to(lambda: (self._time_ahead() or 0.0) >= time_s)
        number = self._capture.number_at(time_s)
        return number is not None and self.seek(number)

    def _go(self, index: int) -> bool:
        """Have the capture look for a frame; returns whether there is one."""
        if self._zero_s is None and self._ahead and not self.by_rate:
            self._time_ahead()  # of the first frame, from which times count
        position = self._capture.seek(index)
        if position is None:
            return False
        self.given, self.frames = position, self._capture.frames
        self.time_s = self._ahead_s = None
        self._ahead.clear()
        self._stamps = Stamps(1.0 / (self.fps or PLAYED_FPS), self._stamps.strays)
        return True

    def _play_to(self, is_there: Callable[[], bool]) -> bool:
        """Go over frames from the first one on, where only this tells the times."""
        found = self._go(0) and self._decode()
        while found and not is_there() and self._following() is not None:
            self._time_ahead()
            self._ahead.popleft()
            self._ahead_s = None
            self.given += 1
        return found

    @exclusive
    def count(self) -> int:
        """Count the frames. The next one is the first one again.

        Raises:
            BadSource: it is closed.
        """
        if self._capture is None:
            raise BadSource(f"{self.name}: is closed, so no frame is counted; open it again")
        frames: int = self._capture.count()
        self.seek(0)
        return frames

    @property
    @exclusive
    def period_s(self) -> float:
        """Return the seconds to the next frame. This decodes the next frame to read its stamp.

        A gap of more than ``LONGEST_S`` is skipped.
        """
        is_there = self._ahead or self._decode()
        stamp_s = self._time_ahead() if is_there and not self.by_rate else None
        if stamp_s is None or self.time_s is None:
            return super().period_s
        period_s = stamp_s - self.time_s
        return period_s if period_s <= LONGEST_S else 1.0 / PLAYED_FPS

    def _time_ahead(self) -> Optional[float]:
        """The time of the next frame, by its stamp and those of its neighbours.

        None if the video states no rate: FFmpeg makes the stamps up then.
        """
        if self._ahead_s is None and self.fps:
            time_s = self._stamps.time_of(self._ahead[0][1], self._following)
            if self._zero_s is None:
                self._zero_s = time_s
            self._ahead_s = time_s - self._zero_s
        return self._ahead_s

    def _following(self) -> Optional[float]:
        """The stamp of the frame after the next one, which is decoded for it, or None."""
        return self._ahead[1][1] if len(self._ahead) > 1 or self._decode() else None

    @exclusive
    def close(self) -> None:
        """Close the file or the connection."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _decode(self) -> bool:
        """Decode one more frame ahead. Returns whether there was one."""
        if self._capture is None:
            return False
        good, frame = self._capture.read()
        if not good or frame is None:
            return False
        self._ahead.append((frame, self._capture.time_s))
        return True

    def _ended_early(self) -> bool:
        """Whether frames are missing that the container states.

        Where the file is shorter than its headers state, their count of frames is exact, or there
        is none. Where nothing tells, the count may be an estimate (duration times rate), which is
        wrong for a variable rate. Then frames must be missing both by count and by time: more than
        a second, and more than a twentieth of them.
        """
        if self._capture is None:
            return False
        if self._cut_off is False:
            return False
        if self._stamps.strays:  # the length that is stated follows from them
            return bool(self._cut_off)
        if self.frames is None:
            return bool(self._cut_off or getattr(self._capture, "is_cut_off", False))
        missing = self.frames - self.given
        if self._cut_off:
            return missing > 0
        fps = self.fps or 25.0
        length_s = self.frames / fps
        missing_s = length_s - self._last_s
        return missing > max(fps, self.frames / 20.0) and missing_s > max(1.0, length_s / 20.0)


class VideoFile(RecordedVideo):
    """All frames of a video file, in order; see ``RecordedVideo``.

    MPEG programme and transport streams do not state their length: when they are cut off, they are
    shorter videos. The same holds for a fragmented MP4 that is cut between two fragments.

    Args:
        path: the file.
        log: see ``RecordedVideo``.
        planes: whether frames may be ``Picture``s (PyAV) instead of BGR arrays.
        depth: see ``RecordedVideo``.
        decoder: see ``hardware.Decoder``; None for software.
    """

    def __init__(
        self,
        path: str,
        log: Log = None,
        planes: bool = False,
        depth: Optional[int] = None,
        decoder: Optional[Decoder] = None,
    ) -> None:
        check_readable(path)
        if looks_like_text(path):
            with open(path, "rb") as file:
                if file.read(3) == b"v=0":
                    raise BadSource(
                        f"{path}: Hotpath reads no SDP files; give the address at which the RTP "
                        "that it describes arrives (udp://:PORT)"
                    )
            raise BadSource(f"{path}: is text, not a video")
        cut_off = is_cut_off(path)
        capture = _open_capture(path, planes, decoder)
        if capture is None:
            raise BadSource(f"{path}: {why_no_frame(cut_off)}", what="not a video", where=path)
        super().__init__(path, capture, log, cut_off, depth)
        if cut_off and is_in_fragments(path):
            self.frames = None  # it is a guess from the fragments that are there
        if self.fps == 25.0 and states_no_rate(path):
            self.fps = None  # it is FFmpeg's assumption


class PipedVideo(RecordedVideo):
    """All frames of a video that a pipe or standard input gives, in order; it can't seek.

    Args:
        path: the pipe, or ``-``.
        log: not called.
        planes: whether frames may be ``Picture``s.
        depth: see ``RecordedVideo``.
    """

    def __init__(
        self, path: str, log: Log = None, planes: bool = False, depth: Optional[int] = None
    ) -> None:
        name = "standard input" if path == "-" else path
        if not pyav.pyav():
            raise BadSource(
                f"{name}: reading a pipe needs the package av; run `{pip_command('av')}`"
            )
        address = "pipe:0" if path == "-" else os.path.abspath(path)
        try:
            capture = pyav.open_recording(address, planes=planes, is_pipe=True)
        except BadSource as error:
            raise BadSource(f"{name}: {error}", what="index at the end") from None
        if capture is None:
            raise BadSource(f"{name}: {why_no_frame(None)}")
        super().__init__(name, capture, log, depth=depth)

    def seek(self, index: int) -> bool:
        """Return False: a pipe has only one direction."""
        return False

    def seek_time(self, time_s: float) -> bool:
        """Return False: a pipe has only one direction."""
        return False


def _open_capture(path: str, planes: bool, decoder: Optional[Decoder]) -> Any:
    """A capture of a file, or None if it has no frame.

    It is PyAV's, else OpenCV's.
    """
    if decoder is not None and decoder.element:
        decoder.fail("decodes live streams alone")
    if pyav.pyav():
        # a path with a colon, or a relative one with a dash, would be a protocol or an option
        return pyav.open_recording(os.path.abspath(path), planes, decoder=decoder)
    return opencv.open_recording(path)


def why_no_frame(cut_off: Optional[bool]) -> str:
    """The reason in words why a recording is refused."""
    if cut_off:
        return "the file is cut off before its index; no frame can be read"
    reader = "ffmpeg" if pyav.pyav() else f"OpenCV {cv2.__version__}"
    return f"not a video that {reader} can read"
