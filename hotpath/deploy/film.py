"""Make clips without files: textured patches that move over a textured background."""

from typing import List, Sequence, Tuple

import numpy as np

WIDTH, HEIGHT = 640, 480
SIDE = 64  # of a patch, pixels
APART = 120  # centres of two patches, which lie in one search region
ELSEWHERE = (24, 380)  # where the first one comes back


def film(
    count: int, patches: Sequence[int] = (0,), gone: Sequence[int] = ()
) -> Tuple[List[np.ndarray], np.ndarray]:
    """Make frames that are the same on every computer.

    Args:
        count: number of frames.
        patches: which of the two patches it shows; both are side by side.
        gone: frames without the first patch, which comes back elsewhere.

    Returns:
        (frames, boxes): BGR uint8 (480, 640, 3) arrays, and float64 (count, len(patches), 4), each
        patch in each frame, NaN if it is gone.
    """
    background = _texture(np.random.RandomState(7), HEIGHT, WIDTH, 40) // 2
    pictures = [_patch(number) for number in patches]
    frames = []
    boxes = np.full((count, len(patches), 4), SIDE, np.float64)
    for index in range(count):
        frame = background.copy()
        for number, picture in enumerate(pictures):
            x, y = _place(index)
            x += APART * number - APART // 2 * (len(patches) - 1)
            if number == 0 and len(gone) and index > gone[-1]:
                x, y = ELSEWHERE
            if number == 0 and index in gone:
                boxes[index, number] = np.nan
            else:
                boxes[index, number, :2] = x, y
                frame[y : y + SIDE, x : x + SIDE] = picture
        frames.append(frame)
    return frames, boxes


def _patch(number: int) -> np.ndarray:
    """The picture of a patch: the first one, or the second one."""
    if number:
        other = _texture(np.random.RandomState(11), SIDE, SIDE, 16)
        other[..., 0] //= 4
        return other
    random = np.random.RandomState(7)
    _texture(random, HEIGHT, WIDTH, 40)  # its numbers follow those of the background
    return 255 - _texture(random, SIDE, SIDE, 8) // 2


def _place(index: int) -> Tuple[int, int]:
    """The patch's corner in a frame."""
    x = WIDTH // 2 + 120 * np.sin(index / 17.0)
    y = HEIGHT // 2 + 80 * np.sin(index / 11.0)
    return int(x) - SIDE // 2, int(y) - SIDE // 2


def _texture(random: np.random.RandomState, height: int, width: int, cell: int) -> np.ndarray:
    """Squares of random colours, uint8 (height, width, 3)."""
    rows, columns = -(-height // cell), -(-width // cell)
    colours = random.randint(0, 256, (rows, columns, 3)).astype(np.uint8)
    return np.asarray(colours.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width])
