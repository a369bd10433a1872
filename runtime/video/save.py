"""Save pictures as a video that plays up to its last second, however the program ends.

There are two writers. Both put whole pieces on the disk while they run:

- PyAV (the package ``av``), where it is installed: H.264 by libx264 in ``.mkv``, ``.avi`` or
  ``.mp4`` (in fragments of a quarter of a second).
- without it: Motion JPEG in a fragmented ``.mp4`` (``jpeg_mp4.py``), one fragment a frame. It is
  larger, and plays in VLC, ffplay, mpv and OpenCV but not in browsers.

An old file of the same name stays until the first frame of the new one is encoded.

OpenCV's own ``VideoWriter`` is not used: killed, it leaves an ``.mp4`` without index that nothing
plays, and an ``.mkv`` or ``.avi`` that lacks up to its last seconds.
"""

import errno
import os
import stat
from fractions import Fraction
from typing import Any, Optional, Tuple

import cv2
import numpy as np

from runtime.errors import BadOutput
from runtime.video.base import to_bgr
from runtime.video.containers import mp4_boxes
from runtime.video.jpeg_mp4 import JpegMp4
from runtime.video.output_file import NewFile, check_folder

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".avi": "avi"}  # FFmpeg's names
KINDS = tuple(FORMATS)
DEFAULT_FPS = 30.0
CLOCK_HZ = 90000  # of the time stamps


def open_video(path: Any, fps: Optional[float] = None, h264: Optional[bool] = None) -> "Video":
    """Open a video file for frames; the first frame decides its size.

    Args:
        path: ``.mp4``, ``.mkv`` or ``.avi``. An existing file is replaced with the first frame.
        fps: frames a second, or None where the source does not state it (then 30).
        h264: None for H.264 where PyAV is installed; False for Motion JPEG in any case (``.mp4``
            only; a third of the computing time, ten times the size).

    Raises:
        BadOutput: no encoder for the ending, no such folder, a pipe, no permission, or a file that
            another run is writing.
    """
    path = os.fspath(path)
    kind = os.path.splitext(path)[1].lower()
    if kind not in KINDS:
        raise BadOutput(
            "{}: there is no encoder for {}; name the video {}".format(
                path, repr(kind) if kind else "a file without ending", ", ".join(KINDS)
            )
        )
    check_folder(path)
    if os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode):
        raise BadOutput(f"{path}: is a pipe; give the video a file name")
    av = None if h264 is False else _pyav()
    if av is None and kind != ".mp4":
        raise BadOutput(
            f"{path}: H.264 in {kind} needs the package av (pip install av); without it, name the "
            "video "
            ".mp4"
        )
    return Video(path, fps or DEFAULT_FPS, av)


class Video:
    """Writes frames; made by ``open_video``.

    Attributes:
        frames: how many were written.
        codec: "H.264" or "Motion JPEG".
    """

    def __init__(self, path: str, fps: float, av: Any) -> None:
        self.name = path
        self.frames = 0
        self.codec = "H.264" if av else "Motion JPEG"
        self._fps, self._av = float(fps), av
        self._size = (0, 0)  # (width, height) of the video
        self._writer: Any = None
        self._refusal: Optional[str] = None  # why no more frames can be written
        self._last_tick = -1
        self._errors = (OSError, ValueError) + ((av.FFmpegError,) if av else ())
        self._file = NewFile(path)

    def write(self, frame: np.ndarray, time_s: Optional[float] = None) -> None:
        """Append one frame.

        Args:
            frame: BGR ``uint8`` (H, W, 3). A frame of another size than the first is scaled to
                fit, with black beside it.
            time_s: when it is displayed, seconds since the first frame. None: one frame time after
                the last frame. A frame that is out of order follows its predecessor at once.

        Raises:
            BadOutput: the disk is full or the encoder fails. The video is then closed; what is on
                the disk plays.
        """
        if self._refusal:
            raise BadOutput(self._refusal)
        frame = to_bgr(frame)
        try:
            if self._writer is None:
                self._start(frame)
            seconds = self.frames / self._fps if time_s is None else time_s
            self._last_tick = max(self._last_tick + 1, int(round(seconds * CLOCK_HZ)))
            self._writer.write(letterbox(frame, self._size), self._last_tick)
            self._file.keep()
        except BadOutput:  # there is no encoder
            self._file.close()
            raise
        except self._errors as error:
            self._fail(error)
        self.frames += 1

    def close(self) -> None:
        """Finish the file; may be called twice."""
        self._refusal = self._refusal or f"{self.name}: is closed"
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
        except self._errors as error:
            self._fail(error)
        finally:
            self._file.close()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            self.close()
        except BadOutput:
            if kind is None:  # else the first error is the one to report
                raise

    def _start(self, frame: np.ndarray) -> None:
        """Make the writer for the first frame's size; H.264 needs even numbers."""
        height, width = frame.shape[:2]
        self._size = (width + width % 2, height + height % 2) if self._av else (width, height)
        path = self._file.path
        if self._av:
            kind = os.path.splitext(self.name)[1].lower()
            self._writer = _PyAvWriter(self._av, path, kind, self._fps, self._size)
        else:
            self._writer = JpegMp4(path, self._fps, self._size, CLOCK_HZ)

    def _fail(self, error: Exception) -> None:
        """After a write that failed: close, leave a file that plays, raise ``BadOutput``."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except self._errors:  # the same trouble again
                pass
        kept = "what was written before is kept"
        if self.name.lower().endswith(".mp4"):
            plays = keep_whole_fragments(self._file.path)
            kept = "what was written before plays" if plays else "no frame of it was written"
        self._file.close()
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            what = "the disk is full"
        else:
            what = "can't be written ({})".format(getattr(error, "strerror", None) or error)
        self._refusal = f"{self.name}: {what}; {kept}"
        raise BadOutput(self._refusal) from None


def keep_whole_fragments(path: str) -> bool:
    """Cut an MP4 back to its last whole fragment, because some players stop at a partial one.

    Returns:
        whether a fragment (``moof`` with its ``mdat``) is left; a device is not touched.
    """
    if not os.path.isfile(path):
        return False
    size, before, whole, fragments = os.path.getsize(path), None, 0, 0
    for kind, _, end in mp4_boxes(path):
        if end > size:
            break
        fragments += before == b"moof" and kind == b"mdat"
        if kind != b"moof":
            whole = end
        before = kind
    try:
        os.truncate(path, whole)
    except OSError:  # the disk is gone or read-only now: what is there stays
        pass
    return fragments > 0


class _PyAvWriter:
    """H.264 through PyAV."""

    def __init__(self, av: Any, path: str, kind: str, fps: float, size: Tuple[int, int]) -> None:
        self._av = av
        options = {"flush_packets": "1"}
        if kind == ".mp4":
            options["movflags"] = "frag_keyframe+empty_moov+default_base_moof"
            options["frag_duration"] = "250000"  # microseconds
        elif kind == ".mkv":
            options["cluster_time_limit"] = "250"  # milliseconds
        rate = Fraction(fps).limit_denominator(1001)
        self._container = av.open(path, "w", format=FORMATS[kind], options=options)
        try:
            self._stream = self._container.add_stream("libx264", rate=rate)
        except Exception as error:  # PyAV has its own class for an unknown codec in each version
            self._container.close()
            raise BadOutput(f"--save: this PyAV has no H.264 encoder ({error})") from None
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        # a key frame a second lets players seek; zerolatency keeps no frame in the encoder
        gop = str(max(1, int(round(fps))))
        self._stream.options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "crf": "20",
            "g": gop,
        }
        # AVI has no time stamps, only a frame rate
        self._counted = kind == ".avi"
        self._time_base = 1 / rate if self._counted else Fraction(1, CLOCK_HZ)
        if not self._counted:
            self._stream.codec_context.time_base = self._time_base
        self._written = 0
        self._is_open = False  # the encoder opens with the first frame

    def write(self, frame: np.ndarray, tick: int) -> None:
        """Encode one frame of the video's size at ``tick`` of the 90 kHz clock."""
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")
        picture.pts = self._written if self._counted else tick
        picture.time_base = self._time_base
        self._written += 1
        packets = self._stream.encode(picture)
        self._is_open = True
        for packet in packets:
            self._container.mux(packet)

    def close(self) -> None:
        """Write what the encoder still holds, and close."""
        try:
            # PyAV 19 ends the process when an encoder that could not be opened is flushed
            for packet in self._stream.encode() if self._is_open else ():
                self._container.mux(packet)
        finally:
            self._container.close()


def letterbox(frame: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Scale ``frame`` to fit into ``size`` (width, height), centred, with black beside it.

    A frame that only lacks one row or column (an odd size made even) is not scaled: its edge is
    repeated.
    """
    width, height = size
    h, w = frame.shape[:2]
    if (w, h) == (width, height):
        return frame
    if 0 <= width - w <= 1 and 0 <= height - h <= 1:
        evened: np.ndarray = cv2.copyMakeBorder(
            frame, 0, height - h, 0, width - w, cv2.BORDER_REPLICATE
        )
        return evened
    scale = min(width / float(w), height / float(h))
    w, h = max(1, int(round(w * scale))), max(1, int(round(h * scale)))
    small = cv2.resize(
        frame, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    left, top = (width - w) // 2, (height - h) // 2
    fitted: np.ndarray = cv2.copyMakeBorder(
        small, top, height - h - top, left, width - w - left, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
    return fitted


def _pyav() -> Any:
    """The module ``av`` where it is installed and loads, else None."""
    try:
        import av
    except ImportError:  # not installed, or built for another libc
        return None
    return av
