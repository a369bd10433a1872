"""Open recordings and streams with PyAV, if it is installed; a decoder in hardware if wanted."""

import math
import time
from functools import partial
from types import ModuleType
from typing import Any, Optional

from hotpath.runtime.errors import BadSource
from hotpath.video import hardware
from hotpath.video.pyav_capture import EACH_FRAME, ONE_FRAME, AvCapture

INDEX_AT_END = (
    "an MP4 or MOV file whose index is at its end can't be read from a pipe; name the file, or "
    "write it anew with `ffmpeg -i FILE -c copy -movflags +faststart NEW.mp4`"
)


def pyav() -> Any:
    """The module ``av`` if it is installed and loads, else None."""
    try:
        import av
    except ImportError:  # not installed, or built for another libc
        return None
    return av


def open_recording(
    path: str, decoder: str = hardware.SOFTWARE, planes: bool = True, is_pipe: bool = False
) -> Optional[AvCapture]:
    """An open capture of a recording, or None if FFmpeg finds no frame in it.

    Args:
        path: the file.
        decoder: one of ``hardware.DECODERS``.
        planes: whether frames may be ``Picture``s.
        is_pipe: whether it can be read only once.

    Raises:
        BadSource: a pipe gives an MP4 file whose index follows the pictures.
    """
    av = pyav()
    level = av.logging.get_level()
    try:
        if is_pipe:
            av.logging.set_level(av.logging.ERROR)
        with av.logging.Capture() as said:
            capture = _opened(av, path, decoder, is_pipe, planes)
    except (av.FFmpegError, OSError, ValueError):
        return None
    finally:
        av.logging.set_level(level)
    if capture.isOpened():
        return capture
    capture.release()
    if is_pipe and any("mov,mp4" in form and "partial file" in text for _, form, text in said):
        raise BadSource(INDEX_AT_END)
    return None


def open_stream(
    address: str,
    open_timeout_s: float,
    read_timeout_s: float,
    patience_s: float,
    decoder: str = hardware.SOFTWARE,
    planes: bool = True,
    keeps_clock: bool = False,
) -> AvCapture:
    """A capture of a stream. It is not open if nobody answers in time, or no picture comes."""
    av = pyav()
    options = {"rtsp_flags": "prefer_tcp"} if address.lower().startswith("rtsp") else {}
    timeouts = open_timeout_s, read_timeout_s
    try:
        return _opened(
            av,
            address,
            decoder,
            True,
            planes,
            patience_s,
            keeps_clock,
            options=options,
            timeout=timeouts,
        )
    except (av.FFmpegError, OSError, ValueError):
        return AvCapture(av, None, ONE_FRAME)


def _opened(
    av: ModuleType,
    path: str,
    decoder: str,
    once: bool,
    planes: bool,
    patience_s: float = math.inf,
    keeps_clock: bool = False,
    **how: Any,
) -> AvCapture:
    """A capture by hardware if it is asked for and gives a frame, else by the processor.

    Args:
        once: whether it is a stream or a pipe, which can't go back.
        patience_s, keeps_clock: of each decoder, as those of ``AvCapture``.
    """
    thread_type = ONE_FRAME if once else EACH_FRAME
    problems = []
    for name in hardware.candidates(av, decoder):
        began_s = time.monotonic()
        try:
            opened = partial(hardware.open_container, av, path, name, **how)
            found = AvCapture(av, opened, thread_type, name, planes, patience_s, keeps_clock)
        except hardware.ERRORS + (av.FFmpegError,) as error:
            problems.append(f"{name}: {str(error).strip() or type(error).__name__}")
            continue
        if found.isOpened():
            found.note = f"decoded by {name}"
            return found
        found.release()
        problems.append(f"{name}: decodes no frame")
        if time.monotonic() - began_s > patience_s:
            break
    opened = partial(av.open, path, **how)
    capture = AvCapture(
        av, opened, thread_type, planes=planes, patience_s=patience_s, keeps_clock=keeps_clock
    )
    if decoder != hardware.SOFTWARE:
        why = "; ".join(problems) or f"this PyAV {av.__version__} has no hardware decoder"
        capture.note = f"decoded by the processor ({why})"
    return capture
