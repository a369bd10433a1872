"""Compares the features of two targets as the fabric's words hold them: a cosine of int8.

A cosine does not depend on the features' scale, so the int8 words are taken as they are, and only
those under the box.
"""

from typing import Any, Callable, Optional, Sequence, Union

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.fpga import native
from kernels.golden import cosine_of

WORD = 16  # channels
Compare = Callable[..., float]


class SearchFeatures:
    """The search region's features as the fabric left them; used in place of a float array.

    Args:
        channels: of the features; what is above them in the last block is zero.
        side: cells a side.
        step: what one step of int8 is worth.

    Attributes:
        shape: as the array's.
        address: of the words.
    """

    def __init__(self, channels: int, side: int, step: float = 1.0) -> None:
        self.shape = (1, channels, side * side)
        self.side, self.step = side, step
        self.address = 0
        self._memory = np.zeros(0, np.uint8)

    def lie_in(self, memory: np.ndarray, address: int) -> None:
        """Set where the words are.

        Args:
            memory: uint8, from the first word on.
            address: of the first word.
        """
        self._memory, self.address = memory, address

    @property
    def words(self) -> np.ndarray:
        """int8 (blocks, side, side, 16)."""
        shape = (-(-self.shape[1] // WORD), self.side, self.side, WORD)
        return self._memory[: shape[0] * self.side**2 * WORD].view(np.int8).reshape(shape)

    def values(self, out: np.ndarray) -> None:
        """Write the features as numbers.

        Args:
            out: float32 (1, channels, cells).
        """
        blocks = self.words.transpose(0, 3, 1, 2).reshape(-1, self.side**2)
        np.multiply(blocks[: self.shape[1]], np.float32(self.step), out=out[0])


class FeatureKernels:
    """The processor's kernels, with a ``cosine_similarity`` that takes ``SearchFeatures``.

    Args:
        kernels: see ``kernels.cpu``.
    """

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self._of_words: Compare = native.Cosine(kernels) if kernels.handle else cosine_of_words

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernels, name)

    def cosine_similarity(self, seen: Union[SearchFeatures, np.ndarray], *compared: Any) -> float:
        """See ``kernels.golden.cosine_similarity``, the definition."""
        if isinstance(seen, SearchFeatures):
            return self._of_words(seen, *compared)
        return self._kernels.cosine_similarity(seen, *compared)


def cosine_of_words(
    seen: SearchFeatures,
    rows: Sequence[int],
    columns: Sequence[int],
    reference: Optional[np.ndarray] = None,
    pooled: Optional[np.ndarray] = None,
) -> float:
    """``kernels.golden.cosine_similarity`` of int8 words: the definition of the compiled one."""
    cells = seen.words[:, rows[0] : rows[1], columns[0] : columns[1]]
    total = cells.sum(axis=(1, 2), dtype=np.int64).reshape(-1)[: seen.shape[1]]
    return cosine_of(total / float(cells.shape[1] * cells.shape[2]), reference, pooled)
