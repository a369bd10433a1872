"""The kernels of a frame and the structures they share: what is launched with which arguments."""

from typing import Any, List, Sequence, Tuple

import numpy as np

from kernels.cuda import compile as compiler
from kernels.cuda import layout, response
from kernels.cuda.errors import GpuFailed
from kernels.cuda.heads import head
from kernels.cuda.loss_monitor import LossMonitor
from kernels.settings import FrameSettings, ResponseSettings

CROP_BLOCK = (32, 8, 1)
CROP_ROWS = 8  # rows of the output that one thread writes, as in crop.cu
SELECT_BLOCK = (256, 1, 1)


class FrameKernels:
    """Crop, aim and select for one target, with their memory on the device.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the network's numbers.
        engine: see ``kernels.cuda.frame``.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.

    Attributes:
        windows: how many a frame is searched in.
        pose: address of the target's ``layout.POSE``.
        monitor: the ``LossMonitor``.
    """

    def __init__(self, device: Any, settings: FrameSettings, engine: Any) -> None:
        self.device, self.settings, self.engine = device, settings, engine
        self._stream = engine.stream
        self._owned: List[int] = []
        self.windows = len(settings.factors)
        self._head: Any = None
        self._response: Any = None  # instead of a head, for networks that respond
        source, select_name = response.SOURCE, response.KERNEL
        if not isinstance(settings.select, ResponseSettings):
            self._head = head(settings.select)
            source, select_name = self._head.source, self._head.kernel
        self._modules = [self._module(name) for name in ("crop", "aim", source)]
        crop, aim, select = self._modules  # a kernel lives as long as its module
        self._crop = device.kernel(crop, "hp_crop")
        self._aim = device.kernel(aim, "hp_aim")
        self._remember = device.kernel(aim, "hp_remember")
        self._select = device.kernel(select, select_name)
        self.monitor = LossMonitor(
            device, settings.loss, engine.search_features_device, self._stream
        )
        try:
            self._allocate()
        except GpuFailed:
            self.close()
            raise

    def _allocate(self) -> None:
        settings, device = self.settings, self.device
        self.pose = self._alloc(layout.POSE.itemsize)
        longest = max(self.windows * settings.window.search, settings.window.exemplar)
        self._plan = self._alloc(2 * layout.LINE.itemsize * longest)
        if isinstance(settings.select, ResponseSettings):
            self._response = response.Response(
                settings.select, self._last_kernel, self._constant, self._alloc, self._launch
            )
        else:
            self._tables = [self._constant(array) for array in self._head.constants]
        self._view = self._constant(layout.view(settings.window, settings.factors))
        self._inputs = [self._alloc(layout.INPUT.itemsize) for _ in range(2)]
        self._setup = device.pinned(layout.POSE.itemsize + 2 * layout.INPUT.itemsize)

    def begin(self, state: Sequence[float], border: Sequence[int]) -> None:
        """Upload a new target.

        Args:
            state: [cx, cy, w, h], frame pixels.
            border: 3 uint8 values for the pixels outside a frame, BGR.
        """
        settings, engine = self.settings, self.engine
        at = layout.POSE.itemsize
        for address, side in zip(self._inputs, self._sides()):
            record = layout.network_input(
                settings.input, side, engine.input_dtype, engine.input_step, border
            )
            part = self._setup[at : at + record.nbytes]
            part[:] = record.view(np.uint8)
            self.device.upload(address, part, self._stream)
            at += record.nbytes
        self.move(state)
        self.monitor.begin(state)

    def move(self, state: Sequence[float]) -> None:
        """Upload a state: [cx, cy, w, h], frame pixels."""
        part = self._setup[: layout.POSE.itemsize]
        record = np.zeros(1, layout.POSE)
        record["state"] = state
        part[:] = record.view(np.uint8)
        self.device.upload(self.pose, part, self._stream)

    def aim(self, exemplar: bool) -> None:
        """Enqueue: plan the crop of the exemplar or of the search region around the state."""
        addresses = (self._view, self.monitor.address), (self.pose, self._plan)
        first, last = ([np.uint64(a) for a in part] for part in addresses)
        arguments = first + [np.int32(exemplar)] + last
        self.device.launch(self._aim, (1, 1, 1), SELECT_BLOCK, arguments, self._stream)

    def crop(self, frame: int, exemplar: bool) -> None:
        """Enqueue: crop the windows of a frame into the network's inputs.

        Args:
            frame: address of its ``layout.FRAME``.
            exemplar: whether the exemplar was planned.
        """
        engine, side = self.engine, self._sides()[not exemplar]
        out = engine.exemplar_input if exemplar else engine.search_input
        columns, rows = CROP_BLOCK[0], CROP_ROWS * CROP_BLOCK[1]
        windows = 1 if exemplar else self.windows
        grid = ((side + columns - 1) // columns, (side + rows - 1) // rows, windows)
        self._launch(
            self._crop, grid, CROP_BLOCK, frame, self._plan, self._inputs[not exemplar], out
        )

    def remember(self) -> None:
        """Enqueue: take the features that the network gave last as the target's."""
        monitor = self.monitor
        if self._response is not None:
            self._response.remember(self.engine.maps[0])
        if monitor.features:
            addresses = monitor.limits, self._view, self.pose, monitor.features, monitor.reference
            self._launch(self._remember, (1, 1, 1), SELECT_BLOCK, *addresses)

    def select(self, frame: int) -> None:
        """Enqueue: move the target, decide whether it is lost, and plan the next crop.

        Args:
            frame: address of the ``layout.FRAME`` that was cropped.
        """
        engine, monitor = self.engine, self.monitor
        if self._response is not None:
            addresses = self._response.find(engine.maps[0])
        else:
            addresses = self._tables + list(self._head.maps(engine.maps))
        addresses += [self._view, frame]
        addresses += [monitor.limits, monitor.features, monitor.reference, monitor.address]
        self._launch(self._select, (1, 1, 1), SELECT_BLOCK, *(addresses + [self.pose, self._plan]))

    def close(self) -> None:
        """Free the memory."""
        for address in self._owned:
            self.device.free(address)
        self._owned = []
        self.monitor.close()

    def _sides(self) -> Tuple[int, int]:
        return self.settings.window.exemplar, self.settings.window.search

    def _last_kernel(self, name: str) -> Any:
        """A kernel of the source that has the select."""
        return self.device.kernel(self._modules[-1], name)

    def _module(self, name: str) -> Any:
        device = self.device
        path = compiler.binary(compiler.source(name), device.capability, device.driver_version)
        return device.module(path)

    def _constant(self, values: np.ndarray) -> int:
        """Copy an array to the device; returns its address, valid until ``close``."""
        staging = self.device.pinned(values.nbytes)
        staging[:] = values.view(np.uint8).ravel()
        address = self._alloc(values.nbytes)
        self.device.upload(address, staging, self._stream)
        self.device.synchronise(self._stream)
        return address

    def _alloc(self, size: int) -> int:
        address: int = self.device.alloc(size)
        self._owned.append(address)
        return address

    def _launch(
        self, kernel: Any, grid: Tuple[int, int, int], block: Tuple[int, int, int], *addresses: Any
    ) -> None:
        arguments = [a if isinstance(a, np.int32) else np.uint64(a) for a in addresses]
        self.device.launch(kernel, grid, block, arguments, self._stream)
