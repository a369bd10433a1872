"""Ridge regression on a network's features, learnt anew in every frame: DCFNet.

Wang et al., "DCFNet: Discriminant Correlation Filters Network for Visual Tracking", 2017, equations
2 to 5. The network gives features x alone. The filter is a ridge regression to a Gaussian label y,
solved in the Fourier domain (^) and updated in each frame:

    a^ = y^ / (sum |x^|^2 / N + lambda),   response = F^-1(sum z^ conj(x^) / N * a^)
    a^ and x^ follow the newest frame by ``interpolation``

NumPy and OpenCV compute it; no kernel does.
"""

import math
import typing

import cv2
import numpy as np

from kernels.golden import argmax, hanning_window
from runtime.decode.shared.family import Family, Maps, Scale

if typing.TYPE_CHECKING:
    from runtime.network import Network

INNER = 0.8  # features are averaged over this share of the box's sides, as in ``runtime.presence``
LEAST_SIDE = 4  # frame pixels, the smallest box that is followed


def scale_steps(count: int) -> np.ndarray:
    """Steps of each tried size from the last one: [-1, 0, 1] for 3."""
    return np.arange(count) - count // 2


class Ridge(Family):
    """DCFNet: a ridge regression on the network's features, updated in every frame.

    It learns whatever the window shows, so the response's height tells little about the target.
    ``certain`` compares the mean features in the middle of the box: the first frame's and the last
    one's, the first window's mean subtracted from both. It is their cosine similarity.

    Args:
        network: uses the keys of ``filter = "ridge"``, ``search`` and ``search_margin``.
    """

    learns, is_direct = True, False

    def __init__(self, network: "Network") -> None:
        self.network = network
        steps, side = scale_steps(network.scales), network.search
        self.factors = tuple(network.scale_step ** float(step) for step in steps)
        self._damping = np.array([float(network.scale_penalty ** abs(step)) for step in steps])
        box = side / (1 + 2 * network.search_margin)
        edge = int(round((side - INNER * box) / 2))
        self._inner = slice(edge, side - edge)
        self._label = np.fft.rfft2(gaussian_label(side, box * network.label_sigma))
        self.window = hanning_window(side).astype(np.float32)
        self._windowed = np.zeros((network.features, side, side), np.float32)
        self._packed = np.zeros((side, side), np.float32)
        self._spectra = np.zeros((network.features, side, side // 2 + 1), np.complex64)
        self._responses = np.zeros((network.scales, side, side))
        self._cosine = 1.0

    def remember(
        self, features: "typing.Tuple[np.ndarray, ...]", state: np.ndarray
    ) -> "typing.Tuple[typing.Tuple[np.ndarray, ...], typing.Any]":
        """Solve the regression on the first box. The engine needs no features in a frame."""
        self._usual = features[0][0].mean(axis=(1, 2))
        self._target = self._difference_from_usual(features[0])
        self._cosine = 1.0
        memory: typing.Dict[str, typing.Any] = {"size": state[2:].copy()}
        memory.update(filter=None, exemplar=None)
        self._follow(memory, features[0], 1.0)
        return (), memory

    def look(self, index: int, maps: Maps, memory: typing.Any) -> Maps:
        """Compute the response of one scale."""
        spectrum = self._spectrum(maps[0])
        kernel = (spectrum * np.conj(memory["exemplar"])).sum(axis=0) / self._windowed.size
        side = self.network.search
        self._responses[index] = np.fft.irfft2(kernel * memory["filter"], s=(side, side))
        return self._responses, memory["size"]

    def select(
        self,
        maps: Maps,
        state: np.ndarray,
        scale: Scale,
        frame_width: int,
        frame_height: int,
    ) -> "typing.Tuple[int, float]":
        """Pick the scale and place with the highest response.

        Args:
            maps: (float64 (scales, side, side) responses, (w, h) of the first box).
            state, scale, frame_width, frame_height: as in ``Family.select``.

        Returns:
            (best, score): index of the place in the response, and its height (the label's is 1).

        Raises:
            NetworkFailed: no response is finite.
        """
        network, (responses, first_size) = self.network, maps
        peaks = responses.reshape(len(responses), -1).max(axis=1)
        chosen = argmax(peaks * self._damping)
        best = argmax(responses[chosen])

        # the label's peak is the corner cell; places beyond the half are negative displacements
        side = network.search
        moved = np.array(divmod(best, side)[::-1], np.float64)
        moved[moved > side / 2] -= side
        factor = self.factors[chosen]
        state[0] += moved[0] * factor / scale[0]
        state[1] += moved[1] * factor / scale[1]
        least = np.maximum(network.smallest * first_size, LEAST_SIDE)
        most = np.minimum((frame_width, frame_height), network.largest * first_size)
        state[2:] = np.minimum(np.maximum(state[2:] * factor, least), most)
        return best, float(min(max(peaks[chosen], 0.0), 1.0))

    def certain(self, score: float) -> float:
        """Cosine similarity of the last frame's box and the first one's."""
        return self._cosine

    def learn(self, maps: Maps, memory: typing.Any) -> None:
        """Update the regression from the features of the window just found."""
        self._follow(memory, maps[0], self.network.interpolation)
        now = self._difference_from_usual(maps[0])
        lengths = math.sqrt(float(now @ now) * float(self._target @ self._target))
        self._cosine = max(0.0, float(now @ self._target) / lengths) if lengths > 0 else 0.0

    def _difference_from_usual(self, features: np.ndarray) -> np.ndarray:
        """Mean in the middle of the box, less the first window's mean: (channels,)."""
        mean: np.ndarray = features[0][:, self._inner, self._inner].mean(axis=(1, 2)) - self._usual
        return mean

    def _follow(
        self, memory: "typing.Dict[str, typing.Any]", features: np.ndarray, rate: float
    ) -> None:
        spectrum = self._spectrum(features)
        energy = (spectrum.real**2 + spectrum.imag**2).sum(axis=0) / self._windowed.size
        solved = self._label / (energy + self.network.regularisation)
        if memory["filter"] is None:
            memory["filter"], memory["exemplar"] = solved, spectrum.copy()
            return
        memory["filter"] += (solved - memory["filter"]) * rate
        memory["exemplar"] += (spectrum - memory["exemplar"]) * rate

    def _spectrum(self, features: np.ndarray) -> np.ndarray:
        """Fourier transforms of the windowed features, in the half form of real input."""
        np.multiply(features.reshape(self._windowed.shape), self.window, out=self._windowed)
        for feature, spectrum in zip(self._windowed, self._spectra):
            cv2.dft(feature, self._packed)  # some ten times faster than numpy.fft
            unpack(self._packed, spectrum)
        return self._spectra


def unpack(packed: np.ndarray, spectrum: np.ndarray) -> None:
    """Bring OpenCV's packed transform of a real picture into the order of ``numpy.fft.rfft2``.

    Args:
        packed: float32 (n, n), from ``cv2.dft``.
        spectrum: complex64 (n, n // 2 + 1), contiguous; the result.
    """
    side = len(packed)
    numbers = spectrum.view(np.float32)
    inner = side - 1 - (side + 1) % 2  # columns of complex numbers, two each
    numbers[:, 2 : 2 + inner] = packed[:, 1 : 1 + inner]
    _unpack_column(packed[:, 0], spectrum[:, 0])
    if side % 2 == 0:
        _unpack_column(packed[:, -1], spectrum[:, -1])


def _unpack_column(packed: np.ndarray, column: np.ndarray) -> None:
    """Unpack a column that is the transform of real numbers: each complex number stands once."""
    side = len(packed)
    half = (side - 1) // 2
    column[0] = packed[0]
    column.real[1 : half + 1] = packed[1 : 2 * half : 2]
    column.imag[1 : half + 1] = packed[2 : 2 * half + 1 : 2]
    column[side - half :] = np.conj(column[1 : half + 1][::-1])
    if side % 2 == 0:
        column[side // 2] = packed[-1]


def gaussian_label(side: int, sigma: float) -> np.ndarray:
    """Gaussian with its peak at the first cell: (side, side) float64, 1 at [0, 0]."""
    distance = np.fft.fftfreq(side, 1.0 / side)
    line = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.outer(line, line)
