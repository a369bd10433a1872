"""Whether a target is lost, and where to look for it then.

A network's score says how well the best cell fits, not whether it is the target: where the target
is gone, something else is best, often with a high score. What the network saw there is asked too:

    likeness  = cosine of the search region's features under the box, averaged, in the first frame
                and in this one
    certainty = score * likeness, smoothed over the frames

Below ``lost_below`` the target is lost. Below ``hold_below``, where that is given, something is
done: the target stays where it was last certain and keeps that size, and the search region
widens step by step, until the certainty of what is found is back. Else the box is what the network
says, lost or not.
Networks whose graph does not give those features (``runtime.graphs.search_features``) have the
score alone. For SiamFC and DCFNet, ``runtime.decode.response`` computes one from their responses
and features.
How ``lost_below`` was found, and how well it does: runtime/networks/README.md.
"""

import math

import numpy as np

KEPT = 0.6  # share of the last frame's certainty in this one's
INNER = 0.8  # share of the box's sides whose cells are averaged: its corners are background


class Lost:
    """Watches one target.

    Args:
        network: uses ``lost_below``, ``hold_below``, ``hold_widen``, ``hold_limit``, ``stride``.
        kernels: ``likeness`` (see ``kernels.cpu.binding``).

    Attributes:
        lost: whether the target is.
        certainty: of the last frame, smoothed; 1 in the first.
        widened: by how much the search region's sides are longer than usual.
    """

    def __init__(self, network, kernels):
        self.network = network
        self.lost, self.certainty, self.widened = False, 1.0, 1.0
        self._compare = kernels.likeness
        self._reference = None  # float32 (channels,), pooled features of the first frame
        self._held = np.zeros(4)  # the state when it was last certain

    def begin(self, state, seen, scale):
        """A new target.

        Args:
            state: float64 [cx, cy, w, h], frame pixels.
            seen: float32 (1, channels, cells), features of the search region around the target in
                the first frame; None where the network gives none.
            scale: (x, y), search pixels per frame pixel.
        """
        self.lost, self.certainty, self.widened = False, 1.0, 1.0
        self._held[:] = state
        self._reference = None
        if seen is not None:
            self._reference = np.zeros(seen.shape[1], np.float32)
            rows, columns = self._cells(seen, 0.0, 0.0, state, scale)
            self._compare(seen, rows, columns, None, self._reference)

    def rescale(self, factors):
        """The frame's size changed: ``factors`` of [cx, cy, w, h]."""
        self._held *= factors

    def watch(self, state, before, score, seen, scale):
        """Judge what was found in a frame; bring ``state`` back where it is not the target.

        Args:
            state: float64 [cx, cy, w, h], where the network says that the target is.
            before: the same of the last frame, around which it looked.
            score: the network's, 0 to 1 (``Family.certain``).
            seen, scale: as in ``begin``, of this frame.

        Returns:
            whether the target is lost.
        """
        network = self.network
        now = score
        if self._reference is not None:
            x, y = (state[0] - before[0]) * scale[0], (state[1] - before[1]) * scale[1]
            rows, columns = self._cells(seen, x, y, state, scale)
            now *= max(0.0, self._compare(seen, rows, columns, self._reference, None))
        self.certainty += (now - self.certainty) * (1 - KEPT)
        self.lost = self.certainty < network.lost_below
        if network.hold_below > 0:
            self._hold(state, now)
        return self.lost

    def _hold(self, state, now):
        """Keep to where the target was certain, and look in a wider region."""
        network = self.network
        if self.certainty < network.hold_below:
            self.widened = min(self.widened * network.hold_widen, network.hold_limit)
            state[:] = self._held
            return
        self.widened = 1.0
        if now >= network.hold_below:
            self._held[:] = state

    def _cells(self, seen, x, y, state, scale):
        """The cells under the inner part of a box, at least one: (first, end) of rows, columns.

        Args:
            seen: (1, channels, cells).
            x, y: its centre from the search region's, search pixels.
            state: its size in frame pixels is used.
            scale: (x, y), search pixels per frame pixel.
        """
        side = math.sqrt(seen.shape[2])
        cell = self.network.stride
        columns = _span(x / cell, state[2] * scale[0] * INNER / cell, side)
        return _span(y / cell, state[3] * scale[1] * INNER / cell, side), columns


def _span(centre, length, side):
    """Cells within half a length of a centre; in cells, cell i at i - side // 2."""
    half = max(length / 2, 0.5)
    first = math.ceil(centre - half + side // 2)
    end = math.floor(centre + half + side // 2) + 1
    first = min(max(int(first), 0), int(side) - 1)
    return first, min(max(int(end), first + 1), int(side))
