"""A film of a coloured square that moves over noise, and a tracker made of definitions alone."""

import numpy as np

from kernels import golden
from kernels.cuda.frames import Nv12
from kernels.planes import Planes
from runtime import geometry
from runtime.decode.points import Points
from tests.fakes.cuda.shim import Shim


class Film:
    """Frames by number; the same seed always gives the same frames.

    Args:
        seed: of the noise and the motion.
        kind: "bgr" (a strided view), "nv12" or "device" (plain BGR).
        change: number of the first frame of the larger size, or None.
    """

    border = (90, 100, 110)
    side = 40

    def __init__(self, seed, kind="bgr", change=None):
        self.kind, self.change = kind, change
        self.random = np.random.RandomState(seed)
        self.noise = self.random.randint(60, 140, (260, 340, 3)).astype(np.uint8)
        self.phase = self.random.uniform(0, 6, 2)
        self.state = self.place(0) + (self.side, self.side)

    def place(self, index):
        """Centre of the square in the small film; at times it crosses an edge of the frame."""
        x = 150 + 130 * np.sin(0.031 * index + self.phase[0])
        y = 110 + 95 * np.sin(0.043 * index + self.phase[1])
        return float(x), float(y)

    def frame(self, index):
        """The frame in the film's kind."""
        image = self.bgr(index)
        if self.kind == "nv12":
            return self.nv12(image)
        if self.kind == "device":
            return image
        memory = np.zeros((image.shape[0], image.shape[1] + 3, 3), np.uint8)
        memory[:, 2:-1] = image
        return memory[:, 2:-1]

    def bgr(self, index):
        """(H, W, 3) uint8: 220 x 300, or 1.5 times that size."""
        image = np.roll(self.noise, index * 7, axis=1)[:220, :300].copy()
        x, y = (int(round(v)) for v in self.place(index))
        half = self.side // 2
        top, left = max(0, y - half), max(0, x - half)
        image[top : max(0, y + half), left : max(0, x + half)] = (40, 60, 230)
        if self.change is not None and index >= self.change:
            rows, columns = np.arange(330) * 2 // 3, np.arange(450) * 2 // 3
            image = image[rows][:, columns]
        return np.ascontiguousarray(image)

    @staticmethod
    def nv12(image):
        """Convert a picture to NV12, as a camera gives it; the colours need not be exact."""
        luma = image[:, :, 1].copy()
        height, width = luma.shape
        chroma = np.empty((height // 2, width), np.uint8)
        chroma[:, 0::2], chroma[:, 1::2] = image[::2, ::2, 0], image[::2, ::2, 2]
        return Nv12(luma, chroma)


def track_by_definition(net, film, count):
    """Track a film by golden.py, geometry.py and points.py; return the states and cells."""
    shim, decoder = Shim(), Points(net)
    state = np.array(film.state, np.float64)
    image = _bgr(film.frame(0))
    features = np.zeros(3, np.float32)
    shim.launch(
        "tiny_exemplar",
        1,
        3,
        _crop(net, image, geometry.exemplar_window(net, state), net.exemplar, film.border),
        net.exemplar,
        features,
    )
    cells, states, shape = [], [], image.shape
    scores = np.zeros((1, 2, net.map_size, net.map_size), np.float32)
    distances = np.zeros((1, 4, net.map_size, net.map_size), np.float32)
    for index in range(1, count + 1):
        image = _bgr(film.frame(index))
        if image.shape != shape:
            x, y = float(image.shape[1]) / shape[1], float(image.shape[0]) / shape[0]
            state *= (x, y, x, y)
            shape = image.shape
        window, scale = geometry.search_window(net, state)
        picture = _crop(net, image, window, net.search, film.border)
        shim.launch(
            "tiny_search",
            net.map_size,
            net.map_size,
            picture,
            features,
            net.search,
            net.map_size,
            net.stride,
            scores,
            distances,
        )
        cell, _ = decoder.select((scores, distances), state, scale, image.shape[1], image.shape[0])
        cells.append(cell)
        states.append(state.copy())
    return np.array(states), cells


def bgr_of(luma, chroma):
    """An NV12 picture as BGR."""
    return golden.bgr_from_planes(Planes("NV12", (luma, chroma), luma.shape[1], luma.shape[0]))


def _bgr(frame):
    return bgr_of(*frame) if isinstance(frame, Nv12) else frame


def _crop(net, image, window, side, border):
    return golden.pack(golden.crop(image, window, side, border), net.mean, net.scale)
