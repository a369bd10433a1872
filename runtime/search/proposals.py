"""The boxes that a window proposes: the best cell's, and those of other peaks of its score map."""

from typing import Any, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from hotpath.kernels.cpu import select
from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime import decode
from hotpath.runtime.decode.shared.voting import probability
from hotpath.runtime.network import Network
from hotpath.runtime.types import Seen

RING = np.ones((3, 3), np.uint8)  # a cell and its neighbours


class Proposal(NamedTuple):
    """A box where the target may be.

    Attributes:
        state: float64 [cx, cy, w, h], frame pixels.
        score: of its cell, 0 to 1.
        cell: row-major index.
    """

    state: np.ndarray
    score: float
    cell: int


class Proposals:
    """Proposes the best cell's box, and the boxes of other peaks.

    Args:
        network: of the family ``points`` or ``centre``. With other families there is only the best.
        kernels: see ``hotpath.kernels.cpu.binding``.
        share: of the highest score, that another peak has at least.
        most: boxes besides the best one.

    Attributes:
        window: float64 (cells,), the Hanning window, if there may be several boxes.
    """

    def __init__(
        self, network: Network, kernels: Kernels, share: float = 1.0, most: int = 0
    ) -> None:
        self._most = most
        decoder: Any = decode.create(network, kernels)
        self._best, self._state = decoder.select, np.zeros(4)
        if network.family not in ("points", "centre"):
            self._most = 0
        elif most:
            self.window: np.ndarray = decoder.window.ravel()
            # another select, so that each keeps its arrays' addresses; it sees one cell at a time
            self._other = decode.create(network, kernels).select
            self._map = np.zeros(decode.shapes(network)[0], np.float32)
            self._cells = self._map.reshape(-1, network.map_size**2)
            given = network.score, network.map_size, share
            self._peaks = kernels.new(select.Peaks, *given) or Peaks(*given)

    def of(self, seen: Seen, frame_size: Tuple[int, int]) -> List[Proposal]:
        """Return the boxes of a window, the best one first.

        Args:
            seen: a ``Seen`` with maps, which are not changed.
            frame_size: (width, height), pixels.

        Raises:
            NetworkFailed: see ``Family.select``.
        """
        maps = seen.maps
        found = [self._selected(self._best, maps, seen, frame_size)]
        if not self._most:
            return found
        cells = self._peaks(maps[0])
        if len(cells) == 1 and cells[0] == found[0].cell:
            return found
        for cell in [each for each in cells if each != found[0].cell][: self._most]:
            scores = maps[0].reshape(self._cells.shape)
            self._cells.fill(np.nan)
            self._cells[:, cell] = scores[:, cell]
            alone = (self._map,) + tuple(maps[1:])
            found.append(self._selected(self._other, alone, seen, frame_size))
        return found

    def _selected(
        self, its_select: Any, maps: Sequence[np.ndarray], seen: Seen, frame_size: Tuple[int, int]
    ) -> Proposal:
        self._state[:] = seen.around
        cell, score = its_select(maps, self._state, seen.scale, *frame_size)
        return Proposal(self._state.copy(), score, cell)


class Peaks:
    """Finds the cells that no neighbour exceeds and that reach a share of the highest score.

    Args: see ``hotpath.kernels.cpu.select.Peaks``, which is the same in C++.
    """

    def __init__(self, kind: str, side: int, share: float) -> None:
        self._kind, self._share = kind, share

    def __call__(self, score_map: np.ndarray) -> List[int]:
        """Return the cells, the highest first."""
        scores = probability(score_map, self._kind)
        is_peak = (scores >= self._share * scores.max()) & (scores >= cv2.dilate(scores, RING))
        cells: List[int] = np.flatnonzero(is_peak).tolist()
        return sorted(cells, key=lambda cell: -scores.flat[cell])
