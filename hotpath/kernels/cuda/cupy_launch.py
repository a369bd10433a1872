"""A GPU through CuPy; see ``hotpath.kernels.cuda.device``."""

import contextlib
import threading
from typing import Any, Iterator

import cupy
import numpy as np

from hotpath.base.errors import GpuFailed, NoGpu
from hotpath.kernels.cuda import device

TO_GPU, FROM_GPU = cupy.cuda.runtime.memcpyHostToDevice, cupy.cuda.runtime.memcpyDeviceToHost


class CupyDevice(device.CudaDevice):
    """A GPU that CuPy drives."""

    name = "cupy"
    errors = (
        cupy.cuda.runtime.CUDARuntimeError,
        cupy.cuda.driver.CUDADriverError,
        cupy.cuda.memory.OutOfMemoryError,
    )

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.local()
        self._thread.has_context = True
        try:
            gpu = cupy.cuda.Device(0)
            gpu.use()
            self.capability = int(gpu.compute_capability)
            self.driver_version = cupy.cuda.runtime.driverGetVersion()
        except self.errors as error:
            raise NoGpu(f"the GPU can't be used: {error}; run `python -m hotpath boards`") from None

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        with cupy.cuda.Device(0):
            if not hasattr(self._thread, "has_context"):
                cupy.cuda.runtime.free(0)  # before CUDA 12 only this makes the context current
                self._thread.has_context = True
            yield

    def _alloc(self, size: int) -> Any:
        return cupy.cuda.alloc(size)

    def _address(self, memory: Any) -> int:
        return int(memory.ptr)

    def _pinned(self, size: int, upload: bool) -> np.ndarray:
        # CuPy's pool has one kind; on the boards that it runs on the processor's caches hold it
        return np.frombuffer(cupy.cuda.alloc_pinned_memory(size), np.uint8, size)

    def stream(self) -> Any:
        return cupy.cuda.Stream(non_blocking=True)

    def handle(self, stream: Any) -> int:
        return stream.ptr

    def _upload(self, address: int, array: np.ndarray, stream: Any) -> None:
        copy = cupy.cuda.runtime.memcpyAsync
        copy(address, array.ctypes.data, array.nbytes, TO_GPU, stream.ptr)

    def _download(self, array: np.ndarray, address: int, stream: Any) -> None:
        copy = cupy.cuda.runtime.memcpyAsync
        copy(array.ctypes.data, address, array.nbytes, FROM_GPU, stream.ptr)

    def module(self, path: str) -> Any:
        return cupy.RawModule(path=path)

    def kernel(self, module: Any, name: str) -> Any:
        try:
            kernel = module.get_function(name)
            kernel.compile()  # loads now what would else be loaded by the first launch
        except self.errors as error:
            raise GpuFailed(
                f"{name} does not load: {error}; delete {module.file_path} and start again"
            ) from None
        return kernel

    def _launch(
        self, kernel: Any, grid: Any, block: Any, arguments: Any, stream: Any, shared: int
    ) -> None:
        with stream:
            kernel(grid, block, tuple(arguments), shared_mem=shared)

    def event(self) -> Any:
        return cupy.cuda.Event()

    def elapsed_ms(self, first: Any, second: Any) -> float:
        return cupy.cuda.get_elapsed_time(first, second)


DEVICE = CupyDevice
