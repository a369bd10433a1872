"""Decode response maps: one map says where the target is; its size is tried at several scales.

``filter = "siamese"``, SiamFC: Bertinetto et al., "Fully-Convolutional Siamese Networks for Object
Tracking", 2016, section 3.1 (numbers: Huang, siamfc-pytorch). The network correlates; responses of
all scales are up-sampled by a cubic, those that change the size are damped, the highest peak picks
the scale, and a Hanning window is blended in to find the place:

    response = (1 - influence) * normalised response + influence * hanning / sum(hanning)

``filter = "ridge"``, DCFNet: Wang et al., "DCFNet: Discriminant Correlation Filters Network for
Visual Tracking", 2017, equations 2 to 5. The network only gives features x; the filter is a ridge
regression to a Gaussian label y, solved in the Fourier domain (^) and corrected every frame:

    a^ = y^ / (sum |x^|^2 / N + lambda),   response = F^-1(sum z^ conj(x^) / N * a^)
    a^ and x^ follow the newest frame by ``interpolation``
"""

import math

import cv2
import numpy as np

from kernels.golden import argmax, hanning_window
from runtime.decode import Family
from runtime.networks.schema import key

_SIAMESE, _RIDGE = ("filter", ("siamese",)), ("filter", ("ridge",))

KEYS = {
    "head": {
        "filter": key(str, choices=("siamese", "ridge")),
        "stride": key(int, low=1, when=_SIAMESE),  # search pixels a cell of the response
        "map_size": key(int, low=1, when=_SIAMESE),  # cells a side
        "upsample": key(int, 16, low=1, when=_SIAMESE),  # times, before the peak is looked for
        "features": key(int, low=1, when=_RIDGE),  # channels of the network's features
    },
    "tracking": {
        "scales": key(int, 3, low=1),  # how many sizes are tried in a frame; odd
        "scale_step": key(float, low=1),  # between one size and the next
        "scale_penalty": key(float, low=0, high=1),  # of responses that change the size
        "scale_lr": key(float, low=0, high=1, when=_SIAMESE),  # how fast the size follows
        "window": key(float, low=0, high=1, when=_SIAMESE),  # influence of the Hanning window
        "min_size": key(float, 1.0, low=0, when=_SIAMESE),  # frame pixels
        "label_sigma": key(float, low=1e-6, when=_RIDGE),  # of the label, by the target's side
        "regularisation": key(float, low=0, when=_RIDGE),  # lambda
        "interpolation": key(float, low=0, high=1, when=_RIDGE),  # how fast the model follows
        "smallest": key(float, low=0, when=_RIDGE),  # size, by that of the first box
        "largest": key(float, low=0, when=_RIDGE),
    },
}

INNER = 0.8  # share of the box's sides whose features are averaged, as in ``runtime.loss``
LEAST_SIDE = 4  # frame pixels, of a box that a ridge regression follows


def shapes(network):
    """The response, or the features."""
    if network.filter == "ridge":
        return ((1, network.features, network.search, network.search),)
    return ((1, 1, network.map_size, network.map_size),)


def create(network, kernels):
    """The decoder of the network's filter; there is no compiled one."""
    return Ridge(network) if network.filter == "ridge" else Siamese(network)


def scale_steps(count):
    """How many steps each look is away from the last size: [-1, 0, 1] for 3."""
    return np.arange(count) - count // 2


class Siamese(Family):
    """SiamFC: the network correlates the exemplar with every scale.

    It was trained to have the sigmoid of the peak tell the target from all else, but beside a
    target's own, near 1 for most things: ``certain`` is the peak's share of the first frame's.

    Args:
        network: uses the keys above.
    """

    compares = True

    def __init__(self, network):
        self.network = network
        steps = scale_steps(network.scales)
        self.factors = tuple(network.scale_step ** float(step) for step in steps)
        side = network.map_size * network.upsample
        self.window = hanning_window(side)
        self.window /= self.window.sum()
        self._responses = np.zeros((network.scales, side, side), np.float32)
        self._peaks = np.zeros(network.scales)
        self._damping = np.where(steps == 0, 1.0, network.scale_penalty)
        self._middle = network.scales // 2
        self._first = self._peak = 0.0  # height of the response, in the first frame and in the last

    def first(self, maps):
        """Note how high the response to the target itself is."""
        self.look(self._middle, maps, None)
        self._first = float(self._peaks[self._middle])

    def certain(self, score):
        """Height of the last response, by that of the first frame's."""
        if self._first <= 0:
            return score
        return min(max(self._peak / self._first, 0.0), 1.0)

    def look(self, index, maps, memory):
        """Up-sample one scale's response."""
        response = self._responses[index]
        small = maps[0].reshape(self.network.map_size, -1)
        cv2.resize(small, response.shape, dst=response, interpolation=cv2.INTER_CUBIC)
        self._peaks[index] = response.max() * self._damping[index]
        return (self._responses,)

    def select(self, maps, state, scale, frame_width, frame_height):
        """Pick the scale with the highest peak, and the place in it.

        Args:
            maps: float32 (scales, side, side) up-sampled responses.
            state, scale, frame_width, frame_height: as in ``Family.select``.

        Returns:
            (best, score): index of the place in the up-sampled map, and the sigmoid of the peak,
            which the network was trained to be the probability of the target.

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


class Ridge(Family):
    """DCFNet: a ridge regression on the network's features, learnt again in every frame.

    It learns whatever is in the window, so the response's height says little of the target:
    ``certain`` is the cosine of the features in the middle of the box, averaged, in the first frame
    and where the last one was learnt, both less the first window's average.

    Args:
        network: uses the keys above, ``search`` and ``search_margin``.
    """

    learns = True

    def __init__(self, network):
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

    def remember(self, features, state):
        """Solve the regression on the first box; the engine needs no features for a frame."""
        self._usual = features[0][0].mean(axis=(1, 2))
        self._target = self._beyond_usual(features[0])
        self._likeness = 1.0
        memory = {"size": state[2:].copy(), "filter": None, "exemplar": None}
        self._follow(memory, features[0], 1.0)
        return (), memory

    def look(self, index, maps, memory):
        """Response of one scale."""
        spectrum = self._spectrum(maps[0])
        kernel = (spectrum * np.conj(memory["exemplar"])).sum(axis=0) / self._windowed.size
        side = self.network.search
        self._responses[index] = np.fft.irfft2(kernel * memory["filter"], s=(side, side))
        return self._responses, memory["size"]

    def select(self, maps, state, scale, frame_width, frame_height):
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

        # the label's peak is the corner cell: places beyond the half lie on the other side
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

    def certain(self, score):
        """Likeness of where the last frame was learnt to the first box."""
        return self._likeness

    def learn(self, maps, memory):
        """Correct the regression by the features of the window just found."""
        self._follow(memory, maps[0], self.network.interpolation)
        now = self._beyond_usual(maps[0])
        lengths = math.sqrt(float(now @ now) * float(self._target @ self._target))
        self._likeness = max(0.0, float(now @ self._target) / lengths) if lengths > 0 else 0.0

    def _beyond_usual(self, features):
        """Average in the middle of the box, less that of the first window: (channels,)."""
        return features[0][:, self._inner, self._inner].mean(axis=(1, 2)) - self._usual

    def _follow(self, memory, features, rate):
        spectrum = self._spectrum(features)
        energy = (spectrum.real**2 + spectrum.imag**2).sum(axis=0) / self._windowed.size
        solved = self.label / (energy + self.network.regularisation)
        if memory["filter"] is None:
            memory["filter"], memory["exemplar"] = solved, spectrum.copy()
            return
        memory["filter"] += (solved - memory["filter"]) * rate
        memory["exemplar"] += (spectrum - memory["exemplar"]) * rate

    def _spectrum(self, features):
        """Fourier transforms of the windowed features, the half that real ones need."""
        np.multiply(features.reshape(self._windowed.shape), self.window, out=self._windowed)
        for feature, spectrum in zip(self._windowed, self._spectra):
            cv2.dft(feature, self._packed)  # some ten times faster than numpy.fft
            unpack(self._packed, spectrum)
        return self._spectra


def unpack(packed, spectrum):
    """Bring OpenCV's packed transform of a real picture into the order of ``numpy.fft.rfft2``.

    Args:
        packed: float32 (n, n), from ``cv2.dft``.
        spectrum: complex64 (n, n // 2 + 1), contiguous; written to.
    """
    side = len(packed)
    numbers = spectrum.view(np.float32)
    inner = side - 1 - (side + 1) % 2  # columns of complex numbers, two each
    numbers[:, 2 : 2 + inner] = packed[:, 1 : 1 + inner]
    _unpack_column(packed[:, 0], spectrum[:, 0])
    if side % 2 == 0:
        _unpack_column(packed[:, -1], spectrum[:, -1])


def _unpack_column(packed, column):
    """Columns that are transforms of real numbers hold each complex number once."""
    side = len(packed)
    half = (side - 1) // 2
    column[0] = packed[0]
    column.real[1 : half + 1] = packed[1 : 2 * half : 2]
    column.imag[1 : half + 1] = packed[2 : 2 * half + 1 : 2]
    column[side - half :] = np.conj(column[1 : half + 1][::-1])
    if side % 2 == 0:
        column[side // 2] = packed[-1]


def gaussian_label(side, sigma):
    """Gaussian bump whose peak is the first cell: (side, side) float64, 1 at [0, 0]."""
    distance = np.fft.fftfreq(side, 1.0 / side)
    line = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.outer(line, line)
