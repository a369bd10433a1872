"""What a network is worth between the stages of its training."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from calib.one_step_overlap import WINDOW, Pairs
from calib.research.train import rounding
from calib.research.train.judging import figures
from calib.research.train.losses import explained, map_losses
from calib.research.train.network import Folded, Kestrel, normalise
from calib.research.train.pairs import NEGATIVE
from calib.research.train.stages import CROPS, FEATURES, MAPS, Work


class Validation:
    """Figures of a network on held-out pairs and on clips."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._teacher_features: dict[str, Any] = {}  # of the clips, once a set

    def _held(self, names: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
        """Fields of the held-out pairs as tensors, 64 pairs at a time."""
        held = self.work.held
        for start in range(0, len(held["kind"]), 64):
            yield self.work.tensors({name: held[name][start : start + 64] for name in names})

    def held_features(self, network: Kestrel) -> dict[str, float]:
        """Share of the variance of the held-out pairs' features."""
        found = {}
        for crop, name in zip(CROPS, FEATURES):
            parts = []
            for batch in self._held((crop, name)):
                with self.work.fast():
                    features = network.backbone(batch[crop])
                parts.append(float(explained(features.float(), batch[name])))
            found["r2_" + crop] = float(np.mean(parts))
        return found

    def held_maps(self, network: Kestrel, own: bool) -> dict[str, float]:
        """Losses of the maps on the held-out pairs, from ``own`` or from the teacher's features."""
        parts = []
        for batch in self._held((*CROPS, *FEATURES, *MAPS)):
            with self.work.fast():
                if own:
                    maps = network(batch["exemplar"], batch["search"])
                else:
                    maps = network.head(*(batch[name] for name in FEATURES))
            parts.append([float(loss) for loss in map_losses(maps, batch, self.work.quality)])
        return dict(zip(("held_score", "held_box"), np.mean(parts, 0)))

    def clip_features(self, network: Kestrel, pairs: Pairs) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of a set's crops by the backbone: tensors of exemplars and of searches."""

        def run(crops: np.ndarray) -> torch.Tensor:
            parts = []
            for start in range(0, len(crops), 32):
                images = torch.from_numpy(crops[start : start + 32]).to(self.work.device)
                with self.work.fast():
                    parts.append(network.backbone(normalise(images)))
            return torch.cat(parts).float()

        return run(pairs.exemplars), run(pairs.searches)

    def teacher_overlap(self, network: Kestrel, pairs: Pairs) -> np.ndarray:
        """(pairs,) one-step overlap of the backbone before the teacher's own head."""
        exemplar, search = (
            self.work.standard.undo(features).cpu().numpy()
            for features in self.clip_features(network, pairs)
        )
        head = self.work.teachers.first
        maps = (head.maps(exemplar[[c]], x[None]) for c, x in zip(pairs.clip, search))
        return pairs.overlaps(maps)

    def own_overlap(self, network: Kestrel, pairs: Pairs, features: Any = None) -> np.ndarray:
        """(pairs,) one-step overlap of the network, or of its head on other features."""
        exemplar, search = features or self.clip_features(network, pairs)

        def maps(part: slice) -> Any:
            with self.work.fast():
                return network.head(exemplar[pairs.clip[part]], search[part])

        return _overlaps_of(pairs, maps)

    def teacher_clip_features(self, pairs: Pairs) -> tuple[torch.Tensor, torch.Tensor]:
        """The teacher's features of a set's crops, standardised."""

        def run(features: Callable[[np.ndarray], np.ndarray], crops: np.ndarray) -> torch.Tensor:
            found = np.concatenate([features(crop) for crop in crops])
            return self.work.standard.apply(torch.from_numpy(found).to(self.work.device))

        teacher = self.work.teachers.first
        return run(teacher.exemplar, pairs.exemplars), run(teacher.search, pairs.searches)

    def _overlaps(self, measure: Callable[[str, Pairs], np.ndarray]) -> dict[str, float]:
        """Figures of all sets of clips, and of each; ``measure`` gives overlaps of pairs."""
        found = {}
        for name, pairs in self.work.one_step.items():
            found.update(figures(name, measure(name, pairs), pairs.clip))
        overlaps = [value for name, value in found.items() if name.startswith("os_")]
        return {"os": float(np.mean(overlaps)), **found} if overlaps else {}

    def judge_backbone(self, network: Kestrel) -> dict[str, float]:
        """Validation figures of stage backbone."""
        overlaps = self._overlaps(lambda name, pairs: self.teacher_overlap(network, pairs))
        return {**self.held_features(network), **overlaps}

    def judge_head(self, network: Kestrel) -> dict[str, float]:
        """Validation figures of stage head."""
        for name, pairs in self.work.one_step.items():
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
        shown = torch.from_numpy(self.work.held["kind"] != NEGATIVE)
        same = float((cells[0] == cells[1])[shown].float().mean())
        found = {"same_cell": same}
        for on, name in ((False, ""), (True, "_int8")):
            overlaps = self._overlaps(functools.partial(self._folded_overlap, folded, on))
            found.update({key + name: value for key, value in overlaps.items()})
        rounding.switch(folded, False)
        return found

    def _held_maps_of(self, folded: Folded, on: bool) -> Any:
        parts = [self.work.whole_numbers(folded, batch, on) for batch in self._held(CROPS)]
        return [torch.cat(values).cpu() for values in zip(*parts)]

    def _folded_overlap(self, folded: Folded, on: bool, _: str, pairs: Pairs) -> np.ndarray:
        def maps(part: slice) -> Any:
            crops = {"exemplar": pairs.exemplars[pairs.clip[part]], "search": pairs.searches[part]}
            return self.work.whole_numbers(folded, self.work.tensors(crops), on)

        return _overlaps_of(pairs, maps)


def _overlaps_of(pairs: Pairs, maps: Callable[[slice], Any]) -> np.ndarray:
    """(pairs,) one-step overlap by ``maps``, a function of 32 pairs at a time."""
    found: list[Any] = []
    for start in range(0, len(pairs.searches), 32):
        logits, distances = maps(slice(start, start + 32))
        found += zip(logits.sigmoid().cpu().numpy(), distances.exp().cpu().numpy())
    return pairs.overlaps(found)


def chosen_cells(probability: Any) -> Any:
    """(N,) row-major index of the best cell of each map (N,16,16), under the Hanning window."""
    window = np.hanning(probability.shape[-1])
    window = torch.from_numpy(np.outer(window, window)).float().to(probability.device)
    return (probability * (1 - WINDOW) + window * WINDOW).flatten(1).argmax(1)
