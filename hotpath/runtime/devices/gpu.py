"""The GPU as a device: one submission crops all windows, runs the network and proposes boxes.

The result of a window is its places, with the features under each. The maps and the features of the
whole window are copied only where they are read, or where the processor has to select.
"""

import time
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.cuda import arrays, frame_uploads
from hotpath.kernels.cuda.arrays import OnDevice
from hotpath.kernels.cuda.cuda_windows import CudaWindows, GpuTarget
from hotpath.kernels.cuda.frame_uploads import Nv12
from hotpath.kernels.planes import MATRICES, Planes
from hotpath.kernels.settings import ARGMAX, FrameSettings, InputSettings
from hotpath.runtime.decode.centre import centre_settings
from hotpath.runtime.decode.points import points_settings
from hotpath.runtime.devices.base import STEPS, Device, Exemplar, StepMs, WindowRequest
from hotpath.runtime.errors import BadFrame
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.camera_frames import CameraFrame, PlanarFrame, kernels
from hotpath.runtime.frames.pictures import AnyFrame, Picture, checked_frame
from hotpath.runtime.network import Network
from hotpath.runtime.types import WindowResult

if TYPE_CHECKING:
    from hotpath.runtime.engines.base import Engine
    from hotpath.runtime.engines.shared.gpu_engine import GpuEngine

MARGIN = 2  # pixels beside a window that its crop may read
NO_TIME: StepMs = dict.fromkeys(STEPS, 0.0)
BT601 = MATRICES["601", False]  # the one that the GPU's crop has

# Numbers of the families whose places the GPU proposes. It runs the networks of others too, and the
# processor proposes their places from the maps.
SELECTS: Dict[str, Callable[[Network], Any]] = {
    "points": points_settings,
    "centre": centre_settings,
}


def frame_settings(network: Network) -> FrameSettings:
    """Return the network's settings for the GPU's kernels."""
    select = SELECTS.get(network.family)
    return FrameSettings(
        exemplar=network.exemplar,
        search=network.search,
        warp=network.resample == "warp",
        input=InputSettings(network.mean, network.scale, network.channels == "RGB"),
        select=select(network) if select else None,
        stride=network.stride if select else 0.0,
    )


def uploadable(frame: Any) -> Any:
    """Return a ``Picture`` as NV12, BGRx or converted to BGR, and other frames unchanged."""
    if not isinstance(frame, Picture):
        return frame
    planes = frame.planes if isinstance(frame, PlanarFrame) else None
    if planes and planes.kind == "BGRx":
        return planes.planes[0]
    is_even = not (frame.shape[0] % 2 or frame.shape[1] % 2)
    if planes and planes.kind == "NV12" and planes.factors == BT601 and is_even:
        return Nv12(*planes.planes)
    return frame.bgr()


class GpuPicture(CameraFrame):
    """A frame in the GPU's memory, of which the processor reads parts.

    Args:
        frame: the frame.
        windows: the ``CudaWindows`` that copy a part.
    """

    def __init__(self, frame: OnDevice, windows: CudaWindows) -> None:
        super().__init__()
        self.shape = frame.shape
        self._frame, self._windows = frame, windows
        self._planes: Any = None  # a whole frame, with the parts that were read

    def part(self, window: Any, ratio: float) -> Tuple[Any, int]:
        x, y, w, h = window
        edges = floor(x) - MARGIN, floor(y) - MARGIN, ceil(x + w) + MARGIN, ceil(y + h) + MARGIN
        return self._read(edges), 1

    def pixels(self) -> Any:
        return self._read((0, 0, *self._frame.size))

    def mean(self) -> np.ndarray:
        pixels = self.pixels()
        if isinstance(pixels, Planes):
            return pixels.mean()
        return np.array(cv2.mean(pixels)[:3])

    def _converted(self) -> np.ndarray:
        pixels = self.pixels()
        return kernels().to_bgr(pixels) if isinstance(pixels, Planes) else np.asarray(pixels)

    def _read(self, edges: Tuple[int, int, int, int]) -> Any:
        width, height = self._frame.size
        is_nv12 = len(self._frame.planes) == 2
        x, y, w, h = frame_uploads.part_of(edges, width, height, is_nv12)
        if self._planes is None:  # memory that nobody touches costs nothing
            if is_nv12:
                sizes = [(height, width), (height // 2, width)]
                self._planes = Planes("NV12", [np.empty(s, np.uint8) for s in sizes], width, height)
            else:
                self._planes = np.empty(self.shape, np.uint8)
        if w and h:
            parts = self._windows.read(self._frame, (x, y, w, h))
            if is_nv12:
                luma, chroma = self._planes.planes
                luma[y : y + h, x : x + w] = parts[0]
                chroma[y // 2 : (y + h) // 2, x : x + w] = parts[1]
            else:
                step = self._frame.planes[0].strides[1]
                pixels = parts[0].reshape(h, w, step)[:, :, :3]
                self._planes[y : y + h, x : x + w] = pixels
        return self._planes


class GpuExemplar(Exemplar):
    """A target's features on the GPU.

    Args:
        border: see ``Exemplar``.
        target: the record that ``windows`` keeps of the target.
        windows: the ``CudaWindows``.
    """

    def __init__(self, border: np.ndarray, target: GpuTarget, windows: CudaWindows) -> None:
        super().__init__(border)
        self.target, self._windows = target, windows

    def close(self) -> None:
        self._windows.free(self.target)
        self.target = self.target._replace(features=())


class GpuDevice(Device):
    """Runs windows on an NVIDIA GPU.

    It takes BGR arrays, and frames of cameras without a conversion on the processor:
    ``PlanarFrame`` of BGRx and NV12, BGRx arrays (H, W, 4),
    ``hotpath.kernels.cuda.frame_uploads.Nv12``. Boxes equal those of the same frames converted to
    BGR by OpenCV. A frame in the GPU's memory (``hotpath.kernels.cuda.arrays``) is read there; the
    processor gets the parts that it reads.

    Args:
        network, engine, kernels: see ``Device``. The engine's ``device`` is open.
        log: function that takes one sentence if there is no CUDA graph.
        options: options of ``hotpath.kernels.cuda.cuda_windows.CudaWindows``: graph, timed. Without
            ``timed`` all time counts for the step "network".

    Raises:
        NotOnGpu, NoCompiler, GpuFailed: see ``CudaWindows``.
    """

    title = "Gpu"
    kernels_name = "cuda"
    engine: "GpuEngine"
    copies = True

    def __init__(
        self,
        network: Network,
        engine: "Engine",
        kernels: CpuKernels,
        log: Optional[Callable[[str], None]] = None,
        **options: bool,
    ) -> None:
        super().__init__(network, engine, kernels)
        settings = frame_settings(network)
        self.engine.prepare()
        self._windows = CudaWindows(engine.device, settings, engine, log=log, **options)
        self.windows = self._windows.most
        self.shows_features = bool(self.engine.shown)
        self._is_timed = options.get("timed", False)
        self._maps = () if self._windows.selects else self.engine.maps  # read in each call
        self._pictured: Tuple[Any, Any] = (None, None)  # a frame, and the same as a picture

    @property
    def uses_graph(self) -> bool:
        """Whether a frame runs as one CUDA graph."""
        return self._windows.uses_graph

    def take(self, frame: Any) -> Tuple[Any, Tuple[int, ...]]:
        if isinstance(frame, OnDevice):
            return frame, frame.shape
        if not isinstance(frame, (np.ndarray, Picture)) and arrays.is_frame(frame):
            try:
                there = arrays.frame_of(frame)
            except ValueError as error:
                raise BadFrame(str(error), what="wrong array") from None
            return there, there.shape
        frame = uploadable(frame)
        if isinstance(frame, Nv12):
            try:
                width, height = frame_uploads.size_of(frame)
            except ValueError as error:
                raise BadFrame(f"a camera's frame has planes of the wrong size: {error}") from None
            return frame, (height, width, 3)
        has_four = isinstance(frame, np.ndarray) and frame.ndim == 3 and frame.shape[2] == 4
        checked_frame(frame[:, :, :3] if has_four else frame)
        return frame, frame.shape[:2] + (3,)

    def picture(self, frame: Any) -> AnyFrame:
        if isinstance(frame, np.ndarray) and frame.shape[2] == 3:
            return frame
        if self._pictured[0] is not frame:
            self._pictured = frame, self._picture_of(frame)
        picture: AnyFrame = self._pictured[1]
        return picture

    def _picture_of(self, frame: Any) -> Picture:
        if isinstance(frame, OnDevice):
            return GpuPicture(frame, self._windows)
        if isinstance(frame, Nv12):
            height, width = frame.luma.shape
            return PlanarFrame(Planes("NV12", frame, width, height))
        return PlanarFrame(Planes("BGRx", [frame], frame.shape[1], frame.shape[0]))

    def exemplar(self, frame: Any, around: np.ndarray) -> Exemplar:
        picture = frame if isinstance(frame, Picture) else self.picture(frame)
        border = geometry.border_colour(self.network, picture)
        place = geometry.exemplar_window(self.network, around)
        target = self._windows.exemplar(frame, place, border.tolist())
        return GpuExemplar(border, target, self._windows)

    def run(
        self, frame: Any, requests: Sequence[WindowRequest]
    ) -> Tuple[List[WindowResult], StepMs]:
        began, most = time.perf_counter(), self.windows
        spent = NO_TIME.copy()
        if len(requests) <= most:
            results = self._call(frame, requests, spent)
        else:
            parts = [requests[first : first + most] for first in range(0, len(requests), most)]
            results = [shown for part in parts for shown in self._call(frame, part, spent)]
        if not self._is_timed:
            spent["network"] = (time.perf_counter() - began) * 1e3
        return results, spent

    def _call(
        self, frame: Any, requests: Sequence[WindowRequest], spent: StepMs
    ) -> List[WindowResult]:
        """Run one call for as many windows as it takes; adds to ``spent`` if steps are timed."""
        network, device, windows = self.network, self._windows, []
        reads, maps = not device.selects, self._maps
        exemplar: Any
        for exemplar, around, sides, prior, look_reads in requests:
            place, (x, y) = geometry.search_window(network, around, sides)
            if sides != 1.0:
                x, y = x / sides, y / sides
            reads = reads or look_reads or prior is None
            maps = self.engine.maps if prior is None else maps
            numbers = (*around.tolist(), *place, x, y)
            windows.append((exemplar.target, numbers, prior or ARGMAX))
        reads = self.shows_features and (reads or not device.pools)
        placed, values = device.run(frame, windows, reads, maps)
        if self._is_timed:
            for step, ms in device.step_ms.items():
                spent[step] = spent.get(step, 0.0) + ms
        if not values:
            rows = zip(requests, windows, placed)
            return [
                WindowResult(request.around, (numbers[8], numbers[9]), None, None, *found)
                for request, (_, numbers, _), found in rows
            ]
        return [
            self._result(frame, request, window[1], n, placed, values)
            for n, (request, window) in enumerate(zip(requests, windows))
        ]

    def _result(
        self,
        frame: Any,
        request: WindowRequest,
        numbers: Sequence[float],
        n: int,
        placed: Any,
        values: Any,
    ) -> WindowResult:
        """Make the ``WindowResult`` of the n-th window, whose features or maps were read."""
        names, shown = self.engine.maps, self.engine.shown
        features = values[shown[0]][n] if shown and shown[0] in values else None
        maps = [values[name][n] for name in names if name in values] or None
        scale = numbers[8], numbers[9]
        if placed and request.prior is not None:
            return WindowResult(request.around, scale, features, None, *placed[n])
        return self.result(request, scale, features, maps, frame_uploads.size_of(frame))

    def close(self) -> None:
        super().close()
        self._windows.close()
        self._pictured = None, None
