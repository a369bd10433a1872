"""Decode and encode in hardware where there is some, and in software where not.

The board's profile lists what it may have: FFmpeg's devices (``cuda``, ``qsv``), which PyAV opens,
the decoders and encoders of V4L2 (``v4l2m2m``), and GStreamer's elements (``nvv4l2decoder``), which
OpenCV opens. The pictures are those of software: the standards leave a decoder no choice.
"""

import functools
import os
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

from hotpath.runtime import choice
from hotpath.runtime.errors import BadSource
from hotpath.video.gstreamer import ELEMENTS, has_gstreamer

AUTO, SOFTWARE = "auto", "software"
V4L2 = "v4l2m2m"
DEVICES = ("cuda", "qsv", "vaapi", "amf")  # FFmpeg's, as far as this PyAV has them
DECODERS = (*DEVICES, V4L2, *ELEMENTS)
X264 = "libx264"
ENCODERS = {"cuda": "h264_nvenc", "qsv": "h264_qsv", V4L2: "h264_v4l2m2m", "amf": "h264_amf"}
# that every such decoder has, and for which our kernels read NV12
FORMATS = ("yuv420p", "yuvj420p")
# name -> file of a computer that has it, and how the file begins
SIGNS = {
    "cuda": ("dev/nvidiactl", ""),
    "qsv": ("sys/class/drm/renderD128/device/vendor", "0x8086"),
    V4L2: ("dev/video10", ""),  # of the Raspberry Pi's driver
}

# detected once: it takes a while on a board
board_here = functools.lru_cache(maxsize=1)(choice.board_here)


def present(names: Sequence[str], root: str = "/") -> Iterator[str]:
    """Those of some decoders or encoders of which this computer shows a sign."""
    for name in names:
        path, start = SIGNS.get(name, ("", ""))
        if name in ELEMENTS:
            if has_gstreamer():
                yield name
        elif os.path.exists(os.path.join(root, path)):
            if not start:
                yield name
                continue
            with open(os.path.join(root, path)) as file:
                if file.read().startswith(start):
                    yield name


class Decoder:
    """What decodes one source. It falls back to software once, and says why.

    Args:
        asked: ``auto`` takes the first of the board's decoders of which there is a sign;
            ``software``; or one of ``DECODERS``.
        log: function that takes one line of text.
        source: name of what is decoded, for that.

    Raises:
        BadSource: no decoder has that name.

    Attributes:
        name: of the decoder in use, ``software`` after a failure.
    """

    def __init__(
        self, asked: str = AUTO, log: Optional[Callable[[str], None]] = None, source: str = ""
    ) -> None:
        if asked not in (AUTO, SOFTWARE, *DECODERS):
            names = ", ".join((AUTO, SOFTWARE, *DECODERS))
            raise BadSource(
                f"no decoder is called {asked}; take one of {names}", what="unknown decoder"
            )
        self._log, self._source = log or (lambda sentence: None), source
        self.name = asked
        if asked == AUTO:
            board = board_here()
            self.name = next(present(board.decoder if board else ()), SOFTWARE)

    @property
    def element(self) -> Optional[str]:
        """GStreamer's element, or None."""
        return self.name if self.name in ELEMENTS else None

    def fail(self, why: str) -> None:
        """Decode in software from now on."""
        self._log(f"{self._source}: {self.name} {why}; decoding in software")
        self.name = SOFTWARE

    def arguments(self) -> Dict[str, Any]:
        """Arguments of ``av.open``."""
        if self.name not in DEVICES:
            return {}
        try:
            from av.codec.hwaccel import HWAccel, hwdevices_available
        except ImportError:  # before PyAV 14
            self.fail("needs PyAV 14 or newer")
            return {}
        if self.name not in hwdevices_available():
            self.fail("is not in this PyAV's FFmpeg")
            return {}
        return {"hwaccel": HWAccel(device_type=self.name, allow_software_fallback=True)}

    def context(self, av: Any, stream: Any) -> Any:
        """PyAV's context that decodes a stream: its own one, or that of V4L2's decoder."""
        if self.name != V4L2:
            return stream.codec_context
        try:
            return context_of(av, stream, f"{stream.codec_context.codec.name}_{V4L2}")
        except (ValueError, av.FFmpegError):  # its own class for an unknown codec
            self.fail(f"decodes no {stream.codec_context.codec.name}")
            return stream.codec_context


def context_of(av: Any, stream: Any, codec: str) -> Any:
    """Another decoder for the packets of a stream."""
    context = av.CodecContext.create(codec, "r")
    own = stream.codec_context
    context.extradata = own.extradata
    if own.width and own.height:
        context.width, context.height = own.width, own.height
    return context


def encoder_for(
    av: Any, size: Tuple[int, int], rate: Any, log: Callable[[str], None], asked: str = AUTO
) -> str:
    """Return FFmpeg's name of the encoder of H.264: the board's hardware if it opens, else x264.

    Args:
        av: PyAV.
        size: width and height.
        rate: frames a second, a fraction.
        log: takes a sentence where hardware shows a sign, but does not open.
        asked: ``auto`` or ``software``.
    """
    board = board_here() if asked == AUTO else None
    for name in present(board.encoder if board else ()):
        codec = ENCODERS[name]
        try:
            context = av.CodecContext.create(codec, "w")
            context.width, context.height = size
            context.pix_fmt, context.framerate, context.time_base = "yuv420p", rate, 1 / rate
            context.open()
        except (ValueError, av.FFmpegError) as error:
            why = getattr(error, "strerror", None) or error
            log(f"{codec} can't be opened ({why}); encoding in software")
            continue
        return codec
    return X264
