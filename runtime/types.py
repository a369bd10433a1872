"""The small values that the parts of the runtime hand to one another."""

from collections import namedtuple

import numpy as np

from runtime.errors import BadBox, BadFrame

SMALLEST_PX, LARGEST_PX = 0.01, 1e6  # sides of a box


class Track(namedtuple("Track", "box score lost")):
    """Where the target is in a frame.

    Attributes:
        box: ``(x, y, w, h)`` floats, 0-based pixels of the source frame.
        score: the network's confidence in the winning cell, 0 to 1.
        lost: whether the target is not in that box any more, nor anywhere else that was looked at
            (see ``runtime.loss``).
    """

    __slots__ = ()

    def __new__(cls, box, score, lost=False):
        """A track; not lost unless that is said."""
        return super().__new__(cls, box, score, lost)

    @classmethod
    def around(cls, centre, size, score):
        """A track from its centre and size, both ``(x, y)`` in frame pixels."""
        x, y = float(centre[0] - size[0] / 2), float(centre[1] - size[1] / 2)
        return cls((x, y, float(size[0]), float(size[1])), float(score))


def checked_frame(frame):
    """Return ``frame`` when it is BGR ``uint8`` of shape (H, W, 3); raise ``BadFrame`` if not."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = getattr(frame, "dtype", type(frame).__name__)
        raise BadFrame("a frame must be a uint8 array, not {}; convert it first".format(kind))
    if frame.ndim != 3 or frame.shape[2] != 3 or not frame.shape[0] or not frame.shape[1]:
        raise BadFrame("a frame must have the shape (height, width, 3), not {}".format(frame.shape))
    return frame


def checked_box(box, frame_shape):
    """Return ``box`` as four floats when a target can have it in a frame of that shape.

    Args:
        box: ``(x, y, w, h)``, 0-based frame pixels.
        frame_shape: (height, width, ...).

    Raises:
        BadBox: not four numbers, not finite, not positive, or wholly outside the frame.
    """
    try:
        x, y, w, h = (float(value) for value in box)
    except (TypeError, ValueError):
        raise BadBox("a box is four numbers x,y,w,h, not {!r}".format(box)) from None
    text = "box {:g},{:g},{:g},{:g}".format(x, y, w, h)
    if not np.isfinite((x, y, w, h)).all():
        raise BadBox("{}: a number is not finite; give x,y,w,h in pixels".format(text))
    if max(abs(x), abs(y), w, h) > LARGEST_PX:
        raise BadBox("{}: no frame is that large; give x,y,w,h in pixels".format(text))
    if 0 < w < SMALLEST_PX or 0 < h < SMALLEST_PX:
        raise BadBox("{}: too small to hold anything; give x,y,w,h in pixels".format(text))
    if w <= 0 or h <= 0:
        raise BadBox("{}: width and height must be above zero".format(text))
    height, width = frame_shape[:2]
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise BadBox("{} lies outside the frame of {}x{}".format(text, width, height))
    return x, y, w, h
