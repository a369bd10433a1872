"""Gives disjoint addresses to objects of one memory whose lifetimes overlap."""

from typing import Dict, Optional, Sequence, Tuple

import numpy as np


class Arena:
    """A memory over the time of a program.

    Args:
        size: addresses.
        times: steps of the program.
    """

    def __init__(self, size: int, times: int) -> None:
        self._busy = np.zeros((times, size), bool)

    def place(self, spans: Sequence[Tuple[int, int, int, int]]) -> Optional[int]:
        """Reserve the lowest free range of addresses for an object.

        Args:
            spans: list of (offset from the base, addresses, first time, last time).

        Returns:
            base, or None if there is no room.
        """
        size = self._busy.shape[1]
        most = max(offset + count for offset, count, _, _ in spans)
        if most > size:
            return None
        free = np.ones(size - most + 1, bool)
        sums: Dict[Tuple[int, int], np.ndarray] = {}
        for offset, count, first, last in spans:
            if (first, last) not in sums:
                busy = self._busy[first : last + 1].any(axis=0)
                sums[first, last] = np.concatenate([[0], np.cumsum(busy)])
            total = sums[first, last]
            ends = total[offset + count : offset + count + len(free)]
            free &= ends == total[offset : offset + len(free)]
        if not free.any():
            return None
        base = int(free.argmax())
        for offset, count, first, last in spans:
            self._busy[first : last + 1, base + offset : base + offset + count] = True
        return base

    def release(self, base: int, count: int, first: int, last: int) -> None:
        """Release a range."""
        self._busy[first : last + 1, base : base + count] = False

    def used(self) -> int:
        """Highest address ever taken, plus one."""
        where = np.flatnonzero(self._busy.any(axis=0))
        return int(where[-1]) + 1 if len(where) else 0
