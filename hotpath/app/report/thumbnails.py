"""Make small pictures of a target with its surroundings, as JPEG."""

from typing import Sequence

import cv2
import numpy as np

from hotpath.runtime.frames.pictures import AnyFrame, bgr_of

AROUND = 2.0  # side of a picture, by the longer side of the box
SMALLEST_PX = 24.0  # side of what is cut out of a frame
QUALITY = 80
OUTSIDE = (64, 64, 64)  # BGR of what lies outside the frame
MARK, SHADOW = (255, 255, 255), (0, 0, 0)


def cut(frame: AnyFrame, box: Sequence[float], side_px: int) -> bytes:
    """Cut a target out of a frame, with its surroundings and its box as a thin line.

    Args:
        frame: BGR uint8 (H, W, 3), or a ``Picture``; it is not changed.
        box: (x, y, w, h), pixels of the frame.
        side_px: side of the picture, which is square.

    Returns:
        a JPEG; empty where the box is not finite.
    """
    x, y, w, h = (float(value) for value in box)
    if not np.isfinite((x, y, w, h)).all():
        return b""
    side = max(AROUND * max(w, h), SMALLEST_PX)
    side = min(side, AROUND * max(frame.shape[:2]) + SMALLEST_PX)  # whatever a table says
    left, top = x + w / 2 - side / 2, y + h / 2 - side / 2
    scale = side_px / side
    picture = _window(bgr_of(frame), left, top, side, side_px)
    corners = [(x - left) * scale, (y - top) * scale]
    corners += [corners[0] + w * scale, corners[1] + h * scale]
    corners = np.clip(corners, -9, side_px + 9)  # what is farther out is not visible
    left_px, top_px, right_px, bottom_px = (int(round(value)) for value in corners)
    for colour, line_px in ((SHADOW, 3), (MARK, 1)):
        cv2.rectangle(picture, (left_px, top_px), (right_px, bottom_px), colour, line_px)
    return jpeg(picture)


def jpeg(picture: np.ndarray) -> bytes:
    """A BGR picture as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def shrunk(picture: np.ndarray, width: int) -> np.ndarray:
    """A picture, scaled down to at most a width."""
    if picture.shape[1] <= width:
        return picture
    height = max(1, int(round(picture.shape[0] * (width / float(picture.shape[1])))))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def _window(frame: np.ndarray, left: float, top: float, side: float, side_px: int) -> np.ndarray:
    """A square of a frame, scaled to ``side_px``."""
    first_x, first_y = int(np.floor(left)), int(np.floor(top))
    count = max(1, int(round(side)))
    height, width = frame.shape[:2]
    x0, y0 = min(max(first_x, 0), width), min(max(first_y, 0), height)
    x1, y1 = min(max(first_x + count, x0), width), min(max(first_y + count, y0), height)
    square = np.empty((count, count, 3), np.uint8)
    square[:] = OUTSIDE
    part = frame[y0:y1, x0:x1]
    if part.size:
        square[y0 - first_y : y1 - first_y, x0 - first_x : x1 - first_x] = part
    how = cv2.INTER_AREA if count > side_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (side_px, side_px), interpolation=how))
