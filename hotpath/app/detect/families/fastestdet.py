"""FastestDet: one map of cells with objectness, an offset and a size of the box, and class scores.

The arithmetic is that of the authors' example: the score is a weighted product of objectness and
class, the offset a hyperbolic tangent, the size a logistic function, both relative to the picture.
"""

from typing import List, Tuple

import numpy as np

from hotpath.app.detect.description import Description, check_shape
from hotpath.base.toml_keys import Key, Keys
from hotpath.runtime.decode.shared.keys import MAP_SIZE

KEYS: Keys = {
    "map_size": MAP_SIZE._replace(default=22),
    # share of objectness in the score's exponent; the class has the rest
    "object_share": Key(float, 0.6, low=0, high=1),
}


def decode(
    outputs: List[np.ndarray], description: Description
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode one output (1, 5 + classes, rows, columns); see
    ``hotpath.app.detect.families``."""
    side, share = description.map_size, description.object_share
    check_shape(description, outputs, (1, 5 + len(description.class_names), side, side))
    rows = outputs[0][0].reshape(len(outputs[0][0]), -1).T.astype(float)
    cell = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    centre = (cell + np.tanh(rows[:, 1:3])) / side
    size = 1 / (1 + np.exp(-rows[:, 3:5]))
    boxes = np.concatenate([centre - size / 2, size], axis=1) * (description.side * 2)
    scores = rows[:, 0] ** share * rows[:, 5:].max(axis=1) ** (1 - share)
    return boxes, scores, rows[:, 5:].argmax(axis=1)
