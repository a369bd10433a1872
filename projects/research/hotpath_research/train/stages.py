"""The two stages of the training.

``features`` trains the backbone only on the teacher's features. ``head`` trains the head on the
teacher's features and maps, so that no backbone runs. The head never learns on the student's
features, and the two are never trained together. On pairs from one picture, both learnt to match
textures that a film does not have, and every figure became worse.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from hotpath.calib.one_step_overlap import Pairs, centre_distances
from hotpath_research.train.judging import figures
from hotpath_research.train.loop import batch_slots
from hotpath_research.train.losses import explained, feature_loss, map_losses
from hotpath_research.train.network import Kestrel
from hotpath_research.train.ring import Ring
from hotpath_research.train.teacher import Teacher

SEARCH_SHARE = 0.65  # of the feature loss; the rest is the exemplar's
NAMES = ("features", "head")
CLEAR = ("clear_exemplar", "clear_search")  # crops without the camera's losses
CROPS, FEATURES = ("exemplar", "search"), ("exemplar_features", "search_features")
MAPS = ("kind", "probability", "size", "offset")


class StageInputs(NamedTuple):
    """What the stages share: pairs, the teacher and settings."""

    ring: Ring
    held: dict[str, np.ndarray]  # the ring's fields, of pairs that are never trained on
    one_step: dict[str, Pairs]  # one for each set of clips
    teacher: Teacher
    device: str
    batch: int

    def take(self, numbers: Sequence[int], names: Sequence[str], batch: int) -> dict[str, Any]:
        """Tensors of random pairs of the ring."""
        return self.tensors(self.ring.take(batch_slots(numbers, self.ring, batch), names))

    def tensors(self, values: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """Arrays -> tensors on the device; crops are normalised."""
        result = {}
        for name, value in values.items():
            tensor = torch.from_numpy(np.ascontiguousarray(value)).to(self.device)
            if name in CROPS + CLEAR:
                tensor = (
                    tensor.flip(-1)
                    .permute(0, 3, 1, 2)
                    .to(torch.float32, memory_format=torch.channels_last)
                )
                mean, scale = (
                    torch.as_tensor(v, device=self.device)[None, :, None, None]
                    for v in (self.teacher.mean, self.teacher.scale)
                )
                tensor = (tensor - mean) * scale
            result[name] = tensor
        return result

    def fast(self) -> Any:
        """Arithmetic in bfloat16."""
        return torch.autocast(self.device.split(":")[0], torch.bfloat16)

    # -- steps: of a network and the numbers that seed the batch, a dict of losses

    def features_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, torch.Tensor]:
        """Features of both crops, from the crops."""
        batch = self.take(numbers, (*CROPS, *FEATURES), self.batch)
        losses = {}
        for crop, name, share in zip(CROPS, FEATURES, (1 - SEARCH_SHARE, SEARCH_SHARE)):
            with self.fast():
                features = network.backbone(batch[crop])
            target = network.backbone.standardised(batch[name])
            losses[crop] = share * feature_loss(features.float(), target)
        return losses

    def head_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, torch.Tensor]:
        """Maps, from the teacher's features."""
        batch = self.take(numbers, (*FEATURES, *MAPS), 2 * self.batch)
        features = [network.backbone.standardised(batch[name]) for name in FEATURES]
        with self.fast():
            maps = network.head(*features)
        return map_losses(maps, batch)

    # -- figures of a network between the steps

    def judge(self, network: Kestrel) -> dict[str, float]:
        """R² of the features and ``map_losses`` on held-out pairs; one-step overlaps."""
        values_of: dict[str, list[float]] = {}
        for batch in self._held():
            features = [network.backbone.standardised(batch[name]) for name in FEATURES]
            with self.fast():
                own = [network.backbone(batch[name]) for name in CROPS + CLEAR]
                maps = network.head(*features)
            for crop, student, target in zip(CROPS + CLEAR, own, 2 * features):
                r2 = float(explained(student.float(), target))
                values_of.setdefault("r2_" + crop, []).append(r2)
            for name, loss in map_losses(maps, batch).items():
                values_of.setdefault("held_" + name.lstrip("_"), []).append(float(loss))
        figures_of = {name: float(np.mean(values)) for name, values in values_of.items()}
        return {**figures_of, **self._overlaps(network)}

    def _held(self) -> Iterator[dict[str, torch.Tensor]]:
        """The held-out pairs as tensors, 64 at a time."""
        names = (*CROPS, *CLEAR, *FEATURES, *MAPS)
        for start in range(0, len(self.held["kind"]), 64):
            yield self.tensors({name: self.held[name][start : start + 64] for name in names})

    def _overlaps(self, network: Kestrel) -> dict[str, float]:
        """One-step overlap of each set of clips, and their mean ``os``."""
        figures_of: dict[str, float] = {}
        for name, pairs in self.one_step.items():
            values: list[Any] = []
            for start in range(0, len(pairs.searches), 32):
                part = slice(start, start + 32)
                crops = pairs.exemplars[pairs.clip[part]], pairs.searches[part]
                batch = self.tensors(dict(zip(CROPS, crops)))
                with self.fast():
                    logits, size, offset = network(*(batch[crop] for crop in CROPS))
                maps = (logits.sigmoid(), size, offset)
                values += zip(*(values_of.float().cpu().numpy() for values_of in maps))
            figures_of.update(figures(name, centre_overlaps(pairs, values), pairs.clip))
        overlaps = [value for name, value in figures_of.items() if name.startswith("os_")]
        return {"os": float(np.mean(overlaps)), **figures_of} if overlaps else {}


def centre_overlaps(pairs: Pairs, maps: Sequence[Any]) -> np.ndarray:
    """(pairs,) overlap of the best cell's box, from (score, size, offset) maps of each pair."""
    pairs_of_maps = ((score, centre_distances(pairs.network, *boxes)) for score, *boxes in maps)
    return pairs.overlaps(pairs_of_maps)
