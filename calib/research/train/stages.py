"""The stages of the training, and what networks are judged by between them.

``blocks`` gives a backbone the later blocks of its teacher, see ``inherit.py``; other shapes begin
with the next stage.
``backbone`` learns the teachers' features and nothing else. ``head`` learns the maps from the
teachers' features, ``tune`` from the backbone's own. ``joint`` trains everything at a low rate.
``finish`` trains the folded network, usually its head alone, so that whole numbers choose the same
cells.

The features come first and alone because a loss of maps or boxes that reaches the backbone from the
start keeps it from learning them (0.66 of the variance against 0.25 in the same time).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from calib.one_step_overlap import WINDOW, Pairs
from calib.research.train import rounding
from calib.research.train.inherit import parts
from calib.research.train.judging import figures
from calib.research.train.loop import batch_slots
from calib.research.train.losses import agreement_loss, explained, feature_loss, map_losses
from calib.research.train.network import Folded, Kestrel, normalise
from calib.research.train.pairs import NEGATIVE
from calib.research.train.ring import Ring

SEARCH_SHARE = 0.65  # of the feature loss; the rest is the exemplar's
MAPS_SHARE = 0.25  # weight of the maps' losses in stage joint: their gradient is ten times larger
FEATURES = ("exemplar_features", "search_features")
MAPS = ("box", "kind", "decoy", "probability", "distances")
CROPS = ("exemplar", "search")
NAMES = ("blocks", "backbone", "head", "tune", "joint", "finish")
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

    def undo(self, features: torch.Tensor) -> torch.Tensor:
        return features * self.deviation + self.mean


class Work:
    """What the stages share: the pairs, the step of each stage, and how networks are judged.

    Args:
        held: dict of the ring's fields, pairs that are never trained on.
        one_step: dict of name -> ``calib.one_step_overlap.Pairs``, one for each set of clips.
        teachers: ``Teachers`` or None.
        quality: how much the score ranks cells by their boxes, see ``losses.ranked``.
    """

    def __init__(
        self,
        ring: Ring,
        held: dict[str, np.ndarray],
        standard: Standard,
        one_step: Any = (),
        teachers: Any = None,
        device: str = "cpu",
        batch: Any = 32,
        quality: float = 0.0,
    ) -> None:
        self.ring, self.held, self.standard = ring, held, standard
        self.quality = quality
        self.one_step = dict(one_step)
        self.teachers, self.device, self.batch = teachers, device, batch
        self.inheritance: Any = None  # of stage blocks
        self._teacher_features: dict[str, Any] = {}  # of the clips, once a set

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

    # one step of each stage

    def blocks_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, Any]:
        """Losses of the layers before the blocks, and of the blocks behind the teacher's map."""
        slots = batch_slots(numbers, self.ring, self.batch)
        crops = self.ring.take(slots, CROPS)
        batch = self.tensors({**crops, **self.ring.take(slots, FEATURES)})
        early, blocks = parts(network.backbone)
        losses, standard = {}, self.inheritance.standard
        for crop, features in zip(CROPS, FEATURES):
            share = SEARCH_SHARE if crop == "search" else 1 - SEARCH_SHARE
            wanted = self.inheritance.teacher_map(crops[crop])
            with self.fast():
                found = early(batch[crop])
                behind = network.backbone.project(blocks(wanted))
            losses[crop + "_map"] = share * feature_loss(standard(found), standard(wanted))
            losses[crop] = share * feature_loss(behind.float(), batch[features])
        return losses

    def backbone_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, Any]:
        batch = self.take(numbers, CROPS + FEATURES, self.batch)
        with self.fast():
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
        batch = self.take(numbers, FEATURES + MAPS, 2 * self.batch)
        with self.fast():
            maps = network.head(batch["exemplar_features"], batch["search_features"])
        score, box = map_losses(maps, batch, self.quality)
        return {"score": score, "box": box}

    def tune_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, Any]:
        batch = self.take(numbers, CROPS + MAPS, 2 * self.batch)
        network.backbone.eval()
        with self.fast():
            with torch.no_grad():
                exemplar, search = network.features(batch["exemplar"], batch["search"])
            maps = network.head(exemplar, search)
        score, box = map_losses(maps, batch, self.quality)
        return {"score": score, "box": box}

    def joint_step(self, network: Kestrel, numbers: Sequence[int]) -> dict[str, Any]:
        batch = self.take(numbers, CROPS + FEATURES + MAPS, self.batch)
        with self.fast():
            exemplar, search = network.features(batch["exemplar"], batch["search"])
            maps = network.head(exemplar, search)
        losses = self._feature_losses(exemplar.float(), search.float(), batch)
        score, box = map_losses(maps, batch, self.quality)
        losses.update(score=MAPS_SHARE * score, box=MAPS_SHARE * box)
        return losses

    def folded(self, network: Kestrel) -> Folded:
        """The folded form of a network, ready for stage finish."""
        folded = Folded(network.eval()).to(self.device)
        batch = self.tensors({name: self.held[name][:CALIBRATION] for name in CROPS})
        crops = (rounding.rounded(batch[name], rounding.INPUT_STEP) for name in CROPS)
        rounding.prepare(folded, [tuple(crops)])
        folded.search_graph.score[-1].output_step = SCORE_STEP
        return folded

    def finish_step(self, folded: Folded, numbers: Sequence[int]) -> dict[str, Any]:
        """Losses in floating point and in whole numbers, and how much the two disagree."""
        batch = self.take(numbers, CROPS + MAPS, self.batch)
        if numbers[-1] % RE_SCALE == 0:
            rounding.settle_weights(folded)
        losses, logits = {"score": 0.0, "box": 0.0}, []
        for on in (False, True):
            found = self.whole_numbers(folded, batch, on)
            logits.append(found[0])
            score, box = map_losses(found, batch, self.quality, FLOOR)
            losses["score"], losses["box"] = losses["score"] + score / 2, losses["box"] + box / 2
        rounding.switch(folded, False)
        losses["agreement"] = AGREEMENT * agreement_loss(logits[0], logits[1], batch["kind"])
        return losses

    @staticmethod
    def whole_numbers(folded: Folded, batch: Any, on: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps of a folded network; ``on``: in whole numbers."""
        rounding.switch(folded, on)
        crops = [batch[name] for name in CROPS]
        if on:
            crops = [rounding.rounded(images, rounding.INPUT_STEP) for images in crops]
        return folded(*crops)

    # what a network is worth

    def held_features(self, network: Kestrel) -> dict[str, float]:
        """Share of the variance of the held-out pairs' features."""
        found = {}
        for crop, name in zip(CROPS, FEATURES):
            parts = []
            for start in range(0, len(self.held[crop]), 64):
                batch = {key: self.held[key][start : start + 64] for key in (crop, name)}
                batch = self.tensors(batch)
                with self.fast():
                    features = network.backbone(batch[crop])
                parts.append(float(explained(features.float(), batch[name])))
            found["r2_" + crop] = float(np.mean(parts))
        return found

    def held_maps(self, network: Kestrel, own: bool) -> dict[str, float]:
        """Losses of the maps on the held-out pairs, from ``own`` or from the teachers' features."""
        parts = []
        for start in range(0, len(self.held["kind"]), 64):
            batch = self.tensors({key: v[start : start + 64] for key, v in self.held.items()})
            with self.fast():
                if own:
                    maps = network(batch["exemplar"], batch["search"])
                else:
                    maps = network.head(*(batch[name] for name in FEATURES))
            parts.append([float(loss) for loss in map_losses(maps, batch, self.quality)])
        return dict(zip(("held_score", "held_box"), np.mean(parts, 0)))

    def clip_features(self, network: Kestrel, pairs: Pairs) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of a set's crops by the backbone: tensors of exemplars and of searches."""

        def run(crops: np.ndarray) -> torch.Tensor:
            parts = []
            for start in range(0, len(crops), 32):
                images = torch.from_numpy(crops[start : start + 32]).to(self.device)
                with self.fast():
                    parts.append(network.backbone(normalise(images)))
            return torch.cat(parts).float()

        return run(pairs.exemplars), run(pairs.searches)

    def teacher_overlap(self, network: Kestrel, pairs: Pairs) -> np.ndarray:
        """(pairs,) one-step overlap of the backbone before the teachers' own heads."""
        exemplar, search = (
            self.standard.undo(features).cpu().numpy()
            for features in self.clip_features(network, pairs)
        )
        maps = (self.teachers.maps(exemplar[c], x) for c, x in zip(pairs.clip, search))
        return pairs.overlaps(maps)

    def own_overlap(self, network: Kestrel, pairs: Pairs, features: Any = None) -> np.ndarray:
        """(pairs,) one-step overlap of the network, or of its head on other features."""
        exemplar, search = features or self.clip_features(network, pairs)
        maps: list[Any] = []
        for start in range(0, len(search), 32):
            part = slice(start, start + 32)
            with self.fast():
                logits, distances = network.head(exemplar[pairs.clip[part]], search[part])
            maps += zip(logits.sigmoid().cpu().numpy(), distances.exp().cpu().numpy())
        return pairs.overlaps(maps)

    def teacher_clip_features(self, pairs: Pairs) -> tuple[torch.Tensor, torch.Tensor]:
        """The teachers' features of a set's crops, standardised."""

        def run(name: str, crops: np.ndarray) -> torch.Tensor:
            features = np.stack([self.teachers.features(**{name: crop}) for crop in crops])
            return self.standard.apply(torch.from_numpy(features).to(self.device))

        return run("exemplar", pairs.exemplars), run("search", pairs.searches)

    def _overlaps(self, measure: Callable[[str, Pairs], np.ndarray]) -> dict[str, float]:
        """Figures of every set of clips; ``measure`` gives the overlaps of a set's pairs."""
        found = {}
        for name, pairs in self.one_step.items():
            found.update(figures(name, measure(name, pairs), pairs.clip))
        return found

    def judge_blocks(self, network: Kestrel) -> dict[str, float]:
        """Shares of the variance: of the teacher's map, and of features with it and without."""
        backbone, found = network.backbone, []
        early, blocks = parts(backbone)
        for start in range(0, len(self.held["search"]), 64):
            crops = self.held["search"][start : start + 64]
            features = self.held["search_features"][start : start + 64]
            batch = self.tensors({"search": crops, "search_features": features})
            wanted, own = self.inheritance.teacher_map(crops), early(batch["search"])
            standard, target = self.inheritance.standard, batch["search_features"]
            behind = [backbone.project(blocks(maps)) for maps in (wanted, own)]
            pairs = [(standard(own), standard(wanted)), *((each, target) for each in behind)]
            found.append([float(explained(*pair)) for pair in pairs])
        return dict(zip(("r2_stride_8", "r2_blocks", "r2_search"), np.mean(found, 0)))

    def judge_backbone(self, network: Kestrel) -> dict[str, float]:
        """Validation figures of stage backbone."""
        overlaps = self._overlaps(lambda name, pairs: self.teacher_overlap(network, pairs))
        return {**self.held_features(network), **overlaps}

    def judge_head(self, network: Kestrel) -> dict[str, float]:
        """Validation figures of stage head."""
        for name, pairs in self.one_step.items():
            if name not in self._teacher_features:
                self._teacher_features[name] = self.teacher_clip_features(pairs)
        overlaps = self._overlaps(
            lambda name, pairs: self.own_overlap(network, pairs, self._teacher_features[name])
        )
        return {**self.held_maps(network, own=False), **overlaps}

    def judge_network(self, network: Kestrel) -> dict[str, float]:
        """Validation figures of stages tune and joint."""
        overlaps = self._overlaps(lambda name, pairs: self.own_overlap(network, pairs))
        maps = self.held_maps(network, own=True)
        return {**maps, **self.held_features(network), **overlaps}

    def judge_finish(self, folded: Folded) -> dict[str, float]:
        """Validation figures of stage finish: share of pairs with the same cell, overlaps."""
        maps = {on: self._held_maps_of(folded, on) for on in (False, True)}
        cells = [chosen_cells(logits.sigmoid()) for logits, _ in maps.values()]
        shown = torch.from_numpy(self.held["kind"] != NEGATIVE)
        same = float((cells[0] == cells[1])[shown].float().mean())
        found = {"same_cell": same}
        for on, name in ((False, ""), (True, "_int8")):
            overlaps = self._overlaps(functools.partial(self._folded_overlap, folded, on))
            found.update({key + name: value for key, value in overlaps.items()})
        rounding.switch(folded, False)
        return found

    def _held_maps_of(self, folded: Folded, on: bool) -> Any:
        parts = []
        for start in range(0, len(self.held["kind"]), 64):
            batch = self.tensors({name: self.held[name][start : start + 64] for name in CROPS})
            parts.append(self.whole_numbers(folded, batch, on))
        return [torch.cat(values).cpu() for values in zip(*parts)]

    def _folded_overlap(self, folded: Folded, on: bool, _: str, pairs: Pairs) -> np.ndarray:
        maps: list[Any] = []
        for start in range(0, len(pairs.searches), 32):
            part = slice(start, start + 32)
            crops = {"exemplar": pairs.exemplars[pairs.clip[part]], "search": pairs.searches[part]}
            logits, distances = self.whole_numbers(folded, self.tensors(crops), on)
            maps += zip(logits.sigmoid().cpu().numpy(), distances.exp().cpu().numpy())
        return pairs.overlaps(maps)


def chosen_cells(probability: Any) -> Any:
    """(N,) row-major index of the best cell of each map (N,16,16), under the Hanning window."""
    window = np.hanning(probability.shape[-1])
    window = torch.from_numpy(np.outer(window, window)).float().to(probability.device)
    return (probability * (1 - WINDOW) + window * WINDOW).flatten(1).argmax(1)
