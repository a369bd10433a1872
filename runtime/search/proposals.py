"""Further boxes that a window proposes, besides the best one."""

import copy
from typing import List, Tuple

import numpy as np

from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime import decode
from hotpath.runtime.network import Network
from hotpath.runtime.types import Seen

MOST = 2  # proposals besides the best one
APART = 3  # cells around a proposal in which there is no other
SHARE = 0.5  # of the best one's score, that another one must have
HIDDEN = -50.0  # raw score of a cell that cannot win


class Proposals:
    """Selects repeatedly, each time without the cells around the places that it already found.

    Args:
        network: of the family ``points`` or ``centre``. With other families nothing is found.
        kernels: see ``hotpath.kernels.cpu.binding``.

    Attributes:
        decoder: the network's decoder without the Hanning window, as a target may be anywhere.
    """

    def __init__(self, network: Network, kernels: Kernels) -> None:
        self._network = network
        anywhere = copy.copy(network)
        anywhere.window, anywhere.vote = 0.0, "blend"
        self.decoder = decode.create(anywhere, kernels)

    def others(
        self, best: int, score: float, seen: Seen, frame_size: Tuple[int, int]
    ) -> List[Tuple[np.ndarray, float]]:
        """Return (state, score) of further boxes that are apart from the best one and each other.

        Args:
            best, score: the result of ``Family.select``.
            seen: the ``Seen`` that it selected in. The maps are not changed.
            frame_size: (width, height), pixels.
        """
        if self._network.family not in ("points", "centre"):
            return []
        side = self._network.map_size
        maps = seen.maps
        scores = np.array(maps[0], np.float32).reshape(1, -1, side, side)
        rest = tuple(maps[1:])
        found: List[Tuple[np.ndarray, float]] = []
        for _ in range(MOST):
            self._hide(scores, *divmod(best, side))
            state = seen.around.copy()
            best, its_score = self.decoder.select((scores,) + rest, state, seen.scale, *frame_size)
            if not its_score >= SHARE * score:
                break
            found.append((state, float(its_score)))
        return found

    def _hide(self, scores: np.ndarray, row: int, column: int) -> None:
        """Keep the cells around (row, column) from winning."""
        rows = slice(max(0, row - APART + 1), row + APART)
        columns = slice(max(0, column - APART + 1), column + APART)
        scores[0, :-1, rows, columns] = 0.0
        scores[0, -1, rows, columns] = 0.0 if self._network.score == "none" else HIDDEN
