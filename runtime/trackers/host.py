"""The tracker: a frame's five steps in the order in which they happen.

    crop -> features -> correlate -> head -> select

Features, correlation and head are the engine's one call; crop and select are the kernels'. What a
family does otherwise (several scales, a model that learns) is in ``runtime.decode``, which windows
it looks at in ``runtime.geometry``.
"""

import time

import cv2
import numpy as np

from runtime import decode, geometry
from runtime.errors import NetworkFailed
from runtime.loss import Lost
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

    _lost = None  # watches the target, where the network says below what it is lost
    _closed = False
    is_deterministic = True  # for the GOT-10k toolkit, as `name` and `track`

    def __init__(self, network, engine, kernels):
        self.name = network.name
        self.network = network
        self.engine = engine
        self.kernels = kernels
        self.decoder = decode.create(network, kernels)
        self.state = None  # float64 [cx, cy, w, h], frame pixels
        self.features = None  # of the exemplar, as the engine's search takes them
        self.step_ms = {"crop": 0.0, "network": 0.0, "select": 0.0}
        self._lost = Lost(network, kernels) if network.lost_below > 0 else None
        self._before = np.zeros(4)  # the last frame's state
        self._crop_exemplar = self.cropper(engine.exemplar_crop)
        self.search_on(engine)

    def init(self, frame, box):
        """Take a target.

        Args:
            frame: BGR uint8 (H, W, 3).
            box: (x, y, w, h), 0-based pixels of the frame; it may reach beyond the frame.

        Raises:
            BadFrame, BadBox: not a picture, or no box that a target can have.
        """
        self.check_open()
        frame = checked_frame(frame)
        box = checked_box(box, frame.shape)
        height, width = frame.shape[:2]
        self.state = geometry.state_of(self.network, box, width, height)
        self._frame_shape = frame.shape
        self._border = geometry.border_colour(self.network, frame)

        # exemplar: crop and features, kept for all frames to come
        self._crop_exemplar(frame, geometry.exemplar_window(self.network, self.state))
        self.features, self._memory = self.decoder.remember(self.engine.exemplar(), self.state)
        if self._lost:
            self._lost.begin(self.state, *self._see(frame))

    def update(self, frame):
        """Find the target in the next frame.

        Args:
            frame: BGR uint8 (H, W, 3). When its size is not the last one's, the target is scaled
                with it.

        Returns:
            ``Track``.

        Raises:
            BadFrame: not a picture.
            NetworkFailed: ``init`` was not called, ``close`` was, or the network gave nothing
                finite.
        """
        self.begin(frame)

        # crop the search region around the last position; features, correlation and head
        for index, factor in enumerate(self.decoder.factors):
            scale = self.crop(frame, factor)
            maps = self.take(index, self.timed("network", self._lane.search, self.features))

        # select the best cell and move there
        track = self.choose(maps, scale, getattr(self._lane, "seen", None))

        # families that learn look again, where the target was found
        if self.decoder.learns:
            self.crop(frame, 1.0)
            self.learn(self.timed("network", self._lane.search, self.features))
        return track

    def search_on(self, lane):
        """Search there from now on: on the engine, or on one of its lanes."""
        self._lane = lane
        self._crop_search = self.cropper(lane.search_crop)

    # the steps of a frame, which ``Targets`` takes with several trackers side by side

    def begin(self, frame):
        """Check a frame and what it is to be compared with; see ``update``."""
        self.check_open()
        if self.state is None:
            raise NetworkFailed("the tracker has no target yet; call init(frame, box) first")
        checked_frame(frame)
        if frame.shape != self._frame_shape:
            self._rescale(frame.shape)
        self.step_ms.update(crop=0.0, network=0.0, select=0.0)

    def crop(self, frame, factor, cropper=None):
        """Write the search region, ``factor`` times as large, into the engine's input.

        Args:
            frame: BGR uint8 (H, W, 3).
            factor: of the search region's sides.
            cropper: where it goes (see ``cropper``); None for where ``update`` searches.

        Returns:
            (x, y), search pixels per frame pixel.
        """
        widened = self.widened
        window, scale = geometry.search_window(self.network, self.state, factor * widened)
        self.timed("crop", cropper or self._crop_search, frame, window)
        return scale if widened == 1.0 else (scale[0] / widened, scale[1] / widened)

    def take(self, index, maps):
        """Take in the network's maps of window ``index``; returns what ``choose`` takes."""
        return self.timed("select", self.decoder.look, index, maps, self._memory)

    def choose(self, maps, scale, seen=None):
        """Move to the best cell, unless the target is lost; returns the ``Track``.

        Args:
            maps: from ``take``.
            scale: from ``crop``.
            seen: features of the search region (see ``runtime.loss``).
        """
        self._before[:] = self.state
        started = time.perf_counter()
        height, width = self._frame_shape[:2]
        _, score = self.decoder.select(maps, self.state, scale, width, height)
        lost = self._lost is not None and self._lost.watch(
            self.state, self._before, self.decoder.certain(score), seen, scale
        )
        self.step_ms["select"] += (time.perf_counter() - started) * 1e3
        return Track(geometry.box_of(self.network, self.state), score, lost)

    def learn(self, maps):
        """Learn from the maps of the window around the target just found."""
        self.timed("select", self.decoder.learn, maps, self._memory)

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

    @property
    def certainty(self):
        """How sure it is that the target is there, 0 to 1; None where nothing watches."""
        return self._lost.certainty if self._lost else None

    @property
    def widened(self):
        """How many times as wide as usual the next frame's search region is."""
        return self._lost.widened if self._lost else 1.0

    def check_open(self):
        """Raise ``NetworkFailed`` after ``close``."""
        if self._closed:
            raise NetworkFailed("the tracker was closed; make another one with load_tracker()")

    def let_go(self):
        """Follow the target no more; the engine, which others may share, goes on."""
        self._closed = True

    def close(self):
        """Give the engine's memory back; may be called twice."""
        if not self._closed:
            self.let_go()
            self.engine.close()

    def _see(self, frame):
        """What the network sees around the first box: (features or None, scale)."""
        seen = getattr(self._lane, "seen", None)
        if seen is None and not self.decoder.compares:
            return None, None
        scale = self.crop(frame, 1.0)
        self.decoder.first(self._lane.search(self.features))
        return seen, scale

    def timed(self, step, function, *arguments):
        """Call and add what it took to ``step_ms``."""
        started = time.perf_counter()
        result = function(*arguments)
        self.step_ms[step] += (time.perf_counter() - started) * 1e3
        return result

    def cropper(self, out):
        """The function (frame, window) that writes the input ``out`` of the network."""
        network = self.network
        swap = network.channels == "RGB"
        if network.resample == "warp":
            warp = geometry.Warp(out)
            return lambda frame, window: warp.crop(
                frame, window, self._border, network.mean, network.scale, swap
            )
        return lambda frame, window: self.kernels.crop(
            frame, window, self._border, out, network.mean, network.scale, swap
        )

    def _rescale(self, shape):
        """A source changed its resolution: carry the target over in proportion."""
        x, y = shape[1] / self._frame_shape[1], shape[0] / self._frame_shape[0]
        self.state *= (x, y, x, y)
        if self._lost:
            self._lost.rescale((x, y, x, y))
        self._frame_shape = shape
