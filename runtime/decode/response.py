"""Decode response maps: one map shows where the target is, and several scales are tried.

``filter = "siamese"``, SiamFC: Bertinetto et al., "Fully-Convolutional Siamese Networks for Object
Tracking", 2016, section 3.1 (numbers: Huang, siamfc-pytorch). The network correlates. The
responses of all scales are up-sampled by a cubic; those of a changed size are damped. The highest
peak selects the scale, and a Hanning window is added to find the place:

    response = (1 - influence) * normalised response + influence * hanning / sum(hanning)

``filter = "ridge"``, DCFNet: Wang et al., "DCFNet: Discriminant Correlation Filters Network for
Visual Tracking", 2017, equations 2 to 5. The network gives features x alone. The filter is a ridge
regression to a Gaussian label y, solved in the Fourier domain (^) and updated in each frame:

    a^ = y^ / (sum |x^|^2 / N + lambda),   response = F^-1(sum z^ conj(x^) / N * a^)
    a^ and x^ follow the newest frame by ``interpolation``
"""

import math
import typing

import cv2
import numpy as np

from kernels.golden import argmax, hanning_window
from kernels.settings import ResponseSettings
from runtime.decode.shared.family import Family, Maps, Scale
from runtime.decode.shared.keys import LARGEST_MAP, LARGEST_STRIDE, Keys, key

if typing.TYPE_CHECKING:
    from runtime.networks.network import Network

_SIAMESE, _RIDGE = ("filter", ("siamese",)), ("filter", ("ridge",))

KEYS: typing.Dict[str, Keys] = {
    "head": {
        "filter": key(str, choices=("siamese", "ridge")),
        # search pixels between two cells of the response
        "stride": key(int, low=1, high=LARGEST_STRIDE, when=_SIAMESE),
        "map_size": key(int, low=1, high=LARGEST_MAP, when=_SIAMESE),  # cells a side
        # how many times the response is enlarged before its peak is found
        "upsample": key(int, 16, low=1, high=64, when=_SIAMESE),
        "features": key(int, low=1, high=4096, when=_RIDGE),  # channels of the network's features
    },
    "tracking": {
        "scales": key(int, 3, low=1, high=99),  # how many sizes are tried in a frame; odd
        "scale_step": key(float, low=1, high=2),  # between one size and the next
        "scale_penalty": key(float, low=0, high=1),  # of responses that change the size
        "scale_lr": key(float, low=0, high=1, when=_SIAMESE),  # how fast the size follows
        "window": key(float, low=0, high=1, when=_SIAMESE),  # influence of the Hanning window
        "min_size": key(float, 1.0, low=0, high=1000, when=_SIAMESE),  # frame pixels
        # of the label, relative to the target's side
        "label_sigma": key(float, low=1e-3, high=10, when=_RIDGE),
        "regularisation": key(float, low=1e-12, high=1e6, when=_RIDGE),  # lambda; 0 divides by 0
        "interpolation": key(float, low=0, high=1, when=_RIDGE),  # how fast the model follows
        "smallest": key(float, low=0, high=1, when=_RIDGE),  # size, relative to the first box's
        "largest": key(float, low=1, high=1000, when=_RIDGE),
    },
}

INNER = 0.8  # features are averaged over this share of the box's sides, as in ``runtime.loss``
LEAST_SIDE = 4  # frame pixels, the smallest box that a ridge regression follows


def shapes(network: "Network") -> "typing.Tuple[typing.Tuple[int, ...], ...]":
    """Shape of the response, or of the features."""
    if network.filter == "ridge":
        return ((1, network.features, network.search, network.search),)
    return ((1, 1, network.map_size, network.map_size),)


def create(network: "Network", kernels: typing.Any) -> "typing.Union[Ridge, Siamese]":
    """Make the decoder of the network's filter, in C++ where the kernels are compiled."""
    if network.filter == "ridge":
        decoder = Ridge(network)
        kernel = kernels.ridge(
            network.features,
            network.search,
            decoder.label,
            decoder.window,
            network.regularisation,
        )
        return decoder if kernel is None else CompiledRidge(network, kernel)
    compiled = kernels.response(response_settings(network))
    return Siamese(network) if compiled is None else CompiledSiamese(network, compiled)


def response_settings(network: "Network") -> ResponseSettings:
    """The numbers of ``Siamese`` that the kernels take."""
    steps = scale_steps(network.scales)
    return ResponseSettings(
        size=network.map_size,
        upsample=network.upsample,
        stride=network.stride,
        influence=network.window,
        scale_lr=network.scale_lr,
        min_size=network.min_size,
        factors=[network.scale_step ** float(step) for step in steps],
        damping=[1.0 if step == 0 else network.scale_penalty for step in steps],
    )


def scale_steps(count: int) -> np.ndarray:
    """Steps of each tried size from the last one: [-1, 0, 1] for 3."""
    return np.arange(count) - count // 2


class Siamese(Family):
    """SiamFC: the network correlates the exemplar with every scale.

    The network was trained so that the sigmoid of the peak is the probability of the target. In
    practice it is near 1 for most things. So ``certain`` divides the peak by the first frame's.

    Args:
        network: uses the keys above.
    """

    compares = True

    def __init__(self, network: "Network") -> None:
        self.network = network
        settings = response_settings(network)
        self.factors, self._damping = tuple(settings.factors), np.array(settings.damping)
        side = network.map_size * network.upsample
        self.window = hanning_window(side)
        self.window /= self.window.sum()
        self._responses = np.zeros((network.scales, side, side), np.float32)
        self._peaks = np.zeros(network.scales)
        self._middle = network.scales // 2
        self._first = self._peak = (
            0.0  # the response's height in the first frame and in the last one
        )

    def first(self, maps: Maps) -> None:
        """Store the height of the response to the target itself."""
        self.look(self._middle, maps, None)
        self._first = float(self._peaks[self._middle])

    def certain(self, score: float) -> float:
        """Height of the last response, divided by the first frame's."""
        if self._first <= 0:
            return score
        return min(max(self._peak / self._first, 0.0), 1.0)

    def look(self, index: int, maps: Maps, memory: typing.Any) -> Maps:
        """Up-sample one scale's response."""
        response = self._responses[index]
        small = maps[0].reshape(self.network.map_size, -1)
        cv2.resize(small, response.shape, dst=response, interpolation=cv2.INTER_CUBIC)
        self._peaks[index] = response.max() * self._damping[index]
        return (self._responses,)

    def select(
        self,
        maps: Maps,
        state: np.ndarray,
        scale: Scale,
        frame_width: int,
        frame_height: int,
    ) -> "typing.Tuple[int, float]":
        """Pick the scale with the highest peak, and the place in it.

        Args:
            maps: float32 (scales, side, side) up-sampled responses.
            state, scale, frame_width, frame_height: as in ``Family.select``.

        Returns:
            (best, score): index of the place in the up-sampled map, and the sigmoid of the peak.

        Raises:
            NetworkFailed: no response is finite.
        """
        network = self.network
        chosen = argmax(self._peaks)
        response = np.asarray(maps[0][chosen], np.float64) * self._damping[chosen]
        peak = self._peak = float(self._peaks[chosen])

        # the place, near the last one when in doubt
        response -= response.min()
        response /= response.sum() + 1e-16
        response = (1 - network.window) * response + network.window * self.window
        best = argmax(response)

        # displacement in the search region, then in the frame
        cell = np.array(np.unravel_index(best, response.shape)[::-1])
        moved = (cell - (len(response) - 1) / 2) * network.stride / network.upsample
        factor = self.factors[chosen]
        state[0] += moved[0] * factor / scale[0]
        state[1] += moved[1] * factor / scale[1]
        state[2:] *= (1 - network.scale_lr) + network.scale_lr * factor
        state[0] = min(max(state[0], 0.0), frame_width)
        state[1] = min(max(state[1], 0.0), frame_height)
        state[2:] = np.maximum(state[2:], network.min_size)
        return best, float(1 / (1 + np.exp(-peak)))


class CompiledSiamese(Siamese):
    """``Siamese`` in C++.

    Args:
        network: uses the keys above.
        kernel: ``kernels.cpu.response.Response``.
    """

    def __init__(self, network: "Network", kernel: typing.Any) -> None:
        super().__init__(network)
        self._kernel = kernel
        self._peaks, self._responses = kernel.peaks, kernel.responses

    def look(self, index: int, maps: Maps, memory: typing.Any) -> Maps:
        """Up-sample one scale's response."""
        self._kernel.look(index, maps[0])
        return (self._responses,)

    def select(
        self,
        maps: Maps,
        state: np.ndarray,
        scale: Scale,
        frame_width: int,
        frame_height: int,
    ) -> "typing.Tuple[int, float]":
        """See ``Siamese.select``; ``maps`` are those of ``look``."""
        best, score, self._peak = self._kernel.select(state, scale, frame_width, frame_height)
        return best, score


class Ridge(Family):
    """DCFNet: a ridge regression on the network's features, updated in every frame.

    It learns whatever the window shows, so the response's height tells little about the target.
    ``certain`` compares the mean features in the middle of the box: the first frame's and the last
    one's, the first window's mean subtracted from both. It is their cosine.

    Args:
        network: uses the keys above, ``search`` and ``search_margin``.
    """

    learns = True

    def __init__(self, network: "Network") -> None:
        self.network = network
        steps = scale_steps(network.scales)
        self.factors = tuple(network.scale_step ** float(step) for step in steps)
        self._damping = network.scale_penalty ** np.abs(steps)
        side = network.search
        box = side / (1 + 2 * network.search_margin)
        sigma = box * network.label_sigma
        self.label = np.fft.rfft2(gaussian_label(side, sigma))
        self.window = hanning_window(side).astype(np.float32)
        self._windowed = np.zeros((network.features, side, side), np.float32)
        self._packed = np.zeros((side, side), np.float32)
        self._spectra = np.zeros((network.features, side, side // 2 + 1), np.complex64)
        self._responses = np.zeros((network.scales, side, side))
        edge = int(round((side - INNER * box) / 2))
        self._inner = slice(edge, side - edge)
        self._likeness = 1.0

    def remember(
        self, features: "typing.Tuple[np.ndarray, ...]", state: np.ndarray
    ) -> "typing.Tuple[typing.Tuple[np.ndarray, ...], typing.Any]":
        """Solve the regression on the first box. The engine needs no features in a frame."""
        self._usual = features[0][0].mean(axis=(1, 2))
        self._target = self._difference_from_usual(features[0])
        self._likeness = 1.0
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
        """Likeness of the last frame's box to the first one's."""
        return self._likeness

    def learn(self, maps: Maps, memory: typing.Any) -> None:
        """Update the regression from the features of the window just found."""
        self._follow(memory, maps[0], self.network.interpolation)
        now = self._difference_from_usual(maps[0])
        lengths = math.sqrt(float(now @ now) * float(self._target @ self._target))
        self._likeness = max(0.0, float(now @ self._target) / lengths) if lengths > 0 else 0.0

    def _difference_from_usual(self, features: np.ndarray) -> np.ndarray:
        """Mean in the middle of the box, less the first window's mean: (channels,)."""
        mean: np.ndarray = features[0][:, self._inner, self._inner].mean(axis=(1, 2)) - self._usual
        return mean

    def _follow(
        self, memory: "typing.Dict[str, typing.Any]", features: np.ndarray, rate: float
    ) -> None:
        spectrum = self._spectrum(features)
        energy = (spectrum.real**2 + spectrum.imag**2).sum(axis=0) / self._windowed.size
        solved = self.label / (energy + self.network.regularisation)
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


class CompiledRidge(Ridge):
    """``Ridge`` in C++.

    Args:
        network: uses the keys above.
        kernel: ``kernels.cpu.ridge.Ridge``.
    """

    def __init__(self, network: "Network", kernel: typing.Any) -> None:
        super().__init__(network)
        self._kernel = kernel

    def look(self, index: int, maps: Maps, memory: typing.Any) -> Maps:
        """Compute the response of one scale."""
        self._kernel.respond(maps[0], memory["model"], self._responses[index])
        return self._responses, memory["size"]

    def _follow(
        self, memory: "typing.Dict[str, typing.Any]", features: np.ndarray, rate: float
    ) -> None:
        if "model" not in memory:
            memory["model"] = self._kernel.model()
        self._kernel.follow(features, memory["model"], rate)


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
