"""A clip that needs no file: a textured patch that moves over a textured background."""

from typing import Any, List, Tuple

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 480
SIDE = 64  # of the patch, pixels


def film(count: int) -> Tuple[List[Any], Any]:
    """Make frames that are the same on every computer.

    Args:
        count: of frames.

    Returns:
        (frames, boxes): BGR uint8 (480, 640, 3) arrays, and float64 (count, 4), the patch in each.
    """
    random = np.random.RandomState(7)
    background = _texture(random, HEIGHT, WIDTH, 40) // 2
    patch = 255 - _texture(random, SIDE, SIDE, 8) // 2
    frames, boxes = [], np.full((count, 4), SIDE, np.float64)
    for index in range(count):
        x, y = boxes[index, :2] = _place(index)
        frame = background.copy()
        frame[y : y + SIDE, x : x + SIDE] = patch
        frames.append(frame)
    return frames, boxes


def nv12(frame: Any) -> Any:
    """A frame as NV12: luma over chroma, uint8 (720, 640)."""
    planes = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)
    u_and_v = planes[HEIGHT:].reshape(2, -1)
    return np.vstack([planes[:HEIGHT], u_and_v.T.reshape(-1, WIDTH)])


def _place(index: int) -> Tuple[int, int]:
    """The patch's corner in a frame."""
    x = WIDTH // 2 + 120 * np.sin(index / 17.0)
    y = HEIGHT // 2 + 80 * np.sin(index / 11.0)
    return int(x) - SIDE // 2, int(y) - SIDE // 2


def _texture(random: Any, height: int, width: int, cell: int) -> Any:
    """Squares of random colours, uint8 (height, width, 3)."""
    rows, columns = -(-height // cell), -(-width // cell)
    colours = random.randint(0, 256, (rows, columns, 3)).astype(np.uint8)
    return colours.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width]
