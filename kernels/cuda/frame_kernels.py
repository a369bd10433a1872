"""The kernels of a frame and the structures they share: what is launched with which arguments."""

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from kernels.cuda import compile as compiler
from kernels.cuda import layout
from kernels.cuda.select import head
from kernels.cuda.target_memory import TargetMemory, upload_record
from kernels.errors import GpuFailed
from kernels.settings import FrameSettings

CROP_BLOCK = (32, 8, 1)
CROP_ROWS = 8  # rows of the output that one thread writes, as in crop.cu
SELECT_BLOCK = (256, 1, 1)


class FrameKernels:
    """Crop, aim and select for one target or several, with their memory on the device.

    Args:
        device: see ``kernels.cuda.device``.
        settings: the network's numbers.
        engine: see ``kernels.cuda.frame``.
        targets: whose crops and selects are one launch each.

    Raises:
        NoCompiler, GpuFailed: the kernels can't be compiled or loaded.

    Attributes:
        memory: what the device keeps of the targets. A group of targets puts its own here.
        own_memory: what stood there before.
    """

    def __init__(self, device: Any, settings: FrameSettings, engine: Any, targets: int = 1) -> None:
        self.device, self.settings, self.engine, self.targets = device, settings, engine, targets
        self._stream = engine.stream
        self._owned: List[int] = []
        self.own_memory: Any = None
        self._modules: Dict[str, Any] = {}  # a kernel lives as long as its module
        self._crop = self._kernel("crop", "hp_crop")
        self._aim = self._kernel("aim", "hp_aim")
        self._remember = self._kernel("aim", "hp_remember")
        try:
            self._allocate()
        except GpuFailed:
            self.close()
            raise

    def _allocate(self) -> None:
        settings, device = self.settings, self.device
        half = self._half = self.engine.dtype == "float16"
        source, tables, self._maps = head(settings.select, half)
        self._select = self._kernel(source, "hp_select_" + source)
        self._tables = [self._constant(table) for table in tables]
        self._view = self._constant(layout.view(settings.window, half))
        longest = max(self.targets * settings.window.search, settings.window.exemplar)
        self._plan = self._alloc(2 * layout.LINE.itemsize * longest)
        sizes = {"pose": layout.POSE.itemsize, "input": layout.INPUT.itemsize}
        sizes["monitor"] = layout.MONITOR.itemsize
        features, self._limits = self.engine.search_features_device, 0  # 0: nothing is monitored
        if settings.loss.lost_below > 0:
            shape = features[1] if features else None
            self._limits = self._constant(layout.limits(settings.loss, shape))
            if shape:
                sizes["reference"] = 4 * shape[1]  # the target's features
        self.own_memory = self.memory = TargetMemory(device, sizes, self.targets)
        self._exemplar_input = self._alloc(layout.INPUT.itemsize)
        self._setup = device.pinned(layout.POSE.itemsize + 2 * layout.INPUT.itemsize)
        self._watch = device.pinned(layout.MONITOR.itemsize)

    @property
    def pose(self) -> int:
        """Address of the first target's ``layout.POSE``."""
        return self.memory.address("pose")

    def begin(self, state: Sequence[float], border: Sequence[int]) -> None:
        """Upload a new target.

        Args:
            state: [cx, cy, w, h], frame pixels.
            border: 3 uint8 values for the pixels outside a frame, BGR.
        """
        settings = self.settings
        at = layout.POSE.itemsize
        for exemplar in (True, False):
            side = settings.window.exemplar if exemplar else settings.window.search
            record = layout.network_input(settings.input, side, self._half, border)
            part = self._setup[at : at + record.nbytes]
            part[:] = record.view(np.uint8)
            self.device.upload(self._input(exemplar), part, self._stream)
            at += record.nbytes
        self.move(state)
        self.watch()

    def watch(self) -> None:
        """Let the loss monitor begin anew; ``remember`` gives it the target's features."""
        self._watch[:] = layout.monitor().view(np.uint8)
        self.device.upload(self.memory.address("monitor"), self._watch, self._stream)

    def move(self, state: Sequence[float]) -> None:
        """Upload a state: [cx, cy, w, h], frame pixels."""
        part = self._setup[: layout.POSE.itemsize]
        record = np.zeros(1, layout.POSE)
        record["state"] = state
        part[:] = record.view(np.uint8)
        self.device.upload(self.pose, part, self._stream)

    def aim(self, exemplar: bool, targets: int = 0) -> None:
        """Enqueue: plan the crop of the exemplar or of the search region around the state.

        Args:
            exemplar: which of the two.
            targets: so many, the first ones; 0: all.
        """
        view, monitor, pose, plan = self._planned()
        arguments = view, monitor, np.int32(exemplar), pose, plan
        self._launch(self._aim, (targets or self.targets, 1, 1), SELECT_BLOCK, arguments)

    def crop(self, frame: int, exemplar: bool, targets: int = 0) -> None:
        """Enqueue: crop each target's window of a frame into the network's inputs.

        Args:
            frame: address of its ``layout.FRAME``.
            exemplar: whether the exemplar was planned.
            targets: as in ``aim``.
        """
        engine, window = self.engine, self.settings.window
        side, out = window.search, engine.search_input
        if exemplar:
            side, out = window.exemplar, engine.exemplar_input
        columns, rows, count = CROP_BLOCK[0], CROP_ROWS * CROP_BLOCK[1], targets or self.targets
        grid = ((side + columns - 1) // columns, (side + rows - 1) // rows, count)
        arguments = frame, self._plan, self._input(exemplar), out
        self._launch(self._crop, grid, CROP_BLOCK, arguments)

    def remember(self) -> None:
        """Enqueue: take the features that the network gave last as the target's."""
        features, reference = self._features, self.memory.address("reference")
        if features:
            arguments = self._limits, self._view, self.pose, features, reference
            self._launch(self._remember, (1, 1, 1), SELECT_BLOCK, arguments)

    def select(self, frame: int) -> None:
        """Enqueue: move the targets, decide whether they are lost, and plan the next crop.

        Args:
            frame: address of the ``layout.FRAME`` that was cropped.
        """
        view, watched, pose, plan = self._planned()
        addresses = self._tables + list(self._maps(self.engine.maps)) + [view, frame]
        addresses += [self._limits, self._features, self.memory.address("reference"), watched]
        self._launch(self._select, (self.targets, 1, 1), SELECT_BLOCK, addresses + [pose, plan])

    def close(self) -> None:
        """Free the memory."""
        for address in self._owned:
            self.device.free(address)
        self._owned = []
        if self.own_memory is not None:
            self.own_memory.close()

    @property
    def _features(self) -> int:
        """Address of the search region's features; 0 if they are not compared."""
        return self.engine.search_features_device[0] if self.memory.address("reference") else 0

    def _planned(self) -> Tuple[int, int, int, int]:
        """Addresses of the view, the monitor, the pose and the plan."""
        return self._view, self.memory.address("monitor"), self.pose, self._plan

    def _input(self, exemplar: bool) -> int:
        return self._exemplar_input if exemplar else self.memory.address("input")

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
        address = self._alloc(values.nbytes)
        upload_record(self.device, address, values, self._stream)
        return address

    def _alloc(self, size: int) -> int:
        address: int = self.device.alloc(size)
        self._owned.append(address)
        return address

    def _launch(
        self,
        kernel: Any,
        grid: Tuple[int, int, int],
        block: Tuple[int, int, int],
        arguments: Sequence[Any],
    ) -> None:
        given = [a if isinstance(a, np.int32) else np.uint64(a) for a in arguments]
        self.device.launch(kernel, grid, block, given, self._stream)
