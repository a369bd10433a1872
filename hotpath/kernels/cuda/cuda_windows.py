"""Windows of a frame on the GPU: the input is a frame, the output are the places of each window.

    upload -> gather, crop -> network -> places, pooling -> download

The upload is the part of the frame that the windows cover. The other steps are one CUDA graph for
each number of windows, if the driver has graphs. The constructor captures them. The download is at
most ``MOST_BYTES``; rows of features that do not fit are a second one. Maps and features of whole
windows are copied only where they are read. Only the result of ``exemplar`` stays on the GPU for
each target.

The network is a ``hotpath.runtime.engines.shared.gpu_engine.GpuEngine``, opened on the same device.
"""

import ctypes
import functools
from math import ceil, floor, nan
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.base.errors import GpuFailed, HotpathError
from hotpath.kernels.cuda import cuda_graphs, driver, frame_structures, frame_uploads
from hotpath.kernels.cuda.arrays import OnDevice
from hotpath.kernels.cuda.device import by_any_thread
from hotpath.kernels.cuda.kernels import REQUESTS_AT, CudaKernels
from hotpath.kernels.settings import (
    ARGMAX,
    MOST_PROPOSALS,
    FrameSettings,
    SelectionPrior,
    weights_of,
)

# What events time. The first begins where the frame is packed.
STEPS = ("packed", "upload", "crop", "network", "select", "download")

MOST_BYTES = 16 << 10  # of a frame's download
NUMBERS = 10  # of a ``Window``

Rectangle = Tuple[float, float, float, float]  # x, y, w, h, frame pixels


class GpuTarget(NamedTuple):
    """The data of a target on the GPU.

    Attributes:
        features: address of each tensor that the exemplar part wrote.
        border: 3 uint8 values for the pixels outside a frame, BGR.
    """

    features: Tuple[int, ...]
    border: Sequence[int]


# A window of a frame: its ``GpuTarget``; [cx, cy, w, h] of the target before the frame, (x, y, w,
# h) of the window, both in frame pixels, (x, y) search pixels per frame pixel; the places it
# proposes.
Window = Tuple[GpuTarget, Sequence[float], SelectionPrior]

# The places of a window, the best one first: float64 (n, 4) [cx, cy, w, h] in frame pixels, n
# scores of 0 to 1, n cells; and float32 (n, parts * channels), the features under them. If no
# number is finite, there is the target's box before the frame, with the score NaN and the cell -1.
Placed = Tuple[np.ndarray, List[float], List[int], Optional[np.ndarray]]


class CudaWindows:
    """Runs windows of frames.

    Args:
        device: see ``hotpath.kernels.cuda.device``.
        settings: the network's numbers.
        engine: see above.
        graph: whether frames may be a CUDA graph, which the engine must be ``capturable`` for. A
            graph must give the same bits as its steps, or all frames are launched step by step.
        timed: whether to time each step by events, without a graph; see ``step_ms``.
        log: called with one sentence if frames can't be launched as a graph.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded, or there is no memory.
        NotOnGpu: the network is too large for the kernels.

    Attributes:
        most: the most windows that one call takes.
        selects: whether the GPU proposes places; else the processor does, from the maps.
        pools: whether it also gives the features under them.
        uses_graph: whether a frame is one CUDA graph.
        stream: the driver's handle of the stream on which all runs.
        step_ms: last call's milliseconds of upload, crop, network, select and download.
    """

    def __init__(
        self,
        device: Any,
        settings: FrameSettings,
        engine: Any,
        graph: bool = True,
        timed: bool = False,
        log: Optional[Callable[[str], None]] = None,
    ) -> None:
        self.device, self.engine, self._settings = device, engine, settings
        self.most: int = max(engine.counts)
        self.uses_graph: bool = graph and engine.capturable and not timed
        self.step_ms: Dict[str, float] = {}
        self._log = log or (lambda sentence: None)
        self._stream = engine.stream
        self.stream = self._handle = device.handle(engine.stream)
        self._marks = {step: device.event() for step in STEPS} if timed else {}
        self._done = device.event()
        self._graphs: Dict[int, cuda_graphs.CudaGraph] = {}
        self._staging = np.zeros(0, np.uint8)
        self._pixels_at = 0
        self._kernels: Any = None
        self._seen: Optional[np.ndarray] = None
        try:
            self._allocate()
            self._warm_up_and_capture()
        except HotpathError:
            self.close()
            raise

    # ---- what is made once

    def _allocate(self) -> None:
        """Load the kernels, and take all memory but that of the pixels."""
        device, engine, most = self.device, self.engine, self.most
        self._kernels = CudaKernels(device, self._settings, engine, most)
        kernels = self._kernels
        self._record = device.pinned(REQUESTS_AT + most * frame_structures.SIZE_OF_REQUEST)
        self._frame = frame_uploads.Record(self._record[: ctypes.sizeof(frame_structures.Frame)])
        requests = self._record[REQUESTS_AT:]
        self._looks = frame_structures.in_memory(frame_structures.WindowRequest, requests, most)
        rows = requests[: most * frame_structures.SIZE_OF_REQUEST].reshape(
            most, frame_structures.SIZE_OF_REQUEST
        )
        self._numbers = rows.view(np.float64)[:, :NUMBERS]
        self._owners: List[Any] = [(None, None)] * most  # whose records lie there
        self.selects, self._row = kernels.selects, kernels.row_bytes
        self.pools = self._row > 0
        places = MOST_PROPOSALS * most * self._row
        self._seen = device.pinned(kernels.rows_at + places) if kernels.selects else None
        if self._seen is not None:
            self._places = self._seen[: most * frame_structures.SIZE_OF_RESULT].view(
                frame_structures.PROPOSALS
            )
        if self._seen is not None and self._row:
            form = frame_structures.row_of((self._row - 4) // 2 // frame_structures.PARTS**2)
            self._rows = self._seen[kernels.rows_at :].view(form)
        self._first_rows = max(0, MOST_BYTES - kernels.rows_at) // self._row if self._row else 0
        names = engine.maps + engine.shown
        self._rooms = {name: device.pinned(most * engine.apart(name)) for name in names}

    def _warm_up_and_capture(self) -> None:
        """Run a frame of each number of windows once, and capture it as a CUDA graph.

        The libraries set themselves up in their first run. Each graph must then return the bytes of
        that run. They are compared after the last capture, because a capture may change memory of
        the library that an earlier graph reads.
        """
        random = np.random.RandomState(1)
        side = 64
        frame = random.randint(0, 256, (side, side, 3)).astype(np.uint8)
        place = (-side / 4.0, 0.0, float(side), float(side))
        target = self.exemplar(frame, place, (90, 100, 110))
        try:
            window = target, (side / 2.0,) * 4 + place + (1.0, 1.0), ARGMAX
            results = {}
            for count in self.engine.counts:
                self._pack(frame, [window] * count)
                results[count] = self._result_bytes(functools.partial(self._enqueue, count), count)
                if self.uses_graph:
                    self._capture(count)
            for count, graph in list(self._graphs.items()):
                if self._result_bytes(graph.launch, count) != results[count]:
                    self._give_up_graphs("as a graph a frame has another result")
                    break
        finally:
            self.free(target)

    def _result_bytes(self, run: Callable[[Any], None], count: int) -> List[bytes]:
        """Run a frame, as launches or as a graph; returns the bytes of all that it computes."""
        if self._seen is None:
            self._run(run, self.engine.maps + self.engine.shown, count)
            return [self._rooms[name].tobytes() for name in self.engine.maps + self.engine.shown]
        self._seen[:] = 0
        self._run(run)
        places, rows = self._read(count)
        return [places.tobytes(), b"" if rows is None else rows.tobytes()]

    def _capture(self, count: int) -> None:
        """Capture the graph of that many windows."""
        body = functools.partial(self._enqueue, count, self._handle)
        try:
            self._graphs[count] = cuda_graphs.CudaGraph(
                cuda_graphs.GraphDriver(driver.load()), self._handle, body
            )
        except (cuda_graphs.NoGraph, HotpathError) as error:
            self._give_up_graphs(str(error))

    def _give_up_graphs(self, why: str) -> None:
        self.uses_graph = False
        for graph in self._graphs.values():
            graph.close()
        self._graphs = {}
        self._log(f"frames are launched step by step: {why}")

    # ---- a target

    @by_any_thread
    def exemplar(
        self, frame: frame_uploads.AnyFrame, place: Rectangle, border: Sequence[int]
    ) -> GpuTarget:
        """Crop the exemplar of a target, and compute its features.

        Args:
            frame: see ``hotpath.kernels.cuda.frame_uploads``.
            place: its window.
            border: 3 uint8 values for the pixels outside the frame, BGR.

        Raises:
            GpuFailed: out of memory, or the GPU refused.
        """
        device, engine, stream = self.device, self.engine, self._stream
        features: List[int] = []
        target = GpuTarget((), border)
        window = target, (0.0,) * 4 + tuple(place) + (1.0, 1.0), ARGMAX
        try:
            for name in engine.features:
                features.append(device.alloc(engine.size(name)))
            self._pack(frame, [window])
            self._upload_records(1)
            out = engine.place_of("exemplar")
            self._kernels.crop("exemplar", 1, out, engine.size("exemplar"))
            engine.run_exemplar(self._handle, dict(zip(engine.features, features)))
            device.synchronise(stream)
        except HotpathError:
            self._settle()
            self.free(target._replace(features=tuple(features)))
            raise
        return GpuTarget(tuple(features), border)

    @by_any_thread
    def read(self, frame: OnDevice, part: Tuple[int, int, int, int]) -> List[np.ndarray]:
        """Copy a part of a frame's planes to the host.

        Args:
            frame: in the GPU's memory.
            part: (x, y, w, h); even for NV12.

        Returns:
            For each plane uint8 (rows, bytes).
        """
        x, y, w, h = part
        parts = []
        for number, plane in enumerate(frame.planes):
            if plane.stream is not None:
                self.device.wait_for(plane.stream, self._stream)
            row, step = plane.strides[0], plane.strides[1]
            top, rows = y >> number, h >> number
            address = plane.address + top * row + x * step
            parts.append(self.device.read(address, row, (rows, w * step), self._stream))
        return parts

    @by_any_thread
    def free(self, target: GpuTarget) -> None:
        """Free the memory of a target. No work is in flight between calls."""
        for address in target.features:
            self.device.free(address)

    # ---- a frame

    @by_any_thread
    def run(
        self,
        frame: frame_uploads.AnyFrame,
        windows: Sequence[Window],
        reads: bool = False,
        maps: Sequence[str] = (),
    ) -> Tuple[List[Placed], Dict[str, np.ndarray]]:
        """Run windows of a frame.

        Args:
            frame: see ``hotpath.kernels.cuda.frame_uploads``.
            windows: at most ``most``.
            reads: whether to download the features of all of them.
            maps: names of the network's maps to download.

        Returns:
            (placed, values): the places of each window, none if the processor selects; the tensors
            that were downloaded, float32 (windows,) + their shape.

        Raises:
            GpuFailed: out of memory, or the GPU refused.
        """
        engine, given = self.engine, len(windows)
        count = given
        if count not in engine.counts:
            count = next(number for number in engine.counts if number > given)
            windows = [*windows, *[windows[-1]] * (count - given)]
        self._pack(frame, windows)
        names = tuple(maps) + engine.shown if reads else maps
        if count in self._graphs:
            self._run(self._graphs[count].launch, names, count)
        else:
            self._run(functools.partial(self._enqueue, count), names, count)
        if self._marks:
            self._read_marks()
        placed = [] if self._seen is None else self._placed(windows, count, given)
        if not names:
            return placed, {}
        return placed, {name: self._floats(name, given) for name in names}

    def _placed(self, windows: Sequence[Window], count: int, given: int) -> List[Placed]:
        """Return the places of the first windows."""
        places, rows = self._read(count)
        columns = places["state"], places["score"].tolist(), places["cell"].tolist()
        result: List[Placed] = []
        begin = 0
        for window, there, state, score, cell in zip(
            windows[:given], places["count"].tolist(), *columns
        ):
            if there:
                pooled = None if rows is None else rows[begin : begin + there]
                result.append((state[:there], score[:there], cell[:there], pooled))
                begin += there
            else:
                result.append((np.array([window[1][:4]]), [nan], [-1], None))
        return result

    def _read(self, count: int) -> Tuple[np.ndarray, Optional[np.ndarray]]:
        """Return (places of each window, the features under all of them), in cached memory.

        Rows beyond the first download are downloaded now.
        """
        places = self._places[:count].copy()
        if not self._row:
            return places, None
        total = int(places["count"].sum())
        if total > self._first_rows:
            assert self._seen is not None, "the GPU selects"
            at, row = self._kernels.rows_at, self._row
            first, last = at + self._first_rows * row, at + total * row
            more = self._kernels.seen_at + first
            self.device.download(self._seen[first:last], more, self._stream)
            self.device.synchronise(self._stream)
        rows = self._rows[:total].copy()
        return places, rows["values"] * rows["scale"][:, None]

    def _pack(self, frame: frame_uploads.AnyFrame, windows: Sequence[Window]) -> None:
        """Write the records, and upload the part of the frame that the windows cover."""
        if isinstance(frame, OnDevice):
            for stream in {plane.stream for plane in frame.planes} - {None}:
                self.device.wait_for(stream, self._stream)
        if not self._frame.holds(frame):
            self._fit(frame)
        used = self._frame.pack(frame, around(windows), self._staging)
        for n, (target, numbers, prior) in enumerate(windows):
            self._numbers[n] = numbers
            owner = self._owners[n]
            if owner[0] is not target or owner[1] is not prior:
                self._own(n, target, prior)
        self._mark("packed")
        if used:
            self.device.upload(self._pixels_at, self._staging[:used], self._stream)

    def _own(self, n: int, target: GpuTarget, prior: SelectionPrior) -> None:
        """Write what stays the same while a target keeps its place among the windows."""
        record = self._looks[n]
        record.features[: len(target.features)] = target.features
        record.border[:] = [int(value) for value in target.border]
        select: Any = self._settings.select
        if self.selects:
            record.size_lr, record.influence = weights_of(select, prior)
        record.share, record.most, record.apart = prior.share, prior.most, prior.apart
        self._owners[n] = target, prior

    def _run(self, run: Callable[[Any], None], maps: Sequence[str] = (), count: int = 0) -> None:
        """Run what follows the upload, and wait for it."""
        device = self.device
        try:
            run(self._handle)
            for name in maps:
                self._download(name, count)
            device.record(self._done, self._stream)
            device.synchronise(self._done)
        except HotpathError:  # a part of the frame may be in flight
            self._settle()
            raise

    def _enqueue(self, count: int, _: Any) -> None:
        """Enqueue a frame's steps, after the upload of its pixels."""
        engine, device = self.engine, self.device
        self._upload_records(count)
        self._mark("upload")
        self._kernels.gather(count)
        self._kernels.crop("search", count, engine.place_of("search"), engine.apart("search"))
        self._mark("crop")
        engine.run(self._handle, count)
        self._mark("network")
        if self._seen is not None:
            self._kernels.propose(count)
        self._mark("select")
        if self._seen is not None:
            used = count * frame_structures.SIZE_OF_RESULT
            if self._row:
                rows = min(self._first_rows, MOST_PROPOSALS * count)
                used = self._kernels.rows_at + rows * self._row
            device.download(self._seen[:used], self._kernels.seen_at, self._stream)
        self._mark("download")

    def _upload_records(self, count: int) -> None:
        used = REQUESTS_AT + count * frame_structures.SIZE_OF_REQUEST
        self.device.upload(self._kernels.records_at, self._record[:used], self._stream)

    def _download(self, name: str, count: int) -> None:
        """Enqueue: download a tensor of that many windows."""
        engine = self.engine
        used = (count - 1) * engine.apart(name) + engine.size(name)
        self.device.download(self._rooms[name][:used], engine.place_of(name), self._stream)

    def _floats(self, name: str, count: int) -> np.ndarray:
        """What was downloaded of a tensor, float32 (count,) + its shape.

        It is copied into cached memory at once and converted there. If caches hold no pinned
        memory, reading single numbers from it would wait for the memory each time.
        """
        engine = self.engine
        apart, size = engine.apart(name), engine.size(name)
        rows = self._rooms[name][: count * apart].copy().reshape(count, apart)[:, :size]
        numbers = np.ascontiguousarray(rows).view(engine.dtype).astype(np.float32, copy=False)
        return numbers.reshape((count,) + engine.shape(name))

    def _fit(self, frame: frame_uploads.AnyFrame) -> None:
        """Make the memory of the pixels large enough for a frame of another kind or size."""
        size = frame_uploads.capacity(frame)
        if self._staging.size < size:
            self.device.free(self._pixels_at)
            self._staging = np.zeros(0, np.uint8)
            self._pixels_at = 0
            self._frame.forget()
            address = self.device.alloc(size)
            try:
                self._staging = self.device.pinned(size, upload=True)
            except GpuFailed:
                self.device.free(address)
                raise
            self._pixels_at = address
        self._frame.begin(frame, self._pixels_at)

    # ---- time and memory

    def _mark(self, step: str) -> None:
        """Enqueue the event that ends a step if steps are timed."""
        if self._marks:
            self.device.record(self._marks[step], self._stream)

    def _read_marks(self) -> None:
        marks, elapsed_ms = self._marks, self.device.elapsed_ms
        self.step_ms = {
            end: elapsed_ms(marks[begin], marks[end]) for begin, end in zip(STEPS, STEPS[1:])
        }

    def _settle(self) -> None:
        """Wait for all work on the GPU, even if the GPU has stopped."""
        try:
            self.device.synchronise(self._stream)
        except GpuFailed:
            pass

    @by_any_thread
    def close(self) -> None:
        """Free the graphs and the memory. It may be called twice."""
        self._settle()
        for graph in self._graphs.values():
            graph.close()
        if self._kernels is not None:
            self._kernels.close()
        self.device.free(self._pixels_at)
        self._graphs = {}
        self._pixels_at = 0
        self._staging = np.zeros(0, np.uint8)


def around(windows: Sequence[Window]) -> Tuple[int, int, int, int]:
    """Return the pixels that windows read: left, top, right, bottom.

    Windows with fractions read one more pixel.
    """
    x, y, w, h = windows[0][1][4:8]
    right, bottom = x + w, y + h
    if len(windows) > 1:
        for _, numbers, _ in windows[1:]:
            left, top, w, h = numbers[4:8]
            right, bottom = max(right, left + w), max(bottom, top + h)
            x, y = min(x, left), min(y, top)
    return floor(x), floor(y), ceil(right) + 1, ceil(bottom) + 1
