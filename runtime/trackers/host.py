"""The tracker of a processor: a frame's five steps in the order in which they happen.

    crop -> features -> correlate -> head -> select

Features, correlation and head are the engine's one call; crop and select are the kernels'. What a
family does differently (several scales, a model that learns) is in ``runtime.decode``. Which
windows of a frame it searches is in ``runtime.geometry``.
"""

import math
import time
from typing import Any, Callable, Optional, Sequence, Tuple

import numpy as np

from kernels.errors import NO_SCORE, NetworkFailed
from runtime import decode, geometry
from runtime.engines.base import Engine, Lane
from runtime.frames import AnyFrame, JpegFrame, pixels_of
from runtime.loss import LossMonitor
from runtime.networks import Network
from runtime.trackers.base import Tracker
from runtime.types import Track, checked_box, checked_frame

Cropper = Callable[[AnyFrame, Any], None]


class HostTracker(Tracker):
    """Follows one target.

    Args:
        network: the ``Network``.
        engine: an engine that holds it (see ``runtime.engines.base``).
        kernels: crop and select (see ``kernels.cpu.load``).
    """

    can_rehearse = True

    def __init__(self, network: Network, engine: Engine, kernels: Any) -> None:
        super().__init__(network, engine)
        self.kernels, self.kernels_name = kernels, kernels.name
        self.decoder = decode.create(network, kernels)
        self.features: Any = None  # of the exemplar, as the engine's search takes them
        self.memory: Any = None  # of the decoder, about the target
        self._monitor = LossMonitor(network, kernels) if network.lost_below > 0 else None
        self._before = np.zeros(4)  # the last frame's state
        self._border = np.zeros(3, np.uint8)  # colour of the pixels outside the frame
        self._crop_exemplar = self.cropper(engine.exemplar_crop)
        self.search_on(engine)

    def init(self, frame: AnyFrame, box: Sequence[float]) -> None:
        """Take a target; see ``Tracker.init``."""
        self.check_open()
        frame = checked_frame(frame)
        box = checked_box(box, frame.shape)
        height, width = frame.shape[:2]
        self.state = geometry.state_of(self.network, box, width, height)
        self._frame_shape = frame.shape
        self._border = geometry.border_colour(self.network, frame)

        # exemplar: crop and features, kept for all later frames
        self._crop_exemplar(frame, geometry.exemplar_window(self.network, self.state))
        self.features, self.memory = self.decoder.remember(self.engine.exemplar(), self.state)
        if self._monitor:
            self._monitor.begin(self.state, *self._first_features(frame))

    def update(self, frame: AnyFrame) -> Track:
        """Find the target in the next frame; see ``Tracker.update``."""
        self.begin(frame)

        # crop the search region around the last position; features, correlation and head
        for index, factor in enumerate(self.decoder.factors):
            scale = self.crop(frame, factor)
            maps = self.collect_maps(index, self.timed("network", self._lane.search, self.features))

        # select the best cell and move there
        track = self.select(maps, scale, self._lane.search_features)

        # families that learn search again, where the target was found
        if self.decoder.learns:
            self.crop(frame, 1.0)
            self.learn(self.timed("network", self._lane.search, self.features))
        return track

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Tracker.rehearse``; of several windows, and of learning, only the first search."""
        if self.state is None or frame.shape != self._frame_shape:
            return
        scale = self.crop(frame, self.decoder.factors[0])
        maps = self._lane.search(self.features)
        if self.decoder.learns or len(self.decoder.factors) > 1:
            return
        self._before[:] = self.state
        height, width = self._frame_shape[:2]
        try:
            self.decoder.select(maps, self.state, scale, width, height)
        except NetworkFailed:
            pass  # the frame that was rehearsed has told it
        finally:
            self.state[:] = self._before

    def search_on(self, lane: Lane) -> None:
        """Search there from now on: on the engine, or on one of its lanes."""
        self._lane = lane
        self._crop_search = self.cropper(lane.search_crop)

    # the steps of a frame, which ``runtime.multi.scheduling`` takes with several trackers at once

    def begin(self, frame: AnyFrame) -> None:
        """Check a frame, and scale the target where the frame's size changed; see ``update``."""
        self.check_target()
        checked_frame(frame)
        if frame.shape != self._frame_shape:
            self._rescale(frame.shape)
        self.step_ms.update(crop=0.0, network=0.0, select=0.0)

    def crop(
        self, frame: AnyFrame, factor: float, cropper: Optional[Cropper] = None
    ) -> Tuple[float, float]:
        """Write the search region, ``factor`` times as large, into the engine's input.

        Args:
            frame: as in ``update``.
            factor: of the search region's sides.
            cropper: writes the input (see ``cropper``); None for the one of ``search_on``.

        Returns:
            (x, y), search pixels per frame pixel.
        """
        widened = self.widened
        window, scale = geometry.search_window(self.network, self.state, factor * widened)
        self.timed("crop", cropper or self._crop_search, frame, window)
        return scale if widened == 1.0 else (scale[0] / widened, scale[1] / widened)

    def collect_maps(self, index: int, maps: Any) -> Any:
        """Take in the network's maps of window ``index``; returns what ``select`` takes."""
        return self.timed("select", self.decoder.look, index, maps, self.memory)

    def select(self, maps: Any, scale: Tuple[float, float], search_features: Any = None) -> Track:
        """Move to the best cell, unless the target is lost; returns the ``Track``.

        Args:
            maps: from ``collect_maps``.
            scale: from ``crop``.
            search_features: features of the search region (see ``runtime.loss``).

        Raises:
            NetworkFailed: nothing that was found is finite; the target stays where it was.
        """
        self._before[:] = self.state
        started = time.perf_counter()
        height, width = self._frame_shape[:2]
        _, score = self.decoder.select(maps, self.state, scale, width, height)
        lost = self._monitor is not None and self._monitor.watch(
            self.state, self._before, self.decoder.certain(score), search_features, scale
        )
        self.step_ms["select"] += (time.perf_counter() - started) * 1e3
        box = geometry.box_of(self.network, self.state)
        if not math.isfinite(sum(box) + score):
            self.state[:] = self._before
            raise NetworkFailed(NO_SCORE)
        return Track(box, score, lost)

    def learn(self, maps: Any) -> None:
        """Learn from the maps of the window around the target that was just found."""
        self.timed("select", self.decoder.learn, maps, self.memory)

    @property
    def certainty(self) -> Optional[float]:
        """As ``Tracker``'s."""
        return self._monitor.certainty if self._monitor else None

    @property
    def widened(self) -> float:
        """As ``Tracker``'s."""
        return self._monitor.widened if self._monitor else 1.0

    def _first_features(self, frame: AnyFrame) -> Tuple[Any, Any]:
        """Search around the first box: (features of the search region or None, scale)."""
        features = self._lane.search_features
        if features is None and not self.decoder.compares:
            return None, None
        scale = self.crop(frame, 1.0)
        self.decoder.first(self._lane.search(self.features))
        return features, scale

    def timed(self, step: str, function: Callable, *arguments: Any) -> Any:
        """Call a function and add the time that it took to ``step_ms``."""
        started = time.perf_counter()
        result = function(*arguments)
        self.step_ms[step] += (time.perf_counter() - started) * 1e3
        return result

    def cropper(self, out: Any) -> Cropper:
        """The function (frame, window) that writes the input ``out`` of the network."""
        network = self.network
        swap = network.channels == "RGB"
        has_fractions = network.resample == "warp"
        crop = self.kernels.warp if has_fractions else self.kernels.crop
        rest = out, network.mean, network.scale, swap
        size = out.shape[-1], out.shape[-2]

        def write(frame: AnyFrame, window: geometry.Window) -> None:
            if isinstance(frame, JpegFrame):  # decode it no larger than the crop needs it
                picture, scale = frame.reduced(min(window[2] / size[0], window[3] / size[1]))
                if scale > 1:
                    reduced = geometry.reduced_window(window, size, scale, has_fractions)
                    self.kernels.warp(picture, reduced, self._border, *rest)
                    return
            crop(pixels_of(frame), window, self._border, *rest)

        return write

    def _rescale(self, shape: Tuple[int, ...]) -> None:
        """A source changed its resolution: carry the target over in proportion."""
        x, y = shape[1] / self._frame_shape[1], shape[0] / self._frame_shape[0]
        self.state *= (x, y, x, y)
        if self._monitor:
            self._monitor.rescale((x, y, x, y))
        self._frame_shape = shape
