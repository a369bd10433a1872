"""Recorded sources: a video file, a recording on a web server, a folder of frames (with or without
annotation), one picture.
"""

import os
import re

import cv2
import numpy as np

from runtime.errors import BadFrame, BadSource
from runtime.video import sequence
from runtime.video.base import Source, capture_fps, is_utf8, stated_frames, to_bgr
from runtime.video.containers import (
    is_cut_off,
    is_in_fragments,
    looks_like_text,
    picture_is_cut_off,
)

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")


class Recording(Source):
    """Every frame of an open ``cv2.VideoCapture`` that has an end, in order.

    One that ends early gives all frames that can be decoded, then ``BadSource`` with the frame at
    which it broke. "Early" is judged by what the container states.

    Args:
        name: what to call it.
        capture: the capture; closed by ``close``.
        cut_off: True when the file is known to be shorter than its headers say.
    """

    def __init__(self, name, capture, log=None, cut_off=False):
        super().__init__(name, log)
        self._capture, self._cut_off = capture, cut_off
        self.fps = capture_fps(capture)
        self.frames = stated_frames(capture)
        self._last_s = 0.0  # time stamp of the last frame decoded
        self._first = self._decode()
        if self._first is None:
            self.close()
            raise BadSource(self._no_video())

    def read(self, timeout_s=1.0):
        """The next frame, or None at the end; see ``Source.read``."""
        frame, self._first = self._first, None
        if frame is None:
            frame = self._decode()
        if frame is not None:
            return self._give(frame)
        if self._ended_early():
            of = "" if self.frames is None else " of {}".format(self.frames)
            raise BadSource(
                "{}: broke at frame {}{}; the recording is cut off or damaged".format(
                    self.name, self.given, of
                )
            )
        return None

    def close(self):
        """Close the file or the connection."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _decode(self):
        """The next decoded frame as BGR ``uint8``, or None when there is none."""
        if self._capture is None:
            return None
        good, frame = self._capture.read()
        if not good or frame is None:
            return None
        self._last_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        return to_bgr(frame)

    def _ended_early(self):
        """Whether frames are missing that the container promised.

        Where the file is shorter than its headers say, the count in them is exact, or there is
        none. Else the count may be an estimate (duration times rate), wrong for a variable rate,
        and an edit list may hide frames: then frames must be missing by count and by time, more
        than a second and more than a twentieth of them.
        """
        if self._capture is None:
            return False
        if self.frames is None:
            return self._cut_off
        missing = self.frames - self.given
        if self._cut_off:
            return missing > 0
        fps = self.fps or 25.0
        length_s = self.frames / fps
        missing_s = length_s - self._last_s
        return missing > max(fps, self.frames / 20.0) and missing_s > max(1.0, length_s / 20.0)

    def _no_video(self):
        """The sentence for a recording from which no frame can be had."""
        if self._cut_off:
            return "{}: the file is cut off before its index; no frame can be read".format(
                self.name
            )
        return "{}: not a video that OpenCV {} can read".format(self.name, cv2.__version__)


class VideoFile(Recording):
    """Every frame of a video file, in order; see ``Recording``.

    MPEG programme and transport streams state nothing of their length: cut short, they are shorter
    videos. So is an MP4 in fragments that is cut between two of them.
    """

    def __init__(self, path, log=None):
        _check_readable(path)
        if looks_like_text(path):
            raise BadSource("{}: is text, not a video".format(path))
        cut_off = is_cut_off(path)
        super().__init__(path, _open_capture(path), log, cut_off)
        if cut_off and is_in_fragments(path):
            self.frames = None  # what OpenCV says is a guess from the fragments that are there


class FrameFolder(Source):
    """The pictures of a folder in the natural order of their names, with the truth if there is any.

    The pictures are in ``img/``, ``color/`` or the like inside it, or in the folder itself.
    """

    def __init__(self, folder, log=None):
        super().__init__(folder, log)
        self._paths = picture_paths(folder)
        self.frames = len(self._paths)
        self.fps = sequence.stated_fps(folder)
        boxes = sequence.read_boxes(folder)
        self.first_box = boxes[0] if boxes else None

    def read(self, timeout_s=1.0):
        """The next frame, or None at the end; see ``Source.read``."""
        if self.given >= len(self._paths):
            return None
        try:
            frame = read_picture(self._paths[self.given])
        except BadSource as error:
            raise BadSource(
                "{}: broke at frame {} of {}: {}".format(self.name, self.given, self.frames, error)
            ) from None
        return self._give(frame)


class SingleFrame(FrameFolder):
    """One picture as a video of one frame."""

    def __init__(self, path, log=None):
        Source.__init__(self, path, log)
        read_picture(path)
        self._paths = [path]
        self.frames = 1


def is_picture(path):
    """Whether the name is a picture's."""
    return os.path.splitext(path)[1].lower() in PICTURES


def natural_key(name):
    """Sorting key that puts ``frame10`` behind ``frame9``."""
    parts = re.split(r"([0-9]+)", name.lower())  # texts and numbers in turn
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def picture_paths(folder):
    """The paths of a sequence's pictures in order; ``BadSource`` when there are none."""
    # the folder itself comes last: a picture beside `img` is a preview of the sequence
    for inside in ("img", "color", "imgs", "images", "img1", "rgb", "ir", ""):
        path = os.path.join(folder, inside) if inside else folder
        if not os.path.isdir(path):
            continue
        try:
            names = os.listdir(path)
        except OSError as error:
            raise BadSource("{}: can't be read ({})".format(path, error.strerror)) from None
        names = [name for name in names if is_picture(name) and not name.startswith(".")]
        if names:
            return [os.path.join(path, name) for name in sorted(names, key=natural_key)]
    raise BadSource("{}: no pictures in this folder ({})".format(folder, " ".join(PICTURES[:4])))


def read_picture(path):
    """One picture file as BGR ``uint8`` (H, W, 3), turned as its EXIF says, like ``cv2.imread``.

    Raises:
        BadSource: it is not a whole picture, or one that OpenCV refuses.
    """
    _check_readable(path)
    with open(path, "rb") as file:
        data = file.read()
    if picture_is_cut_off(data):  # OpenCV paints what is missing grey and says nothing
        raise BadSource("{}: the picture is cut off".format(path))
    try:
        # any depth: 16 bits are left to `to_bgr`, which treats them alike in all formats
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        reason = str(error).strip().splitlines()[0]
        raise BadSource("{}: OpenCV refuses this picture ({})".format(path, reason)) from None
    if frame is None:
        raise BadSource("{}: not a picture that OpenCV can read".format(path))
    try:
        return to_bgr(frame)
    except BadFrame as error:
        raise BadSource("{}: {}".format(path, error)) from None


def _check_readable(path):
    """Raise ``BadSource`` unless ``path`` is a file with something in it that we may read."""
    try:
        if not os.path.isfile(path):
            raise BadSource("{}: not a file".format(path))
        with open(path, "rb") as file:
            if not file.read(1):
                raise BadSource("{}: the file is empty".format(path))
    except OSError as error:
        raise BadSource("{}: can't be read ({})".format(path, error.strerror)) from None


def _open_capture(path):
    """An OpenCV capture of a file: FFmpeg where OpenCV has it, else whatever it has."""
    has_ffmpeg = cv2.CAP_FFMPEG in cv2.videoio_registry.getBackends()
    backend = cv2.CAP_FFMPEG if has_ffmpeg else cv2.CAP_ANY
    full = os.path.abspath(path)  # keeps FFmpeg from taking "a:b.mp4" for a protocol
    if is_utf8(full):
        return cv2.VideoCapture(full, backend)
    # OpenCV crashes on such a name, so it gets another name of the same file
    with open(path, "rb") as file:
        other = "/proc/self/fd/{}".format(file.fileno())
        if not os.path.exists(other):
            raise BadSource("{!a}: OpenCV can't open such a name; rename the file".format(path))
        return cv2.VideoCapture(other, backend)
