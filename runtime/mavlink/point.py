"""Find a box around the object at a point of a frame, when the user gave only a point.

No detector is needed. Regions of several sizes around the point are tried. In each, GrabCut
separates the object at the point from the background. The object with the sharpest border for its
area wins. It finds about half of the targets, see docs/mavlink.md. So a rectangle is better where
the ground station offers one.
"""

from typing import Optional, Tuple

import cv2
import numpy as np

SHARES = tuple(np.geomspace(0.08, 0.6, 5).tolist())  # sizes tried, shares of the shorter side
RADIUS_SHARES = (1.4, 2.0, 2.8)  # sizes tried where a radius is given, in radii
SIDE_PX = 64  # a larger region is scaled down to this side
DEFAULT_SHARE = 0.12  # side of the square box if GrabCut finds no object
ITERATIONS = 2
SMALLEST_PX = 6.0


def box_at(
    frame: np.ndarray, point: Tuple[float, float], radius: float = 0.0
) -> Tuple[float, float, float, float]:
    """(x, y, w, h) of the object at a point, pixels of the frame.

    Args:
        frame: BGR uint8 (H, W, 3).
        point: (x, y), 0-based pixels inside the frame.
        radius: of the object, about, pixels; 0: unknown.
    """
    height, width = frame.shape[:2]
    short = min(height, width)
    point = (min(max(point[0], 0.0), width - 1.0), min(max(point[1], 0.0), height - 1.0))
    known = radius >= SMALLEST_PX
    sizes = [radius * s for s in RADIUS_SHARES] if known else [short * s for s in SHARES]
    cv2.setRNGSeed(1)  # GrabCut clusters with random numbers; the same click gives the same box
    found = [part for part in (_part(frame, point, min(s, short)) for s in sizes) if part]
    if found:
        return max(found)[1]
    side = 2 * radius if known else DEFAULT_SHARE * short
    return point[0] - side / 2, point[1] - side / 2, side, side


def _part(
    frame: np.ndarray, point: Tuple[float, float], size: float
) -> Optional[Tuple[float, Tuple[float, float, float, float]]]:
    """(score, box) of the object that GrabCut finds in a region of one size, or None."""
    height, width = frame.shape[:2]
    reach = int(size) + 8
    left, top = max(0, int(point[0]) - reach), max(0, int(point[1]) - reach)
    region = frame[top : int(point[1]) + reach, left : int(point[0]) + reach]
    scale = min(1.0, SIDE_PX / float(max(region.shape[:2])))
    small = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    centre = ((point[0] - left) * scale, (point[1] - top) * scale)
    mask = _first_guess(small.shape[:2], centre, size * scale / 2)
    try:
        cv2.grabCut(
            small,
            mask,
            None,
            np.zeros((1, 65)),
            np.zeros((1, 65)),
            ITERATIONS,
            cv2.GC_INIT_WITH_MASK,
        )
    except cv2.error:  # the region has only one colour
        return None
    inside = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels, figures, _ = cv2.connectedComponentsWithStats(inside)
    rows, columns = labels.shape
    label = labels[min(rows - 1, int(centre[1])), min(columns - 1, int(centre[0]))]
    if label == 0:
        return None
    x, y, w, h, area = (float(v) for v in figures[label])
    score = _sharpness(small, (labels == label).astype(np.uint8))
    if score is None or min(w, h) / scale < SMALLEST_PX:
        return None
    touched = (x <= 1) + (y <= 1) + (x + w >= columns - 1) + (y + h >= rows - 1)
    score *= 0.5**touched * area / (w * h)
    return score, (left + x / scale, top + y / scale, w / scale, h / scale)


def _first_guess(shape: Tuple[int, int], centre: Tuple[float, float], half: float) -> np.ndarray:
    """The mask that GrabCut starts from: object near the point, background far from it."""
    mask = np.full(shape, cv2.GC_BGD, np.uint8)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    away = np.maximum(abs(columns - centre[0]), abs(rows - centre[1]))
    mask[away < 1.4 * half] = cv2.GC_PR_BGD
    mask[away < half] = cv2.GC_PR_FGD
    core = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 < max(1.5, 0.25 * half) ** 2
    mask[core] = cv2.GC_FGD
    return mask


def _sharpness(picture: np.ndarray, part: np.ndarray) -> Optional[float]:
    """Mean gradient on the border of a part, divided by the picture's; None: too small."""
    inner = cv2.erode(part, np.ones((3, 3), np.uint8)) > 0
    border = (cv2.dilate(part, np.ones((3, 3), np.uint8)) > 0) & ~inner
    if inner.sum() < 4 or not border.any():
        return None
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    gradient = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(gradient[border].mean() / (gradient.mean() + 1.0))
