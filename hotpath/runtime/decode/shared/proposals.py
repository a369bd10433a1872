"""The proposals of a window: a box for the best cell, and boxes for other peaks.

``SelectionPrior`` says which ones. A followed target's window proposes the peaks of its score map,
among which the learner chooses. A wide window of the search proposes places that are apart from
each other. ``Proposals`` is the definition. kernels/cpu computes it in C++, and kernels/cuda on a
GPU. Only where nothing could be compiled a tracker loads this file.
"""

import copy
from typing import Any, Dict, List, Tuple

import numpy as np

from hotpath.base.errors import NO_SCORE, NetworkFailed
from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.settings import MOST_PROPOSALS, PLACES, SelectionPrior
from hotpath.kernels.votes import probability
from hotpath.runtime import decode
from hotpath.runtime.decode.shared.family import Maps, Scale
from hotpath.runtime.network import Network

View = Tuple[np.ndarray, Scale, float, float]  # as ``Proposals.propose`` takes it
Place = Tuple[np.ndarray, float, int]  # state, score, cell
Proposed = Tuple[np.ndarray, List[float], List[int]]  # states, scores, cells


class Proposals:
    """Proposes places in the maps of windows. Most is as slow as it is obvious.

    Args:
        network: defines how a box is decoded.
        kernels: see ``hotpath.kernels.cpu.binding``.
        prior: which places are proposed.
    """

    def __init__(self, network: Network, kernels: CpuKernels, prior: SelectionPrior) -> None:
        self._decoder: Any = decode.create(_changed(network, prior), kernels)
        self._prior, self._score = prior, getattr(network, "score", "none")
        self._most = min(prior.most, MOST_PROPOSALS) if network.family in PLACES else 1

    def propose(
        self, maps: Maps, around: np.ndarray, scale: Scale, frame_width: float, frame_height: float
    ) -> Proposed:
        """Return (states, scores, cells) of a window's places, the best cell's first.

        The others are the highest first; of equal ones the lowest cell is. A place whose score or
        box is not finite is left out.

        Args:
            maps: see ``Family.select``. They are not changed.
            around: float64 [cx, cy, w, h], frame pixels: the target before the frame.
            scale, frame_width, frame_height: see ``Family.select``.

        Returns:
            float64 (n, 4), n scores, and n row-major indexes; n is at least 1.

        Raises:
            NetworkFailed: see ``Family.select``.
        """
        view = around, scale, frame_width, frame_height
        found = [self._place(maps, *view)]
        if self._most > 1:
            others = self._apart if self._prior.apart else self._peaks
            found += others(maps, view, found[0])
        states, scores, cells = zip(*found)
        return np.array(states), list(scores), list(cells)

    def _apart(self, maps: Maps, view: View, best: Place) -> List[Place]:
        """Select repeatedly, each time without the cells around the places so far."""
        scores, found = np.array(maps[0], np.float32), [best]
        side, apart = scores.shape[-1], self._prior.apart
        while len(found) < self._most:
            row, column = divmod(found[-1][2], side)
            rows = slice(max(0, row - apart + 1), row + apart)
            scores[..., rows, max(0, column - apart + 1) : column + apart] = np.nan
            try:
                each = self._place((scores, *maps[1:]), *view)
            except NetworkFailed:
                break
            if not each[1] >= self._prior.share * best[1]:
                break
            found.append(each)
        return found[1:]

    def _peaks(self, maps: Maps, view: View, best: Place) -> List[Place]:
        """Select in maps in which one peak is alone."""
        found = []
        for cell in [cell for cell in self.peaks(maps[0]) if cell != best[2]][: self._most - 1]:
            row, column = divmod(cell, maps[0].shape[-1])
            alone = np.full(maps[0].shape, np.nan, np.float32)
            alone[..., row, column] = maps[0][..., row, column]
            try:
                found.append(self._place((alone, *maps[1:]), *view))
            except NetworkFailed:
                continue
        return found

    def peaks(self, score_map: np.ndarray) -> List[int]:
        """Return the cells that no neighbour exceeds and that reach the share of the highest one.

        What is not finite is no peak, and hides none.
        """
        scores = probability(score_map, self._score)
        scores = np.where(np.isfinite(scores), scores, -np.inf)
        padded = np.pad(scores, 1, "constant", constant_values=-np.inf)
        rows, columns = scores.shape
        moved = [padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
        is_peak = (scores >= np.max(moved, axis=0)) & np.isfinite(scores)
        is_peak &= scores >= self._prior.share * scores.max()
        cells: List[int] = np.flatnonzero(is_peak).tolist()
        return sorted(cells, key=lambda cell: -scores.flat[cell])

    def _place(
        self, maps: Maps, around: np.ndarray, scale: Scale, frame_width: float, frame_height: float
    ) -> Tuple[np.ndarray, float, int]:
        state = np.array(around, np.float64)
        cell, score = self._decoder.select(maps, state, scale, frame_width, frame_height)
        if not (np.isfinite(score) and np.isfinite(state).all()):
            raise NetworkFailed(NO_SCORE, what="no score")
        return state, float(score), int(cell)


def _changed(network: Network, prior: SelectionPrior) -> Network:
    """Copy a network with the size smoothing and the influence of a prior."""
    changes: Dict[str, Any] = {}
    if prior.size_lr is not None:
        changes["size_lr"] = prior.size_lr
    if prior.influence is not None:
        changes.update(window_influence=prior.influence, vote="blend")
    if not changes:
        return network
    other = copy.copy(network)
    vars(other).update(changes)
    return other
