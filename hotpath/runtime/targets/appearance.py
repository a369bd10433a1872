"""Compare two objects by their colours."""

from typing import Optional, Sequence

import cv2
import numpy as np

INNER = 0.7  # share of the box's sides whose pixels count: its corners are background
BINS = (12, 8, 4)  # of hue, saturation and value
PICTURES_KEPT = 0.9  # share of what was seen before in what is remembered
PICTURES_ALIKE = 0.8  # similarity from which on two pictures may show the same object


def colour_description(frame: np.ndarray, box: Sequence[float]) -> Optional[np.ndarray]:
    """Hue, saturation and value in the middle of a box: counts that sum to 1.

    Args:
        frame: BGR uint8 (H, W, 3).
        box: (x, y, w, h), pixels.

    Returns:
        (n,) float; None if the box has no pixel in the frame.
    """
    x, y, w, h = box
    left, top = x + w * (1 - INNER) / 2, y + h * (1 - INNER) / 2
    rows = slice(max(0, int(top)), max(0, int(np.ceil(top + h * INNER))))
    columns = slice(max(0, int(left)), max(0, int(np.ceil(left + w * INNER))))
    patch = frame[rows, columns]
    if not patch.size:
        return None
    hsv = cv2.cvtColor(np.ascontiguousarray(patch), cv2.COLOR_BGR2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(BINS), [0, 180, 0, 256, 0, 256])
    shares: np.ndarray = counts / counts.sum()
    return shares.ravel()


def similarity(first: Optional[np.ndarray], two: Optional[np.ndarray]) -> float:
    """How much two objects look alike, 0 to 1 (Bhattacharyya coefficient); 0 if one is None."""
    return 0.0 if first is None or two is None else float(np.sqrt(first * two).sum())


def update_description(
    old: Optional[np.ndarray], new: Optional[np.ndarray]
) -> Optional[np.ndarray]:
    """What is known of an object after it was seen again."""
    if old is None or new is None:
        return new if old is None else old
    return PICTURES_KEPT * old + (1 - PICTURES_KEPT) * new
