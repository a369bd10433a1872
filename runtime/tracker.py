"""The tracker: a frame's five steps in the order in which they happen.

    crop -> features -> correlate -> head -> select

Features, correlation and head are the engine's one call; crop and select are the kernels'.
"""

import time

import cv2
import numpy as np

from runtime import decode, geometry
from runtime.errors import NetworkFailed
from runtime.types import Track, checked_box, checked_frame


class Tracker:
    """Follows one target. Has the shape of the GOT-10k toolkit's trackers.

    Args:
        network: the ``Network``.
        engine: an engine that holds it (see ``runtime.engines``).
        kernels: crop and select (see ``kernels.cpu.load``).

    Attributes:
        step_ms: dict of the last frame's time in each step, milliseconds: crop, network, select.
    """

    is_deterministic = True  # for the GOT-10k toolkit, as `name` and `track`

    def __init__(self, network, engine, kernels):
        self.name = network.name
        self.network = network
        self.engine = engine
        self.kernels = kernels
        self.decoder = decode.create(network, kernels)
        self.state = None  # float64 [cx, cy, w, h], frame pixels
        self.step_ms = {"crop": 0.0, "network": 0.0, "select": 0.0}
        self._swap = network.channels == "RGB"

    def init(self, frame, box):
        """Take a target.

        Args:
            frame: BGR uint8 (H, W, 3).
            box: (x, y, w, h), 0-based pixels of the frame; it may reach beyond the frame.

        Raises:
            BadFrame, BadBox: not a picture, or no box that a target can have.
        """
        frame = checked_frame(frame)
        x, y, w, h = checked_box(box, frame.shape)
        self.state = np.array([x + (w - 1) / 2, y + (h - 1) / 2, w, h])
        self._frame_shape = frame.shape
        self._border = self._border_colour(frame)

        # exemplar: crop and features, kept for all frames to come
        window = geometry.exemplar_window(self.network, self.state)
        self._crop(frame, window, self.engine.exemplar_crop)
        self._features = self.engine.exemplar()

    def update(self, frame):
        """Find the target in the next frame.

        Args:
            frame: BGR uint8 (H, W, 3). When its size is not the last one's, the target is scaled
                with it.

        Returns:
            ``Track``.

        Raises:
            BadFrame: not a picture.
            NetworkFailed: ``init`` was not called, or the network gave nothing finite.
        """
        if self.state is None:
            raise NetworkFailed("the tracker has no target yet; call init(frame, box) first")
        frame = checked_frame(frame)
        if frame.shape != self._frame_shape:
            self._rescale(frame.shape)
        started = time.perf_counter()

        # crop the search region around the last position
        window, scale = geometry.search_window(self.network, self.state)
        self._crop(frame, window, self.engine.search_crop)
        cropped = time.perf_counter()

        # features, correlation and head
        maps = self.engine.search(self._features)
        mapped = time.perf_counter()

        # select the best cell and move there
        height, width = frame.shape[:2]
        _, score = self.decoder.select(maps, self.state, (scale, scale), width, height)
        track = Track.around(self.state[:2], self.state[2:], score)
        selected = time.perf_counter()

        step_ms = self.step_ms
        step_ms["crop"] = (cropped - started) * 1e3
        step_ms["network"] = (mapped - cropped) * 1e3
        step_ms["select"] = (selected - mapped) * 1e3
        return track

    def track(self, img_files, box, visualize=False):
        """Run over a list of pictures, as the GOT-10k toolkit's experiments ask.

        Args:
            img_files: paths of the frames in order.
            box: (x, y, w, h) in the first of them.
            visualize: not used; the toolkit passes it.

        Returns:
            (boxes, times): (frames, 4) and (frames,) float64, pixels and seconds.
        """
        boxes, times = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        boxes[0] = box
        for index, path in enumerate(img_files):
            frame = cv2.imread(str(path))
            started = time.perf_counter()
            if index == 0:
                self.init(frame, box)
            else:
                boxes[index] = self.update(frame).box
            times[index] = time.perf_counter() - started
        return boxes, times

    forward_test = track  # its name in the toolkit's later versions

    def close(self):
        """Give the engine's memory back."""
        self.engine.close()

    def _crop(self, frame, window, out):
        network = self.network
        self.kernels.crop(
            frame, window, self._border, out, network.mean, network.scale, self._swap
        )

    def _border_colour(self, frame):
        """Colour of the pixels outside the frame: (3,) uint8, BGR."""
        if self.network.border == "zero":
            return np.zeros(3, np.uint8)
        return np.array(cv2.mean(frame)[:3]).astype(np.uint8)

    def _rescale(self, shape):
        """A source changed its resolution: carry the target over in proportion."""
        x, y = shape[1] / self._frame_shape[1], shape[0] / self._frame_shape[0]
        self.state *= (x, y, x, y)
        self._frame_shape = shape
