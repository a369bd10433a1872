"""The figures of accuracy that compare boxes with the truth.

| figure                | what                                                        | as in    |
|-----------------------|-------------------------------------------------------------|----------|
| ``ao``                | mean overlap, the first frame left out                      | GOT-10k  |
| ``sr50``, ``sr75``    | share of frames with more overlap than 0.5, 0.75            | GOT-10k  |
| ``success``           | area under the success curve of 21 thresholds               | OTB      |
| ``precision``         | share of frames whose centre is within 20 pixels            | OTB      |
| ``norm_precision``    | the same within 0.2 of the box's width and height           | LaSOT    |

All figures leave out frames without the target. The tests compare them with ``got10k``.
"""

from typing import Dict

import numpy as np
from numpy.typing import ArrayLike

from hotpath.runtime.frames.boxes import overlap

SUCCESS = np.linspace(0, 1, 21)  # thresholds of overlap
PRECISION_PX = np.arange(51)  # thresholds of distance, pixels
NORMALISED = np.linspace(0, 0.5, 51)
AT_PX, AT_NORMALISED = 20, 20  # indices of the thresholds above that become a figure
FIGURES = ("ao", "sr50", "sr75", "success", "precision", "norm_precision")


def centre_distance(boxes: ArrayLike, truth: ArrayLike, normalised: bool = False) -> np.ndarray:
    """Distance of the centres, (n,) float64: pixels, or parts of the true width and height."""
    boxes, truth = np.asarray(boxes, float), np.asarray(truth, float)
    apart = boxes[:, :2] + boxes[:, 2:] / 2 - truth[:, :2] - truth[:, 2:] / 2
    if normalised:
        apart = apart / truth[:, 2:]
    return np.hypot(apart[:, 0], apart[:, 1])


def curves(boxes: ArrayLike, truth: ArrayLike) -> Dict[str, np.ndarray]:
    """dict of success (21,), precision (51,), norm_precision (51,): share of frames a threshold."""
    seen = np.isfinite(truth).all(axis=1)
    ious = overlap(boxes, truth)[seen]
    far, far_normalised = (centre_distance(boxes, truth, flag)[seen] for flag in (False, True))
    return {
        "success": np.mean(ious[:, None] > SUCCESS, axis=0),
        "precision": np.mean(far[:, None] <= PRECISION_PX, axis=0),
        "norm_precision": np.mean(far_normalised[:, None] <= NORMALISED, axis=0),
    }


def auc(boxes: ArrayLike, truth: ArrayLike) -> float:
    """The area under the success curve of a sequence."""
    return float(np.mean(curves(boxes, truth)["success"]))


def figures(boxes: ArrayLike, truth: ArrayLike) -> Dict[str, float]:
    """Compute the ``FIGURES`` of one clip, as a dict.

    Args:
        boxes: (n, 4); the first one is the box that the tracker was given.
        truth: (n, 4), NaN if the target is absent.
    """
    ious = overlap(boxes, truth)[1:]
    ious = ious[np.isfinite(ious)]
    curve = curves(boxes, truth)
    return {
        "ao": mean(ious),
        "sr50": mean(ious > 0.5),
        "sr75": mean(ious > 0.75),
        "success": float(np.mean(curve["success"])),
        "precision": float(curve["precision"][AT_PX]),
        "norm_precision": float(curve["norm_precision"][AT_NORMALISED]),
    }


def words(boxes: ArrayLike, truth: ArrayLike, claimed: ArrayLike) -> Dict[str, float]:
    """Compute VOTS' quality of what a tracker says, and its parts, as shares of frames.

    Args:
        boxes, truth: as in ``figures``.
        claimed: (n,) whether the tracker says that the target is in the box.

    Returns:
        ``q``, quality: the mean overlap, where a frame without a claim has 0 if the target is
        visible and 1 if it is absent, and one with a claim has 0 if it is absent. Of the visible
        frames ``dre``, drift-rate error: it claims a box that misses the target; ``nre``,
        not-reported error: it claims none. Of the absent frames, if there are any, ``adq``,
        absence-detection quality: it claims none.
    """
    ious, claims = overlap(boxes, truth)[1:], np.asarray(claimed, bool)[1:]
    seen = np.isfinite(ious)
    shares = {
        "q": mean(np.where(seen, claims * np.nan_to_num(ious), ~claims)),
        "dre": mean((claims & (ious <= 0))[seen]),
        "nre": mean(~claims[seen]),
    }
    if not seen.all():
        shares["adq"] = mean(~claims[~seen])
    return shares


def mean(values: np.ndarray) -> float:
    """The mean; NaN of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")
