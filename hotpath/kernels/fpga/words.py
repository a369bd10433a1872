"""Reads maps out of a target's memory: words of 16 channels of int8 become floats.

A map is stored as blocks of 16 channels, each of height x width words.
"""

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu.cpu_structures import WordsJob
from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.fpga import native
from hotpath.kernels.fpga.fabric import WORD, SharedBuffer


def values_of(exponent: int) -> List[float]:
    """What each byte is worth in a map whose numbers are int8 times a power of two."""
    values: List[float] = (np.arange(256, dtype=np.uint8).view(np.int8) * 2.0**exponent).tolist()
    return values


class Maps:
    """The maps of a program.

    Args:
        entries: dicts of offset, lane, channels, height, width and values, the last of all 256
            bytes.
        kernels: see ``hotpath.kernels.cpu``.

    Attributes:
        arrays: tuple of float32 (1, channels, height, width), which ``read`` overwrites.
    """

    def __init__(self, entries: Sequence[Dict[str, Any]], kernels: CpuKernels) -> None:
        self._entries = entries
        self._values = [np.array(entry["values"], np.float32) for entry in entries]
        self.arrays: Tuple[np.ndarray, ...] = tuple(
            np.zeros((1, e["channels"], e["height"], e["width"]), np.float32) for e in entries
        )
        self._native = native.native(kernels)
        self._jobs = (WordsJob * len(entries))(
            *(
                WordsJob(
                    entry["offset"],
                    entry["height"] * entry["width"],
                    entry.get("lane", 0),
                    entry["channels"],
                    table.ctypes.data,
                    out.ctypes.data,
                )
                for entry, table, out in zip(entries, self._values, self.arrays)
            )
        )

    def read(self, work: SharedBuffer) -> None:
        """Read all maps from a target's memory."""
        if self._native is not None:
            self._native.floats(work.host, self._jobs)
            return
        for words, table, out in zip(self.words(work), self._values, self.arrays):
            out[0] = table[words]

    def words(self, work: SharedBuffer) -> List[np.ndarray]:
        """The maps as the fabric wrote them: list of uint8 (channels, height, width)."""
        maps = []
        for entry, out in zip(self._entries, self.arrays):
            lanes = np.arange(out.shape[1]) + entry.get("lane", 0)
            count = (lanes[-1] // WORD + 1) * out[0, 0].size * WORD
            words = work.array[entry["offset"] : entry["offset"] + count]
            words = words.reshape((-1,) + out.shape[2:] + (WORD,))
            maps.append(words[lanes // WORD, :, :, lanes % WORD])
        return maps
