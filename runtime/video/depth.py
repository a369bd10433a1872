"""Reduce pictures of 16-bit values, such as thermal ones, to 8 bits."""

from typing import Callable, List, Optional, Tuple

import numpy as np

SAMPLES = 32  # pictures of a folder that are looked at before the first one is given
WHOLE_RANGE = 1 << 15  # a picture with a larger value uses all 16 bits


class DepthScale:
    """Maps values linearly to 0..255; all pictures of a sequence share one scale.

    Args:
        low, high: the values that become 0 and 255; values outside are clipped.
    """

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, max(high, low + 1)
        values = (np.arange(1 << 16) - self.low) * 255.0 / (self.high - self.low)
        self._table = np.clip(values + 0.5, 0, 255).astype(np.uint8)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """A ``uint16`` picture of any shape as ``uint8``."""
        scaled: np.ndarray = self._table[picture]
        return scaled


def whole_range(picture: np.ndarray) -> np.ndarray:
    """The high byte of each value: 0..65535 becomes 0..255."""
    return (picture >> 8).astype(np.uint8)


def scale_for(
    pictures: List[np.ndarray], depth: Optional[int]
) -> Tuple[Callable[[np.ndarray], np.ndarray], str]:
    """The scale for a sequence.

    Args:
        pictures: some of its ``uint16`` pictures.
        depth: bits that the values have, or None to use the range of ``pictures``. A sequence that
            uses all 16 bits keeps its high bytes.

    Returns:
        (scale, sentence): a function of a picture, and what to tell the user.
    """
    if depth is not None:
        return DepthScale(0, (1 << depth) - 1), f"{depth} bits"
    low = min(int(picture.min()) for picture in pictures)
    high = max(int(picture.max()) for picture in pictures)
    if high >= WHOLE_RANGE:
        return whole_range, "all 16 bits"
    return DepthScale(low, high), f"from {low} to {high}"
