"""The losses: distances to the teacher's features and to its maps.

Maps are (N,16,16). Sizes are shares of the search region, offsets are in cells.
"""

from typing import Any

import torch
import torch.nn.functional as F

from hotpath_research.train.geometry import CELLS
from hotpath_research.train.pairs import NEGATIVE

SURE = 0.1  # least probability of a cell whose box is learnt
CLAIM = 0.4  # least probability of a cell that claims the target, for precision and recall
TOP = (1, 5)  # cells, of top-k accuracy
SHARES = {"score": 1 / 6, "overlap": 1.0, "size": 0.3, "offset": 0.3}  # of the sum


def feature_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Smooth L1 between standardised features."""
    return F.smooth_l1_loss(student, teacher)


def explained(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Share of the variance of the teacher's standardised features that the student explains."""
    return 1.0 - (student - teacher).square().mean() / teacher.var()


def corners(size: torch.Tensor, offset: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Boxes of all cells as shares of the region: x1, y1, x2, y2, each (N,16,16)."""
    at = torch.arange(CELLS, device=size.device)
    x, y = (at + offset[:, 0]) / CELLS, (at[:, None] + offset[:, 1]) / CELLS
    half = size / 2
    return x - half[:, 0], y - half[:, 1], x + half[:, 0], y + half[:, 1]


def generalised_overlap(a: Any, b: Any) -> torch.Tensor:
    """Generalised overlap of boxes given as corners (Rezatofighi et al., CVPR 2019)."""

    def area(x1: Any, y1: Any, x2: Any, y2: Any) -> torch.Tensor:
        return (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)

    inner = [torch.maximum(a[k], b[k]) for k in (0, 1)] + [
        torch.minimum(a[k], b[k]) for k in (2, 3)
    ]
    outer = [torch.minimum(a[k], b[k]) for k in (0, 1)] + [
        torch.maximum(a[k], b[k]) for k in (2, 3)
    ]
    common, hull = area(*inner), area(*outer).clamp(min=1e-6)
    union = (area(*a) + area(*b) - common).clamp(min=1e-6)
    return common / union - (hull - union) / hull


def claims(logits: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Precision and recall of the cells that claim the target, where those of ``target`` are true.

    Both are 0 where no cell claims it.

    Args:
        target: the teacher's probabilities, 0 in pairs without the target.
    """
    claimed, true = logits.sigmoid() > CLAIM, target > CLAIM
    right = (claimed & true).sum()
    return {
        "_precision": right / claimed.sum().clamp(min=1),
        "_recall": right / true.sum().clamp(min=1),
    }


def top_cells(logits: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Top-k accuracy: how often the teacher's best cell is among the k best, for k of ``TOP``.

    Pairs without the target do not count. It is 0 where there is no other.

    Args:
        logits, target: as of ``claims``.
    """
    with_target = target.flatten(1).amax(1) > CLAIM
    best = target.flatten(1).argmax(1, keepdim=True)
    order = logits.flatten(1).topk(max(TOP), 1).indices
    count = with_target.sum().clamp(min=1)
    hits = (order == best) & with_target[:, None]
    return {f"_top{k}": hits[:, :k].any(1).sum() / count for k in TOP}


def map_losses(maps: Any, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Losses of the student's maps, already weighted by ``SHARES``, ``claims`` and ``top_cells``.

    The target is the teacher's map. In a pair whose exemplar is not in the search crop, nothing is
    the target. Cells weigh more the more the teacher believes in them, and the more the student
    errs.

    Args:
        maps: (logits, sizes, offsets) of ``network.Head``.
        batch: fields of the ring.
    """
    logits, size, offset = maps
    target = {name: batch[name].float() for name in ("probability", "size", "offset")}
    negative = (batch["kind"] == NEGATIVE)[:, None, None]
    probability = torch.where(negative, torch.zeros_like(logits), target["probability"])
    weight = 4 * (probability - logits.sigmoid()).abs().detach() + 2 * probability + 0.05
    entropy = F.binary_cross_entropy_with_logits(logits, probability, reduction="none")
    score = (entropy * weight).sum((1, 2)).mean()

    share = probability * (probability > SURE)
    count = share.sum().clamp(min=1)
    overlap = generalised_overlap(corners(size, offset), corners(target["size"], target["offset"]))
    logs = size.clamp(min=1e-3).log() - target["size"].clamp(min=1e-3).log()
    parts = {
        "score": score,
        "overlap": ((1 - overlap) * share).sum() / count,
        "size": (logs.abs() * share[:, None]).sum() / count,
        "offset": ((offset - target["offset"]).abs() * share[:, None]).sum() / count,
    }
    losses = {name: SHARES[name] * loss for name, loss in parts.items()}
    figures = claims(logits.detach(), probability), top_cells(logits.detach(), probability)
    return {**losses, **figures[0], **figures[1]}
