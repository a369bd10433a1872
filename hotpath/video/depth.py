"""Reduce pictures of 16-bit values or floats, such as thermal ones, to 8 bits.

Each picture is scaled by the range of its own values but few outliers, as in thermal viewers: dead
pixels, the sun, or a border without data take no contrast away.
"""

from typing import Any, Callable, Optional, Tuple

import cv2
import numpy as np

from hotpath.runtime.frames.pictures import is_deep

OUTLIERS = 1  # per cent of a picture's values at each end, which may become 0 or 255
HEADROOM = 0.1  # of the range, that is left at each end for what is beyond it
# a group of values is no part of the picture if the gap beside it is so many times the spread of
# all groups; a group with a spread needs more, and above the scene it is a hot object
FAR, FAR_SPREAD = 4, 16
STEPS, MOST_GAPS = 257, 4  # quantiles among which gaps are looked for, and how many gaps
VALUES = 1 << 16  # of a picture that are looked at
NOT_DEEP = "--depth is for pictures of 16 bits, and these have 8; leave it out"
NO_BITS = "; --depth is for whole numbers, and these are floats; leave it out"
FIXED = "; --depth N takes 0 to 2^N - 1 for all"


class DepthReduction:
    """Turns the 16-bit pictures of one source into 8 bits.

    Args:
        depth: bits that are in use, for one scale of all pictures; None scales each picture by the
            range of its own values.
        log: function that takes a sentence about the scale, and about a ``depth`` that does not
            fit.
    """

    def __init__(self, depth: Optional[int], log: Callable[[str], None]) -> None:
        self._depth, self._log = depth, log
        self._is_told = self._is_excess_told = False

    def __call__(self, picture: Any) -> Any:
        """The picture with 8 bits; one that has them already is returned unchanged."""
        if not is_deep(picture):
            if self._depth is not None:
                self._tell(NOT_DEEP)
            return picture
        low, high = range_of(picture)
        is_whole = picture.dtype == np.uint16
        if self._depth is None or not is_whole:
            more = NO_BITS if self._depth is not None else FIXED if is_whole else ""
            kind = "16-bit" if is_whole else "32-bit"
            self._tell(
                f"{kind} pictures: each by its own values, first {low:.6g} to {high:.6g}{more}"
            )
            return scale_to_8_bits(picture, low, high)
        most = (1 << self._depth) - 1
        self._tell(f"16-bit pictures: the values 0 to {most} become 0 to 255")
        if high > most and not self._is_excess_told:
            self._is_excess_told = True
            self._log(
                f"values up to {high:.0f} do not fit in {self._depth} bits and become 255 too; "
                f"leave --depth out, or give {int(high).bit_length()}"
            )
        return scale_to_8_bits(picture, 0, most)

    def _tell(self, sentence: str) -> None:
        """Say one sentence about the first picture."""
        if not self._is_told:
            self._is_told = True
            self._log(sentence)


def reduce_to_8_bits(picture: Any) -> Any:
    """A deep picture in 8 bits by the range of its own values; others as they are."""
    return scale_to_8_bits(picture, *range_of(picture)) if is_deep(picture) else picture


def scale_to_8_bits(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    """A picture whose values from ``low`` to ``high`` become 0 to 255; what is no number, 0."""
    values = np.clip(np.nan_to_num(picture), low, high).astype(np.float32)
    return ((values - low) * (255 / (high - low or 1)) + 0.5).astype(np.uint8)


def range_of(picture: np.ndarray) -> Tuple[float, float]:
    """The lowest and highest value of what a deep picture shows.

    Left out are single dead pixels, ``OUTLIERS``, and what stands for no data, a border or burnt-in
    text: numbers that are none, the least and the greatest value of the type, and values that are
    far apart from all others, such as -9999, however many there are. Values with a spread that are
    above the scene are a hot object, and stay.
    What is left out becomes darker or brighter than the rest, by ``HEADROOM``.
    """
    values = cv2.medianBlur(picture, 3).reshape(-1)
    values = values[:: max(1, values.size // VALUES)]
    ends = np.iinfo(np.uint16) if values.dtype == np.uint16 else np.finfo(np.float32)
    shown = values[np.isfinite(values) & (values > ends.min) & (values < ends.max)]
    if not shown.size:
        return 0.0, float(ends.max) if values.dtype == np.uint16 else 0.0
    shown = _without_far_groups(shown)
    least, most = float(shown.min()), float(shown.max())
    low, high = np.percentile(shown.astype(np.float64), (OUTLIERS, 100 - OUTLIERS))
    room = HEADROOM * (high - low)
    return max(least, low - room), min(most, high + room)


def _without_far_groups(values: np.ndarray) -> np.ndarray:
    """The values of the largest group with a spread, if wide gaps part it from all others."""
    steps = np.sort(values)[np.linspace(0, values.size - 1, STEPS).astype(int)].astype(np.float64)
    order = np.argsort(steps[:-1] - steps[1:])  # the widest gap first
    for count in range(1, MOST_GAPS + 1):
        cuts = np.sort(order[:count]) + 1
        groups = np.split(steps, cuts)
        spreads = [group[-1] - group[0] for group in groups]
        scene = max(range(len(groups)), key=lambda n: (spreads[n] > 0, len(groups[n])))
        if any(spread > 0 for spread in spreads[scene + 1 :]):
            continue
        far = FAR_SPREAD if np.count_nonzero(spreads) > 1 else FAR
        gap = (steps[cuts] - steps[cuts - 1]).min()
        if spreads[scene] > 0 and gap > far * max(spreads):
            low, high = groups[scene][0] - spreads[scene], groups[scene][-1] + spreads[scene]
            return values[(values >= low) & (values <= high)]
    return values
