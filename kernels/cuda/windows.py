"""Windows of a frame on the GPU: the input is a frame, the output is a box for each window.

    upload -> gather, crop -> network -> select -> download

The upload is the part of the frame that the windows cover. The other steps are one CUDA graph for
each number of windows, if the driver has graphs. The constructor captures them. Only the result of
``exemplar`` stays on the GPU for each target.

The network is a ``hotpath.runtime.engines.gpu.GpuEngine``, opened on the same device.
"""

import functools
import math
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels.cuda import driver, frames, graphs, records
from hotpath.kernels.cuda.kernels import LOOKS_AT, Kernels
from hotpath.kernels.errors import GpuFailed, HotpathError
from hotpath.kernels.settings import FrameSettings

# What events time. The first begins where the frame is packed.
STEPS = ("packed", "upload", "crop", "network", "select", "download")

Rectangle = Tuple[float, float, float, float]  # x, y, w, h, frame pixels


class Target(NamedTuple):
    """The data of a target on the GPU.

    Attributes:
        features: address of each tensor that the exemplar part wrote.
        border: 3 uint8 values for the pixels outside a frame, BGR.
        first: uint8 bytes of its first picture, if the network takes two; else None.
    """

    features: Tuple[int, ...]
    border: Sequence[int]
    first: Optional[np.ndarray]


class Window(NamedTuple):
    """A window of a frame.

    Attributes:
        target: its ``Target``.
        around: [cx, cy, w, h], frame pixels: the target's state before the frame.
        place: (x, y, w, h) of the window, frame pixels.
        scale: (x, y), search pixels per frame pixel.
    """

    target: Target
    around: Sequence[float]
    place: Rectangle
    scale: Tuple[float, float]


class Result(NamedTuple):
    """The result of a window.

    Attributes:
        state: float64 [cx, cy, w, h], frame pixels; unchanged if nothing finite was found.
        score: score of the winning cell, 0 to 1; NaN if nothing finite was found.
        cell: index of the winning cell, row-major; -1 if nothing finite was found.
        features: float32, of the window; None if the engine shows none.
        maps: float32 arrays, if they were asked for; else None.
    """

    state: np.ndarray
    score: float
    cell: int
    features: Optional[np.ndarray]
    maps: Optional[Tuple[np.ndarray, ...]]


class Windows:
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
        uses_graph: whether a frame is one CUDA graph.
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
        self._handle = device.handle(engine.stream)
        self._marks = {step: device.event() for step in STEPS} if timed else {}
        self._done = device.event()
        self._graphs: Dict[int, Tuple[graphs.Graph, Dict[str, int]]] = {}
        self._staging = np.zeros(0, np.uint8)
        self._pixels_at = 0
        self._kernels: Any = None
        try:
            self._allocate()
            self._prepare()
        except HotpathError:
            self.close()
            raise

    # ---- what is made once

    def _allocate(self) -> None:
        """Load the kernels, and take all memory but that of the pixels."""
        device, engine, most = self.device, self.engine, self.most
        pictures = max(most, engine.pictures)
        self._kernels = Kernels(device, self._settings, engine, pictures)
        self._record = device.pinned(LOOKS_AT + pictures * records.SIZE_OF_LOOK)
        self._frame = records.in_memory(records.Frame, self._record, 1)[0]
        self._looks = records.in_memory(records.Look, self._record[LOOKS_AT:], pictures)
        self._seen = device.pinned(most * records.SIZE_OF_SEEN)
        self._found = records.in_memory(records.Seen, self._seen, most)
        names = engine.maps + engine.shown
        self._rooms = {name: device.pinned(most * engine.apart(name)) for name in names}
        first = engine.size("exemplar") // engine.pictures if engine.pictures > 1 else 0
        self._first = device.pinned(first) if first else None

    def _prepare(self) -> None:
        """Run every number of windows once, so that libraries set themselves up; then capture.

        Graphs are compared when all are made: what a library keeps for one may be another's.
        """
        random = np.random.RandomState(1)
        side = 64
        frame = random.randint(0, 256, (side, side, 3)).astype(np.uint8)
        place = (-side / 4.0, 0.0, float(side), float(side))
        target = self.exemplar(frame, place, (90, 100, 110))
        try:
            window = Window(target, (side / 2.0,) * 4, place, (1.0, 1.0))
            proofs = {}
            for count in self.engine.counts:
                self._pack(frame, [window] * count)
                proofs[count] = self._proof(functools.partial(self._enqueue, count))
                if self.uses_graph:
                    self._capture(count)
            for count, (graph, _) in list(self._graphs.items()):
                if self._proof(graph.launch) != proofs[count]:
                    self._give_up_graphs("as a graph a frame has another result")
                    break
        finally:
            self.free(target)

    def _proof(self, run: Callable[[Any], None]) -> List[bytes]:
        """Return the result of one way of running a frame."""
        rooms = [self._seen] + [self._rooms[name] for name in self.engine.shown]
        for room in rooms:
            room[:] = 0
        self._run(run)
        return [room.tobytes() for room in rooms]

    def _capture(self, count: int) -> None:
        """Capture the graph of that many windows."""
        counters = self.device.counters
        before, body = counters.read(), functools.partial(self._enqueue, count, self._handle)
        try:
            graph = graphs.Graph(graphs.Driver(driver.load()), self._handle, body)
            self._graphs[count] = graph, dict(counters.rewind(before), graph_launches=1)
        except (graphs.NoGraph, HotpathError) as error:
            self._give_up_graphs(str(error))

    def _give_up_graphs(self, why: str) -> None:
        self.uses_graph = False
        for graph, _ in self._graphs.values():
            graph.close()
        self._graphs = {}
        self._log(f"frames are launched step by step: {why}")

    # ---- a target

    def exemplar(
        self,
        frame: frames.AnyFrame,
        place: Rectangle,
        border: Sequence[int],
        first: Optional[np.ndarray] = None,
    ) -> Target:
        """Crop the exemplar of a target, and compute its features.

        Args:
            frame: see ``hotpath.kernels.cuda.frames``.
            place: its window.
            border: 3 uint8 values for the pixels outside the frame, BGR.
            first: of a network with two pictures, the target's first one (``Target.first``), which
                stays. None to take this one as both.

        Raises:
            GpuFailed: out of memory, or the GPU refused.
        """
        device, engine, stream = self.device, self.engine, self._stream
        pictures = engine.pictures if first is None else 1
        features: List[int] = []
        target = Target((), border, None)
        window = Window(target, (0.0,) * 4, place, (1.0, 1.0))
        try:
            for name in engine.features:
                features.append(device.alloc(engine.size(name)))
            self._pack(frame, [window] * pictures)
            self._upload_records(pictures)
            out = engine.place_of("exemplar")
            apart = engine.size("exemplar") // engine.pictures
            if first is not None:
                assert self._first is not None
                self._first[:] = first
                device.upload(out, self._first, stream)
                out += apart
            self._kernels.crop("exemplar", pictures, out, apart)
            engine.run_exemplar(self._handle, dict(zip(engine.features, features)))
            if first is None and self._first is not None:
                device.download(self._first, out, stream)
            device.synchronise(stream)
        except HotpathError:
            self._settle()
            self.free(target._replace(features=tuple(features)))
            raise
        if first is None and self._first is not None:
            first = self._first.copy()
        return Target(tuple(features), border, first)

    def free(self, target: Target) -> None:
        """Free the memory of a target. No work is in flight between calls."""
        for address in target.features:
            self.device.free(address)

    # ---- a frame

    def look(
        self, frame: frames.AnyFrame, windows: Sequence[Window], maps: bool = False
    ) -> List[Result]:
        """Run windows of a frame.

        Args:
            frame: see ``hotpath.kernels.cuda.frames``.
            windows: at most ``most``.
            maps: whether to download the network's maps of all of them.

        Raises:
            GpuFailed: out of memory, or the GPU refused.
        """
        engine = self.engine
        count = next(number for number in engine.counts if number >= len(windows))
        spare = [windows[-1]] * (count - len(windows))
        self._pack(frame, [*windows, *spare])
        graph, counted = self._graphs.get(count, (None, {}))
        if graph is None:
            run: Callable[[Any], None] = functools.partial(self._enqueue, count)
        else:
            run = graph.launch
            self.device.counters.add(counted)
        self._run(run, engine.maps if maps else (), count)
        if self._marks:
            self._read_marks()
        names = engine.shown + (engine.maps if maps else ())
        values = {name: self._floats(name, len(windows)) for name in names}
        seen = values[engine.shown[0]] if engine.shown else None
        return [
            Result(
                np.array(self._found[n].state),
                self._found[n].score,
                self._found[n].cell,
                None if seen is None else seen[n],
                tuple(values[name][n] for name in engine.maps) if maps else None,
            )
            for n in range(len(windows))
        ]

    def _pack(self, frame: frames.AnyFrame, windows: Sequence[Window]) -> None:
        """Write the records, and upload the part of the frame that the windows cover."""
        self._fit(frame)
        part = frames.part_of(around([w.place for w in windows]), *frames.size_of(frame))
        used = frames.pack(frame, part, self._staging, self._pixels_at, self._frame)
        for record, window in zip(self._looks, windows):
            record.around[:] = window.around
            record.window[:] = window.place
            record.scale[:] = window.scale
            record.features[: len(window.target.features)] = window.target.features
            record.border[:] = [int(value) for value in window.target.border]
        self._mark("packed")
        if used:
            self.device.upload(self._pixels_at, self._staging[:used], self._stream)

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
        if self._kernels.selects:
            self._kernels.select(count)
        self._mark("select")
        used = count * records.SIZE_OF_SEEN
        device.download(self._seen[:used], self._kernels.seen_at, self._stream)
        for name in engine.shown:
            self._download(name, count)
        self._mark("download")

    def _upload_records(self, count: int) -> None:
        used = LOOKS_AT + count * records.SIZE_OF_LOOK
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

    def _fit(self, frame: frames.AnyFrame) -> None:
        """Make the memory of the pixels large enough for a frame."""
        size = frames.capacity(frame)
        if self._staging.size >= size:
            return
        self.device.free(self._pixels_at)
        self._staging = np.zeros(0, np.uint8)
        self._pixels_at = 0
        address = self.device.alloc(size)
        try:
            self._staging = self.device.pinned(size, upload=True)
        except GpuFailed:
            self.device.free(address)
            raise
        self._pixels_at = address

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

    def close(self) -> None:
        """Free the graphs and the memory. It may be called twice."""
        self._settle()
        for graph, _ in self._graphs.values():
            graph.close()
        if self._kernels is not None:
            self._kernels.close()
        self.device.free(self._pixels_at)
        self._graphs = {}
        self._pixels_at = 0
        self._staging = np.zeros(0, np.uint8)


def around(places: Sequence[Rectangle]) -> Tuple[int, int, int, int]:
    """Return the pixels that windows read. Windows with fractions read one more pixel."""
    lefts, tops, widths, heights = zip(*places)
    left, top = int(math.floor(min(lefts))), int(math.floor(min(tops)))
    right = max(int(math.ceil(x + w)) for x, w in zip(lefts, widths))
    bottom = max(int(math.ceil(y + h)) for y, h in zip(tops, heights))
    return left, top, right + 1 - left, bottom + 1 - top
