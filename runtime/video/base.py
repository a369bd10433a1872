"""What every source of frames has in common, and the one kind of frame that leaves a source."""

import re
import time

import cv2
import numpy as np

from runtime.errors import BadFrame


class _Waiting:
    """The type of ``WAITING``: says only its name, and is false like "no frame"."""

    def __repr__(self):
        return "WAITING"

    def __bool__(self):
        return False


WAITING = _Waiting()  # a live source's answer when no new frame came within the timeout


class Source:
    """Frames in order, one ``read()`` each.

    Attributes:
        name: what to call the source in messages; a password in an address is masked.
        live: True for cameras and streams, which give the newest frame and never end by themselves.
        fps: frames per second as the source states it, or None.
        frames: how many frames there are, or None when nobody knows (always for live sources).
        first_box: the target in the first frame, ``(x, y, w, h)`` 0-based pixels, or None.
        given: how many frames ``read`` has returned so far.
        time_s: time of the last frame returned, seconds since the first one: by the clock for live
            sources, by the frame rate for recordings (None where that is not known).
        captured_s: when the last frame returned was taken, seconds of the monotonic clock: when it
            came (live sources), or when it was read (recordings).
        dropped: frames that came but were too old to be given (live sources only).
        gaps: list of ``(frame index, seconds)``: before the frame of that index nothing came for so
            long (live sources only).
    """

    live = False

    def __init__(self, name, log=None):
        self.name = name
        self.log = log or (lambda text: None)
        self.fps = None
        self.frames = None
        self.first_box = None
        self.given = 0
        self.time_s = None
        self.captured_s = None
        self.dropped = 0
        self.gaps = []

    def read(self, timeout_s=1.0):
        """Return the next frame, BGR ``uint8`` (H, W, 3).

        Args:
            timeout_s: how long a live source may wait; recordings answer at once.

        Returns:
            the frame; ``None`` at the end; ``WAITING`` when a live source had no new frame in time
            (call again: it keeps trying by itself).

        Raises:
            BadSource: it broke half-way; every good frame was given before.
        """
        raise NotImplementedError

    def close(self):
        """Let go of the camera, the connection or the file; may be called twice."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _give(self, frame):
        """Count ``frame`` and return it; a recording's clock is its frame rate."""
        if not self.live:
            self.captured_s = time.monotonic()
            self.time_s = self.given / self.fps if self.fps else self.time_s
        self.given += 1
        return frame


def to_bgr(frame):
    """Return a picture of any common kind as BGR ``uint8`` (H, W, 3).

    Grey (H, W) or (H, W, 1) is repeated in the three channels; of BGRA the alpha is left out;
    16-bit values are divided by 256 (the high byte), so the full 16-bit range maps to 0..255
    whatever the range in use. A BGR ``uint8`` frame is returned as it is, without a copy.

    Raises:
        BadFrame: another type or number of channels, or no pixel at all.
    """
    if not isinstance(frame, np.ndarray) or not frame.size or frame.ndim not in (2, 3):
        raise BadFrame("a frame must be a picture, not {}".format(_kind(frame)))
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    channels = frame.shape[2] if frame.ndim == 3 else 1
    if frame.dtype != np.uint8 or channels not in (1, 3, 4):
        raise BadFrame(
            "a frame must be grey, BGR or BGRA of 8 or 16 bits, not {}; convert it first".format(
                _kind(frame)
            )
        )
    if channels == 1:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    if channels == 4:
        return cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)
    return frame


def capture_fps(capture):
    """Frames per second that an OpenCV capture states, or None when it says nothing usable."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return float(fps) if np.isfinite(fps) and 0 < fps <= 1000 else None


def stated_frames(capture):
    """How many frames an OpenCV capture says there are, or None; a stream without end has none."""
    stated = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(stated) if 0 < stated < 1e9 else None


def is_utf8(text):
    """Whether a name or an address can be given to OpenCV, which crashes on any other.

    Names from the system hold what is no UTF-8 as surrogates; where the locale is C, Python 3.6
    does so with every byte above 127.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def without_password(address):
    """``rtsp://user:secret@host/`` as ``rtsp://user:***@host/``, for messages and files."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address)


def _kind(frame):
    """Type and shape of something that should have been a frame, for messages."""
    if isinstance(frame, np.ndarray):
        return "{} of shape {}".format(frame.dtype, frame.shape)
    return type(frame).__name__
