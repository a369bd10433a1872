"""A GPU through PyCUDA; see ``hotpath.kernels.cuda.device``."""

import atexit
import contextlib
import threading
from typing import Any, Iterator

import numpy as np
import pycuda.driver as cuda

from hotpath.base.errors import GpuFailed, NoGpu
from hotpath.kernels.cuda import device

NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING, for which PyCUDA has no name: no wait for other threads


class PycudaDevice(device.CudaDevice):
    """A GPU that PyCUDA drives. It shares the process's primary context with TensorRT."""

    name = "pycuda"
    errors = (cuda.Error,)

    def __init__(self) -> None:
        super().__init__()
        try:
            cuda.init()
            gpu = cuda.Device(0)
            self._context = gpu.retain_primary_context()
            self._context.push()
        except cuda.Error as error:
            raise NoGpu(f"the GPU can't be used: {error}; run `python -m hotpath boards`") from None
        self._thread = threading.local()  # a number may be that of a later thread
        self._thread.has_opened = True
        atexit.register(self.close)  # PyCUDA aborts a process that leaves a context behind
        major, minor = gpu.compute_capability()
        self.capability = 10 * major + minor
        self.driver_version = cuda.get_driver_version()

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        context = None if hasattr(self._thread, "has_opened") else self._context
        if context is not None:
            context.push()
        try:
            yield
        finally:
            if context is not None:
                context.pop()

    def _alloc(self, size: int) -> Any:
        return cuda.mem_alloc(size)

    def _address(self, memory: Any) -> int:
        return int(memory)

    def free(self, address: int) -> None:
        memory = self._memory.pop(address, None)
        try:
            if memory is not None:
                memory.free()
        except cuda.Error:  # the GPU stopped, and its memory is gone
            pass

    def _pinned(self, size: int, upload: bool) -> np.ndarray:
        flags = cuda.host_alloc_flags.WRITECOMBINED if upload else 0
        return cuda.pagelocked_empty(size, np.uint8, mem_flags=flags)

    def stream(self) -> Any:
        return cuda.Stream(NON_BLOCKING)

    def handle(self, stream: Any) -> int:
        return stream.handle

    def _upload(self, address: int, array: np.ndarray, stream: Any) -> None:
        cuda.memcpy_htod_async(address, array, stream)

    def _download(self, array: np.ndarray, address: int, stream: Any) -> None:
        cuda.memcpy_dtoh_async(array, address, stream)

    def module(self, path: str) -> Any:
        try:
            return cuda.module_from_file(path)
        except cuda.Error as error:
            raise GpuFailed(f"{path} does not load: {error}; delete it and start again") from None

    def kernel(self, module: Any, name: str) -> Any:
        return module.get_function(name)

    def _launch(
        self, kernel: Any, grid: Any, block: Any, arguments: Any, stream: Any, shared: int
    ) -> None:
        kernel(*arguments, grid=grid, block=block, stream=stream, shared=shared)

    def event(self) -> Any:
        return cuda.Event()

    def elapsed_ms(self, first: Any, second: Any) -> float:
        return second.time_since(first)

    def close(self) -> None:
        """Free the memory and the context. Nothing that this device gave may be used afterwards."""
        if self._context is None:
            return
        with self.current():
            super().close()
        if hasattr(self._thread, "has_opened"):  # else at the end of the process
            self._context.pop()
            self._context = None


DEVICE = PycudaDevice
