"""The losses: distances to the teachers' features, and to their maps or the true box.

Maps are (N,16,16). ``cell_centres`` gives a cell's place in the search crop. Distances l,t,r,b are
in search pixels.
"""

from typing import Any

import torch
import torch.nn.functional as F

from calib.research.train.geometry import CELLS, SEARCH, STRIDE
from calib.research.train.pairs import NEGATIVE, TRUE_BOX

QUALITY = 2.0  # the power of ``ranked``
SHARPNESS = 4.0  # of ``agreement_loss``: how much the best cells weigh


def cell_centres() -> torch.Tensor:
    """(16,) x of the columns in pixels of the search crop; the y of the rows are the same."""
    return (torch.arange(CELLS, dtype=torch.float32) - CELLS // 2) * STRIDE + SEARCH // 2


def feature_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Smooth L1 between standardised features."""
    return F.smooth_l1_loss(student, teacher, beta=2.0)


def explained(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Share of the variance of the teachers' standardised features that the student explains."""
    return 1.0 - (student - teacher).square().mean()


def true_maps(box: torch.Tensor) -> Any:
    """The cells of a box (N,4: x1,y1,x2,y2).

    Returns:
        core: (N,16,16) bool, cells near its centre.
        inside: (N,16,16) bool, cells in the ellipse that the box holds.
        distances: (N,4,16,16) from each cell to the sides.
    """
    at = cell_centres().to(box.device)
    x, y = at[None, None, :], at[None, :, None]
    x1, y1, x2, y2 = (side[:, None, None] for side in box.unbind(1))
    sides = torch.broadcast_tensors(x - x1, y - y1, x2 - x, y2 - y)
    across, down = (x - (x1 + x2) / 2).square(), (y - (y1 + y2) / 2).square()
    w, h = (x2 - x1).clamp(min=1), (y2 - y1).clamp(min=1)

    def ellipse(share: float, least: float) -> torch.Tensor:
        rx, ry = (w * share).clamp(min=least), (h * share).clamp(min=least)
        return across / rx.square() + down / ry.square() < 1

    return ellipse(0.25, 9.0), ellipse(0.5, 14.0), torch.stack(sides, 1)


def in_decoy(decoy: torch.Tensor) -> torch.Tensor:
    """(N,16,16) whether a cell lies in the copy of the target (N,4: x1,y1,x2,y2), if any."""
    at = cell_centres().to(decoy.device)
    x, y = at[None, None, :], at[None, :, None]
    x1, y1, x2, y2 = (side[:, None, None] for side in decoy.unbind(1))
    return (x > x1) & (x < x2) & (y > y1) & (y < y2)


def targets(batch: dict[str, torch.Tensor]) -> Any:
    """What the maps should be.

    These are the teachers' maps, with three corrections. Where the box is true, it overrules them.
    Where the target is not in the picture, nothing is the target. A copy of the target is not the
    target.

    Returns:
        probability (N,16,16), distances (N,4,16,16), weight of the distances (N,16,16).
    """
    probability, distances = batch["probability"].float(), batch["distances"].float()
    core, inside, sides = true_maps(batch["box"])
    kind = batch["kind"][:, None, None]
    true, negative = kind == TRUE_BOX, kind == NEGATIVE
    probability = torch.where(true & core, 0.5 + 0.5 * probability, probability)
    nothing = ((true | in_decoy(batch["decoy"])) & ~inside) | negative
    probability = torch.where(nothing, torch.zeros_like(probability), probability)
    weight = probability * (probability > 0.3)
    weight = torch.where(true, core * (sides.amin(1) > 0) * weight, weight)
    distances = torch.where(true[:, None], sides, distances)
    return probability, distances.clamp(0.5, 600.0), weight


def score_loss(logits: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    """Cross-entropy minus its least value; cells on and off the target have equal total weight."""
    least = F.binary_cross_entropy(probability, probability, reduction="none")
    loss = F.binary_cross_entropy_with_logits(logits, probability, reduction="none") - least
    on = (probability > 0.2).float()
    return (loss * on).sum() / (on.sum() + 1) + (loss * (1 - on)).sum() / ((1 - on).sum() + 1)


def box_loss(
    log_distances: torch.Tensor, distances: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Generalised IoU plus 0.3 times L1 of the logarithms, weighted over the cells."""
    found = log_distances.exp()
    common = _area(torch.minimum(found, distances))
    union = _area(found) + _area(distances) - common
    hull = _area(torch.maximum(found, distances))
    loss = 1 - (common + 1) / (union + 1) + 0.5 * (hull - union) / (hull + 1)
    loss = loss + 0.3 * (log_distances - distances.log()).abs().mean(1)
    return (loss * weight).sum() / (weight.sum() + 1e-3)


def overlap(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """IoU (N,16,16) of two boxes for each cell, both given as distances (N,4,16,16).

    A distance is negative where the cell lies outside of its box.
    """
    width = torch.minimum(found[:, 0], wanted[:, 0]) + torch.minimum(found[:, 2], wanted[:, 2])
    height = torch.minimum(found[:, 1], wanted[:, 1]) + torch.minimum(found[:, 3], wanted[:, 3])
    common = width.clamp(min=0) * height.clamp(min=0)
    return common / (_area(found) + _area(wanted) - common).clamp(min=1)


def agreed_sides(batch: dict[str, torch.Tensor]) -> Any:
    """The box on which the teachers' cells around the best one agree, as distances (N,4,16,16)."""
    probability, distances = batch["probability"].float(), batch["distances"].float()
    at = cell_centres().to(distances.device)
    x, y = at[None, None, :], at[None, :, None]
    left, top, right, bottom = distances.unbind(1)
    corners = torch.stack([x - left, y - top, x + right, y + bottom], 1).flatten(2)
    best = probability.flatten(1).argmax(1)
    sides = true_maps(corners[range(len(best)), :, best])[2]
    weight = (probability.square() * (overlap(distances, sides) > 0.5)).flatten(1)[:, None]
    return true_maps((corners * weight).sum(2) / (weight.sum(2) + 1e-6))[2]


def ranked(
    probability: torch.Tensor,
    log_distances: torch.Tensor,
    batch: dict[str, torch.Tensor],
) -> torch.Tensor:
    """Lower the target probabilities where the network's own box is worse than its best one.

    A tracker takes the box of the best cell. So the score has to say which cell has the best box,
    and the teachers' scores do not say that. A probability is multiplied by (IoU / best IoU of the
    map) ** QUALITY. The IoU is that with the true box, or else with the box on which the teachers
    agree. Where the teachers see something else as well, its probability does not change.
    """
    agreed = agreed_sides(batch)
    true = (batch["kind"] == TRUE_BOX)[:, None, None]
    sides = torch.where(true[:, None], true_maps(batch["box"])[2], agreed)
    on = (probability > 0.2) & (true | (overlap(batch["distances"].float(), agreed) > 0.3))
    worth = overlap(log_distances.exp(), sides)
    best = (worth * on).amax((1, 2), keepdim=True).clamp(min=0.05)
    return torch.where(on, probability * (worth / best).clamp(max=1) ** QUALITY, probability)


def map_losses(
    maps: tuple[torch.Tensor, torch.Tensor],
    batch: dict[str, torch.Tensor],
    floor: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The losses of the maps of a batch.

    Args:
        maps: logits and log distances.
        floor: the target probabilities are moved into floor ... 1 - floor, which bounds the logits.

    Returns:
        (score loss, box loss).
    """
    logits, log_distances = maps
    probability, distances, weight = targets(batch)
    box = box_loss(log_distances, distances, weight)
    probability = ranked(probability, log_distances.detach(), batch)
    return score_loss(logits, floor + (1 - 2 * floor) * probability), box


def agreement_loss(logits: torch.Tensor, rounded: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    """How differently two score maps order their cells, where the target is in the picture."""
    sharp, other = (F.log_softmax(SHARPNESS * values.flatten(1), 1) for values in (logits, rounded))
    apart = (sharp.detach().exp() * (sharp.detach() - other)).sum(1)
    apart = apart + (other.detach().exp() * (other.detach() - sharp)).sum(1)
    on = (kind != NEGATIVE).float()
    return (apart * on).sum() / on.sum().clamp(min=1)


def _area(d: torch.Tensor) -> torch.Tensor:
    return (d[:, 0] + d[:, 2]) * (d[:, 1] + d[:, 3])
