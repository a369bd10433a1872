"""What a network is worth between the stages of its training."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from calib.one_step_overlap import best_cell
from calib.research.train import rounding
from calib.research.train.judging import figures
from calib.research.train.losses import explained, map_losses
from calib.research.train.network import Folded, Kestrel
from calib.research.train.pairs import NEGATIVE
from calib.research.train.stages import CROPS, FEATURES, MAPS, Work


class Validation:
    """Figures of a network on held-out pairs and on clips."""

    def __init__(self, work: Work) -> None:
        self.work = work

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

    def held_maps(self, network: Kestrel, own: bool = False) -> dict[str, float]:
        """Losses of the maps on the held-out pairs, from ``own`` or from the teacher's features."""
        parts = []
        for batch in self._held((*CROPS, *FEATURES, *MAPS)):
            with self.work.fast():
                run, names = (network, CROPS) if own else (network.head, FEATURES)
                maps = run(*(batch[name] for name in names))
            parts.append([float(loss) for loss in map_losses(maps, batch)])
        return dict(zip(("held_score", "held_box"), np.mean(parts, 0)))

    def _overlaps(self, maps: Callable[[dict[str, torch.Tensor]], Any]) -> dict[str, float]:
        """One-step overlaps of all sets of clips, and of each; ``maps`` runs 32 pairs of crops."""
        found = {}
        for name, pairs in self.work.one_step.items():
            values: list[Any] = []
            for start in range(0, len(pairs.searches), 32):
                part = slice(start, start + 32)
                crops = pairs.exemplars[pairs.clip[part]], pairs.searches[part]
                logits, distances = maps(self.work.tensors(dict(zip(CROPS, crops))))
                values += zip(logits.sigmoid().cpu().numpy(), distances.exp().cpu().numpy())
            found.update(figures(name, pairs.overlaps(values), pairs.clip))
        overlaps = [value for name, value in found.items() if name.startswith("os_")]
        return {"os": float(np.mean(overlaps)), **found} if overlaps else {}

    def judge_network(self, network: Kestrel) -> dict[str, float]:
        """Validation figures of stages tune and joint."""

        def run(batch: dict[str, torch.Tensor]) -> Any:
            with self.work.fast():
                return network(*(batch[name] for name in CROPS))

        maps = self.held_maps(network, own=True)
        return {**maps, **self.held_features(network), **self._overlaps(run)}

    def judge_finish(self, folded: Folded) -> dict[str, float]:
        """Validation figures of stage finish: share of pairs with the same cell, overlaps."""
        plain, whole = (self._held_cells(folded, on) for on in (False, True))
        shown = self.work.held["kind"] != NEGATIVE
        found = {"same_cell": float((plain == whole)[shown].mean())}
        for on, name in ((False, ""), (True, "_int8")):
            overlaps = self._overlaps(functools.partial(self.work.whole_numbers, folded, on))
            found.update({key + name: value for key, value in overlaps.items()})
        rounding.switch(folded, False)
        return found

    def _held_cells(self, folded: Folded, on: bool) -> np.ndarray:
        """(N,) the best cell of each held-out pair."""
        found = (self.work.whole_numbers(folded, on, batch) for batch in self._held(CROPS))
        maps = (logits.sigmoid().cpu() for logits, _ in found)
        return np.array([best_cell(each) for batch in maps for each in batch.numpy()])
