"""First boxes with which tracking works badly: the tracker takes them, with a warning."""

from typing import Sequence

import numpy as np

from hotpath.runtime.pictures import AnyFrame, bgr_of, brightness
from hotpath.runtime.types import Box

TINY_PX = 4.0  # side
MOST_OF_FRAME = 0.9  # of both sides of the frame
LEAST_INSIDE = 0.5  # share of the box
AROUND = 0.25  # of a side of the box, on both sides, that is looked at with it
SAMPLES = 24  # rows and columns that are looked at
FLAT = 6.0  # standard deviation of each channel there: targets of 41 clips have 20 of grey, a sky 5


class DoubtfulBox(UserWarning):
    """Tracking from this first box will hardly work; the sentence says what to do."""


def doubt_of(frame: AnyFrame, box: Box, frame_shape: Sequence[int]) -> str:
    """Return a sentence if a target can hardly be followed from a first box, else "".

    ``box`` is as ``hotpath.runtime.types.checked_box`` returns it.
    """
    x, y, w, h = box
    height, width = frame_shape[:2]
    if min(w, h) < TINY_PX:
        return f"the box is only {w:.3g} x {h:.3g} pixels; draw it around the whole object"
    if w >= MOST_OF_FRAME * width and h >= MOST_OF_FRAME * height:
        return "the box is nearly the whole picture; draw a tight one around one object"
    inside = (min(x + w, width) - max(x, 0.0)) * (min(y + h, height) - max(y, 0.0))
    if inside < LEAST_INSIDE * w * h:
        return "most of the box is outside the picture; draw it around the part that is seen"
    rows, columns = _samples(y, h, height), _samples(x, w, width)
    if float(np.std(brightness(frame, rows, columns))) < FLAT:  # colours may still differ
        if float(bgr_of(frame)[rows[:, None], columns].std(axis=(0, 1)).max()) < FLAT:
            return "the box shows one colour and no edge; draw it around something that stands out"
    return ""


def _samples(start: float, side: float, limit: int) -> np.ndarray:
    """Return pixels across a box and a little more, in growing order, inside the frame."""
    ends = max(start - AROUND * side, 0.0), min(start + (1 + AROUND) * side, limit) - 1
    return np.unique(np.clip(np.linspace(*ends, SAMPLES), 0, limit - 1).astype(np.intp))
