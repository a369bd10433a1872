"""Boxes of things that stand out from a plain ground, by a threshold of the colour."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

MARGIN = 0.15  # around a loose box, shares of its sides
PLAIN = 18  # most difference of the ground from its median, grey levels
THING = 24  # least difference of a thing from the ground


class Cut(NamedTuple):
    """A thing before a plain ground: its box, and BGRA of the box."""

    box: tuple[int, int, int, int]
    thing: np.ndarray


def _ring(image: np.ndarray, px: int = 1) -> np.ndarray:
    """The pixels at the border of a picture, (n, 3) int."""
    sides = (image[:px], image[-px:], image[:, :px], image[:, -px:])
    return np.concatenate([side.reshape(-1, 3) for side in sides]).astype(int)


def cut_out(image: np.ndarray) -> Cut | None:
    """Cut the thing out of a picture with a plain border; None if there is not exactly one."""
    height, width = image.shape[:2]
    ring = _ring(image, 3)
    ground = np.median(ring, axis=0)
    if (abs(ring - ground).max(axis=1) > PLAIN).mean() > 0.08:
        return None
    mask = (abs(image.astype(int) - ground).max(axis=2) > THING).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, figures, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    largest = 1 + int(figures[1:, cv2.CC_STAT_AREA].argmax())
    x, y, w, h, area = (int(value) for value in figures[largest])
    is_one = area >= 0.75 * mask.sum() and area >= 0.05 * height * width
    if not is_one or w * h > 0.9 * height * width:
        return None
    outline, _ = cv2.findContours(
        (labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled = cv2.drawContours(np.zeros_like(mask), outline, -1, 255, -1)
    filled = cv2.erode(filled, np.ones((3, 3), np.uint8))
    return Cut((x, y, w, h), np.dstack([image, filled])[y : y + h, x : x + w])


def tightened(image: np.ndarray, box: Sequence[float]) -> tuple[float, ...] | None:
    """Tighten a loose box around a thing before a plain ground, such as the sky; None if unsure."""
    x, y, w, h = box
    height, width = image.shape[:2]
    x0, y0 = int(max(0, x - MARGIN * w)), int(max(0, y - MARGIN * h))
    x1, y1 = int(min(width, x + w + MARGIN * w)), int(min(height, y + h + MARGIN * h))
    region = image[y0:y1, x0:x1]
    if min(region.shape[:2]) < 8:
        return None
    ring = _ring(region)
    ground = np.median(ring, axis=0)
    spread = float(np.percentile(abs(ring - ground).max(axis=1), 90))
    if spread > 14:
        return None
    mask = (abs(region.astype(int) - ground).max(axis=2) > max(14.0, 2.2 * spread)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, _, figures, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    parts = figures[1:]
    main = parts[int(parts[:, cv2.CC_STAT_AREA].argmax())]
    large_enough = main[4] >= 0.6 * mask.sum() and main[4] >= 0.02 * mask.size
    if not large_enough or min(main[2], main[3]) < 4:
        return None
    parts = parts[parts[:, cv2.CC_STAT_AREA] > 6]
    left, top = parts[:, 0].min(), parts[:, 1].min()
    right, bottom = (parts[:, 0] + parts[:, 2]).max(), (parts[:, 1] + parts[:, 3]).max()
    if left <= 0 or top <= 0 or right >= region.shape[1] or bottom >= region.shape[0]:
        return None
    return float(x0 + left), float(y0 + top), float(right - left), float(bottom - top)
