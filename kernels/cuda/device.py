"""One GPU through whichever library there is: CuPy, or PyCUDA where CuPy has no build (Nano).

Both files give a class ``Device`` with the same few methods:

    device.name, device.capability (87), device.driver_version (12060), device.counters
    device.alloc(bytes)                 -> address on the GPU, kept until ``free`` or ``close``
    device.free(address)
    device.pinned(bytes)                -> uint8 array that the GPU can copy from and to by itself
    device.stream()                     -> stream; ``device.handle(stream)`` is the driver's handle
    device.upload(address, array, stream), device.download(array, address, stream)
    device.module(path)                 -> module, from a cubin or PTX
    device.kernel(module, name)         -> kernel
    device.launch(kernel, grid, block, arguments, stream, shared)
    device.synchronise(stream)
    device.event(), device.record(event, stream), device.wait(event), device.elapsed_ms(a, b)
    device.follow(stream, event)        what is put on the stream from now on waits for the event
    device.close()

Uploads, downloads and launches return at once. ``arguments`` are NumPy scalars of the kernel's own
types (``uint64`` for addresses). A device belongs to the thread that opened it.
"""

import ctypes
import importlib
import importlib.util

from kernels.cuda.errors import NoGpu

LIBRARIES = ("cupy", "pycuda")  # the first one installed is taken
DRIVER = "libcuda.so.1"


class Counters:
    """What a device was asked to do since it was opened."""

    def __init__(self):
        self.allocations = self.launches = self.graph_launches = self.synchronisations = 0
        self.uploads = self.upload_bytes = self.downloads = self.download_bytes = 0

    def read(self):
        """A dict of all of them."""
        return dict(vars(self))

    def take_back(self, before):
        """Return to what ``read`` gave before; returns the difference, for ``add``."""
        difference = {name: value - before[name] for name, value in vars(self).items()}
        vars(self).update(before)
        return difference

    def add(self, difference):
        """Count what was captured in a graph and is done now."""
        for name, value in difference.items():
            setattr(self, name, getattr(self, name) + value)


def driver():
    """The CUDA driver's library by ctypes.

    Raises:
        NoGpu: there is none.
    """
    try:
        return ctypes.CDLL(DRIVER)
    except OSError as error:
        raise NoGpu(
            "no NVIDIA driver here ({}); run `python -m boards` for what this computer has".format(
                error
            )
        ) from None


def installed():
    """Names of the libraries that are installed, the preferred one first."""
    return [name for name in LIBRARIES if importlib.util.find_spec(name) is not None]


def open_device(library="auto", index=0):
    """Open a GPU.

    Args:
        library: "auto", "cupy" or "pycuda".
        index: which GPU.

    Raises:
        NoGpu: no driver, no GPU, or no library.
    """
    there = installed()
    if library == "auto":
        if not there:
            raise NoGpu(
                "neither CuPy nor PyCUDA is installed; run `python -m boards` for the one that "
                "this board takes, or `pip install cupy-cuda12x` (Nano: `pip install pycuda`)"
            )
        library = there[0]
    elif library not in LIBRARIES:
        raise NoGpu("no GPU library is called {!r}; there are: cupy, pycuda".format(library))
    elif library not in there:
        raise NoGpu("{0} is not installed; run `python -m boards`".format(library))
    driver()  # their own words for a missing one are a page long
    return importlib.import_module("kernels.cuda.{}_launch".format(library)).Device(index)
