"""Where the true cell stands among all cells of a map, for ``top1``, ``top3`` and ``top5``."""

import math
from typing import Optional, Tuple

import numpy as np

from hotpath.calib.one_step_overlap import Answers, Pairs
from hotpath.runtime.network import Network


def ranks(pairs: Pairs, answers: Answers) -> Optional[np.ndarray]:
    """How many cells weigh more than the one of the true centre, int (n,); 0 is the best.

    It is the number of cells if the map does not reach there. None without weights of cells.
    """
    maps = [weights for weights in answers.weights if weights is not None]
    if not maps:
        return None
    side, network = len(maps[0]), pairs.network
    shift = offset_middle(network, answers.cells, np.array(answers.boxes), side)
    truths = [true_cell(network, truth, side, shift) for truth in pairs.boxes]
    return np.array([rank(*pair) for pair in zip(maps, truths)])


def offset_middle(network: Network, cells: np.ndarray, boxes: np.ndarray, side: int) -> float:
    """Return the middle of the offsets from a cell to the centre of its box, in cells: 0 or 0.5.

    In the family ``centre`` heads learn offsets from 0 to 1 (OSTrack) or around 0 (LightFC,
    kestrel), which the boxes of their best cells show. A cell of ``points`` is a point.

    Args:
        cells: (n,) row-major index of the best cells.
        boxes: (n, 4) of their boxes, see ``box_at``.
        side: cells on each side of the map.
    """
    if network.family == "points":
        return 0.0
    places = np.stack([cells % side, cells // side], axis=1) - side // 2
    return 0.5 if (boxes[:, :2] / network.stride - places).mean() > 0.25 else 0.0


def true_cell(
    network: Network, box: np.ndarray, side: int, shift: float
) -> Optional[Tuple[int, int]]:
    """Return (row, column) of the cell that stands for a box's centre; None if the map has none.

    Args:
        box: (x, y, ...): the centre from the crop's centre, search pixels.
        side: cells on each side of the map.
        shift: of ``offset_middle``.
    """
    nearest = side // 2 + 0.5 - shift
    column, row = (math.floor(at / network.stride + nearest) for at in box[:2])
    return (row, column) if 0 <= row < side and 0 <= column < side else None


def rank(weights: np.ndarray, cell: Optional[Tuple[int, int]]) -> int:
    """Return how many cells weigh more than one; all of them if it is None."""
    return weights.size if cell is None else int((weights > weights[cell]).sum())
