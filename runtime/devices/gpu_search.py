"""The search for a lost target that the GPU follows.

Whether the target is lost, where it is searched for and whether a window shows it is decided on the
host, by the same code as for the host's tracker. The GPU crops every window and runs the network. A
frame in which the target is tracked also downloads the features of its search region. In a frame of
the search, the window's maps come back as well.

Where the engine takes several regions in one call and the budget allows it, the windows that come
next are searched as one batch. They are judged in their order. When one of them shows something
else is to be searched, those after it are not judged. So the result is that of one at a time.
"""

import time
from collections import deque
from typing import Any, Callable, Deque, Optional, Tuple

import numpy as np

from kernels.cuda.frame import Found
from kernels.cuda.frames import AnyFrame as GpuFrame
from kernels.cuda.frames import Nv12, OnDevice
from kernels.cuda.windows import View, Windows
from kernels.errors import HotpathError
from kernels.planes import Planes
from kernels.settings import FrameSettings
from runtime import geometry
from runtime.devices.processor import HostTracker
from runtime.engines.base import Lane
from runtime.networks import Network
from runtime.pictures import AnyFrame, Picture, PlanarFrame
from runtime.search.budget import Recent
from runtime.search.search import Planned
from runtime.types import Track

MEASURED = 3  # batches before the first frame, so that one that is interrupted decides nothing


class GpuSearch(HostTracker):
    """Judges one target, and searches for it while it is lost.

    It takes no frames by ``init`` and ``update``: its owner is the target's ``GpuTracker``.

    Args:
        network, kernels, budget_ms, budget_share: as ``HostTracker``'s.
        engine: a ``runtime.engines.gpu.GpuEngine``.
        windows: that may be one batch.
        log: called with one sentence where they can't be a batch, although the engine has one.
    """

    def __init__(
        self,
        network: Network,
        engine: Any,
        kernels: Any,
        budget_ms: Optional[float],
        budget_share: float,
        windows: int = 1,
        log: Optional[Callable[[str], None]] = None,
    ) -> None:
        super().__init__(
            network,
            engine,
            kernels,
            recover=True,
            budget_ms=budget_ms,
            budget_share=budget_share,
            online=False,
        )
        self._gpu: Any = engine
        self._windows: Any = None
        self._pixels: Any = None  # of the frame, as the GPU takes it
        self._was_away = False  # whether the state moved since the GPU took it last
        self._most, self._log = windows, log
        self._batch: Any = None
        self._ready: Deque[Tuple[Planned, Any, Any]] = deque()  # windows of a batch, not judged yet
        self._batch_ms, self._judge_ms = Recent(), Recent()
        self._gpu_lane = _OnGpu(engine)
        self.search_on(self._gpu_lane)

    def open(self, settings: FrameSettings) -> None:
        """Take memory on the GPU.

        Raises:
            GpuFailed: out of memory.
        """
        self._gpu.reserve(self._most, self._most)
        self._windows = Windows(self.engine.device, settings, self.engine, self._most)

    def take(self, frame: GpuFrame, state: np.ndarray, border: np.ndarray, features: Any) -> None:
        """Take a target, right after the GPU has searched the frame around it.

        Args:
            frame: the first one.
            state: [cx, cy, w, h], frame pixels.
            border: colour of the pixels outside the frame.
            features: of the exemplar, as ``GpuEngine.search_device`` takes them.
        """
        picture = self._picture(frame)
        self.state, self._frame_shape = state.copy(), picture.shape
        self._border, self.features = border, features
        self._was_away = False
        self._windows.begin(state, border)
        self.decoder.first(self._gpu.read())
        _, scale = geometry.search_window(self.network, state)
        self._begin_watching(picture, self._lane.search_features, scale)
        self._prepare_batch(frame, state)

    def _prepare_batch(self, frame: GpuFrame, state: np.ndarray) -> None:
        """Let the batch take the target, and measure what it takes."""
        if self._most == 1 or self._search is None:
            return
        regions = [self.features] * self._most
        if self._batch is not None:
            self._batch.take(regions)
            return
        try:
            self._batch = self._gpu.batch_device(regions)
        except HotpathError as error:  # no memory for it, or a broken plan
            if self._log is not None:
                self._log(f"a lost target is searched for one window at a time: {error}")
        if self._batch is None:
            self._most = 1
            return
        window, _ = geometry.search_window(self.network, state)
        views = [View(state, 1.0, window)] * self._most
        self._run_batch(frame, views)  # libraries set themselves up in their first call
        for _ in range(MEASURED):
            started = time.perf_counter()
            self._run_batch(frame, views)
            self._batch_ms.add((time.perf_counter() - started) * 1e3)

    @property
    def active(self) -> bool:
        """Whether the target is searched for, in windows instead of the GPU's frame."""
        return self._search is not None and self._search.active

    def prepare(self, frame: GpuFrame) -> bool:
        """Begin a frame.

        Returns:
            whether ``state`` is news for the GPU, because it was found in a window.
        """
        self._pixels = frame
        self._ready.clear()
        self.begin(self._picture(frame))
        return self._was_away and not self.active

    def follow(self, found: Found, seen: np.ndarray) -> Track:
        """End a frame in which the GPU followed the target.

        Args:
            found: its result.
            seen: features of the search region, (1, channels, cells).
        """
        self._was_away = False
        _, scale = geometry.search_window(self.network, self.state)
        features = self._lane.search_features
        features[...] = seen
        return self.search_more(self._frame, self.select(found, scale, features))

    def search(self) -> Track:
        """End a frame in which the target is searched for."""
        scale = self.crop(self._frame, 1.0)
        maps = self.timed("network", self._lane.search, self.features)
        track = self.select(maps, scale, self._lane.search_features)
        return self.search_more(self._frame, track)

    def crop(self, frame: AnyFrame, factor: float, cropper: Any = None) -> Tuple[float, float]:
        """See ``HostTracker.crop``: here only windows of the search."""
        assert self._search is not None, "there is no search"
        self._was_away = True
        if not self._ready and self._batch_fits():
            self._search_ahead(frame)
        if self._ready:
            planned, scale, found = self._ready.popleft()
            spent_ms = self._batch_ms.median / self._most
            if self._search.take(planned, self.state, spent_ms):
                self._gpu_lane.found = found
                return scale
            self._ready.clear()  # another window comes next
        _, state, widened = self._search.next_window(self.state, frame)
        window, (x, y) = geometry.search_window(self.network, state, widened)
        self.timed("crop", self._windows.crop, self._pixels, [View(state, widened, window)])
        return x / widened, y / widened

    def select(self, maps: Any, scale: Any, search_features: Any = None) -> Track:
        """See ``HostTracker.select``."""
        is_window, started = self.active, time.perf_counter()
        track = super().select(maps, scale, search_features)
        if is_window:
            self._judge_ms.add((time.perf_counter() - started) * 1e3)
        return track

    def _batch_fits(self) -> bool:
        """Whether a batch, and the judgement of its windows, fit into the frame."""
        each_ms = self._batch_ms.median / self._most + self._judge_ms.median
        return self._batch is not None and self._budget.allows(self._most, each_ms)

    def _another_fits(self) -> bool:
        """See ``HostTracker._another_fits``: what is ready costs no more than its judgement."""
        assert self._search is not None, "there is no search"
        if self._ready and self._search.would_take(self._ready[0][0], self.state):
            return True
        self._ready.clear()  # another window comes next
        return super()._another_fits()

    def _search_ahead(self, frame: AnyFrame) -> None:
        """Search the windows that come next as one batch."""
        assert self._search is not None, "there is no search"
        started = time.perf_counter()
        planned, views, scales = self._search.ahead(self._most, self.state, frame), [], []
        for _, state, factor in (each.window for each in planned):
            window, (x, y) = geometry.search_window(self.network, state, factor)
            views.append(View(state, factor, window))
            scales.append((x / factor, y / factor))
        found = self.timed("network", self._run_batch, self._pixels, views)
        self._ready.extend(zip(planned, scales, found))
        self._batch_ms.add((time.perf_counter() - started) * 1e3)

    def _run_batch(self, frame: GpuFrame, views: Any) -> Any:
        """Crop windows and run the network on them; returns what ``DeviceBatch.read`` does."""
        self._windows.crop(frame, views)
        self._batch.run(self._gpu.device.handle(self._gpu.stream))
        return self._batch.read()

    def release(self) -> None:
        """See ``Tracker.release``."""
        if self._windows is not None:
            self._windows.close()
        if self._batch is not None:
            self._batch.close()
        self._ready.clear()
        self._gpu_lane.found = self._batch = None
        self._windows = self._pixels = self._frame = None
        super().release()

    def _choose(self, maps: Any, scale: Any, search_features: Any) -> float:
        """Move to where the GPU has found the target."""
        self.state[:] = maps.state
        return float(maps.score)

    def _picture(self, frame: GpuFrame) -> AnyFrame:
        """A frame as the host reads it."""
        if isinstance(frame, OnDevice):
            return DownloadedFrame(frame, self.engine)
        if isinstance(frame, Nv12):
            height, width = frame.luma.shape
            return PlanarFrame(Planes("NV12", frame, width, height))
        if frame.shape[2] == 4:
            return PlanarFrame(Planes("BGRx", [frame], frame.shape[1], frame.shape[0]))
        return frame


class _OnGpu(Lane):
    """Searches the window that was cropped on the GPU.

    Attributes:
        found: maps and features of that window where a batch has searched it; else None.
    """

    found: Any = None

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.search_crop, self.search_features = engine.search_crop, engine.search_features

    def search(self, features: Any) -> Tuple[Any, ...]:
        """See ``Lane.search``."""
        engine = self._engine
        if self.found is not None:
            batched: Tuple[Any, ...]
            (batched, self.search_features[...]), self.found = self.found, None
            return batched
        engine.search_device(engine.device.handle(engine.stream), features)
        maps: Tuple[Any, ...] = engine.read()
        return maps


class DownloadedFrame(Picture):
    """A frame in the memory of a GPU. It is downloaded when the host reads it first.

    Args:
        frame: it must stay there until then.
        engine: of the device.
    """

    def __init__(self, frame: OnDevice, engine: Any) -> None:
        super().__init__()
        self._frame, self._engine = frame, engine
        self.shape = frame.height, frame.width, 3

    def _converted(self) -> np.ndarray:
        frame = self._frame
        width, height = frame.width, frame.height
        pixels = self._plane(frame.plane, height, frame.row_stride, width * frame.pixel_stride)
        if frame.chroma:
            chroma = self._plane(frame.chroma, height // 2, frame.chroma_stride, width)
            return PlanarFrame(Planes("NV12", [pixels, chroma], width, height)).bgr()
        bgr: np.ndarray = pixels.reshape(height, width, frame.pixel_stride)[..., :3]
        return np.ascontiguousarray(bgr)

    def _plane(self, address: int, rows: int, stride: int, used: int) -> np.ndarray:
        """Rows of so many bytes, (rows, used) uint8."""
        device, stream = self._engine.device, self._engine.stream
        memory = device.pinned(stride * rows)
        # what follows the last row may belong to somebody else
        device.download(memory[: stride * (rows - 1) + used], address, stream)
        device.synchronise(stream)
        plane: np.ndarray = memory.reshape(rows, stride)[:, :used]
        return plane
