"""DEIM, RT-DETR, D-FINE: the graph returns labels, corners and scores of a few boxes.

Such a graph takes the picture's size as a second input and gives corners in its pixels; here that
is the size of the network's input. Huang et al., "DEIM: DETR with Improved Matching", CVPR 2025.
"""

from typing import List, Tuple

import numpy as np

from hotpath.app.detect.description import Description
from hotpath.base.toml_keys import Keys
from hotpath.runtime.errors import BadNetwork

KEYS: Keys = {}


def decode(
    outputs: List[np.ndarray], description: Description
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode labels (1, n), corners (1, n, 4), scores (1, n); see
    ``hotpath.app.detect.families``."""
    shapes = [np.shape(output) for output in outputs]
    if len(shapes) != 3 or shapes[0] != shapes[2] or shapes[1] != shapes[0] + (4,):
        raise BadNetwork(
            f"{description.path}: the family deim needs the outputs labels, boxes and scores, not "
            f"{shapes}; name another family",
            what="wrong outputs",
        )
    labels, corners, scores = (output[0] for output in outputs)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return boxes, scores, labels.astype(int)
