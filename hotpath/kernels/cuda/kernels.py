"""The kernels of a window and their constants: what is launched with which arguments."""

from typing import Any, Dict, List, Tuple

import numpy as np

from hotpath.base.errors import NotOnGpu
from hotpath.kernels import setting_structures as settings_records
from hotpath.kernels.cuda import compile as compiler
from hotpath.kernels.cuda import frame_structures
from hotpath.kernels.settings import MOST_PROPOSALS, FrameSettings, PointsSettings
from hotpath.kernels.votes import hanning_window, inner_hanning_window

CROP_BLOCK = (32, 8, 1)
CROP_ROWS = 8  # rows of the output that one thread writes, as in crop.cu
BLOCK = (256, 1, 1)
REQUESTS_AT = 64  # bytes from a frame's record to those of the windows
POINTS, CENTRE = 0, 1  # families, as in peaks.cu


class CudaKernels:
    """Gather, crop, places and pooling for windows with their records at one address.

    Args:
        device: see ``hotpath.kernels.cuda.device``.
        settings: the network's numbers.
        engine: see ``hotpath.kernels.cuda.cuda_windows``.
        most: windows that there are records of.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded, or there is no memory.
        NotOnGpu: the network is too large for them.

    Attributes:
        records_at: address of the ``setting_structures.Frame``; REQUESTS_AT bytes later lie
        ``setting_structures.WindowRequest``.
        selects: whether the GPU proposes places. Else the processor does, from the maps.
        seen_at: address of a ``setting_structures.WindowResult`` of each window if ``selects``;
            ``rows_at``
        bytes
            later lie the features under their places, a ``setting_structures.row_of`` each of
            ``row_bytes``.
            0 bytes: none are pooled.
    """

    def __init__(self, device: Any, settings: FrameSettings, engine: Any, most: int) -> None:
        self.device, self._settings, self._engine = device, settings, engine
        self._stream, half = engine.stream, engine.dtype == "float16"
        self._half = np.int32(half)
        self._bytes = 2 if half else 4
        self._owned: List[int] = []  # addresses
        self._modules: Dict[str, Any] = {}  # a kernel lives as long as its module
        if max(settings.exemplar, settings.search) > frame_structures.MOST_SIDE:
            raise NotOnGpu(
                f"the GPU's crop makes at most {frame_structures.MOST_SIDE} pixels a side"
            )
        if len(engine.features) > frame_structures.MOST_FEATURES:
            raise NotOnGpu(
                f"the GPU gathers at most {frame_structures.MOST_FEATURES} tensors of a target"
            )
        self._crop, self._gather = (self._kernel("crop", f"hp_{n}") for n in ("crop", "gather"))
        self._check_records()
        self.records_at = self.alloc(REQUESTS_AT + most * frame_structures.SIZE_OF_REQUEST)
        self._inputs = {
            name: self._constant(_input_of(settings, side, half))
            for name, side in (("exemplar", settings.exemplar), ("search", settings.search))
        }
        self._prepare_places(settings.select, most)

    def _prepare_places(self, select: Any, most: int) -> None:
        """Make the numbers that the kernels of places take."""
        self.selects = select is not None
        self.rows_at = self.row_bytes = 0
        if not self.selects:
            return
        engine = self._engine
        is_points = isinstance(select, PointsSettings)
        window = (hanning_window if is_points else inner_hanning_window)(select.size)
        self._peaks = self._kernel("peaks", "hp_peaks")
        tables = (
            frame_structures.array_of(settings_records.record(select)),
            np.ascontiguousarray(window),
        )
        head, weights = (np.uint64(self._constant(table)) for table in tables)
        self._own = [np.int32(POINTS if is_points else CENTRE), head, weights]
        for name in (*engine.maps, None)[:3]:
            place, apart = (engine.place_of(name), engine.apart(name)) if name else (0, 0)
            self._own += [np.uint64(place), np.int32(apart // self._bytes)]
        room = np.uint64(self.alloc(3 * 8 * select.size**2 * most))
        self.rows_at = most * frame_structures.SIZE_OF_RESULT
        channels, side = self._features()
        if channels:
            self._pool = self._kernel("peaks", "hp_pool")
            self.row_bytes = frame_structures.row_of(channels).itemsize
        rows = MOST_PROPOSALS * most
        self.seen_at = self.alloc(self.rows_at + rows * self.row_bytes)
        requests, results = self._requests_at(), np.uint64(self.seen_at)
        self._own += [np.uint64(self.records_at), requests, self._half, room, results]
        if channels:
            (name,) = engine.shown
            numbers = np.int32(engine.apart(name) // self._bytes), self._half
            sizes = np.int32(channels), np.int32(side), np.float64(self._settings.stride)
            rows_at = np.uint64(self.seen_at + self.rows_at)
            sums = np.uint64(self.alloc(4 * rows * frame_structures.PARTS**2 * channels))
            features = np.uint64(engine.place_of(name))
            self._pooled = [requests, results, features, *numbers, *sizes, sums, rows_at]

    def _features(self) -> Tuple[int, int]:
        """(channels, cells a side) of a window's features; (0, 0) if they can't be pooled."""
        if not self._engine.shown or not self._settings.stride:
            return 0, 0
        _, channels, cells = self._engine.shape(self._engine.shown[0])
        side = int(round(cells**0.5))
        is_square = side * side == cells and side <= frame_structures.MOST_CELLS
        return (channels, side) if is_square else (0, 0)

    def _check_records(self) -> None:
        """Compare the kernels' records with ours."""
        expected = frame_structures.layout()
        device = self.device
        stream = self._stream
        out = device.pinned(4 * len(expected))
        address = self.alloc(out.nbytes)
        layout = self._kernel("crop", "hp_layout")
        device.launch(layout, (1, 1, 1), (1, 1, 1), [np.uint64(address)], stream)
        device.download(out, address, stream)
        device.synchronise(stream)
        frame_structures.check(out.view(np.int32)[: len(expected)].tolist())

    def gather(self, count: int) -> None:
        """Enqueue: copy the features of each window's target to where the network reads them."""
        engine = self._engine
        for index, name in enumerate(engine.features):
            size, apart = engine.size(name), engine.apart(name)
            numbers = [np.int32(number) for number in (index, size, apart)]
            arguments = [self._requests_at(), *numbers, np.uint64(engine.place_of(name))]
            grid = (-(-size // 2) + BLOCK[0] - 1) // BLOCK[0], count, 1
            self.device.launch(self._gather, grid, BLOCK, arguments, self._stream)

    def crop(self, name: str, count: int, out: int, apart: int) -> None:
        """Enqueue: crop windows into an input; ``apart``: bytes from one picture to the next."""
        side = self._settings.exemplar if name == "exemplar" else self._settings.search
        addresses = self.records_at, self.records_at + REQUESTS_AT, self._inputs[name]
        arguments = [np.uint64(address) for address in addresses]
        arguments += [np.int32(apart // self._bytes), np.uint64(out)]
        grid = crop_grid(side, count)
        self.device.launch(self._crop, grid, CROP_BLOCK, arguments, self._stream)

    def propose(self, count: int) -> None:
        """Enqueue: find the places of each window, and pool the features under them."""
        self.device.launch(self._peaks, (count, 1, 1), BLOCK, self._own, self._stream)
        if self.row_bytes:
            grid = MOST_PROPOSALS, count, 1
            self.device.launch(self._pool, grid, BLOCK, self._pooled, self._stream)

    def alloc(self, size: int) -> int:
        """Memory of the device, until ``close``."""
        address: int = self.device.alloc(size)
        self._owned.append(address)
        return address

    def close(self) -> None:
        """Free the memory."""
        for address in self._owned:
            self.device.free(address)
        self._owned = []

    def _requests_at(self) -> Any:
        return np.uint64(self.records_at + REQUESTS_AT)

    def _kernel(self, source: str, name: str) -> Any:
        """A kernel of one of the kernels' own .cu files."""
        device = self.device
        if source not in self._modules:
            path = compiler.source(source)
            path = compiler.binary(path, device.capability, device.driver_version)
            self._modules[source] = device.module(path)
        return device.kernel(self._modules[source], name)

    def _constant(self, values: np.ndarray) -> int:
        """Copy an array to the device; returns its address, valid until ``close``."""
        address, staging = self.alloc(values.nbytes), self.device.pinned(values.nbytes)
        staging[:] = values.view(np.uint8).ravel()
        self.device.upload(address, staging, self._stream)
        self.device.synchronise(self._stream)
        return address


def crop_grid(side: int, count: int) -> Tuple[int, int, int]:
    """Return the grid of a crop of that many windows."""
    columns, rows = CROP_BLOCK[0], CROP_ROWS * CROP_BLOCK[1]
    return (side + columns - 1) // columns, (side + rows - 1) // rows, count


def _input_of(settings: FrameSettings, side: int, half: bool) -> np.ndarray:
    """How the network takes a picture: the bytes of a ``setting_structures.Input``."""
    pixels = settings.input
    record = frame_structures.Input(side=side, half=half)
    record.mean[:], record.scale[:] = list(pixels.mean), list(pixels.scale)
    record.swap, record.warp = pixels.swap, settings.warp
    return frame_structures.array_of(record)
