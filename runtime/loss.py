"""Whether a target is lost, and where to search for it then.

A network's score says how well the best cell fits. It does not say whether that is the target: when
the target is gone, another cell is the best one, often with a high score. So the features of the
search region are compared too:

    likeness  = cosine of the search region's features under the box, averaged, in the first frame
                and in this one
    certainty = score * likeness, smoothed over the frames

Below ``lost_below`` the target is lost. By default the box stays the network's box. Where a
network has ``hold_below`` and the certainty is below that, the target stays where it was last
certain, with that size. The search region then widens step by step until the certainty of what is
found there is back.

Some networks have no such features in their graph (``runtime.graphs.assemble``); they have
the score only. For SiamFC and DCFNet, ``runtime.decode`` computes one from their responses
and features. runtime/networks/README.md says how ``lost_below`` was found, and how well it works.
"""

import math
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from kernels.settings import LossSettings
from runtime.networks import Network

KEPT = 0.6  # share of the last frame's certainty in this one's
INNER = 0.8  # share of the box's sides whose cells are averaged: its corners are background


Cells = Tuple[Tuple[int, int], Tuple[int, int]]


def loss_settings(network: Network) -> LossSettings:
    """The numbers of ``LossMonitor`` that the kernels take."""
    return LossSettings(
        lost_below=network.lost_below,
        hold_below=network.hold_below,
        hold_widen=network.hold_widen,
        hold_limit=network.hold_limit,
        kept=KEPT,
        inner=INNER,
        stride=getattr(network, "stride", 1),
    )


class LossMonitor:
    """Judges in every frame whether one target is lost.

    Args:
        network: uses ``lost_below``, ``hold_below``, ``hold_widen``, ``hold_limit``, ``stride``.
        kernels: ``likeness`` (see ``kernels.cpu.binding``).

    Attributes:
        lost: whether the target is lost.
        certainty: of the last frame, smoothed; 1 in the first.
        widened: how many times as long as usual the search region's sides are.
        reference: float32 (channels,), of the first frame; None where nothing is compared.
        held: the state when it was last certain.
    """

    def __init__(self, network: Network, kernels: Any) -> None:
        self.network = network
        self.lost, self.certainty, self.widened = False, 1.0, 1.0
        self._compare = kernels.likeness
        self.reference: Optional[np.ndarray] = None
        self.held = np.zeros(4)

    def begin(self, state: np.ndarray, features: Any, scale: Any) -> None:
        """Take a new target.

        Args:
            state: float64 [cx, cy, w, h], frame pixels.
            features: float32 (1, channels, cells), of the search region around the target in the
                first frame; None where the network gives none.
            scale: (x, y), search pixels per frame pixel.
        """
        self.lost, self.certainty, self.widened = False, 1.0, 1.0
        self.held[:] = state
        self.reference = None
        if features is not None:
            self.reference = np.zeros(features.shape[1], np.float32)
            rows, columns = cells_under(self.network, features, 0.0, 0.0, state, scale)
            self._compare(features, rows, columns, None, self.reference)

    def rescale(self, factors: Sequence[float]) -> None:
        """Take over a new frame size: ``factors`` of [cx, cy, w, h]."""
        self.held *= factors

    def watch(
        self, state: np.ndarray, before: np.ndarray, score: float, features: Any, scale: Any
    ) -> bool:
        """Judge what was found in a frame; move ``state`` back where it is not the target.

        Args:
            state: float64 [cx, cy, w, h], where the network says that the target is.
            before: the same of the last frame, the centre of the search region.
            score: the network's, 0 to 1 (``Family.certain``).
            features, scale: as in ``begin``, of this frame.

        Returns:
            Whether the target is lost.
        """
        network = self.network
        now = score
        if self.reference is not None:
            x, y = (state[0] - before[0]) * scale[0], (state[1] - before[1]) * scale[1]
            rows, columns = cells_under(network, features, x, y, state, scale)
            now *= max(0.0, self._compare(features, rows, columns, self.reference, None))
        self.certainty += (now - self.certainty) * (1 - KEPT)
        self.lost = self.certainty < network.lost_below
        if network.hold_below > 0:
            self._hold(state, now)
        return self.lost

    def _hold(self, state: np.ndarray, now: float) -> None:
        """Keep the last certain state, and widen the search region."""
        network = self.network
        if self.certainty < network.hold_below:
            self.widened = min(self.widened * network.hold_widen, network.hold_limit)
            state[:] = self.held
            return
        self.widened = 1.0
        if now >= network.hold_below:
            self.held[:] = state


def cells_under(
    network: Network, features: Any, x: float, y: float, state: np.ndarray, scale: Any
) -> Cells:
    """The cells under the inner part of a box, at least one: (first, end) of rows, columns.

    Args:
        network: uses ``stride``.
        features: (1, channels, cells).
        x, y: the box's centre from the search region's, search pixels.
        state: only the size is used, frame pixels.
        scale: (x, y), search pixels per frame pixel.
    """
    side = math.sqrt(features.shape[2])
    cell = network.stride
    columns = _span(x / cell, state[2] * scale[0] * INNER / cell, side)
    return _span(y / cell, state[3] * scale[1] * INNER / cell, side), columns


def _span(centre: float, length: float, side: float) -> Tuple[int, int]:
    """Cells within half a length of a centre; in cells, cell i at i - side // 2."""
    half = max(length / 2, 0.5)
    first = math.ceil(centre - half + side // 2)
    end = math.floor(centre + half + side // 2) + 1
    first = min(max(int(first), 0), int(side) - 1)
    return first, min(max(int(end), first + 1), int(side))
