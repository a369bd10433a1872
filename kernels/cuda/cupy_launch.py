"""A GPU through CuPy; see ``kernels.cuda.device``."""

from typing import Any, Callable, Dict, Sequence, Tuple

import cupy
import numpy as np

from kernels.cuda.device import Counters
from kernels.errors import GpuFailed, NoGpu

TO_GPU, FROM_GPU = cupy.cuda.runtime.memcpyHostToDevice, cupy.cuda.runtime.memcpyDeviceToHost
ERRORS = (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError)


class Device:
    """See ``kernels.cuda.device``."""

    name = "cupy"

    def __init__(self, index: int = 0) -> None:
        self.counters = Counters()
        try:
            device = cupy.cuda.Device(index)
            device.use()
            self.capability = int(device.compute_capability)
            self.driver_version = cupy.cuda.runtime.driverGetVersion()
        except ERRORS as error:
            raise NoGpu(f"GPU {index} can't be used: {error}; run `python -m boards`") from None
        self._memory: Dict[int, Any] = {}  # address -> allocation

    def alloc(self, size: int) -> int:
        try:
            memory = cupy.cuda.alloc(int(size))
        except (cupy.cuda.memory.OutOfMemoryError,) + ERRORS as error:
            raise GpuFailed(_no_memory(size, error)) from None
        self._memory[int(memory.ptr)] = memory
        self.counters.allocations += 1
        return int(memory.ptr)

    def free(self, address: int) -> None:
        self._memory.pop(address, None)

    def pinned(self, size: int, upload: bool = False) -> np.ndarray:
        # CuPy's pool has one kind; on the boards that it runs on the processor's caches hold it
        try:
            memory = cupy.cuda.alloc_pinned_memory(int(size))
        except (cupy.cuda.memory.OutOfMemoryError,) + ERRORS as error:
            raise GpuFailed(_no_memory(size, error)) from None
        self.counters.allocations += 1
        return np.frombuffer(memory, np.uint8, int(size))

    def stream(self) -> Any:
        return cupy.cuda.Stream(non_blocking=True)

    def handle(self, stream: Any) -> int:
        return stream.ptr

    def upload(self, address: int, array: np.ndarray, stream: Any) -> None:
        copy = cupy.cuda.runtime.memcpyAsync
        _ask(copy, address, array.ctypes.data, array.nbytes, TO_GPU, stream.ptr)
        self.counters.uploads += 1
        self.counters.upload_bytes += array.nbytes

    def download(self, array: np.ndarray, address: int, stream: Any) -> None:
        copy = cupy.cuda.runtime.memcpyAsync
        _ask(copy, array.ctypes.data, address, array.nbytes, FROM_GPU, stream.ptr)
        self.counters.downloads += 1
        self.counters.download_bytes += array.nbytes

    def module(self, path: str) -> Any:
        return cupy.RawModule(path=path)

    def kernel(self, module: Any, name: str) -> Any:
        try:
            kernel = module.get_function(name)
            kernel.compile()  # loads now what would else be loaded by the first launch
        except ERRORS as error:
            text = "{} does not load: {}; delete {} and start again"
            raise GpuFailed(text.format(name, error, module.file_path)) from None
        return kernel

    def launch(
        self,
        kernel: Any,
        grid: Tuple[int, int, int],
        block: Tuple[int, int, int],
        arguments: Sequence[Any],
        stream: Any,
        shared: int = 0,
    ) -> None:
        try:
            with stream:
                kernel(grid, block, tuple(arguments), shared_mem=shared)
        except ERRORS as error:
            raise GpuFailed(f"the GPU refuses a kernel: {error}") from None
        self.counters.launches += 1

    def synchronise(self, stream: Any) -> None:
        self._finish(stream)

    def event(self) -> Any:
        return cupy.cuda.Event()

    def record(self, event: Any, stream: Any) -> None:
        _ask(event.record, stream)

    def follow(self, stream: Any, event: Any) -> None:
        _ask(stream.wait_event, event)

    def wait(self, event: Any) -> None:
        self._finish(event)

    def elapsed_ms(self, first: Any, second: Any) -> float:
        return cupy.cuda.get_elapsed_time(first, second)

    def close(self) -> None:
        """Free the memory. Nothing that this device gave may be used afterwards."""
        self._memory.clear()

    def _finish(self, what: Any) -> None:
        self.counters.synchronisations += 1
        _ask(what.synchronize)


def _ask(function: Callable[..., Any], *arguments: Any) -> None:
    """Call the driver. It also reports errors of earlier work here."""
    try:
        function(*arguments)
    except ERRORS as error:
        raise GpuFailed(f"the GPU stopped: {error}; start the program again") from None


def _no_memory(size: int, error: Exception) -> str:
    return f"the GPU has no {size / 1e6:.1f} MB left ({error}); close other programs on it"
