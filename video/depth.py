"""Reduce pictures of 16-bit values, such as thermal ones, to 8 bits."""

import functools
from typing import Any, Callable, Iterable, List, Optional, Tuple

import numpy as np

SAMPLES = 32  # pictures of a folder that are looked at before the first one is given
Scale = Callable[[np.ndarray], np.ndarray]  # all pictures of a sequence share one
NOT_DEEP = "--depth is for pictures of 16 bits, and these have 8; leave it out"
WHOLE_RANGE = 1 << 15  # a picture with a larger value uses all 16 bits


class Reduction:
    """Turns the 16-bit pictures of one source into 8 bits, all on one scale.

    ``fit`` sets the scale from some pictures. Without it, as for live sources, the first picture
    sets it, and a later one with values outside of it widens it.

    Args:
        depth: bits that are in use; None for the range of the values.
        log: function that takes the sentence about the scale, and about a ``depth`` without use.
    """

    def __init__(self, depth: Optional[int], log: Callable[[str], None]) -> None:
        self._depth, self._log = depth, log
        self._scale: Optional[Scale] = None
        self._range: Optional[Tuple[int, int]] = None  # that a later picture may widen
        self._is_told = depth is None

    def fit(self, pictures: Iterable[Any]) -> None:
        """Set the scale from pictures of the whole source; those of 8 bits do not count."""
        deep = [picture for picture in pictures if is_deep(picture)]
        if deep:
            self._scale, words = scale_for(deep, self._depth)
            self._is_told = True
            self._log(f"16-bit pictures: {words}")

    def __call__(self, picture: Any) -> Any:
        """The picture with 8 bits; one that has them already is returned unchanged."""
        if not is_deep(picture):
            if not self._is_told:
                self._is_told = True
                self._log(NOT_DEEP)
            return picture
        low, high = int(picture.min()), int(picture.max())
        if self._scale is None:
            self.fit([picture])
            self._range = None if self._depth is not None else (low, high)
        elif self._range is not None and not self._range[0] <= low <= high <= self._range[1]:
            self._range = min(low, self._range[0]), max(high, self._range[1])
            self._scale, _ = scale_for([np.array(self._range, np.uint16)], None)
        assert self._scale is not None
        return self._scale(picture)


def is_deep(picture: Any) -> bool:
    """Whether a picture has 16 bits."""
    return isinstance(picture, np.ndarray) and picture.dtype == np.uint16


def linear(low: int, high: int) -> Scale:
    """A scale on which the values from ``low`` to ``high`` become 0 to 255; others are clipped."""
    values = (np.arange(1 << 16) - low) * 255.0 / max(high - low, 1)
    table = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return functools.partial(np.take, table)  # it goes to other processes too


def whole_range(picture: np.ndarray) -> np.ndarray:
    """The high byte of each value: 0..65535 becomes 0..255."""
    return (picture >> 8).astype(np.uint8)


def scale_for(pictures: List[np.ndarray], depth: Optional[int]) -> Tuple[Scale, str]:
    """The scale for a sequence.

    Args:
        pictures: some of its ``uint16`` pictures.
        depth: bits that the values have, or None to use the range of ``pictures``. A sequence that
            uses all 16 bits keeps its high bytes.

    Returns:
        (scale, sentence): a function of a picture, and what to tell the user.
    """
    low = min(int(picture.min()) for picture in pictures)
    high = max(int(picture.max()) for picture in pictures)
    words = "the values {} to {} become 0 to 255"
    if depth is None:
        words += "; --depth N sets 0 to 2^N - 1"
        if high >= WHOLE_RANGE:
            return whole_range, words.format(0, (1 << 16) - 1)
        return linear(low, high), words.format(low, high)
    most = (1 << depth) - 1
    words = words.format(0, most)
    if high > most:
        words += (
            f"; values up to {high} do not fit in {depth} bits and become 255 too; leave --depth "
            f"out, or give {high.bit_length()}"
        )
    return linear(0, most), words
