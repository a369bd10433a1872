"""A GPU through the library that is installed: CuPy, or PyCUDA where CuPy has no build (Nano).

Both ``cupy_launch`` and ``pycuda_launch`` define a class ``Device`` with the same few methods:

    device.name, device.capability (87), device.driver_version (12060), device.counters
    device.alloc(bytes)                 -> address on the GPU, valid until ``free`` or ``close``
    device.free(address)
    device.pinned(bytes, upload=False)  -> uint8 array that the GPU can copy from and to by itself;
                                        ``upload``: the processor only writes to it, in order
    device.stream()                     -> stream; ``device.handle(stream)`` is the driver's handle
    device.upload(address, array, stream), device.download(array, address, stream)
    device.module(path)                 -> module, from a cubin or PTX file
    device.kernel(module, name)         -> kernel
    device.launch(kernel, grid, block, arguments, stream, shared)
    device.synchronise(stream)
    device.event(), device.record(event, stream), device.wait(event), device.elapsed_ms(a, b)
    device.follow(stream, event)        later work on the stream waits for the event
    device.close()

Uploads, downloads and launches return at once; a pinned array must be kept until its copy is done.
On a Nano and a TX2 the processor's caches hold no pinned memory, since the GPU does not see them
(NVIDIA, "CUDA for Tegra"). Writes to write-combined memory are gathered into bursts. An upload
of ordinary memory would wait while the driver copies it into pinned memory of its own.
``arguments`` are NumPy scalars of the kernel's own types (``uint64`` for addresses). Use a device
only in the thread that opened it.
"""

import importlib
import importlib.util
from typing import Any, Dict, List

from kernels.cuda import driver
from kernels.errors import NoGpu

LIBRARIES = ("cupy", "pycuda")  # the first that is installed is used


class Counters:
    """How often a device was asked for what since it was opened."""

    def __init__(self) -> None:
        self.allocations = self.launches = self.graph_launches = self.synchronisations = 0
        self.uploads = self.upload_bytes = self.downloads = self.download_bytes = 0

    def read(self) -> Dict[str, int]:
        """All counters by name."""
        return dict(vars(self))

    def rewind(self, before: Dict[str, int]) -> Dict[str, int]:
        """Go back to an earlier ``read``; return the difference, for ``add``."""
        difference = {name: value - before[name] for name, value in vars(self).items()}
        vars(self).update(before)
        return difference

    def add(self, difference: Dict[str, int]) -> None:
        """Count work that was captured in a graph and is now launched."""
        for name, value in difference.items():
            setattr(self, name, getattr(self, name) + value)


def installed() -> List[str]:
    """Names of the libraries that are installed, the preferred one first."""
    return [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]


def open_device(library: str = "auto", index: int = 0) -> Any:
    """Open a GPU.

    Args:
        library: "auto", "cupy" or "pycuda".
        index: number of the GPU.

    Returns:
        A ``Device``, see above.

    Raises:
        NoGpu: no driver, no GPU, or no library.
    """
    present = installed()
    if library == "auto":
        if not present:
            raise NoGpu(
                "neither CuPy nor PyCUDA is installed; run `python -m boards` for the one that "
                "this board takes, or `pip install cupy-cuda12x` (Nano: `pip install pycuda`)"
            )
        library = present[0]
    elif library not in LIBRARIES:
        raise NoGpu(f"{library!r} is no GPU library; name one of: cupy, pycuda")
    elif library not in present:
        raise NoGpu(f"{library} is not installed; run `python -m boards`")
    driver.load()  # both libraries report a missing driver with a page of text
    return importlib.import_module(f"kernels.cuda.{library}_launch").Device(index)
