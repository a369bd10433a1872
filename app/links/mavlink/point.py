"""Find a box around the object at a point of a frame, when the user gave only a point.

No detector is needed. Rectangles of several sizes and shapes around the point are tried, and what
GrabCut separates there from the background. The tracker starts in each and searches the same
frame: its box moves towards an object's border. What most of them agree on is the object.

A detector knows the sizes of its classes. Where the user named the classes, its object at the point
is taken. Where the user named none, it must not be much larger than what the tracker found: the
click may be on a part of it, such as the face of a person.

A rectangle is better where the ground station offers one (docs/results/mavlink.md).
"""

import time
from typing import TYPE_CHECKING, Callable, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from hotpath.app.detect import Detector
from hotpath.app.detect.boxes import boxes_around, nearest_to, smallest_at
from hotpath.runtime.boxes import overlaps
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.types import Box, checked_box

if TYPE_CHECKING:
    from hotpath.runtime.targets.targets import Targets

# where targets that are started in boxes end in the frame; None where the network failed
Settle = Callable[[Sequence[Box]], Sequence[Optional[Box]]]

# sides tried, shares of the shorter side, the middle ones first
SHARES = tuple(np.geomspace(0.05, 0.5, 6)[[2, 3, 1, 4, 0, 5]].tolist())
SHAPES = (1.0, 0.5, 2.0)  # width by height of the rectangles
CUT_SHARES = tuple(np.geomspace(0.08, 0.6, 5).tolist())  # sizes of GrabCut's regions
SIDE_PX = 64  # a larger region is scaled down to this side
ITERATIONS = 2
STARTS, SEARCHES = 2, 4  # starts of the tracker in each rectangle, and searches after each
SMALLEST_PX = 6.0
REACH = 0.35  # of a click from an object's centre, shares of its sides, where no class is named
PART = 2.0  # an object of more than so many times the area is not what was clicked on


def find_box(
    frame: np.ndarray,
    point: Tuple[float, float],
    settle: Settle,
    detector: Optional[Detector] = None,
) -> Box:
    """The box of the object at a point.

    Args:
        frame: BGR uint8 (H, W, 3).
        point: (x, y), 0-based pixels; moved into the frame if it is outside.
        settle: called with boxes in the frame; it may answer for the first of them only.
        detector: finds the object, or None.
    """
    height, width = frame.shape[:2]
    point = min(max(point[0], 0.0), width - 1.0), min(max(point[1], 0.0), height - 1.0)
    objects = _objects(frame, point, detector)
    if detector is not None and not detector.any_class:
        named = smallest_at(objects, point) or nearest_to(objects, point)
        if named is not None:
            return named
    tried = candidates(frame, point)
    own = middle_of([box for box in settle(tried) if box is not None] or tried)
    return smallest_at(objects, point, REACH, PART * own.w * own.h) or own


def _objects(
    frame: np.ndarray, point: Tuple[float, float], detector: Optional[Detector]
) -> np.ndarray:
    """The detector's boxes, (n, 4); none without a detector, or where its network failed."""
    if detector is not None:
        try:
            return boxes_around(detector, frame, point)
        except HotpathError:
            pass  # only the tracker finds a box, and the click is not lost
    return np.zeros((0, 4))


def candidates(frame: np.ndarray, point: Tuple[float, float]) -> List[Box]:
    """The boxes to start in. The first ones have all sizes too, in case there is no time for more.

    Args:
        frame: BGR uint8 (H, W, 3).
        point: (x, y) inside the frame, 0-based pixels.
    """
    short, (x, y) = min(frame.shape[:2]), point
    cv2.setRNGSeed(1)  # GrabCut clusters with random numbers; the same click gives the same box
    cuts = [_object_in(frame, point, short * share) for share in CUT_SHARES]
    found = [box for box in cuts if box is not None]
    for n in range(len(SHAPES) * len(SHARES)):  # each size once in each shape
        shape = SHAPES[(n + n // len(SHARES)) % len(SHAPES)]
        side = max(SMALLEST_PX, short * SHARES[n % len(SHARES)])
        w, h = side * shape**0.5, side / shape**0.5
        found.append(Box(x - w / 2, y - h / 2, w, h))
    return found


def settled_boxes(
    targets: "Targets", frame: np.ndarray, boxes: Sequence[Sequence[float]], budget_s: float
) -> List[Optional[Box]]:
    """Where targets that are started in boxes end in the same frame. The frame loop calls this.

    Args:
        targets: ``hotpath.runtime.targets.targets.Targets``.
        frame: BGR uint8 (H, W, 3).
        boxes: (x, y, w, h) each, pixels of the frame.
        budget_s: no other box is begun after that time.

    Returns:
        the results of the first of the boxes, at least one; None if the network failed.
    """
    ends_s = time.monotonic() + budget_s
    found: List[Optional[Box]] = []
    for box in boxes:
        try:
            found.append(_settled_box(targets, frame, checked_box(box, frame.shape)))
        except HotpathError:
            found.append(None)
        if time.monotonic() > ends_s:
            break
    return found


def _settled_box(targets: "Targets", frame: np.ndarray, box: Box) -> Box:
    for _ in range(STARTS):
        number = targets.add(frame, box)
        try:
            for _ in range(SEARCHES):
                box = targets.follow(number, frame).box
        finally:
            targets.drop(number)
    return box


def middle_of(boxes: Sequence[Sequence[float]]) -> Box:
    """The box that overlaps most with all of them together (intersection over union)."""
    return Box(*(float(v) for v in boxes[int(overlaps(boxes, boxes).sum(axis=1).argmax())]))


def _object_in(frame: np.ndarray, point: Tuple[float, float], size: float) -> Optional[Box]:
    """The box of the object that GrabCut finds in a region of one size, or None."""
    height, width = frame.shape[:2]
    reach = int(size) + 8
    left, top = max(0, int(point[0]) - reach), max(0, int(point[1]) - reach)
    region = frame[top : int(point[1]) + reach, left : int(point[0]) + reach]
    scale = min(1.0, SIDE_PX / float(max(region.shape[:2])))
    small = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    centre = ((point[0] - left) * scale, (point[1] - top) * scale)
    mask = _first_guess(small.shape[:2], centre, size * scale / 2)
    try:
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, mask, None, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # the region has only one colour
        return None
    inside = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    _, labels, figures, _ = cv2.connectedComponentsWithStats(inside)
    rows, columns = labels.shape
    label = labels[min(rows - 1, int(centre[1])), min(columns - 1, int(centre[0]))]
    if label == 0:
        return None
    x, y, w, h = (float(v) for v in figures[label][:4])
    if min(w, h) / scale < SMALLEST_PX:
        return None
    return Box(left + x / scale, top + y / scale, w / scale, h / scale)


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
