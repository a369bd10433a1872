"""What is minimised: distance to the teachers' features, and to their maps or the true box.

Maps are (N,16,16); a cell's place in the search crop is ``cell_centres``; distances l,t,r,b are in
search pixels.
"""

import torch
import torch.nn.functional as F

from calib.train.geometry import CELLS, SEARCH, STRIDE
from calib.train.pairs import NEGATIVE, TRUE_BOX


def cell_centres():
    """x of the columns (or y of the rows) in pixels of the search crop."""
    return (torch.arange(CELLS, dtype=torch.float32) - CELLS // 2) * STRIDE + SEARCH // 2


def feature_loss(student, teacher):
    """Smooth L1 between standardised features."""
    return F.smooth_l1_loss(student, teacher, beta=2.0)


def explained(student, teacher):
    """Share of the teachers' variance that the student has, standardised features."""
    return 1.0 - (student - teacher).square().mean()


def true_maps(box):
    """Where a box (N,4: x1,y1,x2,y2) is: core, inside (N,16,16, bool) and distances (N,4,16,16)."""
    at = cell_centres().to(box.device)
    x, y = at[None, None, :], at[None, :, None]
    x1, y1, x2, y2 = (side[:, None, None] for side in box.unbind(1))
    shape = (len(box), CELLS, CELLS)
    sides = [
        (x - x1).expand(shape),
        (y - y1).expand(shape),
        (x2 - x).expand(shape),
        (y2 - y).expand(shape),
    ]
    across, down = (x - (x1 + x2) / 2).square(), (y - (y1 + y2) / 2).square()
    w, h = (x2 - x1).clamp(min=1), (y2 - y1).clamp(min=1)

    def ellipse(share, least):
        rx, ry = (w * share).clamp(min=least), (h * share).clamp(min=least)
        return across / rx.square() + down / ry.square() < 1

    return ellipse(0.25, 9.0), ellipse(0.5, 14.0), torch.stack(sides, 1)


def targets(batch):
    """What the maps should be.

    The teachers' maps; where the box is true, their mistakes are put right by it; where the target
    is not in the picture, nothing is the target.

    Returns:
        probability (N,16,16), distances (N,4,16,16), weight of the distances (N,16,16).
    """
    probability, distances = batch["probability"].float(), batch["distances"].float()
    core, inside, sides = true_maps(batch["box"])
    kind = batch["kind"][:, None, None]
    true, negative = kind == TRUE_BOX, kind == NEGATIVE
    probability = torch.where(true & core, 0.5 + 0.5 * probability, probability)
    probability = torch.where(
        (true & ~inside) | negative, torch.zeros_like(probability), probability
    )
    weight = probability * (probability > 0.3)
    weight = torch.where(true, core * (sides.amin(1) > 0) * weight, weight)
    distances = torch.where(true[:, None], sides, distances)
    return probability, distances.clamp(0.5, 600.0), weight


def score_loss(logits, probability):
    """Cross-entropy above its least value; cells on and off the target weigh the same in sum."""
    least = F.binary_cross_entropy(probability, probability, reduction="none")
    loss = F.binary_cross_entropy_with_logits(logits, probability, reduction="none") - least
    on = (probability > 0.2).float()
    return (loss * on).sum() / (on.sum() + 1) + (loss * (1 - on)).sum() / ((1 - on).sum() + 1)


def box_loss(log_distances, distances, weight):
    """Generalised IoU and 0.3 of L1 on logarithms, over the cells that matter."""
    found = log_distances.exp()

    def area(d):
        return (d[:, 0] + d[:, 2]) * (d[:, 1] + d[:, 3])

    common = area(torch.minimum(found, distances))
    union = area(found) + area(distances) - common
    hull = area(torch.maximum(found, distances))
    loss = 1 - (common + 1) / (union + 1) + 0.5 * (hull - union) / (hull + 1)
    loss = loss + 0.3 * (log_distances - distances.log()).abs().mean(1)
    return (loss * weight).sum() / (weight.sum() + 1e-3)


def map_losses(logits, log_distances, batch):
    """(score loss, box loss) of a batch."""
    probability, distances, weight = targets(batch)
    return score_loss(logits, probability), box_loss(log_distances, distances, weight)
