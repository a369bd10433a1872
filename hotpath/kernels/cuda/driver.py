"""The NVIDIA driver by ctypes: detect it, and read the properties of a GPU.

Call it before any library is loaded that needs the driver. Without a driver, TensorRT's own classes
end the process with a segmentation fault.
"""

import ctypes
from typing import NamedTuple

from hotpath.base.errors import NoGpu

LIBRARY = "libcuda.so.1"
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR

YIELD = 2  # CU_CTX_SCHED_YIELD


class Gpu(NamedTuple):
    """A GPU.

    Attributes:
        name: such as "Orin".
        compute_capability: such as "8.7".
        driver: the newest CUDA version that the driver supports, such as "12.6".
    """

    name: str
    compute_capability: str
    driver: str


def load() -> ctypes.CDLL:
    """Load the driver's library.

    Raises:
        NoGpu: there is none.
    """
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise NoGpu(
            f"this computer has no NVIDIA driver ({error}); run `python -m hotpath boards` to see "
            "what it "
            "has",
            what="no driver",
        ) from None


def describe_gpu() -> Gpu:
    """Ask the driver for the first GPU.

    Raises:
        NoGpu: no driver, a driver that does not start, or no such GPU.
    """
    library = load()
    _check(library, library.cuInit(0), "the NVIDIA driver does not start")
    handle, number, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(128)
    _check(library, library.cuDeviceGet(ctypes.byref(handle), 0), "there is no GPU")
    _check(library, library.cuDeviceGetName(name, 128, handle), "the driver gives no GPU name")
    capability = []
    for attribute in (MAJOR, MINOR):
        result = library.cuDeviceGetAttribute(ctypes.byref(number), attribute, handle)
        _check(library, result, "the driver gives no compute capability")
        capability.append(number.value)
    result = library.cuDriverGetVersion(ctypes.byref(number))
    _check(library, result, "the driver gives no version")
    version = f"{number.value // 1000}.{number.value % 1000 // 10}"
    return Gpu(name.value.decode("utf-8", "replace"), "{}.{}".format(*capability), version)


def let_threads_yield() -> None:
    """Let threads that wait for a GPU yield to others. Call it before a library opens the GPU.

    Without this, CUDA chooses by the number of cores and, on a Jetson, by its power profile. If the
    driver refuses because the GPU is open already, nothing changes.
    """
    library, handle = load(), ctypes.c_int()
    set_flags = getattr(library, "cuDevicePrimaryCtxSetFlags", None)  # _v2 from CUDA 11 on
    set_flags = getattr(library, "cuDevicePrimaryCtxSetFlags_v2", set_flags)
    if library.cuInit(0) == 0 and library.cuDeviceGet(ctypes.byref(handle), 0) == 0:
        if set_flags is not None:
            set_flags(handle, YIELD)


def error_text(library: ctypes.CDLL, result: int) -> str:
    """The driver's own description of an error."""
    words = ctypes.c_char_p()
    describe = getattr(library, "cuGetErrorString", None)
    if describe is None or describe(result, ctypes.byref(words)) or not words.value:
        return f"error {result}"
    return words.value.decode("utf-8", "replace")


def _check(library: ctypes.CDLL, result: int, what: str) -> None:
    if result:
        raise NoGpu(
            f"{what} ({error_text(library, result)}); run `python -m hotpath boards`",
            what="not started",
        )
