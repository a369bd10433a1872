"""How like two targets' features are, from the fabric's words: ``kernels.likeness`` for int8.

A cosine does not depend on the features' scale, so the int8 words are taken as they are, and only
those under the box.
"""

import math

import numpy as np


class Seen:
    """The search region's features as the fabric left them; in the place of a float array.

    Args:
        channels: of the features; what is above them in the last block is zero.
        side: cells a side.
    """

    def __init__(self, channels, side):
        self.shape = (1, channels, side * side)
        self.side = side
        self.words = None  # int8 (blocks, side, side, 16)


class Likeness:
    """The processor's kernels, with a ``likeness`` that takes ``Seen``.

    Args:
        kernels: see ``kernels.cpu``.
    """

    def __init__(self, kernels):
        self._kernels = kernels

    def __getattr__(self, name):
        return getattr(self._kernels, name)

    def likeness(self, seen, rows, columns, reference=None, pooled=None):
        """See ``runtime.lost.likeness``, the definition."""
        if not isinstance(seen, Seen):
            return self._kernels.likeness(seen, rows, columns, reference, pooled)
        cells = seen.words[:, rows[0] : rows[1], columns[0] : columns[1]]
        total = cells.sum(axis=(1, 2), dtype=np.int64).reshape(-1)[: seen.shape[1]]
        average = total / float(cells.shape[1] * cells.shape[2])
        if pooled is not None:
            pooled[:] = average
        if reference is None:
            return 0.0
        reference = reference.astype(np.float64)
        lengths = math.sqrt(float(average @ average) * float(reference @ reference))
        return float(average @ reference) / lengths if lengths > 0 else 0.0
