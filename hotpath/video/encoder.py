"""Encode pictures as H.264 by PyAV, into a file or to an address: for ``--save`` and ``--stream``.

Which container, and what happens after an error, is decided by the caller.
"""

import sys
from fractions import Fraction
from types import ModuleType
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np

from hotpath.base.messages import missing_package_text, why_unloaded
from hotpath.kernels import cpu
from hotpath.kernels.planes import Planes
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.frames.pictures import AnyFrame, Picture
from hotpath.runtime.types import Track
from hotpath.video import drawing, hardware
from hotpath.video.pyav_frames import planes_of

DEFAULT_FPS = 30.0
CLOCK_HZ = 90000  # of the time stamps
BT601 = "601", False
COLOURS = {  # of planes: matrix, full range -> FFmpeg's options; nothing is what players assume
    BT601: {},
    ("601", True): {"color_range": "pc"},
    ("709", False): {"colorspace": "bt709"},
    ("709", True): {"colorspace": "bt709", "color_range": "pc"},
}
AT_ONCE = {  # options by which an encoder holds no frame back
    "h264_nvenc": {"delay": "0", "zerolatency": "1"},
    "h264_qsv": {"async_depth": "1"},
}
BITS_A_PIXEL = 0.1  # of hardware, whose constant quality has another scale in each
MOST_TICKS = 1 << 30  # between two frames, 3 hours: containers keep 31 bits of a duration


class EncoderSettings(NamedTuple):
    """How an ``Encoder`` encodes.

    Attributes:
        form: FFmpeg's name of the container.
        fps: frames a second.
        container: FFmpeg's options of the container.
        codec: FFmpeg's options of libx264. Hardware takes the rate from them, if they state one.
        aspect: width of a pixel, divided by its height.
        threads: of libx264; None for its own choice.
        encoder: ``auto`` takes the board's hardware where there is some; ``software``.
    """

    form: str
    fps: float
    container: Dict[str, str]
    codec: Dict[str, str]
    aspect: Fraction = Fraction(1)
    threads: Optional[int] = None
    encoder: str = hardware.AUTO


class Canvas(NamedTuple):
    """A picture in the memory from which it is encoded, so that drawing on it needs no conversion.

    Attributes:
        picture: PyAV's frame.
        planes: its ``Planes``, of the kind I420.
    """

    picture: Any
    planes: Planes

    @property
    def shape(self) -> Tuple[int, int, int]:
        """(height, width, 3)."""
        return self.planes.shape


def drawn_canvas(
    frame: AnyFrame, tracks: Mapping[int, Track], info: Dict[str, Any]
) -> Optional[Canvas]:
    """Draw as ``drawing.draw``, into a ``Canvas``; None: only ``draw`` can draw on this frame."""
    planes = frame.pixels() if isinstance(frame, Picture) else None
    if not isinstance(planes, Planes) or planes.kind not in ("I420", "NV12"):
        return None
    if planes.width % 2 or planes.height % 2:
        return None
    canvas = _blank(planes.width, planes.height, planes.matrix, planes.full_range)
    drawing.draw_in_planes(planes, tracks, info, canvas.planes)
    return canvas


class Encoder:
    """Encodes frames. All have the size and the colours of the first one.

    Args:
        target: path, or an object with ``write``.
        settings: see there.
        first: the first frame. H.264 needs even numbers, so the size is rounded up.
        log: takes a sentence where hardware can't be used.

    Raises:
        BadOutput: this PyAV has no encoder of H.264.
        OSError: the file can't be written. So raise the methods.
    """

    def __init__(
        self,
        target: Any,
        settings: EncoderSettings,
        first: Union[np.ndarray, Canvas],
        log: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        import av

        height, width = first.shape[:2]
        self._colours = _colours_of(first)
        self._size = (width + width % 2, height + height % 2)
        self._av = av
        self._tick = -1
        self._cut_ticks = 0  # of pauses that no container keeps
        self._is_open = False  # the encoder opens with the first frame
        self._rate = rate = Fraction(settings.fps).limit_denominator(1001)
        name = hardware.encoder_for(av, self._size, rate, log, settings.encoder)
        self._container: Any = av.open(
            target, "w", format=settings.form, options=dict(settings.container)
        )
        try:
            self._stream: Any = self._container.add_stream(name, rate=rate)
        except Exception as error:  # PyAV has its own class for an unknown codec in each version
            self.close()
            raise BadOutput(f"this PyAV has no H.264 encoder ({error})") from None
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        if settings.aspect != 1:
            context.sample_aspect_ratio = settings.aspect
        if settings.threads:
            context.thread_count = settings.threads
        # a key frame a second lets players seek; zerolatency keeps no frame in the encoder
        key_frames = str(max(1, int(round(settings.fps))))
        colours = COLOURS[self._colours]
        own = dict(settings.codec, tune="zerolatency")
        if name != hardware.X264:
            own = _for_hardware(name, settings, self._size)
        self._stream.options = dict(own, g=key_frames, **colours)
        self._time_base = Fraction(1, CLOCK_HZ)
        context.time_base = self._time_base

    def write(self, frame: Union[np.ndarray, Canvas], seconds: float) -> None:
        """Encode one BGR frame, displayed at that time. A frame of another size is fitted.

        A pause of more than ``MOST_TICKS`` is cut to one frame.
        """
        picture = self._picture_of(frame)
        tick = int(round(seconds / self._time_base)) - self._cut_ticks
        if tick - self._tick > MOST_TICKS:
            due = self._tick + max(1, int(round(1 / (self._rate * self._time_base))))
            self._cut_ticks += tick - due
            tick = due
        self._tick = max(self._tick + 1, tick)
        picture.pts, picture.time_base = self._tick, self._time_base
        packets = self._stream.encode(picture)
        self._is_open = True
        for packet in packets:
            self._container.mux(packet)

    def _picture_of(self, frame: Union[np.ndarray, Canvas]) -> Any:
        """PyAV's frame, of the size and the colours with which the video began."""
        if isinstance(frame, Canvas):
            planes = frame.planes
            is_alike = _colours_of(frame) == self._colours
            if is_alike and (planes.width, planes.height) == self._size:
                return frame.picture
            frame = cpu.load().to_bgr(planes)
        fitted = np.ascontiguousarray(letterbox(frame, self._size))
        if self._colours == BT601:  # as FFmpeg converts
            return self._av.VideoFrame.from_ndarray(fitted, format="bgr24")
        canvas = _blank(*self._size, *self._colours)
        drawing.paste(canvas.planes, fitted, 0, 0)
        return canvas.picture

    def close(self) -> None:
        """Write what libx264 still holds, and close the container; may be called twice."""
        container, self._container = self._container, None
        if container is None:
            return
        try:
            # PyAV 19 ends the process when an encoder that could not be opened is flushed
            for packet in self._stream.encode() if self._is_open else ():
                container.mux(packet)
        finally:
            container.close()


def _for_hardware(name: str, settings: EncoderSettings, size: Tuple[int, int]) -> Dict[str, str]:
    """Options of hardware: no frame is held back, and the stated rate or one by the size."""
    names = ("b", "maxrate", "bufsize")
    rates = {key: value for key, value in settings.codec.items() if key in names}
    by_size = str(int(BITS_A_PIXEL * size[0] * size[1] * settings.fps))
    return dict(rates or {"b": by_size}, bf="0", **AT_ONCE.get(name, {}))


def _blank(width: int, height: int, matrix: str, full_range: bool) -> Canvas:
    import av

    picture = av.VideoFrame(width, height, "yuv420p")
    parts = planes_of(picture, "I420")
    return Canvas(picture, Planes("I420", parts, width, height, matrix, full_range))


def _colours_of(frame: Union[np.ndarray, Canvas]) -> Tuple[str, bool]:
    return (frame.planes.matrix, frame.planes.full_range) if isinstance(frame, Canvas) else BT601


def load_pyav(name: str) -> ModuleType:
    """Return the module ``av``; raise ``BadOutput`` if it is not installed or does not load."""
    try:
        import av
    except ImportError as error:  # not installed, or built for another libc
        if sys.version_info < (3, 8):
            raise BadOutput(
                f"{name}: encoding a video needs the package av{why_unloaded(error, 'av')}; there "
                "is none for this Python; use --results, or GStreamer's element hotpathtrack",
                what="missing package",
            ) from None
        raise BadOutput(
            missing_package_text(f"{name}: encoding a video", "av", error), what="missing package"
        ) from None
    return av


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
