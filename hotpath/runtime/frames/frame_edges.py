"""Boxes at the edges of a frame: the share outside, and the visible part."""

from typing import Any, Sequence

import numpy as np

from hotpath.runtime.types import LARGEST_PX, MOST_OF_CORNERS


def leave_frame(boxes: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """Return whether more than ``MOST_OF_CORNERS`` of each box is outside of a frame.

    Args:
        boxes: (n, 4) floats x, y, w, h, pixels.
        size: (width, height) of the frame, pixels.

    Returns:
        (n,) bool.
    """
    start, extent = boxes[:, :2], np.minimum(boxes[:, 2:], LARGEST_PX)
    shown = np.clip(np.minimum(start + extent, size) - np.maximum(start, 0), 0, None)
    return np.asarray(shown.prod(axis=1) < (1 - MOST_OF_CORNERS) * extent.prod(axis=1))


def within_frame(box: Any, frame_shape: Sequence[int]) -> Any:
    """Return the visible part of a box that is longer than the frame; any other box as it is.

    Args:
        box: ``(x, y, w, h)``, frame pixels. ``checked_box`` refuses anything that is no box later.
        frame_shape: (height, width, ...).

    Example:
        >>> within_frame((-20, 10, 700, 50), (480, 640))
        (0.0, 10.0, 640.0, 50.0)
    """
    try:
        x, y, w, h = map(float, box)
    except (TypeError, ValueError, OverflowError):
        return box
    height, width = frame_shape[:2]
    if not (w > width or h > height):
        return box
    left, top = max(x, 0.0), max(y, 0.0)
    part = left, top, min(x + w, width) - left, min(y + h, height) - top
    return part if min(part[2:]) > 0 else box
