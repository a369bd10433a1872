"""Reduce pictures of 16-bit values or floats, such as thermal ones, to 8 bits.

The range of all values but few outliers becomes 0 to 255, as in thermal viewers: dead pixels, the
sun, or a picture of a closed shutter take no contrast away.
"""

import functools
from collections import deque
from typing import Any, Callable, Deque, Iterable, List, Optional, Tuple

import cv2
import numpy as np

from hotpath.runtime.frames.pictures import is_deep

OUTLIERS = 0.005  # of a picture's values at each end, which become 0 or 255
TAIL = (
    0.05  # of the values at each end, between which lies the spread that others are compared with
)
FAR = 4  # times that spread: no part of the picture
HEADROOM = 0.1  # of the range, that is left for what is not in it
UINT16_MAX = (1 << 16) - 1
ODD_PICTURES = 20  # one of so many, such as of a closed shutter, does not count
VALUES = 1 << 16  # of a picture that are looked at
RECENT = 15  # pictures of a live source whose median is its range
NARROWS = 64  # pictures in which a range narrows by two thirds of what it is too wide
Scale = Callable[[np.ndarray], np.ndarray]  # all pictures of a sequence share one
NOT_DEEP = "--depth is for pictures of 16 bits, and these have 8; leave it out"
NO_BITS = "--depth is for whole numbers, and these are floats; leave it out"
VALUES_BECOME = "the values {:.6g} to {:.6g} become 0 to 255"
Range = Tuple[float, float]


class Reduction:
    """Turns the 16-bit pictures of one source into 8 bits.

    ``fit`` sets one scale from some pictures. Without it, as for live sources, the scale follows
    the last pictures: it widens at once, and narrows slowly. It does not depend on the clock.

    Args:
        depth: bits that are in use; None for the range of the values.
        log: function that takes the sentence about the scale, and about a ``depth`` without use.
    """

    def __init__(self, depth: Optional[int], log: Callable[[str], None]) -> None:
        self._depth, self._log = depth, log
        self._scale: Optional[Scale] = None
        self._recent: Deque[Range] = deque(maxlen=RECENT)  # ranges of the last pictures
        self._range = (0.0, 0.0)  # that of a scale which follows the pictures
        self._scaled: Range = (0, 0)  # that of ``_scale``
        self._told: Range = (0, 0)  # that of the last sentence
        self._follows = False
        self._is_told = depth is None

    def fit(self, pictures: Iterable[Any]) -> None:
        """Set the scale from pictures of the whole source; those of 8 bits do not count."""
        deep = [picture for picture in pictures if is_deep(picture)]
        if deep:
            self._scale, words = scale_for(deep, self._depth)
            self._is_told = True
            self._log(f"{kind_of(deep[0])} pictures: {words}")

    def __call__(self, picture: Any) -> Any:
        """The picture with 8 bits; one that has them already is returned unchanged."""
        if not is_deep(picture):
            if not self._is_told:
                self._is_told = True
                self._log(NOT_DEEP)
            return picture
        if self._scale is None:
            self.fit([picture])
            self._follows = self._depth is None and picture.dtype == np.uint16
            self._range = self._told = range_of(picture)
        if self._follows:
            self._follow(picture)
        assert self._scale is not None
        return self._scale(picture)

    def _follow(self, picture: np.ndarray) -> None:
        """Let the scale follow one more picture."""
        self._recent.append(range_of(picture))
        low, high = (float(np.median(ends)) for ends in zip(*self._recent))
        old_low, old_high = self._range
        self._range = (
            min(low, old_low + (low - old_low) / NARROWS),
            max(high, old_high + (high - old_high) / NARROWS),
        )
        now = int(round(self._range[0])), int(round(self._range[1]))
        width = now[1] - now[0]
        if max(abs(end - old) for end, old in zip(now, self._scaled)) * 256 > width:
            self._scale, self._scaled = linear(*now), now
        told_width = max(1, self._told[1] - self._told[0])
        if not told_width <= 2 * width <= 4 * told_width or now[0] > self._told[1]:
            self._told = now
            self._log("16-bit pictures: now " + VALUES_BECOME.format(*now))


def kind_of(picture: np.ndarray) -> str:
    """What values a deep picture has, in words."""
    return "16-bit" if picture.dtype == np.uint16 else "32-bit"


def linear(low: float, high: float, dtype: Any = np.uint16) -> Scale:
    """A scale on which the values from ``low`` to ``high`` become 0 to 255; others are clipped."""
    if dtype != np.uint16:
        return functools.partial(_scaled, low, high)
    table = _scaled(low, max(high, low + 1), np.arange(1 << 16))
    return functools.partial(np.take, table)  # it goes to other processes too


def _scaled(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """The values in 8 bits; what is no number becomes 0."""
    steps = (values - low) * (255.0 / (high - low or 1)) + 0.5
    return np.clip(np.nan_to_num(steps), 0, 255).astype(np.uint8)


def range_of(picture: np.ndarray) -> Range:
    """The lowest and highest value of what a deep picture shows.

    Left out are dead pixels and ``OUTLIERS``, a border without data or burnt-in text (many pixels
    with one value that is far from all others), and whatever else is many times the spread of the
    picture away. What is left out becomes darker or brighter than the rest, by ``HEADROOM``.
    """
    values = cv2.medianBlur(picture, 3).reshape(-1)
    values = np.sort(values[:: max(1, values.size // VALUES)])
    values = values[np.isfinite(values)] if picture.dtype != np.uint16 else values
    if not values.size:
        return 0.0, 0.0
    values = values.astype(np.float64)
    rest = _without_plain_ends(values)
    tail = int(rest.size * TAIL)
    low, high = rest[tail], rest[-1 - tail]
    reach = FAR * (high - low)
    if reach:
        rest = rest[(rest >= low - reach) & (rest <= high + reach)]
    outside, outside_of_all = int(rest.size * OUTLIERS), int(values.size * OUTLIERS)
    low, high = rest[outside], rest[-1 - outside]
    room = HEADROOM * (high - low)
    least, most = values[outside_of_all], values[-1 - outside_of_all]
    low, high = max(least, low - room), min(most, high + room)
    return (low, high) if picture.dtype != np.uint16 else (int(low), int(high))


def _without_plain_ends(values: np.ndarray) -> np.ndarray:
    """Sorted values without those that equal the least or the greatest one and are far from all."""
    for is_low in (True, False):
        end = values[0] if is_low else values[-1]
        if is_low:
            others = values[np.searchsorted(values, end, "right") :]
        else:
            others = values[: np.searchsorted(values, end)]
        if others.size <= values.size * TAIL:
            continue
        outside = int(others.size * OUTLIERS)
        spread = others[-1 - outside] - others[outside]
        gap = others[0] - end if is_low else end - others[-1]
        if gap > spread * (1 if end in (0, UINT16_MAX) else FAR):
            values = others
    return values


def scale_for(pictures: List[np.ndarray], depth: Optional[int]) -> Tuple[Scale, str]:
    """The scale for a sequence.

    Args:
        pictures: some of its deep pictures.
        depth: bits that the values have, or None to use the range of ``pictures``: that of all but
            ``OUTLIERS``, and but one of ``ODD_PICTURES`` at each end.

    Returns:
        (scale, sentence): a function of a picture, and what to tell the user.
    """
    lows, highs = (sorted(ends) for ends in zip(*map(range_of, pictures)))
    odd = -(-len(pictures) // ODD_PICTURES) if len(pictures) > 2 else 0
    low, high = lows[odd], max(highs[-1 - odd], lows[odd])
    if pictures[0].dtype != np.uint16:
        words = VALUES_BECOME.format(low, high) + (f"; {NO_BITS}" if depth is not None else "")
        return linear(low, high, np.float32), words
    if depth is None:
        return linear(low, high), VALUES_BECOME.format(low, high) + "; --depth N sets 0 to 2^N - 1"
    most = (1 << depth) - 1
    words = VALUES_BECOME.format(0, most)
    if high > most:
        words += (
            f"; values up to {high} do not fit in {depth} bits and become 255 too; leave --depth "
            f"out, or give {int(high).bit_length()}"
        )
    return linear(0, most), words
