"""The tracker whose crop and network run in the FPGA.

Select runs on the processor. Where the kernels are compiled, what is done for a frame before and
after the fabric's program is one call each (``kernels.fpga.frame``); ``HostTracker`` has the same
steps in Python, with the same boxes bit for bit. ``runtime.devices.fpga_pipeline`` keeps several
frames in flight.

While a lost target is searched for, the fabric already computes the next window of a frame, where
the budget has room for it, when the processor judges the last one.
"""

import time
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from kernels.fpga.features import FeatureKernels
from kernels.fpga.frame import Features, Frames, Watched
from runtime import geometry
from runtime.devices.processor import Cropper, HostTracker
from runtime.engines.base import Engine, Lane
from runtime.loss import loss_settings
from runtime.networks import Network
from runtime.pictures import AnyFrame, PlanarFrame, bgr_of
from runtime.search.budget import SHARE
from runtime.search.search import Planned
from runtime.tracker import NOT_ASKED
from runtime.types import Box, Track


class _FloatFeatures(Lane):
    """The fabric, with the search region's features as numbers: the search learns from them.

    Args:
        engine: has ``search_features``.

    Attributes:
        is_running: whether the window to search was started already.
    """

    def __init__(self, engine: Any) -> None:
        self._engine, self._seen = engine, engine.search_features
        self.is_running = False
        self.search_crop = engine.search_crop
        self.search_features = np.zeros(self._seen.shape, np.float32)

    def search(self, features: Any) -> Any:
        """See ``runtime.engines.base.Engine``."""
        if not self.is_running:
            self.start(features)
        self.is_running = False
        maps = self._engine.finish()
        self._seen.values(self.search_features)
        return maps

    def start(self, features: Any) -> None:
        """Start the window that was cropped last; ``search`` waits for it."""
        self._engine.start(features, self.search_crop.pictures.registers)
        self.is_running = True

    def settle(self) -> None:
        """Let a window that was started come to nothing."""
        if self.is_running:
            self.is_running = False
            self._engine.wait()


class FpgaTracker(HostTracker):
    """Follows one target; several may share an engine, which then works for one after another.

    Args:
        network: the ``Network``.
        engine: an engine that has a ``fabric``.
        kernels: select, and the crop of windows that are too wide for the fabric.
        recover: whether a lost target is searched for, by the code of ``HostTracker``: all windows
            are cropped and computed in the fabric. A frame's other steps are taken in Python then.
        budget_ms, budget_share: see ``runtime.search.budget``.
        windows: of the search, that may be with the fabric and the processor at a time: 1, or more
            for one with each.
    """

    can_rehearse = False  # the program and its weights lie in memory that no cache holds

    engine: Any

    def __init__(
        self,
        network: Network,
        engine: Engine,
        kernels: Any,
        *,
        recover: bool = False,
        budget_ms: Optional[float] = None,
        budget_share: float = SHARE,
        windows: int = 1,
    ) -> None:
        self._may_search, self._queues = recover, windows > 1
        self._floats: Optional[_FloatFeatures] = None
        self._next: Optional[Tuple[Planned, Tuple[float, float]]] = None  # the fabric computes it
        super().__init__(
            network,
            engine,
            FeatureKernels(kernels),
            recover=recover,
            budget_ms=budget_ms,
            budget_share=budget_share,
            online=False,
        )
        self.frames = None if self.searches else self._compiled_frames(kernels)

    def search_on(self, lane: Lane) -> None:
        """See ``HostTracker.search_on``."""
        if self._may_search and lane.search_features is not None:
            lane = self._floats = _FloatFeatures(lane)
        super().search_on(lane)

    @property
    def why_no_search(self) -> str:  # type: ignore[override]  # read only here
        """See ``Tracker.why_no_search``."""
        if not self._may_search:
            return NOT_ASKED
        return super().why_no_search

    def _compiled_frames(self, kernels: Any) -> Optional[Frames]:
        """The calls of ``kernels.fpga.frame``; None where a frame's steps are taken in Python."""
        engine, network, decoder = self.engine, self.network, self.decoder
        is_single = len(decoder.factors) == 1 and not decoder.learns and not decoder.compares
        if not is_single or decoder.kernel is None or network.resample == "warp":
            return None
        if engine.map_jobs is None or not getattr(kernels, "handle", None):
            return None
        seen = engine.search_features
        features = seen and Features(engine.features_offset, seen.shape[1], seen.side)
        corner = geometry.corner_less(network)
        return Frames(
            kernels,
            engine.search_crop,
            engine.map_jobs,
            engine.maps,
            decoder.kernel,
            geometry.window_settings(network),
            loss_settings(network),
            corner,
            features,
        )

    def init(self, frame: AnyFrame, box: Sequence[float]) -> None:
        """Take a target; see ``Tracker.init``."""
        self._settle()
        super().init(frame, box)
        self._hand_over()

    def _rescale(self, shape: Any) -> None:
        super()._rescale(shape)
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the target to the compiled calls: it is new, or was changed in Python."""
        if self.frames is None:
            return
        monitor = self._monitor
        watched: Watched = (1.0, 1.0, self._before, None)
        if monitor is not None:
            watched = monitor.certainty, monitor.widened, monitor.held, monitor.reference
        places = self.engine.places(self.features)
        self.frames.begin(self.state, self._frame_shape, self._border, places, watched)

    def update(self, frame: AnyFrame) -> Track:
        """Find the target in the next frame; see ``Tracker.update``."""
        if self.frames is None:
            try:
                return super().update(frame)
            finally:
                self._settle()  # the fabric is idle afterwards, for other targets
        self.aim(frame)
        started = time.perf_counter()
        self.engine.start_prepared(self.features, self.frames)
        work = self.engine.wait()
        self.step_ms["network"] = (time.perf_counter() - started) * 1e3
        return self.found(work)

    # the search, one window ahead

    def crop(
        self, frame: AnyFrame, factor: float, cropper: Optional[Cropper] = None
    ) -> Tuple[float, float]:
        """See ``HostTracker.crop``."""
        if self._next is not None and self._search is not None:
            planned, scale = self._next
            if self._search.active and self._search.take(planned, self.state, 0.0):
                self._next = None
                return scale
            self._settle()  # another window comes next
        return super().crop(frame, factor, cropper)

    def select(self, maps: Any, scale: Tuple[float, float], search_features: Any = None) -> Track:
        """See ``HostTracker.select``."""
        self._start_next()
        return super().select(maps, scale, search_features)

    def _start_next(self) -> None:
        """Start the window that comes next if the one that is judged now shows nothing."""
        search = self._search
        if not self._queues or search is None or not search.active or self._floats is None:
            return
        if not self._budget.allows(2, self._budget.window_ms):  # this one's judgement, the next
            return
        planned = search.next_but_one(self.state, self._frame)
        if planned is None:
            return
        _, state, factor = planned.window
        window, (x, y) = geometry.search_window(self.network, state, factor)
        self.timed("crop", self._crop_search, self._frame, window)
        self._floats.start(self.features)
        self._next = planned, (x / factor, y / factor)

    def _settle(self) -> None:
        """Drop the window that was started ahead, if there is one."""
        self._next = None
        if self._floats is not None:
            self._floats.settle()

    def release(self) -> None:
        """See ``Tracker.release``."""
        self._settle()
        super().release()

    def aim(self, frame: AnyFrame) -> None:
        """Check a frame and show the fabric the window to search, where ``frames`` is there."""
        assert self.frames is not None, "the steps are taken in Python"
        started = time.perf_counter()
        if self._closed or self.state is None:
            self.check_target()
        if type(frame) is not np.ndarray or not self.frames.aim(frame):
            self.begin(frame)
            planes = frame.planes if isinstance(frame, PlanarFrame) else None
            if planes is None or not self.frames.aim_in_planes(planes):
                self.frames.aim_at(bgr_of(frame))  # it may lie in the fabric's memory already
        self.step_ms["crop"] = (time.perf_counter() - started) * 1e3

    def found(self, work: Any) -> Track:
        """Select in a finished program's results, where ``frames`` is there.

        Args:
            work: the target's ``kernels.fpga.fabric.Buffer``.

        Raises:
            NetworkFailed: nothing that was found is finite; the target stays where it was.
        """
        assert self.frames is not None, "the steps are taken in Python"
        started = time.perf_counter()
        self.frames.found(work.host)
        self.step_ms["select"] = (time.perf_counter() - started) * 1e3
        return self.told()

    def told(self) -> Track:
        """The ``Track`` of what ``frames`` found last."""
        assert self.frames is not None, "the steps are taken in Python"
        certainty, widened, _, _, x, y, w, h, score, lost = self.frames.result
        monitor, lost = self._monitor, bool(lost)
        if monitor is not None:
            monitor.certainty, monitor.widened, monitor.lost = certainty, widened, lost
        state = self._states.step(lost, certainty if monitor is not None else None)
        return Track(Box(x, y, w, h), score, lost, state)

    def cropper(self, out: Any) -> Cropper:
        """The function (frame, window) that shows the fabric what to crop.

        Args:
            out: ``kernels.fpga.window.Crop``.
        """
        show = out.pictures.take
        return lambda frame, window: show(bgr_of(frame), window, self._border, out.side)
