"""Clips that need no file: textured patches that move over a textured background."""

from typing import Any, List, Tuple

import numpy as np

WIDTH, HEIGHT = 640, 480
SIDE = 64  # of a patch, pixels
APART = 120  # centres of two patches, which lie in one search region
ELSEWHERE = (24, 380)  # where the first one comes back


def film(count: int) -> Tuple[List[Any], Any]:
    """Make frames that are the same on every computer.

    Args:
        count: number of frames.

    Returns:
        (frames, boxes): BGR uint8 (480, 640, 3) arrays, and float64 (count, 4), the patch in each.
    """
    random = np.random.RandomState(7)
    background = _texture(random, HEIGHT, WIDTH, 40) // 2
    patch = 255 - _texture(random, SIDE, SIDE, 8) // 2
    frames = []
    boxes = np.full((count, 4), SIDE, np.float64)
    for index in range(count):
        x, y = boxes[index, :2] = _place(index)
        frame = background.copy()
        frame[y : y + SIDE, x : x + SIDE] = patch
        frames.append(frame)
    return frames, boxes


def two_targets(count: int, gone: int, back: int) -> Tuple[List[Any], Any]:
    """Frames with two patches side by side; the first disappears, and comes back elsewhere.

    Args:
        count: number of frames.
        gone, back: the frames in which the first patch is not there.

    Returns:
        (frames, boxes): as of ``film``, but float64 (count, 2, 4), NaN if the patch is gone.
    """
    frames, places = film(count)
    random = np.random.RandomState(11)
    other = _texture(random, SIDE, SIDE, 16)
    other[..., 0] //= 4
    patch = frames[0][_slices(places[0])].copy()
    background = frames[0].copy()
    background[_slices(places[0])] = (
        _texture(np.random.RandomState(7), HEIGHT, WIDTH, 40)[_slices(places[0])] // 2
    )
    boxes = np.full((count, 2, 4), SIDE, np.float64)
    shown = []
    for index in range(count):
        frame = background.copy()
        boxes[index, 0, :2] = places[index, :2] - (APART // 2, 0)
        boxes[index, 1, :2] = places[index, :2] + (APART // 2, 0)
        if gone <= index < back:
            boxes[index, 0] = np.nan
        elif index >= back:
            boxes[index, 0, :2] = ELSEWHERE
        for box, picture in zip(boxes[index], (patch, other)):
            if np.isfinite(box[0]):
                frame[_slices(box)] = picture
        shown.append(frame)
    return shown, boxes


def _slices(box: np.ndarray) -> Tuple[slice, slice]:
    x, y = int(box[0]), int(box[1])
    return slice(y, y + SIDE), slice(x, x + SIDE)


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
