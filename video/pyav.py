"""Open recordings and streams with PyAV, if it is installed."""

from functools import partial
from typing import Any, Optional

from hotpath.runtime.errors import BadSource
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


def open_recording(path: str, planes: bool = True, is_pipe: bool = False) -> Optional[AvCapture]:
    """An open capture of a recording, or None if FFmpeg finds no frame in it.

    Args:
        path: the file.
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
            thread_type = ONE_FRAME if is_pipe else EACH_FRAME
            capture = AvCapture(av, partial(av.open, path), thread_type, planes)
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
    planes: bool = True,
    keeps_clock: bool = False,
) -> AvCapture:
    """A capture of a stream. It is not open if nobody answers in time, or no picture comes."""
    av = pyav()
    options = {"rtsp_flags": "prefer_tcp"} if address.lower().startswith("rtsp") else {}
    timeouts = open_timeout_s, read_timeout_s
    opened = partial(av.open, address, options=options, timeout=timeouts)
    try:
        return AvCapture(av, opened, ONE_FRAME, planes, patience_s, keeps_clock)
    except (av.FFmpegError, OSError, ValueError):
        return AvCapture(av, None, ONE_FRAME)
