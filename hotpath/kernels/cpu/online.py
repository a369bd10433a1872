"""The arithmetic of the online classifier in C++, ``online.h``."""

import ctypes
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cpu import cpu_structures
from hotpath.kernels.cpu.arguments import address

LANES = 16  # values that are worked on at once
BATCH = 32  # samples that are taken at once


class CompiledPooling:
    """Features under boxes, as ``hotpath.runtime.identity.learner.numpy_definition`` has them.

    Args:
        library: the loaded kernels.
        mean: float32 (channels,), subtracted from all features.
        side: cells on each side of the features.
        stride: search pixels from one cell to the next.
        parts: along each side of a box.
        least: length of the smallest part, cells.

    Attributes:
        size: numbers that describe a box.
        at: address of its record.
    """

    definition = "Pooling"  # the class in ``numpy_definition.py``

    def __init__(
        self,
        library: ctypes.CDLL,
        mean: np.ndarray,
        side: int,
        stride: float,
        parts: int,
        least: float,
    ) -> None:
        channels = len(mean)
        self._shape = (1, channels, side * side)
        self.size = channels * parts**2 + 1
        width = _padded(channels)
        self._held = (
            np.zeros(width, np.float32),
            np.zeros((side * side, width), np.float32),
            np.zeros(side, np.uint8),
            np.zeros((2, parts, side)),
            np.zeros((2, parts, 2), np.int64),
            np.zeros(width, np.float32),
            np.zeros((side * side, 2), np.int64),
        )
        self._held[0][:channels] = mean
        places = cpu_structures.addresses(self._held)
        self._record = cpu_structures.Pooling(side, channels, parts, stride, least, *places)
        self.at = ctypes.addressof(self._record)
        self._view = cpu_structures.Four()
        self._view_at = ctypes.addressof(self._view)
        self._describe = library.hp_pooling_describe
        self._boxes = np.zeros((0, 4))
        self._boxes_at = 0

    def describe(
        self,
        features: np.ndarray,
        states: np.ndarray,
        centre: Sequence[float],
        scale: Tuple[float, float],
    ) -> np.ndarray:
        """The features under boxes: float32 (n, size); arguments as in the definition."""
        features_at = self.address_of(features)
        count = len(states)
        if states.shape != (count, 4):
            raise ValueError(f"boxes: {states.shape}")
        if count > len(self._boxes):
            self._boxes = np.zeros((2 * count, 4))
            self._boxes_at = address(self._boxes)
        self._boxes[:count] = states
        out = np.empty((count, self.size), np.float32)
        self._view[:] = [centre[0], centre[1], scale[0], scale[1]]
        self._describe(self.at, features_at, self._boxes_at, count, self._view_at, address(out))
        return out

    def address_of(self, features: np.ndarray) -> int:
        """The address of features. Their shape is checked first."""
        is_dense = features.dtype == np.float32 and features.flags.c_contiguous
        if features.shape != self._shape or not is_dense:
            raise ValueError(f"features: {features.dtype} {features.shape}")
        return address(features)


class CompiledMoments:
    """Mean of x and of x x^T of one class, up to the diagonal.

    Args:
        size: length of x.
    """

    def __init__(self, size: int) -> None:
        self.mean = np.zeros(_padded(size))
        self.square = _symmetric(size)
        self.addresses = self.mean.ctypes.data, self.square.ctypes.data


class CompiledRegression:
    """Moments and their solution. ``hotpath.runtime.identity.learner.numpy_definition`` defines the
    results.

    Args:
        library: the loaded kernels.
        size: numbers of a sample.
        ridge: added to the diagonal of the matrix.
        tiny: squared length of what is left, at which the regression is solved.

    Attributes:
        weights: float64 (size,).
        size: numbers of a sample.
        at: address of its record.
    """

    definition = "Regression"  # the class in ``numpy_definition.py``

    def __init__(self, library: ctypes.CDLL, size: int, ridge: float, tiny: float) -> None:
        self._library, self.size = library, size
        width = _padded(size)
        self._held = (
            _symmetric(size),
            np.zeros(width),
            np.zeros(width),
            np.zeros((3, width)),
            np.zeros((2 * BATCH, width), np.float32),
        )
        places = cpu_structures.addresses(self._held)
        self._record = cpu_structures.Regression(size, width // LANES, ridge, tiny, *places)
        self.at = ctypes.addressof(self._record)
        self.weights = self._held[2][:size]
        self._terms: Any = None
        self._tables: Any = None
        self._weighed: Tuple[Any, ...] = ()
        self._add, self._judge = library.hp_moments_add, library.hp_regression_judge
        self._weigh, self._solve = library.hp_regression_weigh, library.hp_regression_solve

    def moments(self) -> CompiledMoments:
        """Memory for the samples of one class."""
        return CompiledMoments(self.size)

    def add(
        self,
        moments: CompiledMoments,
        samples: np.ndarray,
        weights: Optional[np.ndarray],
        rate: float,
    ) -> None:
        """Add samples (n, size) to moments with the weight ``rate``; ``weights`` (n,) or None."""
        values, at = self._checked(samples)
        share = None if weights is None else np.ascontiguousarray(weights, np.float64)
        if share is not None and share.shape != (len(values),):
            raise ValueError(f"weights: {share.shape}")
        share_at = None if share is None else address(share)
        self._add(self.at, at, share_at, len(values), rate, *moments.addresses)

    def weigh(self, terms: Sequence[Tuple[CompiledMoments, float, float]]) -> None:
        """Compute A and b from (moments, share, sign of the class)."""
        if terms != self._terms:  # they stay the same once both classes were seen
            at = np.array([moments.addresses for moments, _, _ in terms], np.uintp).T.copy()
            shares = np.array([(share, share * sign) for _, share, sign in terms]).T.copy()
            (means, squares), (plain, signed) = map(cpu_structures.addresses, (at, shares))
            self._terms, self._tables = terms, (at, shares)
            self._weighed = self.at, squares, plain, len(terms), means, signed
        self._weigh(*self._weighed)

    def solve(self, steps: int) -> None:
        """Do that many steps towards the solution."""
        self._solve(self.at, steps)

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Return the products of samples (n, size) and the weights: float64 (n,)."""
        values, at = self._checked(samples)
        out = np.empty(len(values))
        self._judge(self.at, at, len(values), address(out))
        return out

    def _checked(self, samples: np.ndarray) -> Tuple[np.ndarray, int]:
        """Samples as C++ takes them, and their address."""
        if samples.shape != (len(samples), self.size):
            raise ValueError(f"samples: {samples.shape}")
        if samples.dtype.char != "f" or not samples.flags.c_contiguous:
            samples = np.ascontiguousarray(samples, np.float32)
        return samples, samples.__array_interface__["data"][0]


def _padded(count: int) -> int:
    """The count of values that whole lanes hold."""
    return -(-count // LANES) * LANES


def _symmetric(size: int) -> np.ndarray:
    """Room for a symmetric matrix up to its diagonal, as online.h keeps it."""
    blocks = _padded(size) // LANES
    return np.zeros(LANES**2 * blocks * (blocks + 1) // 2, np.float32)


class CompiledSamples:
    """The samples to learn a frame from.

    ``hotpath.runtime.identity.learner.numpy_definition`` defines them.

    The boxes equal those of the definition, bit for bit. Everything is one call, because the
    network has just emptied the caches and Python would take as long as the calls.

    Args:
        library: the loaded kernels.
        moves: float64 (n, 3), positives: moved by x and y, sides of the target; times as large.
        overlaps: with the target: of positives at least, of negatives at most.
        step: from one negative to the next, sides of the target.
        most: negatives on each side of the middle, along x and along y.
    """

    definition = "Samples"  # the class in ``numpy_definition.py``

    def __init__(
        self,
        library: ctypes.CDLL,
        moves: np.ndarray,
        overlaps: Tuple[float, float],
        step: float,
        most: int,
    ) -> None:
        self._moves = np.ascontiguousarray(moves, np.float64)
        self._places = np.zeros(2 * (2 * most + 1))
        self._most = len(self._moves) + (2 * most + 1) ** 2
        numbers = step, most, len(self._moves)
        places = cpu_structures.addresses([self._moves])
        self._record = cpu_structures.Samples(*overlaps, *numbers, *places)
        self._at = ctypes.addressof(self._record)
        self._places_at = self._places.ctypes.data
        self._target, self._total = np.zeros(4), np.zeros(1, np.int64)
        self._target_at, self._total_at = self._target.ctypes.data, self._total.ctypes.data
        self._view = cpu_structures.Four()
        self._view_at = ctypes.addressof(self._view)
        self._of_frame = library.hp_samples_of_frame

    def of_frame(
        self,
        pooling: CompiledPooling,
        regression: CompiledRegression,
        state: np.ndarray,
        features: np.ndarray,
        centre: Sequence[float],
        scale: Tuple[float, float],
        half: float,
        hardness: float,
    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """Boxes to learn a frame from; arguments and result as in the definition."""
        if state.shape != (4,) or pooling.size != regression.size:
            raise ValueError(f"state: {state.shape}, {pooling.size} of {regression.size} numbers")
        most = self._most + 1
        boxes, hard = np.empty((most, 4)), np.empty(most)
        described = np.empty((most, pooling.size), np.float32)
        self._target[:] = state
        self._view[:] = [centre[0], centre[1], scale[0], scale[1]]
        models = self._at, pooling.at, regression.at, pooling.address_of(features)
        target = self._target_at, self._view_at, half, hardness, self._places_at
        out = address(boxes), address(described), address(hard), self._total_at
        positives: int = self._of_frame(*models, *target, *out)
        total = int(self._total[0])
        return boxes[:total], described[:total], hard[: total - positives], positives
