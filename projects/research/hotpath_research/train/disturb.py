"""Objects and backgrounds around, beside and in front of the target in a search crop.

Every function changes the crop, uint8 (256,256,3), in place. A box is (x1, y1, x2, y2) in pixels of
the crop.
"""

from typing import Any

import cv2
import numpy as np

from hotpath_research.train.geometry import SEARCH

HALF_HIDDEN = 0.3  # share of the other things of the target's class that hide a part of it


def halves(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(centre, half of the size) of a box given as corners."""
    return (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2


def paste(search: np.ndarray, patch: np.ndarray, centre: np.ndarray, soft: bool = False) -> None:
    """Put a patch around ``centre``; ``soft``: as an ellipse with a soft edge."""
    size = np.array(patch.shape[1::-1])
    start = (centre - size / 2).astype(int)
    low, high = np.maximum(start, 0), np.minimum(start + size, SEARCH)
    if not (high > low).all():
        return
    inner = tuple(slice(a, b) for a, b in zip(low - start, high - start))[::-1]  # rows first
    outer = tuple(slice(a, b) for a, b in zip(low, high))[::-1]
    if not soft:
        search[outer] = patch[inner]
        return
    across, down = (np.linspace(-1, 1, n, dtype=np.float32) ** 2 for n in size)
    weight = np.clip((1.15 - across[None] - down[:, None]) / 0.3, 0, 1)[inner][:, :, None]
    search[outer] = patch[inner] * weight + search[outer] * (1 - weight)


def swap_background(search: np.ndarray, behind: np.ndarray, box: np.ndarray) -> None:
    """Put another picture, of the size of the crop, behind the target."""
    centre, half = halves(box)
    cells = np.arange(SEARCH, dtype=np.float32)
    x = (abs(cells - centre[0]) / (half[0] * 1.05)) ** 4
    y = (abs(cells - centre[1]) / (half[1] * 1.05)) ** 4
    weight = np.clip((1.25 - x[None] - y[:, None]) / 0.35, 0, 1).astype(np.float32)[:, :, None]
    search[:] = search * weight + behind * (1 - weight)


def cut(picture: np.ndarray, box: np.ndarray, size: np.ndarray, flip: bool = False) -> np.ndarray:
    """What a box (centre, size) of a picture shows, resized to ``size``."""
    scale = size / np.maximum(box[2:], 1) * ([-1, 1] if flip else [1, 1])
    matrix = np.column_stack([np.diag(scale), size / 2 - scale * box[:2]])
    shape = tuple(int(v) for v in size)
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, matrix, shape, None, cv2.INTER_LINEAR, border))


def size_beside(rng: np.random.Generator, box: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The size in pixels for a thing of another picture that is to be about as large as the box."""
    half = halves(box)[1]
    factor = np.sqrt(4 * half.prod() / (other[2] * other[3])) * np.exp(rng.uniform(-0.3, 0.3))
    size: np.ndarray = np.clip(other[2:] * factor, 8, 200).astype(int)
    return size


def add_distractor(
    search: np.ndarray,
    box: np.ndarray,
    picture: np.ndarray,
    other: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Put something else of about the target's size beside it.

    Args:
        picture: where it comes from, uint8 (h,w,3).
        other: its box there, as centre and size.
    """
    size = size_beside(rng, box, other)
    (centre, half), at = halves(box), rng.uniform(0, SEARCH, 2)
    if (abs(at - centre) > half * 0.7 + size * 0.35).any():  # it covers little of the box
        paste(search, cut(picture, other, size), at)


def add_kin(
    search: np.ndarray,
    box: np.ndarray,
    picture: np.ndarray,
    other: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Put another thing of the target's class close to it; arguments as of ``add_distractor``.

    It stands beside the target, or hides up to about half of it.
    """
    size = size_beside(rng, box, other)
    centre, half = halves(box)
    angle = rng.uniform(0, 2 * np.pi)
    hides = rng.random() < HALF_HIDDEN
    reach = rng.uniform(0.55, 0.8) if hides else rng.uniform(1.0, 1.8)
    at = centre + np.array([np.cos(angle), np.sin(angle)]) * (half + size / 2) * reach
    paste(search, cut(picture, other, size, rng.random() < 0.5), at, soft=True)


def add_occluder(search: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> None:
    """Cover a part of the target with one colour, or with a part of the crop."""
    centre, half = halves(box)
    size = (half * 2 * rng.uniform(0.15, 0.5, 2)).astype(int) + 1
    start = np.clip((centre + rng.uniform(-1, 1, 2) * half).astype(int), 0, SEARCH - 1)
    region = search[start[1] : start[1] + size[1], start[0] : start[0] + size[0]]
    if rng.random() < 0.3:
        region[:] = rng.integers(0, 255, 3)
    elif rng.random() < 0.4:
        region[:] = region[::-1, ::-1].copy()
    else:
        other = np.clip(rng.integers(0, SEARCH, 2), 0, SEARCH - np.array(region.shape[1::-1]))
        h, w = region.shape[:2]
        region[:] = search[other[1] : other[1] + h, other[0] : other[0] + w].copy()


def cut_off(search: np.ndarray, box: np.ndarray, fill: Any, rng: np.random.Generator) -> None:
    """Let the picture end across the target: 15 to 60 % of it is beyond, in the colour ``fill``."""
    side = int(rng.integers(4))  # left, top, right, bottom
    axis, last = side % 2, side > 1
    share = rng.uniform(0.15, 0.6)
    place = box[axis] + (1 - share if last else share) * (box[axis + 2] - box[axis])
    place = int(np.clip(place, 0, SEARCH))
    beyond = slice(place, None) if last else slice(0, place)
    search[(slice(None), beyond) if axis == 0 else beyond] = fill
