"""Recorded sources: a video file, a recording on a web server, a folder of frames, one picture."""

import glob
import os
import re
import stat
from collections import Counter
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from hotpath.kernels.commands import package
from hotpath.runtime.errors import BadFrame, BadSource
from hotpath.runtime.pictures import decode_picture
from hotpath.runtime.track.video import hardware, opencv, pyav, sequence
from hotpath.runtime.track.video.base import (
    PLAYED_FPS,
    Log,
    Source,
    checked_picture,
    tell_decoder,
    to_bgr,
)
from hotpath.runtime.track.video.containers import (
    is_cut_off,
    is_in_fragments,
    looks_like_text,
    picture_is_cut_off,
    states_no_rate,
)
from hotpath.runtime.track.video.depth import SAMPLES, scale_for, whole_range

LONGEST_S = 3.0  # between two frames that are played at their own speed
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")


class Recording(Source):
    """All frames of an open capture that has an end, in order.

    A recording that ends early gives all frames that can be decoded, then raises ``BadSource`` with
    the frame at which it broke. The container's headers decide what "early" means.

    Args:
        name: its name in messages.
        capture: a ``pyav.AvCapture`` or an ``opencv.CvCapture``; ``close`` closes it.
        cut_off: whether the file is shorter than its headers state; None if they do not tell.
    """

    def __init__(
        self, name: str, capture: Any, log: Log = None, cut_off: Optional[bool] = None
    ) -> None:
        super().__init__(name, log)
        self._capture, self._cut_off = capture, cut_off
        self.fps, self.frames, self.aspect = capture.fps, capture.frames, capture.aspect
        tell_decoder(self, capture)
        self._told_gap = -1  # index of the frame after the gap that was told
        self._last_s = 0.0  # time stamp of the last frame decoded
        self._ahead = self._decode()  # a frame that was decoded before ``read`` is called
        if self._ahead is None:
            self.close()
            raise BadSource(f"{name}: {_why_no_frame(cut_off)}")

    def read(self, timeout_s: float = 1.0) -> Any:
        """The next frame, or None at the end; see ``Source.read``."""
        frame, self._ahead = self._ahead, None
        if frame is None:
            frame = self._decode()
        self.errors = getattr(self._capture, "errors", self.errors)
        if frame is not None:
            return self._give(frame, self._stamp_s())
        if self._ended_early():
            of = "" if self.frames is None else f" of {self.frames}"
            raise BadSource(
                f"{self.name}: broke at frame {self.given}{of}; the recording is cut off or damaged"
            )
        return None

    def seek(self, index: int) -> bool:
        """Make the frame of that index the next one; see ``Source.seek``."""
        found = None if self._capture is None else self._capture.seek(max(0, index))
        if found is None:
            return False
        self.given, self.frames = found, self._capture.frames
        self.time_s = self._ahead = None
        return True

    def seek_time(self, time_s: float) -> bool:
        """Make the first frame from that time on the next one; see ``Source.seek_time``."""
        if self.by_rate or not self.fps or self._capture is None:
            return super().seek_time(time_s)
        number = self._capture.number_at(time_s)
        return number is not None and self.seek(number)

    def count(self) -> int:
        """Count the frames. The next one is the first one again."""
        frames: int = self._capture.count()
        self.seek(0)
        return frames

    @property
    def period_s(self) -> float:
        """Return the seconds to the next frame. This decodes the next frame to read its stamp.

        A gap of more than ``LONGEST_S`` is skipped and logged.
        """
        if self._ahead is None:
            self._ahead = self._decode()
        stamp_s = None if self._ahead is None or self.by_rate else self._stamp_s()
        if stamp_s is None or self.time_s is None:
            return super().period_s
        period_s = stamp_s - self.time_s
        if period_s <= LONGEST_S:
            return period_s
        if self._told_gap != self.given:
            self._told_gap = self.given
            self.log(f"{self.name}: {period_s:.1f} s without a frame, passed over")
        return 1.0 / PLAYED_FPS

    def _stamp_s(self) -> Optional[float]:
        """Time of the frame that was decoded last: its stamp, or one frame time after the last one.

        None if the video states no rate: FFmpeg makes the stamps up then.
        """
        if not self.fps:
            return None
        if self.time_s is None or self._last_s > self.time_s:
            return self._last_s
        return self.time_s + 1.0 / self.fps

    def close(self) -> None:
        """Close the file or the connection."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _decode(self) -> Any:
        """The next decoded frame, or None if there is none."""
        if self._capture is None:
            return None
        good, frame = self._capture.read()
        if not good or frame is None:
            return None
        self._last_s = self._capture.time_s
        return checked_picture(frame)

    def _ended_early(self) -> bool:
        """Whether frames are missing that the container states.

        Where the file is shorter than its headers state, their count of frames is exact, or there
        is none. Where nothing tells, the count may be an estimate (duration times rate), which is
        wrong for a variable rate. Then frames must be missing both by count and by time: more than
        a second, and more than a twentieth of them.
        """
        if self._capture is None or self._cut_off is False:
            return False
        if self.frames is None:
            return bool(self._cut_off)
        missing = self.frames - self.given
        if self._cut_off:
            return missing > 0
        fps = self.fps or 25.0
        length_s = self.frames / fps
        missing_s = length_s - self._last_s
        return missing > max(fps, self.frames / 20.0) and missing_s > max(1.0, length_s / 20.0)


class VideoFile(Recording):
    """All frames of a video file, in order; see ``Recording``.

    MPEG programme and transport streams do not state their length: when they are cut off, they are
    shorter videos. The same holds for a fragmented MP4 that is cut between two fragments.

    Args:
        path: the file.
        log: function that gets the name of the decoder, if hardware was asked for.
        planes: whether frames may be ``Picture``s (PyAV) instead of BGR arrays.
        decoder: one of ``hardware.DECODERS``, of PyAV's.
    """

    def __init__(
        self, path: str, log: Log = None, planes: bool = False, decoder: str = hardware.SOFTWARE
    ) -> None:
        _check_readable(path)
        if looks_like_text(path):
            raise BadSource(f"{path}: is text, not a video")
        cut_off = is_cut_off(path)
        capture = _open_capture(path, planes, decoder)
        if capture is None:
            raise BadSource(f"{path}: {_why_no_frame(cut_off)}")
        super().__init__(path, capture, log, cut_off)
        if cut_off and is_in_fragments(path):
            self.frames = None  # it is a guess from the fragments that are there
        if self.fps == 25.0 and states_no_rate(path):
            self.fps = None  # it is FFmpeg's assumption


class Piped(Recording):
    """All frames of a video that a pipe or standard input gives, in order; it can't be searched.

    Args:
        path: the pipe, or ``-``.
        log: not called.
        planes: whether frames may be ``Picture``s.
    """

    def __init__(self, path: str, log: Log = None, planes: bool = False) -> None:
        name = "standard input" if path == "-" else path
        if not pyav.pyav():
            raise BadSource(f"{name}: reading a pipe needs the package av; run `{package('av')}`")
        address = "pipe:0" if path == "-" else os.path.abspath(path)
        capture = pyav.open_recording(address, planes=planes, is_pipe=True)
        if capture is None:
            raise BadSource(f"{name}: {_why_no_frame(None)}")
        super().__init__(name, capture, log)

    def seek(self, index: int) -> bool:
        """Return False: a pipe has only one direction."""
        return False

    def seek_time(self, time_s: float) -> bool:
        """Return False: a pipe has only one direction."""
        return False


class FrameFolder(Source):
    """The pictures of a folder in the natural order of their names, with its ground truth, if any.

    The pictures are in the folder itself, or in ``img/``, ``color/`` or the like inside it.

    Args:
        folder: the folder, a picture (a video of one frame), or the paths of pictures. Paths of all
            pictures of a folder have its ground truth.
        log: function that gets the scale of 16-bit pictures, and numbers missing in the names.
        depth: used bits of 16-bit pictures. None takes the range of their values.
        name: name of the source in messages; None for the folder.
    """

    def __init__(
        self,
        folder: Union[str, Sequence[str]],
        log: Log = None,
        depth: Optional[int] = None,
        name: Optional[str] = None,
    ) -> None:
        paths = [] if isinstance(folder, str) else sorted(folder, key=natural_key)
        if not isinstance(folder, str):
            others = [path for path in paths if not is_picture(path)]
            if others or not paths:
                raise BadSource(f"{(others or ['nothing'])[0]}: name one video, or pictures only")
            missing = [path for path in paths if not os.path.isfile(path)]
            if missing:
                raise BadSource(f"{missing[0]}: no such picture")
            folder = os.path.dirname(paths[0]) or "."
            name = name or f"{paths[0]} to {paths[-1]}"
        super().__init__(name or folder, log)
        self._paths = picture_paths(folder)
        if paths and list(map(os.path.abspath, paths)) != list(map(os.path.abspath, self._paths)):
            self._paths, folder = paths, ""
        gaps = missing_numbers(self._paths)
        if gaps:
            self.log(
                f"{self.name}: {gaps}; frames are counted without them, and the results name "
                "each frame's file"
            )
        self._scale, words = scale_of(self._paths, depth)
        if words:
            self.log(f"{self.name}: 16-bit pictures: {words}")
        self.frames = len(self._paths)
        self.fps = sequence.stated_fps(folder) if folder else None
        self._boxes: List[sequence.Box] = []
        try:
            self._boxes = sequence.boxes_of(folder, self.frames) if folder else []
        except sequence.Misfit as error:
            self.log(str(error))
        self.annotated = bool(self._boxes)
        self.seek(0)

    def read(self, timeout_s: float = 1.0) -> Any:
        """The next frame, or None at the end; see ``Source.read``."""
        if self.given >= len(self._paths):
            return None
        try:
            frame = read_picture(self._paths[self.given], self._scale)
        except BadSource as error:
            raise BadSource(
                f"{self.name}: broke at frame {self.given} of {self.frames}: {error}"
            ) from None
        return self._give(frame)

    def file_of(self, index: int) -> Optional[str]:
        """Name of the picture of that index, without its folder."""
        name = os.fsencode(os.path.basename(self._paths[index]))
        return name.decode("utf-8", "replace")

    def seek(self, index: int) -> bool:
        """Make the frame of that index the next one; see ``Source.seek``."""
        self.given = max(0, min(index, len(self._paths) - 1))
        self.first_box = self._boxes[self.given] if self.given < len(self._boxes) else None
        return True


def scale_of(
    paths: Sequence[str], depth: Optional[int] = None
) -> Tuple[Callable[[np.ndarray], np.ndarray], str]:
    """The scale on which 16-bit pictures of a sequence become 8-bit ones, one for all of them.

    Args:
        paths: paths of all its pictures.
        depth: bits that are in use; None for the range of the values.

    Returns:
        (scale, words for the user); the words are empty if the first picture has 8 bits.
    """
    first = _decoded_or_none(paths[0])
    if first is None or first.dtype != np.uint16:
        return whole_range, ""
    samples = [_decoded_or_none(path) for path in paths[:: max(1, len(paths) // SAMPLES)]]
    deep = [p for p in samples if p is not None and p.dtype == np.uint16]
    return scale_for(deep, depth)


def is_pipe(path: str) -> bool:
    """Whether a path is a pipe."""
    return os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)


def is_picture(path: str) -> bool:
    """Whether the file's name is that of a picture."""
    return os.path.splitext(path)[1].lower() in PICTURES


def natural_key(name: str) -> Tuple[List[Any], str]:
    """A sorting key that puts ``frame10`` after ``frame9``."""
    parts = re.split(r"([0-9]+)", name.lower())  # texts and numbers alternate
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def pictures_like(pattern: str) -> List[str]:
    """The pictures whose paths match a pattern, such as ``img%04d.jpg`` or ``*.jpg``, in order."""
    parts = re.split(r"%0?\d*d", pattern)
    if len(parts) == 1:
        found = glob.glob(pattern)
    else:
        number = re.compile(r"\d+".join(map(re.escape, parts)) + "$")
        found = [p for p in glob.glob("*".join(map(glob.escape, parts))) if number.match(p)]
    return sorted(filter(is_picture, found), key=natural_key)


def missing_numbers(paths: Sequence[str]) -> str:
    """Which numbers are missing in the names of pictures, in words; "" where none are."""
    named = [re.findall(r"\d+", os.path.splitext(os.path.basename(path))[0]) for path in paths]
    numbers = [int(found[-1]) for found in named if found]
    steps = [after - before for before, after in zip(numbers, numbers[1:])]
    if len(numbers) < len(paths) or not steps or min(steps) < 1:
        return ""  # not numbered
    usual, times = Counter(steps).most_common(1)[0]
    if 2 * times < len(steps):
        return ""  # times, or another kind of number
    lacking = [(step - 1) // usual for step in steps]
    if not any(lacking):
        return ""
    first = next(index for index, count in enumerate(lacking) if count)
    names = tuple(os.path.basename(path) for path in paths[first : first + 2])
    return "pictures are missing by their numbers: {}, the first between {} and {}".format(
        sum(lacking), *names
    )


def picture_paths(folder: str) -> List[str]:
    """The paths of a sequence's pictures in order, or of the one picture that is named.

    Raises:
        BadSource: there are none, or the one can't be read.
    """
    if is_picture(folder) and not os.path.isdir(folder):
        read_picture(folder)
        return [folder]
    # the folder itself comes last: a picture beside `img` is a preview of the sequence
    for inside in ("img", "color", "imgs", "images", "img1", "rgb", "ir", ""):
        path = os.path.join(folder, inside) if inside else folder
        if not os.path.isdir(path):
            continue
        try:
            names = os.listdir(path)
        except OSError as error:
            raise BadSource(f"{path}: can't be read ({error.strerror})") from None
        names = [name for name in names if is_picture(name) and not name.startswith(".")]
        if names:
            return [os.path.join(path, name) for name in sorted(names, key=natural_key)]
    raise BadSource("{}: no pictures in this folder ({})".format(folder, " ".join(PICTURES)))


def read_picture(path: str, scale: Callable[[np.ndarray], np.ndarray] = whole_range) -> np.ndarray:
    """Read a picture file as BGR ``uint8`` (H, W, 3), rotated as its EXIF states.

    Args:
        path: the file.
        scale: function that makes 16-bit values 8-bit ones (see ``depth.py``).

    Raises:
        BadSource: it is not a whole picture, or one that OpenCV refuses.
    """
    try:
        return to_bgr(_decoded(path), scale)
    except BadFrame as error:
        raise BadSource(f"{path}: {error}") from None


def _decoded(path: str) -> np.ndarray:
    """The picture of a file, 8 or 16 bits; raises ``BadSource``."""
    _check_readable(path)
    with open(path, "rb") as file:
        data = file.read()
    if picture_is_cut_off(data):  # OpenCV would paint the missing part grey without a warning
        raise BadSource(f"{path}: the picture is cut off")
    try:
        frame = decode_picture(np.frombuffer(data, np.uint8))
    except cv2.error as error:
        reason = str(error).strip().splitlines()[0]
        raise BadSource(f"{path}: OpenCV refuses this picture ({reason})") from None
    if frame is None:
        raise BadSource(f"{path}: not a picture that OpenCV can read")
    return frame


def _decoded_or_none(path: str) -> Optional[np.ndarray]:
    """The picture of a file, or None; ``read`` reports a bad one when its turn comes."""
    try:
        return _decoded(path)
    except BadSource:
        return None


def _check_readable(path: str) -> None:
    """Raise ``BadSource`` unless ``path`` is a readable file that is not empty."""
    try:
        if not os.path.isfile(path):
            raise BadSource(
                f"{path}: is no regular file; name a video, a folder of pictures, or cam0"
            )
        with open(path, "rb") as file:
            if not file.read(1):
                raise BadSource(f"{path}: the file is empty")
    except OSError as error:
        raise BadSource(f"{path}: can't be read ({error.strerror})") from None


def _open_capture(path: str, planes: bool, decoder: str) -> Any:
    """A capture of a file: PyAV's, or OpenCV's where there is no PyAV; None if it has no frame."""
    if pyav.pyav():
        # a path with a colon, or a relative one with a dash, would be a protocol or an option
        return pyav.open_recording(os.path.abspath(path), decoder, planes)
    return opencv.open_recording(path)


def _why_no_frame(cut_off: Optional[bool]) -> str:
    if cut_off:
        return "the file is cut off before its index; no frame can be read"
    reader = "ffmpeg" if pyav.pyav() else f"OpenCV {cv2.__version__}"
    return f"not a video that {reader} can read"
