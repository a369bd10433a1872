"""The GPU: a whole frame is one submission, crop, network, select and judgement.

Where a lost target is searched for, the processor judges it in every frame. So a frame also
downloads the features of its search region, and in a frame of the search the windows' maps come
back. Several windows are one batch where the engine takes several regions in one call.
"""

import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from kernels.cpu.interface import Kernels
from kernels.cuda import frame as cuda_frame
from kernels.cuda import frames
from kernels.cuda.frames import Nv12, OnDevice
from kernels.cuda.group import Group as CudaGroup
from kernels.cuda.windows import Windows
from kernels.errors import NotOnGpu
from kernels.planes import MATRICES, Planes
from kernels.settings import FrameSettings, InputSettings
from runtime import geometry
from runtime.decode.anchors import anchors_settings
from runtime.decode.centre import centre_settings
from runtime.decode.corners import corners_settings
from runtime.decode.points import points_settings
from runtime.devices.base import Aim, Device, Group
from runtime.devices.refresh import Exemplars
from runtime.engines.base import Engine
from runtime.engines.gpu import floats_of
from runtime.errors import BadFrame, HotpathError
from runtime.network import Network
from runtime.pictures import AnyFrame, Picture, PlanarFrame
from runtime.presence import loss_settings
from runtime.types import Found, Judgement, View, checked_frame

BT601 = MATRICES["601", False]  # the one that the GPU's crop has

# The families whose select the GPU has: name -> function of the network that gives its numbers.
SELECTS: Dict[str, Callable[[Network], Any]] = {
    "points": points_settings,
    "anchors": anchors_settings,
    "centre": centre_settings,
    "corners": corners_settings,
}


def frame_settings(network: Network) -> FrameSettings:
    """The numbers of a network that the GPU's kernels take: ``kernels.settings.FrameSettings``.

    Raises:
        NotOnGpu: the kernels lack this network's crop or select.
    """
    if network.family not in SELECTS:
        raise NotOnGpu(
            f"{network.name}: the GPU has no select of the family {network.family!r}; run it with "
            "--engine onnxruntime"
        )
    return FrameSettings(
        window=geometry.window_settings(network),
        input=InputSettings(network.mean, network.scale, network.channels == "RGB"),
        select=SELECTS[network.family](network),
        loss=loss_settings(network),
    )


def as_uploaded(frame: Any) -> Any:
    """A ``Picture`` as the GPU's crop reads it: NV12, BGRx, or converted to BGR; others as is."""
    if isinstance(frame, OnDevice) or not isinstance(frame, Picture):
        return frame
    planes = frame.planes if isinstance(frame, PlanarFrame) else None
    if planes and planes.kind == "BGRx":
        return planes.planes[0]
    is_even = not (frame.shape[0] % 2 or frame.shape[1] % 2)
    if planes and planes.kind == "NV12" and planes.factors == BT601 and is_even:
        return Nv12(*planes.planes)
    return frame.bgr()


def picture_of(frame: Any, engine: Any) -> Picture:
    """A frame that is no BGR array, as the processor reads it."""
    if isinstance(frame, OnDevice):
        return DownloadedFrame(frame, engine)
    if isinstance(frame, Nv12):
        height, width = frame.luma.shape
        return PlanarFrame(Planes("NV12", frame, width, height))
    return PlanarFrame(Planes("BGRx", [frame], frame.shape[1], frame.shape[0]))


class Gpu(Device):
    """One target on an NVIDIA GPU.

    Besides BGR arrays it takes frames as cameras give them, without a conversion on the processor:
    ``PlanarFrame`` of BGRx and NV12, BGRx arrays (H, W, 4), ``kernels.cuda.frames.Nv12`` and
    ``OnDevice``. Boxes are those of the frames that OpenCV converts to BGR.

    Args:
        network: the ``Network``.
        engine: an engine whose ``device`` is open.
        kernels: the processor's, for the search; see ``kernels.cpu.load``.
        slots: frames that may be in flight at a time.
        batch: windows of the search that may be one call.
        log: called with one sentence where they can't be, or where there is no CUDA graph.
        options: of ``kernels.cuda.frame.Frame``: graph, profile. ``step_ms`` is measured with
            ``profile`` only.

    Attributes:
        frame: the ``Frame`` of the target.

    Raises:
        NotOnGpu: the kernels lack this network's crop or select.
    """

    kernels_name = "cuda"
    judges = True
    _exemplars: Optional[Exemplars] = None  # both, where the network takes two

    def __init__(
        self,
        network: Network,
        engine: Engine,
        kernels: Optional[Kernels] = None,
        *,
        slots: int = 1,
        batch: int = 1,
        log: Optional[Callable[[str], None]] = None,
        **options: Any,
    ) -> None:
        super().__init__(network, engine, slots)
        self.kernels: Kernels = kernels or Kernels()
        self.learns = network.refresh_every > 0
        if self.learns:
            if slots > 1:
                raise NotOnGpu(
                    f"{network.name} refreshes an exemplar when a frame's result is known"
                )
            self._exemplars = Exemplars(network, self.engine.exemplar_crop, self.kernels)
        self._score = 0.0  # of the frame
        self.batch = batch
        self._settings, self._options, self._log = frame_settings(network), options, log
        self.is_plain = not self.learns
        self.shows_features = self.engine.search_features is not None
        self._profile = options.get("profile", False)
        self.frame: Any = None
        self._windows: Any = None  # of the search; None where there is none
        self._known = np.zeros(4)  # the state that the GPU has
        self._pictured: Tuple[Any, Any] = (None, None)  # a frame, and the same as a picture

    def open(self, searches: bool) -> None:
        """Take memory on the GPU.

        Raises:
            NoCompiler, GpuFailed: see ``kernels.cuda.frame.Frame``.
        """
        engine, settings = self.engine, self._settings
        self.judges, self.pipelines = not searches, not searches and not self.learns
        if searches:  # the processor says what is lost
            settings = settings._replace(loss=settings.loss._replace(lost_below=0.0))
            self._windows = Windows(engine.device, settings, engine, self.batch, self._log)
        self.frame = cuda_frame.Frame(
            engine.device,
            settings,
            engine,
            slots=self.slots,
            keeps_features=searches,
            log=self._log,
            **self._options,
        )

    def take(self, frame: Any) -> Tuple[Any, Tuple[int, ...]]:
        """See ``Device.take``."""
        frame = as_uploaded(frame)
        if isinstance(frame, (Nv12, OnDevice)):
            try:
                width, height = frames.size_of(frame)
            except ValueError as error:
                raise BadFrame(f"a camera's frame has planes of the wrong size: {error}") from None
            return frame, (height, width, 3)
        has_four = isinstance(frame, np.ndarray) and frame.ndim == 3 and frame.shape[2] == 4
        checked_frame(frame[:, :, :3] if has_four else frame)
        return frame, frame.shape[:2] + (3,)

    def begin(
        self, frame: Any, state: np.ndarray, shape: Tuple[int, ...], compares: bool
    ) -> Optional[View]:
        """See ``Device.begin``."""
        picture = self.picture(frame) if isinstance(frame, (Nv12, OnDevice)) else frame
        self.border = geometry.border_colour(self.network, picture)
        self.frame.begin(frame, tuple(state), tuple(self.border))
        self.state, self._known = state, state.copy()
        if self._exemplars is not None:
            self._exemplars.begin(self.picture(frame), state, self.border)
            self.engine.write_exemplar(self._exemplars.pictures, self.frame.features)
        if self._windows is None:
            return None
        maps, (_, scale) = self.engine.read(), geometry.search_window(self.network, state)
        self._windows.begin(state, self.border, self.frame.features)
        self.batch = self._windows.most
        return View(state, scale, self.engine.search_features, maps)

    def rescale(self, factors: Sequence[float], shape: Tuple[int, ...]) -> None:
        """See ``Device.rescale``; the target's state on the GPU follows with the next frame."""
        self._known *= factors

    def follow(self, frame: Any) -> Found:
        """See ``Device.follow``."""
        self.submit(frame, True)
        return self.collect()

    def learn(self, frame: Any) -> None:
        """See ``Device.learn``: refresh an exemplar, which the processor crops."""
        assert self._exemplars is not None, "nothing is learnt"
        self.step_ms["refresh"], started = 0.0, time.perf_counter()
        picture = self.picture(frame)
        if self._exemplars.follow(picture, self.state, self.border, self._score):
            self.engine.write_exemplar(self._exemplars.pictures, self.frame.features)
            self.step_ms["refresh"] = (time.perf_counter() - started) * 1e3

    def submit(self, frame: Any, is_kept: bool) -> None:
        """See ``Device.submit``."""
        if self.is_elsewhere():
            self.frame.place(frame, self.state)
        self.frame.submit(frame)

    def collect(self) -> Found:
        """See ``Device.collect``."""
        result = self.frame.result()
        if self._profile:
            self.step_ms.update(self.frame.step_ms())
        return self.found(result, None if self._windows is None else self.frame.seen[0])

    @property
    def uses_graph(self) -> bool:  # type: ignore[override]  # read only here
        """Whether a frame runs as one CUDA graph."""
        uses: bool = self.frame.uses_graph
        return uses

    def is_elsewhere(self) -> bool:
        """Whether the target is not where the GPU has it: a window of the search showed it."""
        return self._windows is not None and not np.array_equal(self.state, self._known)

    def found(self, result: cuda_frame.Found, seen: Any) -> Found:
        """What a frame found, alone or in a group.

        Args:
            result: of the GPU.
            seen: features of the search region, where they are kept.
        """
        box, self._score = geometry.box_of(self.network, result.state), result.score
        if self._windows is None:
            self.state[:] = result.state
            judgement = Judgement(result.certainty, result.lost)
            return Found(box, result.score, result.score, result.cell, None, judgement)
        before = self.state.copy()
        self._known[:] = self.state[:] = result.state
        _, scale = geometry.search_window(self.network, before)
        view = View(before, scale, floats_of(seen))
        return Found(box, result.score, result.score, result.cell, view)

    def passed(self, result: Any) -> None:
        """A group followed something while the target is searched for elsewhere."""
        if isinstance(result, cuda_frame.Found):
            self._known[:] = result.state

    def look(self, frame: Any, state: np.ndarray, factor: float) -> View:
        """See ``Device.look``."""
        return self.look_at(frame, [(state, factor)])[0]

    def look_at(self, frame: Any, aims: Sequence[Aim]) -> List[View]:
        """See ``Device.look_at``: one upload, crop, call of the network and download."""
        started, views, scales = time.perf_counter(), [], []
        for state, factor in aims:
            window, (x, y) = geometry.search_window(self.network, state, factor)
            views.append((state, factor, window))
            scales.append((x / factor, y / factor))
        found = self._windows.look(frame, views)
        self.step_ms["network"] += (time.perf_counter() - started) * 1e3
        told = zip(aims, scales, found)
        return [View(state, scale, seen, maps) for (state, _), scale, (maps, seen) in told]

    def picture(self, frame: Any) -> AnyFrame:
        """See ``Device.picture``."""
        if isinstance(frame, Picture) or (isinstance(frame, np.ndarray) and frame.shape[2] == 3):
            return frame
        if self._pictured[0] is not frame:
            self._pictured = frame, picture_of(frame, self.engine)
        picture: AnyFrame = self._pictured[1]
        return picture

    def together(self, devices: Sequence["Gpu"]) -> Optional[Group]:
        """See ``Device.together``: a frame is as many launches as for one target."""
        alone = self.slots > 1 or self._profile or self.learns
        return None if alone else GpuGroup(devices)

    def release(self) -> None:
        """Release the target's memory on the GPU; see ``Device.release``."""
        self.frame.close()
        if self._windows is not None:
            self._windows.close()
        self._windows = None
        self._pictured = None, None


class GpuGroup(Group):
    """Targets of a GPU that are cropped and selected in one launch each.

    Args:
        devices: of one engine, each with its target.

    Raises:
        NotOnGpu: the family has no group.
        GpuFailed: out of memory.
    """

    def __init__(self, devices: Sequence[Gpu]) -> None:
        self._devices = devices
        self._group = CudaGroup([each.frame for each in devices])
        if self._group.batch is None:
            self.sentence = (
                "the network runs once for each target: this graph or engine takes one search "
                "region at a time; crop and select take all targets at once"
            )

    def take(
        self, frame: Any, aims: Sequence[Optional[Aim]]
    ) -> List[Union[Found, View, HotpathError, None]]:
        """See ``Group.take``."""
        followed = [each if aim is None else None for each, aim in zip(self._devices, aims)]
        placed: Any = {
            n: d.state for n, d in enumerate(followed) if d is not None and d.is_elsewhere()
        }
        results, seen = self._group.update(frame, placed), self._group.seen
        found: List[Union[Found, View, HotpathError, None]] = []
        for number, (each, result) in enumerate(zip(self._devices, results)):
            if followed[number] is None:
                each.passed(result)
                found.append(None)
            elif isinstance(result, HotpathError):
                found.append(result)
            else:
                found.append(each.found(result, None if seen is None else seen[number]))
        return found

    def close(self) -> None:
        """Let the devices go on without it."""
        self._group.close()


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
