"""Decode videos and streams with PyAV, which gives planes without a conversion.

``AvCapture`` has the methods of ``cv2.VideoCapture`` that the sources use, and gives the same
frames. If it can't (no PyAV, a rotated video), the sources use OpenCV.
"""

import bisect
import math
import time
from collections import deque
from typing import Any, Deque, List, NamedTuple, Optional, Tuple

import cv2
import numpy as np

from hotpath.kernels.planes import Planes
from hotpath.runtime.pictures import AnyFrame, JpegDecoders, JpegFrame, PlanarFrame
from hotpath.runtime.track.video import hardware
from hotpath.runtime.track.video.base import SAME
from hotpath.runtime.track.video.raw import row_bytes_of

# FFmpeg's name -> (kind of planes, whether the name says that Y has the full range)
FORMATS = {
    "yuv420p": ("I420", False),
    "yuvj420p": ("I420", True),
    "yuv422p": ("I422", False),
    "yuvj422p": ("I422", True),
    "yuv444p": ("I444", False),
    "yuvj444p": ("I444", True),
    "nv12": ("NV12", False),
    "yuyv422": ("YUYV", False),
    "uyvy422": ("UYVY", False),
    "gray": ("GREY", True),
    "bgr0": ("BGRx", True),
}
BT709, FULL_RANGE = 1, 2  # FFmpeg's AVCOL_SPC_BT709, AVCOL_RANGE_JPEG
BAD_PACKETS = 4096  # one after another that are skipped, as OpenCV does
SEEK_FRAMES = 16  # before the wanted frame, where a search for a key frame starts


def pyav() -> Any:
    """The module ``av`` if it is installed and loads, else None."""
    try:
        import av
    except ImportError:  # not installed, or built for another libc
        return None
    return av


def open_recording(path: str, decoder: str = hardware.SOFTWARE) -> Optional["AvCapture"]:
    """An open capture of a recording, or None if PyAV can't read it as OpenCV does."""
    av = pyav()
    if av is None:
        return None
    try:
        capture = _opened(av, path, decoder, live=False)
    except (av.FFmpegError, OSError, ValueError):
        return None
    if capture.isOpened() and not capture.rotated:
        return capture
    capture.release()
    return None


def open_stream(
    address: str, open_timeout_s: float, read_timeout_s: float, decoder: str = hardware.SOFTWARE
) -> "AvCapture":
    """A capture of a stream. It is not open if nobody answers in time."""
    av = pyav()
    options = {"rtsp_flags": "prefer_tcp"} if address.lower().startswith("rtsp") else {}
    timeouts = open_timeout_s, read_timeout_s
    try:
        return _opened(av, address, decoder, live=True, options=options, timeout=timeouts)
    except (av.FFmpegError, OSError, ValueError):
        return AvCapture(av, None, "SLICE")


def _opened(av: Any, path: str, decoder: str, live: bool, **how: Any) -> Any:
    """A capture by hardware if it is asked for and gives a frame, else by the processor."""
    # for a live source, threads that take a frame each would hold frames back
    thread_type, problems = "SLICE" if live else "AUTO", []
    for name in hardware.candidates(av, decoder):
        try:
            container, own = hardware.open_container(av, path, name, **how)
            found = AvCapture(av, container, thread_type, own)
        except hardware.ERRORS + (av.FFmpegError,) as error:
            problems.append(f"{name}: {str(error).strip() or type(error).__name__}")
            continue
        if found.isOpened():
            found.note = f"decoded by {name}"
            return found
        found.release()
        problems.append(f"{name}: decodes no frame")
    capture = AvCapture(av, av.open(path, **how), thread_type)
    if decoder != hardware.SOFTWARE:
        why = "; ".join(problems) or f"this PyAV {av.__version__} has no hardware decoder"
        capture.note = f"decoded by the processor ({why})"
    return capture


class Compressed(NamedTuple):
    """A frame that FFmpeg does not decode.

    Attributes:
        picture: decodes what is read of it.
        pts, time_base: its time, as frames of PyAV have it.
    """

    picture: JpegFrame
    pts: Optional[int]
    time_base: Any


class AvCapture:
    """The first video stream of a container, frame by frame.

    For Motion JPEG over HTTP, only windows that are read are decoded (see ``JpegFrame``).

    Args:
        av: PyAV.
        container: open for reading, or None.
        thread_type: PyAV's, for the decoder.
        decoder: name of a decoder of FFmpeg; None for the usual one of the codec.

    Attributes:
        note: a sentence about the decoder for the user, or "".
        rotated: whether the video asks to be turned when it is shown.
        decode_ms: how long the last call of the decoder took.
        errors: packets that could not be decoded, and frames that are damaged.
    """

    def __init__(
        self, av: Any, container: Any, thread_type: str, decoder: Optional[str] = None
    ) -> None:
        self._container: Any = container
        self._stream: Any = None
        self._context: Any = None  # of the decoder
        self.note = ""
        self._errors = (av.FFmpegError, OSError, ValueError)
        self._decoded: Deque[Any] = deque()
        self._ended = False
        self._jpegs: Optional[JpegDecoders] = None
        self._time_s = 0.0  # of the last frame
        self._at = 0  # index of the next frame, after a search
        self._known_s: List[float] = []
        self.rotated = False
        self.decode_ms, self.errors = 0.0, 0
        videos = container.streams.video if container is not None else ()
        if not videos:
            return
        self._stream = videos[0]
        self._stream.thread_type = thread_type
        self._context = self._stream.codec_context
        if decoder is not None:
            self._context = av.CodecContext.create(decoder, "r")
            self._context.extradata = self._stream.codec_context.extradata
        self._packets = container.demux(self._stream)
        first = self._next()
        if first is None:
            self._stream = None
            return
        sides = getattr(self._stream, "side_data", None) or {}  # before frames had a rotation
        self.rotated = bool(getattr(first, "rotation", 0) or sides.get("DISPLAYMATRIX", 0))
        if container.format.name == "mpjpeg" and decoder is None:  # every packet is a JPEG
            self._jpegs = JpegDecoders()
        self._decoded.appendleft(first)

    def isOpened(self) -> bool:
        """Whether the first frame of a video was decoded."""
        return self._stream is not None

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) if there is none."""
        frame = self._next() if self._stream is not None else None
        if frame is None:
            return False, None
        self._time_s = self._seconds(frame)
        self.errors += getattr(frame, "is_corrupt", False)
        return True, _frame(frame)

    def get(self, what: int) -> float:
        """Frame rate, number of frames, milliseconds of the last frame, index of the next; else 0.

        The index is known only after ``set``.
        """
        if self._stream is None:
            return 0.0
        if what == cv2.CAP_PROP_FPS:
            return self._fps()
        if what == cv2.CAP_PROP_FRAME_COUNT:
            return float(self._stream.frames or math.floor(self._length_s() * self._fps() + 0.5))
        if what == cv2.CAP_PROP_POS_FRAMES:
            return float(self._at)
        return self._time_s * 1e3 if what == cv2.CAP_PROP_POS_MSEC else 0.0

    def set(self, what: int, value: float) -> bool:
        """Make a frame the next one.

        Args:
            what: ``CAP_PROP_POS_FRAMES`` for the frame of an index, ``CAP_PROP_POS_MSEC`` for the
                first one from a time on.
        """
        if self._stream is None or self._fps() <= 0:
            return False
        errors, back = self.errors, SEEK_FRAMES
        try:
            times, near_s = self._times(), 0.25 / self._fps()
            if what == cv2.CAP_PROP_POS_MSEC:
                value = bisect.bisect_left(times, value / 1e3 - SAME * near_s)
            index = min(int(value), len(times) - 1)
            while True:
                start = max(0, index - back)
                self._seek(times[start])
                frame = self._next()
                while frame is not None and self._seconds(frame) < times[index] - near_s:
                    frame = self._next()
                if frame is not None and self._seconds(frame) <= times[index] + near_s:
                    break
                if start == 0:
                    return False
                back *= 2  # the key frame that was found lies behind
        except self._errors + (IndexError,):
            return False
        self._decoded.appendleft(frame)
        self._at, self.errors = index, errors
        return True

    def _times(self) -> List[float]:
        """Times of all frames: by an even rate that the file states, else by all its packets."""
        stream, fps = self._stream, self._fps()
        if not self._known_s and stream.frames and stream.average_rate == stream.guessed_rate:
            self._known_s = [n / fps for n in range(stream.frames)]
        if not self._known_s:
            self._seek(0.0)
            packets = [p for p in self._packets if not getattr(p, "is_discard", False)]
            self._known_s = sorted(self._seconds(p) for p in packets if p.pts is not None)
        return self._known_s

    def release(self) -> None:
        """Close the file or the connection."""
        self._decoded.clear()
        self._stream = None
        if self._container is not None:
            self._container.close()
            self._container = None

    def _next(self) -> Any:
        """The next decoded frame, or None at the end. Packets that can't be decoded are skipped."""
        bad = 0
        while not self._decoded and not self._ended and bad < BAD_PACKETS:
            try:
                packet = next(self._packets)
            except StopIteration:
                break
            except self._errors:  # the file or the connection broke: what the decoder still holds
                packet, self._ended = None, True
            started = time.perf_counter()
            try:
                if self._jpegs and packet is not None:
                    picture = JpegFrame(np.frombuffer(packet, np.uint8), self._jpegs)
                    self._decoded.append(Compressed(picture, packet.pts, packet.time_base))
                else:
                    self._decoded.extend(self._context.decode(packet))
                self.decode_ms = (time.perf_counter() - started) * 1e3
                bad = 0
            except EOFError:
                self._ended = True
            except self._errors:
                bad += 1
                self.errors += 1
        return self._decoded.popleft() if self._decoded else None

    def _seek(self, seconds: float) -> None:
        """Go to the key frame at or before a time."""
        base = self._stream.time_base
        offset = int(seconds / base) + (self._stream.start_time or 0)
        self._decoded.clear()
        try:  # packets of the first frames have earlier times than they
            self._container.seek(offset - int(seconds <= 0 and 1 / base), stream=self._stream)
        except self._errors:  # AVI has nothing there
            self._container.seek(offset, stream=self._stream)
        self._context.flush_buffers()
        self._packets, self._ended = self._container.demux(self._stream), False

    def _seconds(self, frame: Any) -> float:
        """Time of a frame since the start of the stream."""
        if frame.pts is None:
            return self._time_s
        base = frame.time_base or self._stream.time_base
        return float((frame.pts - (self._stream.start_time or 0)) * base)

    def _fps(self) -> float:
        rate = self._stream.guessed_rate or self._stream.average_rate
        return float(rate) if rate else 0.0

    def _length_s(self) -> float:
        if self._container.duration and self._container.duration > 0:
            return float(self._container.duration) / 1e6
        return float((self._stream.duration or 0) * self._stream.time_base)


def _frame(decoded: Any) -> AnyFrame:
    """PyAV's frame: its planes if the kernels can read them, else BGR."""
    if isinstance(decoded, Compressed):
        return decoded.picture
    kind, full = FORMATS.get(decoded.format.name, (None, False))
    if kind is None:
        converted: np.ndarray = decoded.to_ndarray(format="bgr24")
        return converted
    width, height = decoded.width, decoded.height
    planes = []
    for plane, used in zip(decoded.planes, row_bytes_of(kind, width)):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        planes.append(rows[: plane.height, :used])
    if kind == "BGRx":
        planes = [planes[0].reshape(height, width, 4)]
    matrix = "709" if decoded.colorspace == BT709 else "601"
    full = full or decoded.color_range == FULL_RANGE
    return PlanarFrame(Planes(kind, planes, width, height, matrix, full))
