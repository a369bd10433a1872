"""A GPU through the library that is installed: CuPy, or PyCUDA where CuPy has no build (Nano).

``cupy_launch`` and ``pycuda_launch`` each derive one from ``CudaDevice``, and name it as
``DEVICE``.

On a Nano and a TX2 the processor's caches hold no pinned memory, since the GPU does not see them
(NVIDIA, "CUDA for Tegra"). Writes to write-combined memory are gathered into bursts. An upload
of ordinary memory would wait while the driver copies it into its own pinned memory.
"""

import contextlib
import functools
import importlib
import importlib.util
import re
from typing import Any, Callable, Dict, Iterator, List, Tuple, TypeVar, cast

import numpy as np

from hotpath.base.broken_libraries import why_broken
from hotpath.base.errors import GpuFailed, NoGpu
from hotpath.kernels.cuda import driver

LIBRARIES = ("cupy", "pycuda")  # the first that is installed is used
# CUDA's libraries that CuPy is linked with -> Debian's package, before the version of CUDA
CUDA_LIBRARIES = {name: "lib" + name for name in "cublas cufft curand cusolver cusparse".split()}
CUDA_LIBRARIES.update(nvrtc="cuda-nvrtc", cudart="cuda-cudart")

Method = TypeVar("Method", bound=Callable[..., Any])


class CudaDevice:
    """A GPU. Its methods raise ``GpuFailed``.

    The thread that opened it may use it, and others inside ``current``, one thread at a time.

    Uploads, downloads and launches return at once; a pinned array must be kept until its copy is
    done. Streams, events, modules and kernels are objects of the library. Each library's class adds

        stream(), event(), handle(stream)    new ones; the driver's handle of a stream
        module(path), kernel(module, name)   of a cubin or PTX file
        elapsed_ms(first, second)            between two events that have happened

    Attributes:
        name: name of the library.
        errors: exceptions that it raises.
        capability: compute capability, such as 87.
        driver_version: newest CUDA version that the driver supports, such as 12060.
    """

    name = ""
    errors: Tuple[Any, ...] = ()
    capability = driver_version = 0
    # how each library does it, without errors
    _alloc: Callable[..., Any]
    _address: Callable[..., int]
    _pinned: Callable[..., np.ndarray]
    _upload: Callable[..., None]
    _download: Callable[..., None]
    _launch: Callable[..., None]

    def __init__(self) -> None:
        self._memory: Dict[int, Any] = {}  # address -> allocation

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Let the calling thread use the GPU to the end of the block."""
        yield

    def alloc(self, size: int) -> int:
        """Return an address on the GPU, valid until ``free`` or ``close``."""
        memory = self._take(self._alloc, int(size))
        address = self._address(memory)
        self._memory[address] = memory
        return address

    def free(self, address: int) -> None:
        """Free what ``alloc`` gave."""
        self._memory.pop(address, None)

    def pinned(self, size: int, upload: bool = False) -> np.ndarray:
        """Return a uint8 array that the GPU can copy from and to by itself.

        ``upload`` says that the processor only writes to it, in order.
        """
        return self._take(self._pinned, int(size), upload)

    def _take(self, take: Callable[..., Any], size: int, *more: Any) -> Any:
        try:
            memory = take(size, *more)
        except self.errors as error:
            if "out of memory" not in str(error).lower():
                raise GpuFailed(f"the GPU gives no memory: {error}; start again") from None
            raise GpuFailed(
                f"the GPU has no {size / 1e6:.1f} MB left ({error}); close other programs on it"
            ) from None
        return memory

    def upload(self, address: int, array: np.ndarray, stream: Any) -> None:
        """Enqueue a copy of a pinned array to the GPU."""
        self._ask(self._upload, address, array, stream)

    def download(self, array: np.ndarray, address: int, stream: Any) -> None:
        """Enqueue a copy from the GPU to a pinned array."""
        self._ask(self._download, array, address, stream)

    def read(self, address: int, pitch: int, shape: Tuple[int, int], stream: Any) -> np.ndarray:
        """Copy rows of bytes from the GPU, and wait for them.

        Args:
            address: of the first row.
            pitch: bytes from row to row.
            shape: (rows, bytes of a row).
        """
        rows = np.empty(shape, np.uint8)
        result = driver.copy_rows(address, pitch, rows, self.handle(stream))
        if result:
            raise GpuFailed(f"the GPU can't be read ({result}); start the program again")
        self.synchronise(stream)
        return rows

    def wait_for(self, producer: int, stream: Any) -> None:
        """Let later work on a stream wait for what another program enqueued on its own."""
        result = driver.wait_for(producer, self.handle(stream))
        if result:
            raise GpuFailed(f"the stream of a frame can't be waited for ({result})")

    handle: Callable[[Any], int]

    def launch(
        self, kernel: Any, grid: Any, block: Any, arguments: Any, stream: Any, shared: int = 0
    ) -> None:
        """Enqueue a kernel.

        Args:
            grid, block: three numbers each.
            arguments: NumPy scalars of the kernel's own types; ``uint64`` for addresses.
            shared: bytes of dynamic shared memory of a block.
        """
        try:
            self._launch(kernel, grid, block, arguments, stream, shared)
        except self.errors as error:
            raise GpuFailed(f"the GPU refuses a kernel: {error}") from None

    def record(self, event: Any, stream: Any) -> None:
        """Enqueue an event."""
        self._ask(event.record, stream)

    def synchronise(self, waited: Any) -> None:
        """Wait for all work of a stream, or for an event."""
        self._ask(waited.synchronize)

    def close(self) -> None:
        """Free the memory. Nothing that this device gave may be used afterwards."""
        self._memory.clear()

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call the driver. It also reports errors of earlier work here."""
        try:
            function(*arguments)
        except self.errors as error:
            raise GpuFailed(f"the GPU stopped: {error}; start the program again") from None


def by_any_thread(method: Method) -> Method:
    """Let any thread call a method of an object that has a ``device``."""

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        with self.device.current():
            return method(self, *arguments, **options)

    return cast(Method, call)


def installed() -> List[str]:
    """Names of the libraries that are installed, the preferred one first."""
    return [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]


def open_device(library: str = "auto") -> Any:
    """Open the first GPU; ``CUDA_VISIBLE_DEVICES`` says which that is.

    Args:
        library: "auto", "cupy" or "pycuda".

    Returns:
        A ``CudaDevice``, see above.

    Raises:
        NoGpu: no driver, no GPU, or no library.
    """
    present = installed()
    if library == "auto":
        if not present:
            raise NoGpu(
                "neither CuPy nor PyCUDA is installed; run `python -m hotpath boards` for the one "
                "that "
                "this board takes, or `pip install cupy-cuda12x` (Nano: `pip install pycuda`)"
            )
        library = present[0]
    elif library not in LIBRARIES:
        raise NoGpu(f"{library!r} is no GPU library; name one of: cupy, pycuda")
    elif library not in present:
        raise NoGpu(f"{library} is not installed; run `python -m hotpath boards`")
    driver.let_threads_yield()  # both libraries report a missing driver with a page of text
    try:  # a wheel has another name for this package
        launch = importlib.import_module(f"{__package__}.{library}_launch")
    except ImportError as error:
        raise NoGpu(_not_imported(library, error)) from None
    return launch.DEVICE()


def _not_imported(library: str, error: ImportError) -> str:
    """Return why an installed library can't be imported, and the command that repairs it."""
    lacking = re.search(r"lib([a-z]+)\.so\S* cannot open", str(error))  # CuPy has a page of text
    if lacking is None or lacking.group(1) not in CUDA_LIBRARIES:
        why_not = why_broken(library)
        if why_not is not None and "NumPy" in why_not.why:
            return f"{library} can't be imported: {why_not.why}; run `{why_not.command}`"
        return f"{library} can't be imported: {error}; run `python -m hotpath boards`"
    version = driver.describe_gpu().driver.replace(".", "-")
    package = f"{CUDA_LIBRARIES[lacking.group(1)]}-{version}"
    return f"{library} is linked with CUDA's {package}; run `sudo apt-get install {package}`"
