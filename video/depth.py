"""Reduce pictures of 16-bit values, such as thermal ones, to 8 bits."""

import functools
from typing import Callable, List, Optional, Tuple

import numpy as np

SAMPLES = 32  # pictures of a folder that are looked at before the first one is given
Scale = Callable[[np.ndarray], np.ndarray]  # all pictures of a sequence share one
WHOLE_RANGE = 1 << 15  # a picture with a larger value uses all 16 bits


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
