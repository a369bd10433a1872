"""Sizes of the crops and maps in this training: those of LightFC and of other networks like it."""

import numpy as np

EXEMPLAR = 128  # pixels, side of the exemplar crop
SEARCH = 256  # pixels, side of the search crop
EXEMPLAR_FACTOR, SEARCH_FACTOR = 2.0, 4.0  # side of a crop, in square roots of the box's area
CELLS = 16  # cells a side of a map of the search crop
EXEMPLAR_CELLS = 8  # the same of the exemplar
STRIDE = SEARCH // CELLS  # search pixels a cell


def exemplar_side(size: np.ndarray) -> float:
    """Side of the exemplar's square in frame pixels, for a box of (w, h)."""
    return EXEMPLAR_FACTOR * float(np.sqrt(size[0] * size[1]))
