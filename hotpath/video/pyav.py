"""Open recordings and streams with PyAV, if it is installed."""

import re
import threading
from contextlib import contextmanager
from functools import partial
from typing import Any, Dict, Iterator, List, Optional, Tuple

from hotpath.runtime.errors import BadSource
from hotpath.video import rtp
from hotpath.video.base import without_password
from hotpath.video.containers import is_playlist
from hotpath.video.hardware import Decoder
from hotpath.video.limits import DECODER_LIMITS
from hotpath.video.probe import verifying_options
from hotpath.video.pyav_capture import EACH_FRAME, ONE_FRAME, AvCapture

INDEX_AT_END = (
    "an MP4 or MOV file whose index is at its end can't be read from a pipe, or from a server that "
    "sends no ranges; name the file, or write it anew with `ffmpeg -i FILE -c copy -movflags "
    "+faststart NEW.mp4`"
)
# segments of a playlist may be called anything, as in browsers
LISTS = {"extension_picky": "0", "allowed_extensions": "ALL"}
# A playlist that is a file could show other files of this computer, such as texts, which FFmpeg
# draws: only these formats are segments.
FILES = dict(LISTS, format_whitelist="hls,applehttp,mpegts,mov,mp4,aac,mp3,ac3,eac3,webvtt")
# a server may close a connection without saying so, which FFmpeg would use again
HTTP = dict(LISTS, reconnect_on_network_error="1", reconnect_delay_max="0")
NO_VIDEO = "a segment of the playlist is neither MPEG-TS nor MP4; correct the playlist"
REASON = 200  # letters of FFmpeg's words
GENERAL = re.compile("Invalid data found|Some options were not used")


_LOG = threading.Lock()
_before: List[Any] = []  # what PyAV logs else, then one entry for each thread that opens something


def pyav() -> Any:
    """The module ``av`` if it is installed and loads, else None."""
    try:
        import av
    except ImportError:  # not installed, or built for another libc
        return None
    return av


def open_recording(
    path: str, planes: bool = True, is_pipe: bool = False, decoder: Optional[Decoder] = None
) -> Optional[AvCapture]:
    """An open capture of a recording, or None if FFmpeg finds no frame in it.

    Args:
        path: the file.
        planes: whether frames may be ``Picture``s.
        is_pipe: whether it can be read only once.
        decoder: see ``hardware.Decoder``; None for software.

    Raises:
        BadSource: a pipe gives an MP4 file whose index follows the pictures; or a playlist can't be
            read, with FFmpeg's reason.
    """
    is_list = not is_pipe and is_playlist(path)
    how: Dict[str, Any] = dict(thread_type=ONE_FRAME if is_pipe else EACH_FRAME, planes=planes)
    how["decoder"] = decoder
    capture, why = _opened(path, FILES if is_list else {}, None, **how)
    if capture is None and why and (is_list or (is_pipe and why == INDEX_AT_END)):
        raise BadSource(NO_VIDEO if is_list and "whitelist" in why else why)
    return capture


def open_stream(
    address: Any,
    open_timeout_s: float,
    read_timeout_s: float,
    patience_s: float,
    planes: bool = True,
    decoder: Optional[Decoder] = None,
    insecure: bool = False,
) -> Tuple[Optional[AvCapture], str]:
    """A capture of a stream, or None if nobody answers in time or no picture comes; and why not.

    The reason is a sentence that FFmpeg's words decide, or empty. Instead of an address it may be
    an SDP file, opened for reading, that describes RTP.
    """
    scheme = address.partition(":")[0].lower() if isinstance(address, str) else "sdp"
    options = {"rtsp_flags": "prefer_tcp"} if scheme.startswith("rtsp") else {}
    options = HTTP if scheme.startswith("http") else options
    options = rtp.OPTIONS if scheme == "sdp" else options
    if not insecure and scheme in ("https", "rtsps"):
        options = dict(options, **verifying_options())
    timeouts = open_timeout_s, read_timeout_s
    how: Dict[str, Any] = dict(thread_type=ONE_FRAME, planes=planes, decoder=decoder)
    how["patience_s"] = patience_s
    return _opened(address, options, timeouts, **how)


def _opened(
    address: Any, options: Dict[str, str], timeouts: Any, **how: Any
) -> Tuple[Optional[AvCapture], str]:
    """A capture with a first frame, or None; and FFmpeg's reason in words, or ""."""
    av = pyav()
    error: Any = ""
    capture = None
    try:
        with _errors_are_said(av), av.logging.Capture() as messages:  # what this thread causes
            opened = partial(
                av.open, address, options=dict(options, **DECODER_LIMITS), timeout=timeouts
            )
            capture = AvCapture(av, opened, **how)
    except (av.FFmpegError, OSError, ValueError) as caught:
        error = getattr(caught, "strerror", None) or caught
    if capture is not None and capture.isOpened():
        return capture, ""
    if capture is not None:
        capture.release()
    return None, _reason(messages, str(error))


@contextmanager
def _errors_are_said(av: Any) -> Iterator[None]:
    """Let PyAV log errors, while one thread or several open something.

    PyAV counts the same words that come again, and says them to whatever thread logs next, unless
    it is told to say all.
    """
    with _LOG:
        if not _before:
            _before.append((av.logging.get_level(), av.logging.get_skip_repeated()))
            av.logging.set_level(av.logging.ERROR)
            av.logging.set_skip_repeated(False)
        _before.append(None)
    try:
        yield
    finally:
        with _LOG:
            _before.pop()
            if len(_before) == 1:
                level, skips = _before.pop()
                av.logging.set_level(level)
                av.logging.set_skip_repeated(skips)


def _reason(messages: List[Tuple[int, str, str]], error: str) -> str:
    """FFmpeg's last words that say more than its error, as a part of a sentence."""
    if any(
        "mov,mp4" in name and re.search("partial file|moov atom", text)
        for _, name, text in messages
    ):
        return INDEX_AT_END
    words = [text.strip().rstrip(".") for _, _, text in messages if not GENERAL.search(text)]
    if not words and not GENERAL.search(error):
        words = [error]
    last = words[-1] if words else ""
    return without_password(" ".join(last.split())[:REASON])
