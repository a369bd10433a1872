"""Save pictures as H.264 that plays up to its last second, however the program ends.

PyAV (the package ``av``) writes whole pieces while the program runs: an ``.mp4`` in fragments of a
quarter of a second. OpenCV's ``VideoWriter`` is not used: killed, it leaves an ``.mp4`` without
index that nothing plays. An old file of the same name stays until the first frame of the new one is
encoded.
"""

import contextlib
import errno
import os
import queue
import stat
import sys
import threading
import time
from fractions import Fraction
from typing import Any, Callable, Optional, Tuple

import cv2
import numpy as np

from hotpath.kernels.commands import needs, why_unloaded
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.track.video.base import to_bgr
from hotpath.runtime.track.video.containers import mp4_boxes
from hotpath.runtime.track.video.output_file import NewFile, check_ending, check_folder

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".avi": "avi"}  # FFmpeg's names
KINDS = tuple(FORMATS)
DEFAULT_FPS = 30.0
DEFAULT_CRF = 20
CLOCK_HZ = 90000  # of the time stamps
WAITING_FRAMES = 8  # between the loop and the encoder; 50 MB at 1920x1080


class Video:
    """Writes frames. The first frame decides the video's size.

    Args:
        path: ``.mp4``, ``.mkv`` or ``.avi``. An existing file is replaced with the first frame.
        fps: frames a second, or None if the source does not state it (then 30).
        crf: H.264's constant rate factor, 0 (the best) to 51.
        width: width of the video, pixels; None for the first frame's.
        aspect: width of a pixel, divided by its height. Players show the video so.

    Raises:
        BadOutput: no PyAV, another ending, no such folder, a pipe, no permission, or a file that
            another run is writing.

    Attributes:
        frames: how many were written.
    """

    def __init__(
        self,
        path: Any,
        fps: Optional[float] = None,
        crf: int = DEFAULT_CRF,
        width: Optional[int] = None,
        aspect: float = 1.0,
    ) -> None:
        self.name = os.fspath(path)
        self.frames = 0
        check_ending(self.name, KINDS)
        check_folder(self.name)
        if os.path.exists(self.name) and stat.S_ISFIFO(os.stat(self.name).st_mode):
            raise BadOutput(f"{self.name}: is a pipe; give the video a file name")
        self._av, self._fps = load_pyav(self.name), float(fps or DEFAULT_FPS)
        self._crf, self._width = crf, width
        self._aspect = Fraction(aspect).limit_denominator(1000)
        self._size = (0, 0)  # (width, height) of the video
        self._zero_s: Optional[float] = None  # time of the first frame
        self._container: Any = None
        self._stream: Any = None  # of the encoder
        self._tick, self._is_open = -1, False  # the encoder opens with the first frame
        self._refusal: Optional[str] = None  # why no more frames can be written
        self._errors = (OSError, ValueError, self._av.FFmpegError)
        self._file = NewFile(self.name)

    def write(self, frame: np.ndarray, time_s: Optional[float] = None) -> None:
        """Append one frame.

        Args:
            frame: BGR ``uint8`` (H, W, 3). A frame of another size than the first is scaled to
                fit, with black beside it.
            time_s: its time in the source, seconds. None: one frame time after the last frame. A
                frame that is out of order follows its predecessor at once.

        Raises:
            BadOutput: the disk is full or the encoder fails. The video is then closed; what is on
                the disk plays.
        """
        if self._refusal:
            raise BadOutput(self._refusal)
        frame = to_bgr(frame)
        try:
            if self._container is None:
                self._start(frame)
            seconds = self.frames / self._fps if time_s is None else time_s
            self._zero_s = seconds if self._zero_s is None else self._zero_s
            self._encode(letterbox(frame, self._size), seconds - self._zero_s)
            self._file.keep()
        except BadOutput:  # there is no encoder
            self.close()
            raise
        except self._errors as error:
            self._fail(error)
        self.frames += 1

    def close(self) -> None:
        """Finish the file; may be called twice."""
        self._refusal = self._refusal or f"{self.name}: is closed"
        try:
            self._finish()
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
        """Open container and encoder for the first frame's size; H.264 needs even numbers."""
        height, width = frame.shape[:2]
        if self._width:
            width, height = self._width, max(1, round(self._width * height / width))
        self._size = (width + width % 2, height + height % 2)
        kind = os.path.splitext(self.name)[1].lower()
        options = {"flush_packets": "1"}
        if kind == ".mp4":
            options["movflags"] = "frag_keyframe+empty_moov+default_base_moof"
            options["frag_duration"] = "250000"  # microseconds
        elif kind == ".mkv":
            options["cluster_time_limit"] = "250"  # milliseconds
        form, path = FORMATS[kind], self._file.path
        rate = Fraction(self._fps).limit_denominator(1001)
        self._container = self._av.open(path, "w", format=form, options=options)
        try:
            self._stream = self._container.add_stream("libx264", rate=rate)
        except Exception as error:  # PyAV has its own class for an unknown codec in each version
            raise BadOutput(f"--save: this PyAV has no H.264 encoder ({error})") from None
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        if self._aspect != 1:
            self._stream.codec_context.sample_aspect_ratio = self._aspect
        # a key frame a second lets players seek; zerolatency keeps no frame in the encoder
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": str(self._crf)}
        self._stream.options = dict(options, g=str(max(1, int(round(self._fps)))))
        # AVI has no time stamps: its frames lie on the grid of the rate, which may have gaps
        self._time_base = 1 / rate if kind == ".avi" else Fraction(1, CLOCK_HZ)
        self._stream.codec_context.time_base = self._time_base

    def _encode(self, frame: np.ndarray, seconds: float) -> None:
        """Encode one frame of the video's size, displayed at that time."""
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")
        self._tick = max(self._tick + 1, int(round(seconds / self._time_base)))
        picture.pts, picture.time_base = self._tick, self._time_base
        packets = self._stream.encode(picture)
        self._is_open = True
        for packet in packets:
            self._container.mux(packet)

    def _finish(self) -> None:
        """Write what the encoder still holds, and close the container."""
        container, self._container = self._container, None
        if container is None:
            return
        try:
            # PyAV 19 ends the process when an encoder that could not be opened is flushed
            for packet in self._stream.encode() if self._is_open else ():
                container.mux(packet)
        finally:
            container.close()

    def _fail(self, error: Exception) -> None:
        """After a write that failed: close, leave a file that plays, raise ``BadOutput``."""
        with contextlib.suppress(*self._errors):  # the same trouble again
            self._finish()
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
    with contextlib.suppress(OSError):  # the disk is gone or read-only now: what is there stays
        os.truncate(path, whole)
    return fragments > 0


def letterbox(frame: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Scale ``frame`` to fit into ``size`` (width, height), centred, with black beside it.

    A frame that only lacks one row or column (an odd size made even) is not scaled: its edge is
    repeated.
    """
    width, height = size
    h, w = frame.shape[:2]
    if (w, h) == (width, height):
        return frame
    border, left, top = cv2.BORDER_REPLICATE, 0, 0
    if not (0 <= width - w <= 1 and 0 <= height - h <= 1):
        scale = min(width / float(w), height / float(h))
        w, h = max(1, int(round(w * scale))), max(1, int(round(h * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        frame = cv2.resize(frame, (w, h), interpolation=way)
        border, left, top = cv2.BORDER_CONSTANT, (width - w) // 2, (height - h) // 2
    sides = top, height - h - top, left, width - w - left
    fitted: np.ndarray = cv2.copyMakeBorder(frame, *sides, borderType=border)
    return fitted


def load_pyav(name: str) -> Any:
    """The module ``av``; raises ``BadOutput`` if it is not installed or does not load."""
    try:
        import av
    except ImportError as error:  # not installed, or built for another libc
        if sys.version_info < (3, 8):
            raise BadOutput(
                f"{name}: saving a video needs the package av{why_unloaded(error, 'av')}; there is "
                "none for this Python; use --results, or --record FILE.mkv"
            ) from None
        raise BadOutput(needs(f"{name}: saving a video", "av", error)) from None
    return av


class BackgroundVideo:
    """Hands frames to a ``Video`` in another thread.

    Args:
        video: what encodes and writes.
        may_drop: drop a frame where the encoder is late. Live sources do so; for a recording the
            loop waits instead, and every frame is saved.
        timed: function that is called with the milliseconds of each frame's encoding.

    Attributes:
        dropped: how many frames were dropped.
    """

    def __init__(self, video: Video, may_drop: bool, timed: Callable[[float], None]) -> None:
        self.dropped = 0
        self._video, self._may_drop, self._timed = video, may_drop, timed
        self._queue: queue.Queue[Any] = queue.Queue(WAITING_FRAMES)
        self._error: Optional[BaseException] = None
        self._thread: Optional[threading.Thread] = threading.Thread(
            target=self._run, name="encoder", daemon=True
        )
        self._thread.start()

    def write(self, frame: np.ndarray, time_s: Optional[float] = None) -> None:
        """Append one frame, which must not be changed afterwards; see ``Video.write``.

        Raises:
            BadOutput: the encoder failed, at this frame or an earlier one.
        """
        self.check()
        if self._may_drop:
            try:
                self._queue.put_nowait((frame, time_s))
            except queue.Full:
                self.dropped += 1
        else:
            self._queue.put((frame, time_s))

    def close(self) -> None:
        """Encode what waits, and finish the file; may be called twice."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
            self._video.close()
            self.check()

    def check(self) -> None:
        """Raise ``BadOutput`` if the encoder failed."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        """The thread: encode until None comes; after an error take frames and drop them."""
        while True:
            item = self._queue.get()
            if item is None:
                return
            if self._error is not None:
                continue
            started = time.perf_counter()
            try:
                self._video.write(*item)
            except BaseException as error:  # raised in the loop's thread
                self._error = error
            self._timed((time.perf_counter() - started) * 1e3)
