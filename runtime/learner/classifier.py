"""The online classifier of one target: what it looks at, what it learns from, and when.

It looks at the features under a box (``runtime.learner.pooling``). It learns the first search
region at once. Afterwards it learns from frames in which the target is tracked, never from one in
which it is lost: one slice of an update in each frame (``runtime.learner.ridge``).
"""

from typing import Any, NamedTuple, Optional, Tuple

import numpy as np

from runtime.learner import samples
from runtime.learner.pooling import Pooling
from runtime.learner.ridge import Ridge
from runtime.networks import Network

HARD = 2.0  # a negative that looks like the target counts e to this times as much


class View(NamedTuple):
    """One search region and its features.

    Attributes:
        centre: (x, y) of the region, frame pixels; more may follow.
        scale: (x, y), search pixels per frame pixel.
        features: float32 (1, channels, cells).
    """

    centre: np.ndarray
    scale: Tuple[float, float]
    features: np.ndarray


class Classifier:
    """Tells one target from all else.

    Args:
        network: uses ``stride`` and ``search``.
        kernels: see ``kernels.cpu.binding``; None for the definitions in NumPy.
    """

    def __init__(self, network: Network, kernels: Any = None) -> None:
        self._network, self._kernels = network, kernels
        self._pooling = Pooling(network.stride, kernels=kernels)
        self._compiled = samples.compiled(kernels)
        self._ridge: Optional[Ridge] = None

    def begin(self, state: np.ndarray, view: View) -> None:
        """Take a new target, and learn it from the first frame.

        Args:
            state: [cx, cy, w, h], frame pixels.
            view: of the first frame.
        """
        self._pooling.begin(view.features)
        self._ridge = Ridge(self._pooling.size, self._kernels)
        positives, negatives, _ = self._samples(self._ridge, state, view)
        self._ridge.begin(positives, negatives)

    def judge(self, boxes: np.ndarray, view: View) -> np.ndarray:
        """How much boxes look like the target: (n,), about +1 where they do, -1 where not.

        Args:
            boxes: (n, 4) [cx, cy, w, h], frame pixels.
            view: the region in which they lie.
        """
        assert self._ridge is not None, "no target was taken"
        return self._ridge(self._describe(boxes, view))

    def follow(
        self, state: np.ndarray, view: View, tracked: bool, rejected: Optional[np.ndarray] = None
    ) -> None:
        """End a frame: take one slice of an update, or begin one where the target is tracked.

        Args:
            state: as in ``begin``, of this frame.
            view: of this frame.
            tracked: whether the target is there for certain, and nowhere else in the view.
            rejected: (n, 4) boxes that were nearly taken for the target.
        """
        assert self._ridge is not None, "no target was taken"
        if self._ridge.busy:
            self._ridge.step()
        elif tracked:
            positives, negatives, hard = self._samples(self._ridge, state, view, rejected)
            if len(positives) and len(negatives):
                self._ridge.learn(positives, negatives, hard)

    def _samples(
        self, ridge: Ridge, state: np.ndarray, view: View, rejected: Optional[np.ndarray] = None
    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(positives, negatives, hard) of a view, as ``Ridge.learn`` takes them."""
        half, centre = self._network.search / 2.0, view.centre[:2].tolist()
        if self._compiled:
            _, described, hard, count = self._compiled.of_frame(
                self._pooling.compiled,
                ridge.compiled,
                state,
                view.features,
                centre,
                view.scale,
                half,
                rejected,
                HARD,
            )
            return described[:count], described[count:], hard
        reach = [half / factor for factor in view.scale]
        boxes, count = samples.boxes(state, centre, reach, rejected)
        described = self._describe(boxes, view)
        hard = np.exp(HARD * np.minimum(np.maximum(ridge(described[count:]), -1), 1))
        return described[:count], described[count:], hard

    def _describe(self, boxes: np.ndarray, view: View) -> np.ndarray:
        return self._pooling.describe(view.features, boxes, view.centre, view.scale)
