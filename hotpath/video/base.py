"""The interface of all sources of frames."""

import math
import os
import re
import time
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import cv2
import numpy as np

from hotpath.base.log import reporter
from hotpath.runtime.errors import BadFrame, BadSource
from hotpath.runtime.frames.pictures import AnyFrame, Picture, is_deep
from hotpath.runtime.tracker.lock import ExclusiveLock
from hotpath.runtime.types import LOST, Track

PLAYED_FPS = 25.0  # the speed at which a recording is played that states no frame rate
MOST_FPS = 1e5  # a higher rate is the unit of the time stamps
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")
Log = Optional[Callable[[str], None]]  # is told one line of text
SAME = 1e-3  # of a frame's time: times that differ by less are the same


class _Waiting:
    """The type of ``WAITING``. It is false, as None is."""

    def __repr__(self) -> str:
        return "WAITING"

    def __bool__(self) -> bool:
        return False


WAITING = _Waiting()  # a live source's answer when no new frame came within the timeout


class Header(NamedTuple):
    """What the sender of a frame says of it. A link that sends boxes to it repeats this unchanged.

    Attributes:
        seconds, nanoseconds: time of the capture by the sender's clock, as it was received.
        frame_id: name of the camera's frame of reference.
    """

    seconds: int
    nanoseconds: int
    frame_id: str


class TrackedFrame(NamedTuple):
    """One frame after tracking.

    Attributes:
        frame: BGR uint8 (H, W, 3), or a ``Picture``; it must not be changed afterwards.
        index: 0-based index in its source.
        time_s: time in its source, seconds, or None.
        tracks: target number -> ``Track``.
        captured_s: capture time, seconds of the monotonic clock.
        header: the ``Header`` that the frame came with, or None.
        drawn: target number -> the state with which it is drawn (``drawn_states``). A target that
            is not there is drawn with its own state.
    """

    frame: AnyFrame
    index: int  # type: ignore[assignment]  # in the place of a tuple's own method
    time_s: Optional[float]
    tracks: Dict[int, Track]
    captured_s: float = 0.0
    header: Optional[Header] = None
    drawn: Mapping[int, str] = {}

    def drawn_tracks(self) -> Dict[int, Track]:
        """Return the tracks with the states with which they are drawn."""
        states = ((n, track, self.drawn.get(n, track.state)) for n, track in self.tracks.items())
        return {n: track._replace(state=word, lost=word == LOST) for n, track, word in states}


def drawn_states(
    tracks: Mapping[int, Track], before: Mapping[int, Track], drawn: Mapping[int, str]
) -> Dict[int, str]:
    """Return the state with which each target is drawn, so that boxes don't flicker.

    A new state is drawn from its second frame in a row on, because the next frame of a live source
    is not known yet. So a state of a single frame is drawn as the one before it. Two are drawn at
    once: ``lost``, because a person stops a machine on it, and the frame of a re-acquisition
    (``found``), which several frames have verified. Rows, links to machines and the tracks of
    Python have the tracker's own states.

    Args:
        tracks: target number -> ``Track`` of this frame.
        before: the same of the frame before, with the answers of a person since.
        drawn: the states with which that frame is drawn, as in ``TrackedFrame``.
    """
    states = {}
    for number, track in tracks.items():
        last = before.get(number, track).state
        is_new = track.state not in (last, LOST) and not track.found
        states[number] = drawn.get(number, last) if is_new else track.state
    return states


class Output:
    """What takes the tracked frames of a run. It may be written to until it is closed.

    Attributes:
        files: paths of the files that have the content of this run.
    """

    files: Sequence[str] = ()

    def write(self, tracked: TrackedFrame) -> None:
        """Take a frame with its tracks.

        Raises:
            BadOutput: a file can't be written, now or since an earlier frame.
        """

    def lines(self) -> List[str]:
        """What the summary says of it, as lines of text."""
        return []

    def close(self) -> None:
        """Finish it; may be called twice. Raises ``BadOutput``, too."""


class Source:
    """Gives frames in order, one for each ``read()``.

    Args:
        depth: used bits of 16-bit pictures. None takes each picture's own range.

    Attributes:
        name: the source's name in messages. A password in an address is masked.
        live: True for cameras and streams. They give the newest frame and have no end.
        fps: frames a second that the source states or the user gave, or None.
        frames: number of frames, or None if unknown. Always None for live sources.
        first_box: the target's box in the first frame, ``(x, y, w, h)`` 0-based pixels, or None.
            After ``seek`` it is the box in the next frame.
        annotated: whether the source has a ground truth.
        given: index of the next frame. Without ``seek`` this is how many ``read`` has returned.
        time_s: time of the last frame, seconds since the first one. It comes from the clock for
            live sources, and from the frame's stamp or the frame rate for recordings. None if the
            frame rate is unknown.
        aspect: width of a pixel, divided by its height. It is 1 except for anamorphic recordings.
        by_rate: whether the user gave ``fps``. Times then come from it and not from stamps.
        errors: damaged frames, which are given all the same; 0 if the decoder does not tell.
        skipped: packets and parts that could not be decoded.
        captured_s: capture time of the last frame, seconds of the monotonic clock. It comes from
            the frame's stamp. Without a stamp it is the time of arrival (live sources) or of
            reading (recordings).
        header: the ``Header`` that the last frame came with; None from sources without one.
        captured_at: "camera" if the camera's driver stamps the frames, else "arrival". The delay
            of a stream before its arrival is unknown.
        decode_ms: how long the source's own thread decoded the last frame. 0 if unknown, and for
            recordings, which ``read`` decodes.
        arrived_s: when the last frame was decoded and ready for ``read``, on the same clock.
        dropped: frames that a newer one replaced before ``read`` was called (only live sources).
        gaps: list of ``(frame index, seconds)``: the pause before the frame of that index (only
            live sources).
        left_out: a sentence for each kind of pictures that the source has and does not give.
    """

    live = False
    captured_at = "arrival"

    def __init__(self, name: str, log: Log = None, depth: Optional[int] = None) -> None:
        self.lock = ExclusiveLock()  # a library that is closed while it decodes ends the process
        self.name = name
        self.log = reporter(log)
        self._depth = depth
        self._reduction: Any = None
        self.fps: Optional[float] = None
        self.frames: Optional[int] = None
        self.first_box: Optional[Tuple[float, ...]] = None
        self.annotated = False
        self.given = 0
        self.time_s: Optional[float] = None
        self.aspect = 1.0
        self.by_rate = False
        self.errors = self.skipped = 0
        self.captured_s = self.arrived_s = 0.0
        self.header: Optional[Header] = None
        self.decode_ms = 0.0
        self.dropped = 0
        self.gaps: List[Tuple[int, float]] = []
        self.left_out: List[str] = []

    def read(self, timeout_s: float = 1.0) -> Any:
        """Return the next frame, BGR ``uint8`` (H, W, 3), or a ``Picture`` of
        ``hotpath.runtime.frames.pictures``.

        Args:
            timeout_s: how long a live source may wait; recordings return at once.

        Returns:
            The frame, or ``None`` at the end. ``WAITING`` if a live source had no new frame in
                time. Then call again, because the source keeps trying.

        Raises:
            BadSource: the source broke half-way, after every good frame was returned.
        """
        raise NotImplementedError

    def __iter__(self) -> Iterator[AnyFrame]:
        """Give each frame that ``read`` returns, until the end. A live source is waited for."""
        while True:
            frame = self.read()
            if frame is None:
                return
            if frame is not WAITING:
                yield frame

    def file_of(self, index: int) -> Optional[str]:
        """Return the name of the file of a frame; None if frames are not files."""
        return None

    def seek(self, index: int) -> bool:
        """Make the frame of that index the next one; returns False if that is impossible."""
        return False

    def seek_time(self, time_s: float) -> bool:
        """Go to the first frame at or after that time; returns False if that is impossible."""
        return self.seek(math.ceil(time_s * (self.fps or PLAYED_FPS) - SAME))

    @property
    def period_s(self) -> float:
        """Seconds from the last frame to the next one, at the recording's own speed."""
        return 0.0 if self.live else 1.0 / (self.fps or PLAYED_FPS)

    def close(self) -> None:
        """Release the camera, the connection or the file; may be called twice."""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def leave_out(self, sentence: str) -> None:
        """Say, once, what the source has and does not give; the summary repeats it."""
        if sentence not in self.left_out:
            self.left_out.append(sentence)
            self.log(f"{self.name}: {sentence}")

    def _give(self, frame: AnyFrame, stamp_s: Optional[float] = None) -> AnyFrame:
        """Count ``frame`` and return it. Set the time of a recording from its stamp or rate."""
        if not self.live:
            self.captured_s = self.arrived_s = time.monotonic()
            if stamp_s is None or self.by_rate:
                stamp_s = self.given / self.fps if self.fps else None
            self.time_s = stamp_s
        self.given += 1
        return frame

    def _give_any(self, frame: Any, stamp_s: Optional[float] = None) -> AnyFrame:
        """As ``_give``, for a frame of any common kind, also one of 16 bits."""
        if self._reduction or self._depth is not None or is_deep(frame):
            frame = self._reduced()(frame)
        return self._give(checked_picture(frame), stamp_s)

    def _reduced(self) -> Any:
        """The ``DepthReduction`` of 16-bit pictures."""
        if self._reduction is None:
            from hotpath.video.depth import DepthReduction

            self._reduction = DepthReduction(
                self._depth, lambda text: self.log(f"{self.name}: {text}")
            )
        return self._reduction


def checked_picture(frame: Any) -> AnyFrame:
    """Return a captured ``Picture`` unchanged, and any other picture through ``to_bgr``."""
    return frame if isinstance(frame, Picture) else to_bgr(frame)


def to_bgr(frame: Any) -> np.ndarray:
    """Convert a picture of any common kind to BGR ``uint8`` (H, W, 3).

    Grey (H, W) or (H, W, 1) is repeated in the three channels. The alpha of BGRA is dropped. Of
    16-bit values the high byte is taken. A BGR ``uint8`` frame is returned unchanged, without a
    copy.

    Raises:
        BadFrame: another type or number of channels, or no pixel at all.
    """
    if not isinstance(frame, np.ndarray) or not frame.size or frame.ndim not in (2, 3):
        raise BadFrame(f"a frame must be a picture, not {_kind(frame)}")
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    channels = frame.shape[2] if frame.ndim == 3 else 1
    if frame.dtype != np.uint8 or channels not in (1, 3, 4):
        raise BadFrame(
            f"a frame must be grey, BGR or BGRA of 8 or 16 bits, not {_kind(frame)}; convert it "
            "first"
        )
    if channels == 1:
        frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    elif channels == 4:
        frame = cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)
    bgr: np.ndarray = frame
    return bgr


def is_picture(path: str) -> bool:
    """Whether the file's name is that of a picture."""
    return os.path.splitext(path)[1].lower() in PICTURES


def check_readable(path: str) -> None:
    """Raise ``BadSource`` unless ``path`` is a readable file that is not empty."""
    try:
        if not os.path.isfile(path):
            raise BadSource(
                f"{path}: is not a regular file; name a video, a folder of pictures, or cam0"
            )
        with open(path, "rb") as file:
            if not file.read(1):
                raise BadSource(f"{path}: the file is empty")
    except OSError as error:
        raise BadSource(f"{path}: can't be read ({error.strerror})") from None


def capture_fps(capture: Any) -> Optional[float]:
    """Return the frames a second that an OpenCV capture states, None if not usable."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return float(fps) if np.isfinite(fps) and 0 < fps <= MOST_FPS else None


def stated_frames(capture: Any) -> Optional[int]:
    """Return the number of frames that an OpenCV capture states; None for an endless stream."""
    stated = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(stated) if 0 < stated < 1e9 else None


def is_utf8(text: str) -> bool:
    """Whether a name or an address is UTF-8. OpenCV crashes on other text.

    Python keeps bytes of file names that are not UTF-8 as surrogates. Python 3.6 in the locale C
    does so with every byte above 127.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def without_password(address: str) -> str:
    """``rtsp://user:secret@host/`` as ``rtsp://user:***@host/``, for messages and files."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address)


def _kind(frame: Any) -> str:
    """Type and shape of an object that is not a frame, for messages."""
    if isinstance(frame, np.ndarray):
        return f"{frame.dtype} of shape {frame.shape}"
    return type(frame).__name__
