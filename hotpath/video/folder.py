"""A folder of frames, or one picture, as a source; how a picture file is read."""

import functools
import glob
import os
import re
from typing import Any, Callable, Iterable, List, Optional, Sequence, Set, Tuple, Union

import numpy as np

from hotpath.base.messages import counted
from hotpath.runtime.errors import BadFrame, BadSource
from hotpath.runtime.tracker.lock import exclusive
from hotpath.video import sequence
from hotpath.video.base import (
    PICTURES,
    Log,
    Source,
    check_readable,
    is_picture,
    to_bgr,
)
from hotpath.video.depth import reduce_to_8_bits
from hotpath.video.encoded import decode_picture, holds_several
from hotpath.video.limits import check_bytes

FRACTION = re.compile(r"(?<=\d)\.(\d+)(?![\d.])")
SHORT = 3  # digits of a fraction that is no count of nanoseconds
# files whose names say so
OTHER_PICTURES = tuple(".heic .heif .avif .jp2 .j2k .jxl .gif .dng .exr .hdr .raw .tga".split())
VIDEOS = tuple(
    ".mpg .avi .mp4 .mkv .mov .ts .mts .m2ts .mpeg .vob .m4v .webm .wmv .flv .gif".split()
)


class FrameFolder(Source):
    """The pictures of a folder in the natural order of their names, with its ground truth, if any.

    The pictures are in the folder itself, or in ``img/``, ``color/`` or the like inside it.

    Args:
        folder: the folder, a picture (a video of one frame), or the paths of pictures. Paths of all
            pictures of a folder have its ground truth.
        log, depth: see ``Source``.
        name: name of the source in messages; None for the folder.
    """

    def __init__(
        self,
        folder: Union[str, Sequence[str]],
        log: Log = None,
        depth: Optional[int] = None,
        name: Optional[str] = None,
    ) -> None:
        paths = [] if isinstance(folder, str) else in_order(folder)
        if not isinstance(folder, str):
            files = [path for path in paths if not is_picture(path)]
            if files or not paths:
                raise BadSource(
                    f"{(files or ['nothing'])[0]}: name one video, or pictures only", what="mixed"
                )
            missing = [path for path in paths if not os.path.isfile(path)]
            if missing:
                raise BadSource(
                    f"{missing[0]}: no such picture", what="missing picture", where=missing[0]
                )
            folder = os.path.dirname(paths[0]) or "."
            name = name or f"{paths[0]} to {paths[-1]}"
        super().__init__(name or folder, log, depth)
        self._paths = picture_paths(folder)
        if paths and list(map(os.path.abspath, paths)) != list(map(os.path.abspath, self._paths)):
            self._paths = paths
            folder = ""
        others = other_pictures(self._paths) if folder and os.path.isdir(folder) else []
        if others:
            kinds = " ".join(sorted({os.path.splitext(other)[1].lower() for other in others}))
            self.leave_out(
                f"{counted(len(others), 'picture')} of other kinds ({kinds}) left out; convert "
                "them to JPEG or PNG"
            )
        self._tells_several = False
        self._undecoded: Set[int] = set()  # indices, each once however often it is played
        self.frames = len(self._paths)
        self.fps = sequence.stated_fps(folder) if folder else None
        self._boxes: List[sequence.Box] = []
        try:
            if folder:
                size = functools.partial(picture_size, self._paths[0])
                self._boxes = sequence.boxes_of(folder, self.frames, self.log, size)
        except sequence.Misfit as error:
            self.log(str(error))
        self.annotated = bool(self._boxes)
        self.seek(0)

    @exclusive
    def read(self, timeout_s: float = 1.0) -> Any:
        """The next frame, or None at the end; see ``Source.read``.

        A picture that can't be decoded is skipped, and counts as a frame of that index. The first
        one is not skipped, because the target's box belongs to it.
        """
        while self.given < len(self._paths):
            try:
                path = self._paths[self.given]
                frame = read_picture(path, self._reduced(), self._tell_several)
            except BadSource as error:
                if self.given == 0:
                    raise
                if not self._undecoded:
                    self.log(f"{self.name}: frame {self.given} is skipped: {error}")
                self._undecoded.add(self.given)
                self.skipped = len(self._undecoded)
                self.given += 1
            else:
                return self._give(frame)
        return None

    def _tell_several(self, sentence: str) -> None:
        """Say that a file holds several pictures, for the first such file alone."""
        if not self._tells_several:
            self._tells_several = True
            self.leave_out(sentence)

    def file_of(self, index: int) -> Optional[str]:
        """Name of the picture of that index, without its folder."""
        name = os.fsencode(os.path.basename(self._paths[index]))
        return name.decode("utf-8", "replace")

    @exclusive
    def seek(self, index: int) -> bool:
        """Make the frame of that index the next one; see ``Source.seek``."""
        self.given = max(0, min(index, len(self._paths) - 1))
        self.first_box = self._boxes[self.given] if self.given < len(self._boxes) else None
        return True


def natural_key(name: str, decimals: bool = False) -> Tuple[List[Union[int, str]], str]:
    """A sorting key that puts ``frame10`` after ``frame9``, and ``10.1.png`` after ``10.png``.

    Args:
        name: of a file; the ending of a picture does not count.
        decimals: whether what follows a number and a point is a fraction, as in 100.04.
    """
    stem = os.path.splitext(name)[0] if is_picture(name) else name
    if decimals:
        stem = FRACTION.sub(lambda match: f".{match.group(1):0<20.20}", stem)
    parts = re.split(r"([0-9]+)", stem.lower())  # texts and numbers alternate
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def in_order(names: Iterable[str]) -> List[str]:
    """Names of pictures in their natural order.

    Numbers behind a point are fractions if one begins with 0 (100.04), or if they are short and of
    several lengths, and none ends with 0. Else they are whole numbers, such as nanoseconds without
    their zeros.
    """
    names = list(names)
    stems = (os.path.splitext(os.path.basename(name))[0] for name in names)
    tails = [tail for stem in stems for tail in FRACTION.findall(stem) if len(tail) > 1]
    has_zero = any(tail[0] == "0" for tail in tails)
    is_short = bool(tails) and max(map(len, tails)) <= SHORT
    decimals = has_zero or (is_short and not any(tail[-1] == "0" for tail in tails))
    return sorted(names, key=lambda name: natural_key(name, decimals))


def pictures_like(pattern: str) -> List[str]:
    """The pictures whose paths match a pattern, such as ``img%04d.jpg`` or ``*.jpg``, in order."""
    parts = re.split(r"%0?\d*d", pattern)
    if len(parts) == 1:
        paths = glob.glob(pattern)
    else:
        number = re.compile(r"\d+".join(map(re.escape, parts)) + "$")
        paths = [p for p in glob.glob("*".join(map(glob.escape, parts))) if number.match(p)]
    return in_order(filter(is_picture, paths))


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
            return [os.path.join(path, name) for name in in_order(names)]
    videos = video_paths(folder)
    if videos:
        raise BadSource(
            f"{folder}: no pictures in this folder, but {os.path.basename(videos[0])}; name that "
            "file",
            what="no pictures",
        )
    raise BadSource(
        "{}: no pictures in this folder ({})".format(folder, " ".join(PICTURES)), what="no pictures"
    )


def other_pictures(paths: Sequence[str]) -> List[str]:
    """The names of pictures beside those of a sequence that Hotpath does not read."""
    stems = {os.path.splitext(os.path.basename(path))[0] for path in paths}
    names = map(os.path.splitext, sorted(os.listdir(os.path.dirname(paths[0]) or ".")))
    return [a + b for a, b in names if b.lower() in OTHER_PICTURES and a not in stems]


def video_paths(folder: str) -> List[str]:
    """The paths of the videos in a folder, by their names, in order; empty if it is no folder."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [os.path.join(folder, n) for n in names if os.path.splitext(n)[1].lower() in VIDEOS]


def read_picture(
    path: str, to_8_bits: Callable[[Any], Any] = reduce_to_8_bits, log: Log = None
) -> np.ndarray:
    """Read a picture file as BGR ``uint8`` (H, W, 3), rotated as its EXIF states.

    Args:
        path: the file.
        to_8_bits: function that reduces a 16-bit picture (see ``depth.py``).
        log: is told if the file holds more pictures than the first one, which is read.

    Raises:
        BadSource: it is not a whole picture, or one that OpenCV refuses.
    """
    try:
        return to_bgr(to_8_bits(_decoded(path, log)))
    except BadFrame as error:
        raise BadSource(f"{path}: {error}") from None


def _decoded(path: str, log: Log = None) -> np.ndarray:
    """The picture of a file, 8 or 16 bits; raises ``BadSource``."""
    check_readable(path)
    check_bytes(path, os.path.getsize(path))
    with open(path, "rb") as file:
        data = file.read()
    picture = decode_picture(data, path)
    if log and holds_several(data):
        log(
            f"{path} holds several pictures, of which only the first is a frame; to track in all "
            "of them, make a folder of pictures of it"
        )
    return picture


def picture_size(path: str) -> Optional[Tuple[int, int]]:
    """(width, height) of the picture of a file; None for a bad one, which ``read`` reports."""
    try:
        picture = _decoded(path)
    except BadSource:
        return None
    return picture.shape[1], picture.shape[0]
