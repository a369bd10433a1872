"""Lists of boxes: the best of those that say the same, the one at a point.

The user may click on an object in place of a box. The detector then looks at the whole frame, and
at windows around the point, in which a small object is large enough for it.
"""

import math
from typing import Any, List, Optional, Tuple

import numpy as np

from hotpath.runtime.boxes import overlaps
from hotpath.runtime.types import Box

WINDOWS = (1.0, 0.5)  # sides of the windows, shares of the frame's shorter side
BORDER_PX = 2.0  # a box nearer to a window's side may be cut off there
NEAR = 0.5  # farthest distance of a point from an object beside it, shares of its shorter side


def kept(boxes: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    """Indices of the boxes that no better one overlaps by more than ``most``, the best first."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    order = np.argsort(-np.asarray(scores, float), kind="mergesort")  # the stable one of any NumPy
    left = []
    while len(order):
        best, order = order[0], order[1:]
        left.append(best)
        order = order[overlaps(boxes[best], boxes[order])[0] <= most]
    return np.array(left, int)


def boxes_around(detector: Any, frame: np.ndarray, point: Tuple[float, float]) -> np.ndarray:
    """What the detector finds in the frame and in windows around a point.

    Args:
        detector: a ``hotpath.app.detect.Detector``.
        frame: BGR uint8 (H, W, 3).
        point: (x, y), 0-based pixels.

    Returns:
        (n, 4) float64 (x, y, w, h), 0-based pixels; an object may be among them several times.

    Raises:
        BadNetwork, NetworkFailed: see ``Detector.detect``.
    """
    height, width = frame.shape[:2]
    boxes_list: List[np.ndarray] = [detector.detect(frame).boxes]
    for share in WINDOWS:
        side = max(1, int(min(width, height) * share))
        left = int(min(max(point[0] - side / 2, 0), width - side))
        top = int(min(max(point[1] - side / 2, 0), height - side))
        window = np.ascontiguousarray(frame[top : top + side, left : left + side])
        boxes = detector.detect(window).boxes + (left, top, 0, 0)
        # only boxes that end before the sides of the window that lie inside the frame
        starts, ends = np.array((left, top)), np.array((left + side, top + side))
        near_low = (boxes[:, :2] < starts + BORDER_PX) & (starts > 0)
        near_high = (boxes[:, :2] + boxes[:, 2:] > ends - BORDER_PX) & (ends < (width, height))
        boxes_list.append(boxes[~(near_low | near_high).any(axis=1)])
    return np.concatenate(boxes_list)


def smallest_at(
    boxes: np.ndarray, point: Tuple[float, float], reach: float = 0.5, largest_px2: float = math.inf
) -> Optional[Box]:
    """The smallest box around a point, or None.

    Args:
        boxes: (n, 4) of (x, y, w, h).
        point: (x, y).
        reach: farthest distance of the point from the box's centre in x and in y, shares of the
            box's sides; 0.5 is the whole box.
        largest_px2: area above which a box does not count, square pixels.
    """
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    away = np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - point)
    areas = boxes[:, 2] * boxes[:, 3]
    good = (away <= reach * boxes[:, 2:]).all(axis=1) & (areas <= largest_px2)
    if not good.any():
        return None
    return Box(*boxes[np.where(good, areas, math.inf).argmin()].tolist())


def nearest_to(boxes: np.ndarray, point: Tuple[float, float]) -> Optional[Box]:
    """Return the box nearest to a point, or None if it is too far away."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    away = np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - point) - boxes[:, 2:] / 2
    shares = np.hypot(*np.maximum(away, 0).T) / boxes[:, 2:].min(axis=1)
    if not len(boxes) or shares.min() > NEAR:
        return None
    return Box(*boxes[shares.argmin()].tolist())
