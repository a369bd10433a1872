"""YOLOX: one row per cell and stride, with offsets, sizes, objectness and class scores.

Ge et al., "YOLOX: Exceeding YOLO Series in 2021". The graph ends in the raw head, with sigmoids
over objectness and classes, as the authors' export leaves it.
"""

from typing import List, Tuple

import numpy as np

from hotpath.app.detect.description import Description, check_shape
from hotpath.base.toml_keys import Key, Keys
from hotpath.runtime.decode.shared.keys import LARGEST_STRIDE

KEYS: Keys = {
    # input pixels between two cells, one number for each scale, in the order of the rows
    "strides": Key(list, (8.0, 16.0, 32.0), low=1, high=LARGEST_STRIDE),
}


def decode(
    outputs: List[np.ndarray], description: Description
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode one output (1, cells, 5 + classes); see ``hotpath.app.detect.families``."""
    width, height = description.side
    sides = [(int(width / step), int(height / step)) for step in description.strides]
    count = sum(columns * lines for columns, lines in sides)
    check_shape(description, outputs, (1, count, 5 + len(description.class_names)))
    cells, strides = [], []
    for step, (columns, lines) in zip(description.strides, sides):
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(lines)), axis=-1).reshape(-1, 2)
        cells.append(grid)
        strides.append(np.full((len(grid), 1), step))
    cell, stride = np.concatenate(cells), np.concatenate(strides)
    rows = outputs[0][0]
    centre = (rows[:, :2] + cell) * stride
    size = np.exp(rows[:, 2:4]) * stride
    scores = rows[:, 4:5] * rows[:, 5:]
    boxes = np.concatenate([centre - size / 2, size], axis=1)
    return boxes, scores.max(axis=1), scores.argmax(axis=1)
