"""A film of a coloured square that moves over noise, and a tracker made of definitions alone."""

import numpy as np

from hotpath.kernels import golden
from hotpath.kernels.cuda.frame_uploads import Nv12
from hotpath.runtime.decode.points import Points
from hotpath.runtime.frames import geometry
from hotpath_nogpu.cuda.shim import Shim
from tests.support.pictures_in_planes import planes_of


class Film:
    """Frames by number; the same seed always gives the same frames.

    Args:
        seed: of the noise and the motion.
        kind: "bgr" (a strided view) or "nv12".
    """

    side = 40

    def __init__(self, seed, kind="bgr"):
        self.kind = kind
        self.random = np.random.RandomState(seed)
        self.noise = self.random.randint(60, 140, (260, 340, 3)).astype(np.uint8)
        self.phase = self.random.uniform(0, 6, 2)
        self.state = self.place(0) + (self.side, self.side)

    @property
    def box(self):
        """The first frame's box, as a tracker takes it."""
        cx, cy, w, h = self.state
        return cx - (w - 1) / 2, cy - (h - 1) / 2, w, h

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
        memory = np.zeros((image.shape[0], image.shape[1] + 3, 3), np.uint8)
        memory[:, 2:-1] = image
        return memory[:, 2:-1]

    def bgr(self, index):
        """(220, 300, 3) uint8."""
        image = np.roll(self.noise, index * 7, axis=1)[:220, :300].copy()
        x, y = (int(round(v)) for v in self.place(index))
        half = self.side // 2
        top, left = max(0, y - half), max(0, x - half)
        image[top : max(0, y + half), left : max(0, x + half)] = (40, 60, 230)
        return image

    @staticmethod
    def nv12(image):
        """Convert a picture of even size to NV12, as a camera gives it."""
        return Nv12(*planes_of(image, "NV12").planes)


def track_by_definition(net, film, count):
    """Track a BGR film by golden.py, geometry.py and points.py; return the states and cells."""
    shim, decoder = Shim(), Points(net)
    state = np.array(film.state, np.float64)
    image = film.frame(0)
    border = geometry.border_colour(net, image)
    features = np.zeros(3, np.float32)
    picture = _crop(net, image, geometry.exemplar_window(net, state), net.exemplar, border)
    shim.launch("tiny_exemplar", 1, 3, picture, net.exemplar, features)
    cells = []
    states = []
    maps = [np.zeros((1, planes, net.map_size, net.map_size), np.float32) for planes in (2, 4)]
    for index in range(1, count + 1):
        image = film.frame(index)
        window, scale = geometry.search_window(net, state)
        picture = _crop(net, image, window, net.search, border)
        sides = net.search, net.map_size, net.stride
        shim.launch("tiny_search", net.map_size, net.map_size, picture, features, *sides, *maps)
        cell, _ = decoder.select(maps, state, scale, image.shape[1], image.shape[0])
        cells.append(cell)
        states.append(state.copy())
    return np.array(states), cells


def _crop(net, image, window, side, border):
    return golden.pack(golden.crop(image, window, side, border), net.mean, net.scale)
