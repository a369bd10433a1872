"""The known answer of a bundle: the fabric's correct result for one picture.

A bundle has the picture and the checksum of its maps. Without this check, a wrong overlay or a
stale cache would give wrong boxes and no error.
"""

import zlib
from typing import Iterable, Tuple

import numpy as np

Window = Tuple[int, int, int, int]
BORDER = (96, 112, 128)
TURNS = 100  # of a thorough check


def windows(exemplar: int, search: int) -> Tuple[Window, Window]:
    """The exemplar's and the search's window in a picture of the search region's size.

    Args:
        exemplar, search: sides of the two crops, pixels.

    Returns:
        (x, y, w, h) of each; that of the search reaches beyond the picture.
    """
    middle, beyond = (search - exemplar) // 2, search + 13
    return (middle, middle, exemplar, exemplar), (-8, -5, beyond, beyond)


def checksum(maps: Iterable[np.ndarray]) -> int:
    """Sum of maps as the fabric writes them, 8-bit numbers (channels, height, width)."""
    return zlib.crc32(b"".join(np.ascontiguousarray(values).tobytes() for values in maps))
