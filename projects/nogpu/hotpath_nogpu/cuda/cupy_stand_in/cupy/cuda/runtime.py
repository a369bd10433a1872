"""Functions of the CUDA runtime, built on those of the driver."""

import ctypes

from cupy.cuda import driver

memcpyHostToDevice = 1
memcpyDeviceToHost = 2


class CUDARuntimeError(RuntimeError):
    pass


def _check(result):
    driver._check(result, CUDARuntimeError)


def driverGetVersion():
    version = ctypes.c_int()
    _check(driver._library.cuDriverGetVersion(ctypes.byref(version)))
    return version.value


def free(ptr):
    """Do nothing but what the real one does first: make the primary context current."""
    context = ctypes.c_void_p()
    _check(driver._library.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
    _check(driver._library.cuCtxPushCurrent_v2(context))


def memcpyAsync(dst, src, size, kind, stream):
    direction = "HtoD" if kind == memcpyHostToDevice else "DtoH"
    copy = getattr(driver._library, f"cuMemcpy{direction}Async_v2")
    _check(copy(*map(ctypes.c_void_p, (dst, src)), ctypes.c_size_t(size), ctypes.c_void_p(stream)))
