"""The boxes that a window proposes: the best cell's, and those of other places.

Proposals   only the best box, where a search checks a place again
Apart       places of a wide window that are apart from each other
AtPeaks     peaks of the score map of a followed target's window, among which the learner chooses
"""

from typing import Any, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from hotpath.kernels.cpu import select
from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime import decode
from hotpath.runtime.decode.shared.voting import probability
from hotpath.runtime.network import Network
from hotpath.runtime.types import Seen

MOST_APART = 2  # places of a wide window besides the best one
APART = 3  # cells around such a place in which there is no other
SHARE = 0.5  # of the best one's score, that such a place must have
HIDDEN = -50.0  # raw score of a cell that cannot win
MOST_PEAKS = 6  # peaks besides the best cell
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
    """Proposes the best cell's box. Its subclasses propose more.

    Args:
        network: defines how a box is decoded.
        kernels: see ``hotpath.kernels.cpu.binding``.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        self._decoder: Any = decode.create(network, kernels)
        self._state = np.zeros(4)  # that select moves: it keeps its arrays' addresses
        # Only with these families a cell is a place. With others there is only the best box.
        self._more = network.family in ("points", "centre")

    def of(self, seen: Seen, frame_size: Tuple[int, int]) -> List[Proposal]:
        """Return the boxes of a window, the best one first.

        Args:
            seen: a ``Seen`` with maps, which are not changed.
            frame_size: (width, height), pixels.

        Raises:
            NetworkFailed: see ``Family.select``.
        """
        return [self._selected(self._decoder.select, seen.maps, seen, frame_size)]

    def _selected(
        self,
        its_select: Any,
        maps: Sequence[np.ndarray],
        seen: Seen,
        frame_size: Tuple[int, int],
    ) -> Proposal:
        """Return the box that a select of a family gives."""
        state = self._state
        state[:] = seen.around
        cell, score = its_select(maps, state, seen.scale, *frame_size)
        return Proposal(state.copy(), float(score), cell)


class Apart(Proposals):
    """Selects repeatedly, each time without the cells around the places that it already found."""

    def __init__(self, network: Network, kernels: Kernels) -> None:
        super().__init__(network, kernels)
        self._side = network.map_size
        self._hidden = 0.0 if network.score == "none" else HIDDEN

    def of(self, seen: Seen, frame_size: Tuple[int, int]) -> List[Proposal]:
        """Return the boxes of a window; see ``Proposals.of``."""
        found = super().of(seen, frame_size)
        if not self._more:
            return found
        scores = np.array(seen.maps[0], np.float32).reshape(1, -1, self._side, self._side)
        maps = (scores,) + tuple(seen.maps[1:])
        for _ in range(MOST_APART):
            self._hide(scores, *divmod(found[-1].cell, self._side))
            each = self._selected(self._decoder.select, maps, seen, frame_size)
            if not each.score >= SHARE * found[0].score:
                break
            found.append(each)
        return found

    def _hide(self, scores: np.ndarray, row: int, column: int) -> None:
        """Keep the cells around (row, column) from winning."""
        rows = slice(max(0, row - APART + 1), row + APART)
        columns = slice(max(0, column - APART + 1), column + APART)
        scores[0, :-1, rows, columns] = 0.0
        scores[0, -1, rows, columns] = self._hidden


class AtPeaks(Proposals):
    """Proposes the boxes of other peaks of the score map too.

    Args:
        network: ``peak_share`` is the share of the highest score that a peak has at least; with 0
            there is only the best box.
        kernels: see ``Proposals``.

    Attributes:
        several: whether there may be several boxes.
        window: float64 (cells,), the Hanning window, if there may be several boxes.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        super().__init__(network, kernels)
        self.several = self._more and network.peak_share > 0
        if not self.several:
            return
        self.window: np.ndarray = self._decoder.window.ravel()
        # another select of arrays of its own, which sees one cell at a time
        self._select = decode.create(network, kernels).select
        self._map = np.zeros(decode.shapes(network)[0], np.float32)
        self._cells = self._map.reshape(-1, network.map_size**2)
        given = network.score, network.map_size, network.peak_share
        self._peaks = kernels.new(select.Peaks, *given) or Peaks(*given)

    def of(self, seen: Seen, frame_size: Tuple[int, int]) -> List[Proposal]:
        """Return the boxes of a window; see ``Proposals.of``."""
        found = super().of(seen, frame_size)
        maps = seen.maps
        if not self.several:
            return found
        best = found[0].cell
        others = [cell for cell in self._peaks(maps[0]) if cell != best]
        for cell in others[:MOST_PEAKS]:
            self._cells.fill(np.nan)
            self._cells[:, cell] = maps[0].reshape(self._cells.shape)[:, cell]
            alone = (self._map,) + tuple(maps[1:])
            found.append(self._selected(self._select, alone, seen, frame_size))
        return found


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
