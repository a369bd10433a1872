"""Find the causes of lost overlap: split 1 - AO of a clip by its frames and by oracles' gains.

| figure              | what                                                                       |
|---------------------|----------------------------------------------------------------------------|
| ``loss``            | 1 - AO: the sum of the next four                                           |
| ``loss_imprecise``  | in frames with an overlap of .2 or more                                    |
| ``loss_grown``      | in others whose box contains most of the target, or lies mostly in it      |
| ``loss_lost``       | in others in which the tracker says that it is lost                        |
| ``loss_elsewhere``  | in all others: the box is on another thing                                 |
| ``gain_size``       | what the true size adds in imprecise frames                                |
| ``gain_centre``     | what the true centre adds there                                            |
| ``gain_bias``       | what removing the clip's constant bias adds there: of size, and of centre  |

All are means over the annotated frames without the first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.types import LOST
from hotpath_lab.metrics import mean

IMPRECISE = 0.2  # least overlap of a box that is on the target
INSIDE = 0.5  # least share of the smaller of two boxes that lies in the other one


def losses(boxes: ArrayLike, truth: ArrayLike, states: Sequence[str] = ()) -> dict[str, float]:
    """Compute the figures of one clip, as a dict; NaN if no frame but the first is annotated.

    Args:
        boxes: (n, 4) x, y, w, h, pixels; the first one is the box that the tracker was given.
        truth: (n, 4), NaN if the target is absent.
        states: n words of the tracker; empty if it has none.

    Example:
        >>> figures = losses([[0, 0, 10, 10]] * 2, [[0, 0, 10, 10], [0, 0, 10, 20]])
        >>> figures["loss"], figures["gain_size"]
        (0.5, 0.5)
    """
    all_boxes, all_truth = np.asarray(boxes, float), np.asarray(truth, float)
    annotated = np.isfinite(all_truth).all(axis=1)
    annotated[0] = False
    own_boxes, true_boxes = all_boxes[annotated], all_truth[annotated]
    is_lost = np.array([state == LOST for state in states] or [False] * len(annotated))[annotated]
    own = overlap(own_boxes, true_boxes)
    imprecise = own >= IMPRECISE
    grown = ~imprecise & (_inside(own_boxes, true_boxes) >= INSIDE)
    kinds = {
        "imprecise": imprecise,
        "grown": grown,
        "lost": ~imprecise & ~grown & is_lost,
        "elsewhere": ~imprecise & ~grown & ~is_lost,
    }
    figures = {"loss": mean(1 - own)}
    figures.update({f"loss_{kind}": mean((1 - own) * rows) for kind, rows in kinds.items()})
    centre, size = own_boxes[:, :2] + own_boxes[:, 2:] / 2, own_boxes[:, 2:]
    true_centre, true_size = true_boxes[:, :2] + true_boxes[:, 2:] / 2, true_boxes[:, 2:]
    better = {
        "size": (centre, true_size),
        "centre": (true_centre, size),
        "bias": _unbiased(centre, size, true_centre, true_size, imprecise),
    }
    for part, (places, sizes) in better.items():
        gain = overlap(np.hstack([places - sizes / 2, sizes]), true_boxes) - own
        figures[f"gain_{part}"] = mean(gain * imprecise)
    return figures


def _unbiased(
    centre: np.ndarray,
    size: np.ndarray,
    true_centre: np.ndarray,
    true_size: np.ndarray,
    rows: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Centres and sizes without the median difference to the true ones in these rows."""
    if not rows.any():
        return centre, size
    growth = np.exp(np.median(np.log(true_size[rows] / size[rows]), axis=0))
    shift = np.median((true_centre[rows] - centre[rows]) / size[rows], axis=0)
    return centre + shift * size, size * growth


def _inside(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The area that two boxes share, as a share of the smaller one."""
    low = np.maximum(boxes[:, :2], truth[:, :2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], truth[:, :2] + truth[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    return shared / np.maximum(np.minimum(boxes[:, 2:].prod(1), truth[:, 2:].prod(1)), 1e-9)
