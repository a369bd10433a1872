"""A clip that needs no file: a textured patch that moves over a textured background."""

from typing import Any, List, Tuple

import numpy as np

WIDTH, HEIGHT = 640, 480
SIDE = 64  # of the patch, pixels


def film(count: int) -> Tuple[List[Any], Tuple[float, float, float, float]]:
    """Make frames that are the same on every computer.

    Args:
        count: of frames.

    Returns:
        (frames, box): BGR uint8 (480, 640, 3) arrays, and (x, y, w, h) of the patch in the first.
    """
    random = np.random.RandomState(7)
    background = _texture(random, HEIGHT, WIDTH, 40) // 2
    patch = 255 - _texture(random, SIDE, SIDE, 8) // 2
    frames = []
    for index in range(count):
        x, y = _place(index)
        frame = background.copy()
        frame[y : y + SIDE, x : x + SIDE] = patch
        frames.append(frame)
    x, y = _place(0)
    return frames, (float(x), float(y), float(SIDE), float(SIDE))


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
