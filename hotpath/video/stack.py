"""Picture files that hold several pictures, page by page, by Pillow: TIFF, WebP, GIF87a, HEIC.

FFmpeg reads animated PNG and GIF89a as videos.
"""

import os
import time
import warnings
from typing import Any, Iterator, Optional, Tuple

import cv2
import numpy as np

from hotpath.base.commands import counted, needs
from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.jpeg_frames import WHOLE
from hotpath.runtime.frames.pictures import is_deep
from hotpath.runtime.tracker.lock import exclusive
from hotpath.video.base import SAMPLES, Log, Source, check_readable
from hotpath.video.limits import (
    HEIF,
    PAGES,
    PAGES_S,
    PIXELS_PER_BYTE,
    STACK_PIXELS,
    check_bytes,
    check_size,
)

BITS = 258  # the tag BitsPerSample (TIFF 6.0, section 8)
GIF_FPS = 10.0  # of a GIF that states no times, as in browsers
FLOATS = ("F", "I")  # Pillow's names of floats, and of whole numbers of 32 bits
DEEP = ("I;16", "I;16L", "I;16B", "I;16N")  # Pillow's names of 16-bit grey


class Pages:
    """The pages of a picture file, each of which is decoded when it is asked for.

    Args:
        path: the file.

    Attributes:
        size: (width, height) of the pages; those of another size, such as previews, are left out.
        has_times: whether the pages of a file have durations.
        fps: pages a second of a file without durations, or None.
        left_out: a sentence about pages that are no frames, or empty.

    Raises:
        BadSource: Pillow is not installed, or can't read the file; or the file has more pages or
            pixels than a stack may have.
    """

    def __init__(self, path: str) -> None:
        check_readable(path)
        try:
            from PIL import Image

            if is_heif(path):
                import pillow_heif

                pillow_heif.register_heif_opener()
        except ImportError as error:
            raise BadSource(f"{path}: {needs('this kind of file', 'pillow', error)}") from None
        self._path = path
        size = os.path.getsize(path)
        check_bytes(path, size)
        self._file = open(path, "rb")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of large pictures, which are measured here
                formats = ("HEIF",) if is_heif(path) else ("TIFF", "WEBP", "GIF")
                self._image = Image.open(self._file, formats=formats)
                self.has_times = self._image.format == "WEBP"
                self.fps = GIF_FPS if self._image.format == "GIF" else None
                pages = list(self._counted(size))
        except BadSource:
            self.close()
            raise
        except Exception as error:  # Pillow has no class for what a wrong file raises
            self.close()
            raise BadSource(f"{path}: Pillow can't read it ({_words(error)})") from None
        self.size = pages[0][1]
        self._numbers = [number for number, page_size in pages if page_size == self.size]
        others = len(pages) - len(self._numbers)
        self.left_out = f"{counted(others, 'page')} of another size left out" if others else ""

    def _counted(self, size: int) -> Iterator[Tuple[int, Tuple[int, int]]]:
        """Number and size of each page; none is decoded."""
        until_s = time.process_time() + PAGES_S
        most = max(STACK_PIXELS, size * PIXELS_PER_BYTE)
        number = pixels = 0
        while self._go(number):
            width, height = self._image.size
            check_size(self._path, width, height)
            pixels += width * height
            if number >= PAGES or pixels > most or time.process_time() > until_s:
                raise self._too_many(number, width, height)
            yield number, (width, height)
            number += 1

    def _too_many(self, number: int, width: int, height: int) -> BadSource:
        return BadSource(
            f"{self._path}: a stack of more than {counted(number, 'page')} of {width}x{height} in "
            f"{counted(os.path.getsize(self._path), 'byte')} is not read; make a video of it",
            what="too large",
            where=self._path,
        )

    def _go(self, number: int) -> bool:
        """Go to a page; returns whether there is one."""
        try:
            self._image.seek(number)
        except EOFError:
            return False
        return True

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> np.ndarray:
        """A page as OpenCV would give it: grey or BGR, uint8 or uint16.

        Raises:
            BadSource: it can't be decoded.
        """
        try:
            self._image.seek(self._numbers[index])
            bits = getattr(self._image, "tag_v2", {}).get(BITS, (8,))
            if max(bits) > 8 and self._image.mode not in DEEP + FLOATS:
                return self._by_opencv(self._numbers[index])
            self._image.load()
            return _as_array(self._image)
        except Exception as error:
            raise BadSource(
                f"{self._path}: broke at frame {index} of {len(self)}: {_words(error)}",
                what="broke off",
                where=self._path,
            ) from None

    def _by_opencv(self, number: int) -> np.ndarray:
        """A page in colour of 16 bits, of which Pillow gives only eight."""
        pages = cv2.imreadmulti(self._path, number, 1, flags=WHOLE)[1]
        if not pages:
            raise ValueError("OpenCV reads no such page; write it with 8 or 16 bits")
        return np.asarray(pages[0])

    def time_s(self, index: int) -> float:
        """When a page begins; for a file that ``has_times``. The pages before it are decoded."""
        self[index]
        return float(self._image.info["timestamp"]) / 1e3

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class PictureStack(Source):
    """All pages of one file, in order.

    Args:
        path: the file.
        pages: its pages.
        log, depth: see ``FrameFolder``.
    """

    def __init__(
        self, path: str, pages: Pages, log: Log = None, depth: Optional[int] = None
    ) -> None:
        super().__init__(path, log, depth)
        self._pages, self._is_closed = pages, False
        if pages.left_out:
            self.leave_out(pages.left_out)
        self.frames, self.fps = len(pages), pages.fps
        if pages.has_times:
            first_s = pages.time_s(1)  # how long the first one is shown
            self.fps = 1 / first_s if first_s > 0 else None
        elif is_deep(pages[0]):
            step = max(1, self.frames // SAMPLES)
            self._reduced().fit(pages[index] for index in range(0, self.frames, step))

    @exclusive
    def read(self, timeout_s: float = 1.0) -> Any:
        """The next frame, or None at the end; see ``Source.read``."""
        if self._is_closed or self.given >= len(self._pages):
            return None
        time_s = self._pages.time_s(self.given) if self._pages.has_times else None
        return self._give_any(self._pages[self.given], time_s)

    @exclusive
    def seek(self, index: int) -> bool:
        """Make the frame of that index the next one; see ``Source.seek``."""
        self.given = max(0, min(index, len(self._pages) - 1))
        return not self._is_closed

    @exclusive
    def seek_time(self, time_s: float) -> bool:
        """Make the first frame from that time on the next one; see ``Source.seek_time``."""
        if self._is_closed or self.by_rate or not self._pages.has_times:
            return super().seek_time(time_s)
        times = [self._pages.time_s(index) for index in range(len(self._pages))]
        return self.seek(int(np.searchsorted(times, time_s - 1e-3)))

    def count(self) -> int:
        """Count the frames."""
        return len(self._pages)

    @exclusive
    def close(self) -> None:
        """Close the file."""
        self._is_closed = True
        self._pages.close()


def is_heif(path: str) -> bool:
    """Whether a file is of HEIF: the pictures of many phones."""
    with open(path, "rb") as file:
        return bool(HEIF.match(file.read(12)))


def _as_array(image: Any) -> np.ndarray:
    """A picture of Pillow as an array."""
    if image.mode in DEEP + FLOATS:
        return _native(np.asarray(image))
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))
    return cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)


def _native(values: np.ndarray) -> np.ndarray:
    """Values of a page in this computer's order of bytes: uint8, uint16, or else float32."""
    bits = 8 * values.dtype.itemsize if values.dtype.kind == "u" else 32
    return values.astype({8: np.uint8, 16: np.uint16}.get(bits, np.float32))


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
