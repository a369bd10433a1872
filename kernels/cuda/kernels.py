"""The kernels of a window and their constants: what is launched with which arguments."""

from typing import Any, Dict, List, Tuple

import numpy as np

from hotpath.kernels.cuda import compile as compiler
from hotpath.kernels.cuda import records
from hotpath.kernels.cuda.select import head
from hotpath.kernels.errors import NotOnGpu
from hotpath.kernels.settings import FrameSettings

CROP_BLOCK = (32, 8, 1)
CROP_ROWS = 8  # rows of the output that one thread writes, as in crop.cu
BLOCK = (256, 1, 1)
LOOKS_AT = 64  # bytes from a frame's record to those of the windows


class Kernels:
    """Gather, crop and select for windows with their records at one address.

    Args:
        device: see ``hotpath.kernels.cuda.device``.
        settings: the network's numbers.
        engine: see ``hotpath.kernels.cuda.windows``.
        most: windows that there are records of.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded, or there is no memory.
        NotOnGpu: the network is too large for them.

    Attributes:
        records_at: address of the ``records.Frame``; LOOKS_AT bytes later lie ``records.Look``.
        seen_at: address of a ``records.Seen`` of each window if ``selects``.
    """

    def __init__(self, device: Any, settings: FrameSettings, engine: Any, most: int) -> None:
        self.device, self._settings, self._engine = device, settings, engine
        self._stream, half = engine.stream, engine.dtype == "float16"
        self._half = np.int32(half)
        self._bytes = 2 if half else 4
        self._owned: List[int] = []  # addresses
        self._modules: Dict[str, Any] = {}  # a kernel lives as long as its module
        if max(settings.exemplar, settings.search) > records.MOST_SIDE:
            raise NotOnGpu(f"the GPU's crop makes at most {records.MOST_SIDE} pixels a side")
        if len(engine.features) > records.MOST_FEATURES:
            raise NotOnGpu(f"the GPU gathers at most {records.MOST_FEATURES} tensors of a target")
        self._crop, self._gather = (self._kernel("crop", f"hp_{n}") for n in ("crop", "gather"))
        self._check_records()
        self.records_at = self.alloc(LOOKS_AT + most * records.SIZE_OF_LOOK)
        self.seen_at = self.alloc(most * records.SIZE_OF_SEEN)
        self._inputs = {
            name: self._constant(_input_of(settings, side, half))
            for name, side in (("exemplar", settings.exemplar), ("search", settings.search))
        }
        self.selects = settings.select is not None
        if settings.select is None:
            return
        own = head(settings.select, half)
        self._select = self._kernel(own.source, "hp_select_" + own.source)
        self._own = [np.uint64(self._constant(table)) for table in own.tables]
        aparts = [engine.apart(name) for name in engine.maps]
        taken = own.maps([engine.place_of(name) for name in engine.maps])
        aparts += aparts[-1:] * (len(taken) - len(aparts))
        for address, apart in zip(taken, aparts):
            self._own += [np.uint64(address), np.int32(apart // self._bytes)]

    def _check_records(self) -> None:
        """Compare the kernels' records with ours."""
        expected = records.layout()
        device = self.device
        stream = self._stream
        out = device.pinned(4 * len(expected))
        address = self.alloc(out.nbytes)
        layout = self._kernel("crop", "hp_layout")
        device.launch(layout, (1, 1, 1), (1, 1, 1), [np.uint64(address)], stream)
        device.download(out, address, stream)
        device.synchronise(stream)
        records.check(out.view(np.int32)[: len(expected)].tolist())

    def gather(self, count: int) -> None:
        """Enqueue: copy the features of each window's target to where the network reads them."""
        engine = self._engine
        for index, name in enumerate(engine.features):
            size, apart = engine.size(name), engine.apart(name)
            numbers = [np.int32(number) for number in (index, size, apart)]
            arguments = [self._looks_at(), *numbers, np.uint64(engine.place_of(name))]
            grid = (-(-size // 2) + BLOCK[0] - 1) // BLOCK[0], count, 1
            self.device.launch(self._gather, grid, BLOCK, arguments, self._stream)

    def crop(self, name: str, count: int, out: int, apart: int) -> None:
        """Enqueue: crop windows into an input; ``apart``: bytes from one picture to the next."""
        side = self._settings.exemplar if name == "exemplar" else self._settings.search
        addresses = self.records_at, self.records_at + LOOKS_AT, self._inputs[name]
        arguments = [np.uint64(address) for address in addresses]
        arguments += [np.int32(apart // self._bytes), np.uint64(out)]
        grid = crop_grid(side, count)
        self.device.launch(self._crop, grid, CROP_BLOCK, arguments, self._stream)

    def select(self, count: int) -> None:
        """Enqueue: find the box of each window in the network's maps."""
        more = [np.uint64(self.records_at), self._looks_at(), self._half, np.uint64(self.seen_at)]
        self.device.launch(self._select, (count, 1, 1), BLOCK, self._own + more, self._stream)

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

    def _looks_at(self) -> Any:
        return np.uint64(self.records_at + LOOKS_AT)

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
    """How the network takes a picture: the bytes of a ``records.Input``."""
    pixels = settings.input
    record = records.Input(side=side, half=half)
    record.mean[:], record.scale[:] = list(pixels.mean), list(pixels.scale)
    record.swap, record.warp = pixels.swap, settings.warp
    return records.array_of(record)
