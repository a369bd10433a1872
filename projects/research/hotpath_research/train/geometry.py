"""Sizes of the crops and maps in this training: those of LightFC and of other networks like it."""

import numpy as np

EXEMPLAR = 128  # pixels, side of the exemplar crop
SEARCH = 256  # pixels, side of the search crop
EXEMPLAR_FACTOR, SEARCH_FACTOR = 2.0, 4.0  # side of a crop, in square roots of the box's area
CELLS = 16  # cells a side of a map of the search crop
EXEMPLAR_CELLS = 8  # the same of the exemplar
STRIDE = SEARCH // CELLS  # search pixels a cell
# The score around a box's centre, as kestrel gives it where its box is right. So the thresholds of
# lost targets keep their meaning.
SPREAD, PEAK = 0.18, 0.64  # deviation, as a share of the side; largest value


def exemplar_side(size: np.ndarray) -> float:
    """Side of the exemplar's square in frame pixels, for a box of (w, h)."""
    return EXEMPLAR_FACTOR * float(np.sqrt(size[0] * size[1]))


def maps_of(box: np.ndarray) -> dict[str, np.ndarray]:
    """The maps that a network should give for a box, as of ``Teacher.learn``.

    Args:
        box: corners in pixels of the search crop.

    Returns:
        dict: probability (16,16), a bell around the cell of the centre, and zero everywhere if the
        centre is outside; size (2,16,16) as shares of the region; offset (2,16,16) in cells.
    """
    first, last = (np.asarray(box, float).reshape(2, 2) + 0.5) / STRIDE
    centre, size = (first + last) / 2, last - first
    at = np.stack(np.meshgrid(np.arange(CELLS), np.arange(CELLS)))  # x, y
    away = at - np.floor(centre)[:, None, None]
    spread = SPREAD * np.sqrt(size.prod())
    probability = PEAK * np.exp(-np.square(away).sum(0) / (2 * spread**2))
    if not ((centre >= 0) & (centre < CELLS)).all():
        probability[:] = 0.0
    sizes = np.broadcast_to(size[:, None, None] / CELLS, at.shape)
    return {"probability": probability, "size": sizes, "offset": centre[:, None, None] - at}
