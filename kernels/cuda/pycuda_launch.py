"""A GPU through PyCUDA; see ``kernels.cuda.device``."""

import atexit
from typing import Any, Callable, Dict, Sequence, Tuple

import numpy as np
import pycuda.driver as cuda

from kernels.cuda.device import Counters
from kernels.errors import GpuFailed, NoGpu


class Device:
    """See ``kernels.cuda.device``. Shares the process's primary context with TensorRT."""

    name = "pycuda"

    def __init__(self, index: int = 0) -> None:
        self.counters = Counters()
        try:
            cuda.init()
            device = cuda.Device(index)
            self._context = device.retain_primary_context()
            self._context.push()
        except cuda.Error as error:
            raise NoGpu(f"GPU {index} can't be used: {error}; run `python -m boards`") from None
        atexit.register(self.close)  # PyCUDA aborts a process that leaves a context behind
        major, minor = device.compute_capability()
        self.capability = 10 * major + minor
        self.driver_version = cuda.get_driver_version()
        self._memory: Dict[int, Any] = {}  # address -> allocation

    def alloc(self, size: int) -> int:
        try:
            memory = cuda.mem_alloc(int(size))
        except cuda.Error as error:
            raise GpuFailed(_no_memory(size, error)) from None
        self._memory[int(memory)] = memory
        self.counters.allocations += 1
        return int(memory)

    def free(self, address: int) -> None:
        memory = self._memory.pop(address, None)
        try:
            if memory is not None:
                memory.free()
        except cuda.Error:  # the GPU stopped, and its memory is gone
            pass

    def pinned(self, size: int, upload: bool = False) -> np.ndarray:
        flags = cuda.host_alloc_flags.WRITECOMBINED if upload else 0
        try:
            array = cuda.pagelocked_empty(int(size), np.uint8, mem_flags=flags)
        except cuda.Error as error:
            raise GpuFailed(_no_memory(size, error)) from None
        self.counters.allocations += 1
        return array

    def stream(self) -> Any:
        return cuda.Stream()

    def handle(self, stream: Any) -> int:
        return stream.handle

    def upload(self, address: int, array: np.ndarray, stream: Any) -> None:
        _ask(cuda.memcpy_htod_async, address, array, stream)
        self.counters.uploads += 1
        self.counters.upload_bytes += array.nbytes

    def download(self, array: np.ndarray, address: int, stream: Any) -> None:
        _ask(cuda.memcpy_dtoh_async, array, address, stream)
        self.counters.downloads += 1
        self.counters.download_bytes += array.nbytes

    def module(self, path: str) -> Any:
        try:
            return cuda.module_from_file(path)
        except cuda.Error as error:
            raise GpuFailed(f"{path} does not load: {error}; delete it and start again") from None

    def kernel(self, module: Any, name: str) -> Any:
        return module.get_function(name)

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
            kernel(*arguments, grid=grid, block=block, stream=stream, shared=shared)
        except cuda.Error as error:
            raise GpuFailed(f"the GPU refuses a kernel: {error}") from None
        self.counters.launches += 1

    def synchronise(self, stream: Any) -> None:
        self._finish(stream)

    def event(self) -> Any:
        return cuda.Event()

    def record(self, event: Any, stream: Any) -> None:
        _ask(event.record, stream)

    def follow(self, stream: Any, event: Any) -> None:
        _ask(stream.wait_for_event, event)

    def wait(self, event: Any) -> None:
        self._finish(event)

    def elapsed_ms(self, first: Any, second: Any) -> float:
        return second.time_since(first)

    def close(self) -> None:
        """Free the memory and the context. Nothing that this device gave may be used afterwards."""
        if self._context is None:
            return
        self._memory.clear()
        self._context.pop()
        self._context = None

    def _finish(self, what: Any) -> None:
        self.counters.synchronisations += 1
        _ask(what.synchronize)


def _ask(function: Callable[..., Any], *arguments: Any) -> None:
    """Call the driver. It also reports errors of earlier work here."""
    try:
        function(*arguments)
    except cuda.Error as error:
        raise GpuFailed(f"the GPU stopped: {error}; start the program again") from None


def _no_memory(size: int, error: Exception) -> str:
    return f"the GPU has no {size / 1e6:.1f} MB left ({error}); close other programs on it"
