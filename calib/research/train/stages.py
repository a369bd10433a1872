"""The stages of the training; ``validation.py`` judges networks between them.

``backbone`` learns the teachers' features and nothing else. ``head`` learns the maps from the
teachers' features, ``tune`` from the backbone's own. ``joint`` trains everything at a low rate.
``finish`` trains the folded network, usually its head alone, so that whole numbers choose the same
cells.

The features come first and alone because a loss of maps or boxes that reaches the backbone from the
start keeps it from learning them (0.66 of the variance against 0.25 in the same time).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from calib.one_step_overlap import Pairs
from calib.research.train import rounding
from calib.research.train.loop import batch_slots
from calib.research.train.losses import agreement_loss, explained, feature_loss, map_losses
from calib.research.train.network import Folded, Kestrel, normalise
from calib.research.train.ring import Ring

SEARCH_SHARE = 0.65  # of the feature loss; the rest is the exemplar's
MAPS_SHARE = 0.25  # weight of the maps' losses in stage joint: their gradient is ten times larger
FEATURES = ("exemplar_features", "search_features")
MAPS = ("box", "kind", "decoy", "probability", "distances")
CROPS = ("exemplar", "search")
NAMES = ("backbone", "head", "tune", "joint", "finish")
FLOOR = 0.025  # least target probability of stage finish: logits stay within 3.7
AGREEMENT = 0.2  # weight of the agreement of whole numbers with floating point in stage finish
SCORE_STEP = 2.0**-5  # of the logits in whole numbers: the finest with which int8 holds 3.9
CALIBRATION = 128  # held-out pairs that the scales of the outputs are chosen by
RE_SCALE = 100  # steps between two choices of the scales of the weights


class Standard:
    """Mean and standard deviation of the teachers' channels."""

    def __init__(self, mean: Any, deviation: Any, device: str = "cpu") -> None:
        self.mean = torch.as_tensor(mean, dtype=torch.float32, device=device)[None, :, None, None]
        self.deviation = torch.as_tensor(deviation, dtype=torch.float32, device=device)[
            None, :, None, None
        ]

    @classmethod
    def of(cls, held: dict[str, np.ndarray], device: str = "cpu") -> "Standard":
        """Measured on both crops of held-out pairs."""
        parts = [held[name].astype(np.float32).transpose(1, 0, 2, 3) for name in FEATURES]
        flat = np.concatenate([values.reshape(len(values), -1) for values in parts], 1)
        return cls(flat.mean(1), flat.std(1) + 1e-3, device)

    def apply(self, features: torch.Tensor) -> torch.Tensor:
        return (features.float() - self.mean) / self.deviation


class Work(NamedTuple):
    """What the stages share: pairs, teachers and settings."""

    ring: Ring
    held: dict[str, np.ndarray]  # the ring's fields, of pairs that are never trained on
    standard: Standard
    one_step: dict[str, Pairs]  # one for each set of clips
    teachers: Any  # ``Teachers``
    device: str
    batch: Any

    def take(
        self, numbers: Sequence[int], names: Sequence[str], batch: Any
    ) -> dict[str, torch.Tensor]:
        values = self.ring.take(batch_slots(numbers, self.ring, batch), names)
        return self.tensors(values)

    def tensors(self, values: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """Arrays -> tensors on the device; crops normalised, features standardised."""
        result = {}
        for name, value in values.items():
            tensor = torch.from_numpy(np.ascontiguousarray(value)).to(self.device)
            if name in CROPS:
                tensor = normalise(tensor)
            elif name in FEATURES:
                tensor = self.standard.apply(tensor)
            result[name] = tensor
        return result

    def fast(self) -> Any:
        return torch.autocast(self.device.split(":")[0], torch.bfloat16)

    def folded(self, network: Kestrel) -> Folded:
        """The folded form of a network, ready for stage finish."""
        folded: Folded = Folded(network.eval()).to(self.device)
        batch = self.tensors({name: self.held[name][:CALIBRATION] for name in CROPS})
        crops = (rounding.rounded(batch[name], rounding.INPUT_STEP) for name in CROPS)
        rounding.prepare(folded, [tuple(crops)])
        folded.search_graph.score[-1].output_step = SCORE_STEP
        return folded

    @staticmethod
    def whole_numbers(folded: Folded, on: bool, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps of a folded network; ``on``: in whole numbers."""
        rounding.switch(folded, on)
        crops = [batch[name] for name in CROPS]
        if on:
            crops = [rounding.rounded(images, rounding.INPUT_STEP) for images in crops]
        maps: tuple[torch.Tensor, torch.Tensor] = folded(*crops)
        return maps


class Steps:
    """One step of each stage: a function of the network and of numbers that seed the batch."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def backbone_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, Any]:
        batch = self.work.take(numbers, CROPS + FEATURES, self.work.batch)
        with self.work.fast():
            exemplar, search = network.features(batch["exemplar"], batch["search"])
        return self._feature_losses(exemplar.float(), search.float(), batch)

    def _feature_losses(
        self, exemplar: torch.Tensor, search: torch.Tensor, batch: Any
    ) -> dict[str, Any]:
        on_exemplar = feature_loss(exemplar, batch["exemplar_features"])
        on_search = feature_loss(search, batch["search_features"])
        return {
            "features": SEARCH_SHARE * on_search + (1 - SEARCH_SHARE) * on_exemplar,
            "_r2_search": explained(search.detach(), batch["search_features"]),
        }

    def head_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, Any]:
        batch = self.work.take(numbers, FEATURES + MAPS, 2 * self.work.batch)
        with self.work.fast():
            maps = network.head(batch["exemplar_features"], batch["search_features"])
        score, box = map_losses(maps, batch)
        return {"score": score, "box": box}

    def tune_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, Any]:
        batch = self.work.take(numbers, CROPS + MAPS, 2 * self.work.batch)
        network.backbone.eval()
        with self.work.fast():
            with torch.no_grad():
                exemplar, search = network.features(batch["exemplar"], batch["search"])
            maps = network.head(exemplar, search)
        score, box = map_losses(maps, batch)
        return {"score": score, "box": box}

    def joint_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, Any]:
        batch = self.work.take(numbers, CROPS + FEATURES + MAPS, self.work.batch)
        with self.work.fast():
            exemplar, search = network.features(batch["exemplar"], batch["search"])
            maps = network.head(exemplar, search)
        losses = self._feature_losses(exemplar.float(), search.float(), batch)
        score, box = map_losses(maps, batch)
        losses.update(score=MAPS_SHARE * score, box=MAPS_SHARE * box)
        return losses

    def finish_step(self, folded: Folded, numbers: Sequence[int]) -> dict[str, Any]:
        """Losses in floating point and in whole numbers, and how much the two disagree."""
        batch = self.work.take(numbers, CROPS + MAPS, self.work.batch)
        if numbers[-1] % RE_SCALE == 0:
            rounding.settle_weights(folded)
        losses, logits = {"score": 0.0, "box": 0.0}, []
        for on in (False, True):
            found = self.work.whole_numbers(folded, on, batch)
            logits.append(found[0])
            score, box = map_losses(found, batch, floor=FLOOR)
            losses["score"], losses["box"] = losses["score"] + score / 2, losses["box"] + box / 2
        rounding.switch(folded, False)
        losses["agreement"] = AGREEMENT * agreement_loss(logits[0], logits[1], batch["kind"])
        return losses
