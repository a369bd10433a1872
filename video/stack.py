"""Picture files that hold several pictures: TIFF stacks, animated PNG and WebP."""

import re
import struct
from typing import Any, Callable, List, Optional

import cv2

from hotpath.kernels.commands import counted
from hotpath.runtime.camera_frames import WHOLE
from hotpath.runtime.errors import BadSource
from hotpath.video.base import Log, Source, check_readable, checked_picture
from hotpath.video.depth import SAMPLES, Reduction

PNG = b"\x89PNG\r\n\x1a\n"
# how files begin that may hold several: TIFF, WebP, and a PNG that states it before its pixels
SEVERAL = re.compile(rb"II\*\0|MM\0\*|RIFF.{4}WEBPVP8X|\x89PNG.{,4096}acTL", re.DOTALL)
MOST_PAGES = 100000  # of a TIFF file; a damaged one may have a circle of them


class PictureStack(Source):
    """All pictures of one file, in order.

    Args:
        path: the file.
        count: how many pictures it has, by ``pictures_in``.
        log, depth: see ``FrameFolder``.

    Raises:
        BadSource: this OpenCV reads fewer of them.
    """

    def __init__(self, path: str, count: int, log: Log = None, depth: Optional[int] = None) -> None:
        super().__init__(path, log)
        _, pictures = cv2.imreadmulti(path, flags=WHOLE)
        if len(pictures) < count:
            raise BadSource(
                f"{path}: has {counted(count, 'picture')}, of which OpenCV {cv2.__version__} reads "
                f"{len(pictures)}; convert it, as by `ffmpeg -i {path} %04d.png`"
            )
        self._pictures: List[Any] = list(pictures)
        self._reduced = Reduction(depth, lambda words: self.log(f"{path}: {words}"))
        self._reduced.fit(self._pictures[:: max(1, count // SAMPLES)])
        self.frames = len(self._pictures)

    def read(self, timeout_s: float = 1.0) -> Any:
        """The next frame, or None at the end; see ``Source.read``."""
        if self.given >= len(self._pictures):
            return None
        return self._give(checked_picture(self._reduced(self._pictures[self.given])))

    def seek(self, index: int) -> bool:
        """Make the frame of that index the next one; see ``Source.seek``."""
        self.given = max(0, min(index, len(self._pictures) - 1))
        return True


def pictures_of(path: str) -> int:
    """How many pictures a file has, by its headers; raises ``BadSource``."""
    check_readable(path)
    with open(path, "rb") as file:
        return pictures_in(file.read())


def is_png(path: str) -> bool:
    """Whether a file is a PNG by its first bytes, which ffmpeg reads if it is animated."""
    with open(path, "rb") as file:
        return file.read(len(PNG)) == PNG


def pictures_in(data: bytes) -> int:
    """How many pictures the bytes of a TIFF, PNG or WebP file hold; 1 for other files."""
    try:
        if data[:8] == PNG:
            return _in_png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _in_webp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _in_tiff(data)
    except struct.error:  # cut off
        pass
    return 1


def _in_png(data: bytes) -> int:
    """The chunk acTL, which comes before the pixels, states it (W3C, PNG, section 11.3.6)."""
    at = 8
    while data[at + 4 : at + 8] not in (b"IDAT", b""):
        length = int(struct.unpack_from(">I", data, at)[0])
        if data[at + 4 : at + 8] == b"acTL":
            return int(struct.unpack_from(">I", data, at + 8)[0])
        at += 12 + length
    return 1


def _in_webp(data: bytes) -> int:
    """Each picture of an animation is a chunk ANMF (RFC 9649, section 2.7.1.2)."""
    at, count = 12, 0
    while at + 8 <= len(data):
        count += data[at : at + 4] == b"ANMF"
        length = int(struct.unpack_from("<I", data, at + 4)[0])
        at += 8 + length + length % 2
    return max(1, count)


def _in_tiff(data: bytes) -> int:
    """Each page is a directory, at whose end the place of the next one is (TIFF 6.0, section 2)."""
    order = "<" if data[:2] == b"II" else ">"
    at, count = struct.unpack_from(order + "I", data, 4)[0], 0
    while at and count < MOST_PAGES:
        entries = struct.unpack_from(order + "H", data, at)[0]
        count += not _is_preview(data, order, at, entries)
        at = struct.unpack_from(order + "I", data, at + 2 + 12 * entries)[0]
    return max(1, count)


def _is_preview(data: bytes, order: str, at: int, entries: int) -> bool:
    """Whether a directory of a TIFF is a smaller copy of another page (NewSubfileType, bit 0)."""
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, _, _, value = struct.unpack_from(order + "HHII", data, entry)
        if tag == 254:
            return bool(value & 1)
    return False


def tell_several(path: str, data: bytes, log: Callable[[str], None]) -> None:
    """Log that a file of a folder holds several pictures, if it does."""
    count = pictures_in(data)
    if count > 1:
        log(
            f"{path} holds {count} pictures, of which only the first is a frame; name the file "
            "alone to track in all of them"
        )
