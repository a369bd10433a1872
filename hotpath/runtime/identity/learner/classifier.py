"""The online classifier of one target: its input, its samples and the times when it learns.

Its input is the features under a box, averaged in each part of the box. The network computes these
features in any case (``hotpath.graphs.assemble``). A cell is weighted by the share
of it that the box covers. So the features also change when a box moves by less than a cell.
``numpy_definition.py`` has the arithmetic. kernels/cpu computes it in C++.

The classifier learns the first search region at once. Later it learns only from frames in which the
target is tracked. Each frame computes one slice of an update
(``hotpath.runtime.identity.learner.ridge``).
"""

import math
from typing import Any, Optional, Tuple

import numpy as np

from hotpath.kernels.cpu import online
from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.runtime.identity.learner.negatives import PARTS, Negatives
from hotpath.runtime.identity.learner.ridge import RIDGE, TINY, Ridge, samples_of
from hotpath.runtime.network import Network
from hotpath.runtime.types import WindowResult

LEAST_PART = 1.0  # length of a part, cells
HARD = 2.0  # a negative that looks like the target counts e to this times as much
# The limits of samples are MDNet's (Nam and Han, CVPR 2016, section 3.2). A box with an overlap of
# at least .7 with the target is positive, one with at most .5 is negative, others are left out.
OVERLAPS = 0.7, 0.5
# Positives, in sides of the target: moved by x and y, and times as large
MOVED = [(x, y, 1.0) for x in (-0.08, 0.0, 0.08) for y in (-0.08, 0.0, 0.08)]
RESIZED = [(0.0, 0.0, 0.87), (0.0, 0.0, 1.15)]
NEGATIVE_STEP = 0.7  # from one negative to the next, sides of the target
MOST_NEGATIVES = 2  # negatives on each side of the middle, along x and along y
SAMPLES = np.array(MOVED + RESIZED), OVERLAPS, NEGATIVE_STEP, MOST_NEGATIVES


class Classifier:
    """Tells one target from everything else.

    Args:
        network: only ``negatives``, ``stride`` and ``search`` are used.
        kernels: see ``hotpath.kernels.cpu.binding``. None takes the definitions in NumPy.
    """

    def __init__(self, network: Network, kernels: Optional[CpuKernels] = None) -> None:
        self._network, self._kernels = network, kernels
        self._pooling: Any = None
        self._samples_of = part_of(kernels, online.CompiledSamples, *SAMPLES).of_frame
        self.negatives = Negatives(network)

    def begin(self, state: np.ndarray, result: WindowResult) -> None:
        """Start with a new target, and learn it from the first frame.

        Args:
            state: float64 [cx, cy, w, h], frame pixels.
            result: the ``WindowResult`` of the first frame.
        """
        mean = result.features[0].mean(axis=1)  # it is subtracted from all features from now on
        self._means = np.tile(mean, PARTS**2)
        side = int(round(math.sqrt(result.features.shape[2])))
        form = mean, side, float(self._network.stride), PARTS, LEAST_PART
        pooling = self._pooling = part_of(self._kernels, online.CompiledPooling, *form)
        self.negatives.begin(mean)
        self.ridge = Ridge(
            part_of(self._kernels, online.CompiledRegression, pooling.size, RIDGE, TINY)
        )
        positives, negatives, _ = self._samples(self.ridge, state, result)
        self.ridge.begin(positives, negatives)

    def appearance(self, result: WindowResult) -> np.ndarray:
        """Return a value for each place that a window proposes, (n,).

        It is about +1 for the target, and about -1 for others.
        """
        if result.pooled is None:
            boxes = result.states, result.around, result.scale
            samples = self._pooling.describe(result.features, *boxes)
        else:
            samples = samples_of(result.pooled, self._means)
        judged: np.ndarray = self.ridge.predict(samples)
        return judged

    def learn(self, state: np.ndarray, result: WindowResult, tracked: bool) -> None:
        """End a frame: compute one slice of an update, or begin one if the target is tracked.

        Args:
            state: float64 [cx, cy, w, h] in this frame, frame pixels.
            result: the ``WindowResult`` of this frame.
            tracked: whether the target is certainly there, and nowhere else in ``result``.
        """
        if not self.ridge.step() and tracked:
            positives, negatives, hard = self._samples(self.ridge, state, result)
            if len(positives) and len(negatives):
                self.ridge.learn(positives, negatives, hard)

    def _samples(
        self, ridge: Ridge, state: np.ndarray, result: WindowResult
    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (positives, negatives, hard) of a frame, as ``Ridge.learn`` takes them."""
        _, described, hard, count = self._samples_of(
            self._pooling,
            ridge.model,
            state,
            result.features,
            result.around[:2].tolist(),
            result.scale,
            self._network.search / 2.0,
            HARD,
        )
        return described[:count], described[count:], hard


def part_of(kernels: Optional[CpuKernels], part: Any, *arguments: object) -> Any:
    """Make a class of ``hotpath.kernels.cpu.online``, or the one that defines it.

    Args:
        kernels: see ``hotpath.kernels.cpu.load``. Without a compiler, or if they are None, the
            definition is made.
        part: the class in C++. It has the methods of its ``definition`` in ``numpy_definition.py``.
        arguments: of both classes, without the compiled functions.
    """
    model = kernels and kernels.new(part, *arguments)
    if model is None:
        from hotpath.runtime.identity.learner import (
            numpy_definition as definition,
        )  # without compiled kernels

        model = getattr(definition, part.definition)(*arguments)
    return model
