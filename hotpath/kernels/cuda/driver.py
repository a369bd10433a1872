"""The NVIDIA driver by ctypes: detect it, and read the properties of a GPU.

Call it before any library is loaded that needs the driver. Without a driver, TensorRT's own classes
end the process with a segmentation fault.
"""

import ctypes
from typing import Any, NamedTuple

from hotpath.base.errors import NoGpu

LIBRARY = "libcuda.so.1"
MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR

NO_TIMING = 2  # CU_EVENT_DISABLE_TIMING
YIELD = 2  # CU_CTX_SCHED_YIELD


class GpuFacts(NamedTuple):
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


def describe_gpu() -> GpuFacts:
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
    return GpuFacts(name.value.decode("utf-8", "replace"), "{}.{}".format(*capability), version)


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


class _Copy(ctypes.Structure):
    """CUDA_MEMCPY2D: of device memory to the host's, or the other way."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("from_x", "from_y")),
        ("from_kind", ctypes.c_uint),
        *((name, ctypes.c_uint64) for name in ("from_host", "from_device", "from_array")),
        ("from_pitch", ctypes.c_size_t),
        *((name, ctypes.c_size_t) for name in ("to_x", "to_y")),
        ("to_kind", ctypes.c_uint),
        *((name, ctypes.c_uint64) for name in ("to_host", "to_device", "to_array")),
        ("to_pitch", ctypes.c_size_t),
        *((name, ctypes.c_size_t) for name in ("width", "height")),
    ]


HOST, DEVICE = 1, 2  # CU_MEMORYTYPE_


def copy_rows(address: int, pitch: int, rows: Any, stream: int) -> str:
    """Enqueue a copy of rows of bytes to a dense array (n, bytes); returns the error, or ""."""
    library = load()
    copy = _Copy(from_kind=DEVICE, from_device=address, from_pitch=pitch, to_kind=HOST)
    copy.to_host, copy.to_pitch = rows.ctypes.data, rows.shape[1]
    copy.width, copy.height = rows.shape[1], rows.shape[0]
    result = library.cuMemcpy2DAsync_v2(ctypes.byref(copy), ctypes.c_void_p(stream))
    return error_text(library, result) if result else ""


def wait_for(producer: int, stream: int) -> str:
    """Let a stream wait for the work that is on another one now; returns the error, or ""."""
    library, event = load(), ctypes.c_void_p()
    result = library.cuEventCreate(ctypes.byref(event), NO_TIMING)
    if not result:
        result = library.cuEventRecord(event, ctypes.c_void_p(producer))
        result = result or library.cuStreamWaitEvent(ctypes.c_void_p(stream), event, 0)
        library.cuEventDestroy_v2(event)  # which the driver does when the event has happened
    return error_text(library, result) if result else ""


def _check(library: ctypes.CDLL, result: int, what: str) -> None:
    if result:
        raise NoGpu(
            f"{what} ({error_text(library, result)}); run `python -m hotpath boards`",
            what="not started",
        )
