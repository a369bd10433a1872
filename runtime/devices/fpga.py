"""The FPGA: crop and network are one program of the fabric, select runs on the processor.

Where the kernels are compiled, what is done for a frame before and after the program is one call
each (``kernels.fpga.frame``), the judgement included. ``Processor`` takes the same steps in Python,
with the same boxes bit for bit: for families of several windows, and while lost targets are
searched for. All windows are cropped and computed in the fabric.
"""

import time
from typing import Any, Optional, Sequence, Tuple, cast

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.fpga.features import FeatureKernels
from kernels.fpga.frame import Frames
from runtime import geometry
from runtime.devices.base import Device
from runtime.devices.fpga_queue import FpgaQueue
from runtime.devices.processor import Processor
from runtime.engines.base import Engine, Searcher
from runtime.geometry import Cropper
from runtime.network import Network
from runtime.pictures import AnyFrame, PlanarFrame, bgr_of
from runtime.presence import Presence, loss_settings
from runtime.types import Box, Found, Judgement, View


class Fpga(Device):
    """One target in an FPGA; several share an engine, which works for one after another.

    Args:
        engine: an engine that has a ``fabric``.
        kernels: select, and the crop of windows that are too wide for the fabric.
        slots: frames that may be in flight at a time.
        batch: windows of the search that may be with the fabric and the processor at a time: 1, or
            more for one with each.

    Attributes:
        steps: the same target, with each step in Python.
        frames: the compiled calls; None where the steps are taken in Python.
        queue: of several frames in flight; None where there is one.
        features: of the exemplar: the target's ``kernels.fpga.fabric.Buffer``.
    """

    def __init__(
        self, network: Network, engine: Engine, kernels: Kernels, *, slots: int = 1, batch: int = 1
    ) -> None:
        super().__init__(network, engine, slots)
        self.kernels, self._compiled = cast(Kernels, FeatureKernels(kernels)), kernels
        self.kernels_name = kernels.name
        self.steps = Processor(network, engine, self.kernels, _shown)
        self.step_ms = self.steps.step_ms
        self.learns, self.is_plain = self.steps.learns, self.steps.is_plain
        self.shows_features = self.steps.shows_features
        self.frames: Optional[Frames] = None
        self._queues = batch > 1
        self._floats: Optional[_FloatFeatures] = None
        self.queue: Optional[FpgaQueue] = None
        self.features: Any = None
        self._shape: Tuple[int, ...] = ()
        self._aimed: Tuple[np.ndarray, Tuple[float, float]] = (np.zeros(4), (1.0, 1.0))

    def open(self, searches: bool) -> None:
        """See ``Device.open``."""
        if searches:
            self._floats, self.queues = _FloatFeatures(self.engine), self._queues
            self.steps.use(self._floats)
            return
        self.frames = self._compiled_frames()
        self.pipelines = self.slots > 1 and self.frames is not None
        if self.pipelines:
            self.queue = FpgaQueue(self, self._compiled)

    def _compiled_frames(self) -> Optional[Frames]:
        """The calls of ``kernels.fpga.frame``; None where a frame's steps are taken in Python."""
        engine, network, decoder = self.engine, self.network, self.steps.decoder
        if not self.is_plain or decoder.compares or decoder.kernel is None:
            return None
        if network.resample == "warp" or engine.map_jobs is None or not self._compiled.handle:
            return None
        seen = engine.search_features
        return Frames(
            self._compiled,
            engine.search_crop,
            engine.map_jobs,
            engine.maps,
            decoder.kernel,
            geometry.window_settings(network),
            loss_settings(network),
            geometry.corner_less(network),
            seen and (engine.features_offset, seen.shape[1], seen.side),
        )

    def begin(
        self, frame: AnyFrame, state: np.ndarray, shape: Tuple[int, ...], compares: bool
    ) -> Optional[View]:
        """See ``Device.begin``."""
        if self.queue is not None:
            self.queue.clear()
        view = self.steps.begin(frame, state, shape, compares)
        self.state, self.border, self._shape = state, self.steps.border, shape
        self.features = self.steps.features
        return view

    def hand_over(self, presence: Presence) -> None:
        """Tell the compiled calls of a new target."""
        if self.frames is not None:
            places = self.engine.places(self.features)
            self.frames.begin(self.state, self._shape, self.border, places, presence.watched)

    def rescale(self, factors: Sequence[float], shape: Tuple[int, ...]) -> None:
        """See ``Device.rescale``."""
        self._shape = shape
        self.steps.rescale(factors, shape)
        if self.frames is not None:  # what it knows of the target is ahead of what was collected
            self.frames.resize(shape)

    def follow(self, frame: AnyFrame) -> Found:
        """See ``Device.follow``."""
        if self.frames is None:
            return self.steps.follow(frame)
        if self.queue is not None:
            self.queue.settle()
        self.prepare(frame)
        started = time.perf_counter()
        self.engine.start_prepared(self.features, self.frames)
        work = self.engine.wait()
        ended = time.perf_counter()
        self.frames.found(work.host)
        self.step_ms["network"] = (ended - started) * 1e3
        self.step_ms["select"] = (time.perf_counter() - ended) * 1e3
        return self.told()

    def prepare(self, frame: AnyFrame) -> None:
        """Show the fabric the window to search, where ``frames`` is there."""
        assert self.frames is not None, "the steps are taken in Python"
        started = time.perf_counter()
        if type(frame) is not np.ndarray or not self.frames.aim(frame):
            planes = frame.planes if isinstance(frame, PlanarFrame) else None
            if planes is None or not self.frames.aim_in_planes(planes):
                self.frames.aim_at(bgr_of(frame))
        self.step_ms["crop"] = (time.perf_counter() - started) * 1e3

    def told(self) -> Found:
        """What ``frames`` found last."""
        assert self.frames is not None, "the steps are taken in Python"
        certainty, _, _, x, y, w, h, score, lost = self.frames.result
        judgement = Judgement(certainty, bool(lost))
        return Found(Box(x, y, w, h), score, score, -1, None, judgement)

    def learn(self, frame: AnyFrame) -> None:
        """See ``Device.learn``."""
        self.steps.learn(frame)

    def submit(self, frame: AnyFrame, is_kept: bool) -> None:
        """See ``Device.submit``."""
        assert self.queue is not None, "one frame is in flight at a time"
        self.queue.submit(frame, is_kept)

    def collect(self) -> Found:
        """See ``Device.collect``."""
        assert self.queue is not None, "one frame is in flight at a time"
        return self.queue.collect()

    # the search, one window ahead

    def look(self, frame: AnyFrame, state: np.ndarray, factor: float) -> View:
        """See ``Device.look``."""
        return self.steps.look(frame, state, factor)

    def start(self, frame: AnyFrame, state: np.ndarray, factor: float) -> None:
        """See ``Device.start``."""
        assert self._floats is not None, "nothing is searched for"
        self._aimed = state, self.steps.aim(frame, state, factor)
        self._floats.start(self.features)

    def finish(self) -> View:
        """See ``Device.finish``."""
        assert self._floats is not None, "nothing is searched for"
        started, (state, scale) = time.perf_counter(), self._aimed
        maps = self._floats.search(self.features)
        self.step_ms["network"] += (time.perf_counter() - started) * 1e3
        return View(state, scale, self._floats.search_features, maps)

    def settle(self) -> None:
        """See ``Device.settle``; the fabric is idle afterwards, for other targets."""
        if self._floats is not None:
            self._floats.settle()
        if self.queue is not None:
            self.queue.settle()

    def release(self) -> None:
        """See ``Device.release``."""
        self.settle()
        if self.queue is not None:
            self.queue.clear()


def _shown(out: Any) -> Cropper:
    """What shows the fabric the windows of an input, a ``kernels.fpga.window.Crop``."""
    show, side = out.pictures.take, out.side
    return lambda frame, window, border: show(bgr_of(frame), window, border, side)


class _FloatFeatures(Searcher):
    """The fabric, with the search region's features as numbers: the search learns from them.

    Args:
        engine: has ``search_features``.
    """

    def __init__(self, engine: Any) -> None:
        self._engine, self._seen = engine, engine.search_features
        self._is_running = False  # whether the window to search was started already
        self.search_crop = engine.search_crop
        self.search_features = np.zeros(self._seen.shape, np.float32)

    def search(self, features: Any) -> Any:
        """See ``runtime.engines.base.Engine``."""
        if not self._is_running:
            self.start(features)
        self._is_running = False
        maps = self._engine.finish()
        self._seen.values(self.search_features)
        return maps

    def start(self, features: Any) -> None:
        """Start the window that was cropped last; ``search`` waits for it."""
        self._engine.start(features, self.search_crop.pictures.registers)
        self._is_running = True

    def settle(self) -> None:
        """Let a window that was started come to nothing."""
        if self._is_running:
            self._is_running = False
            self._engine.wait()
