"""Functions of the CUDA runtime, built on those of the driver."""

import ctypes

from cupy.cuda import _driver

memcpyHostToDevice = 1
memcpyDeviceToHost = 2


class CUDARuntimeError(RuntimeError):
    pass


def _check(result):
    if result:
        raise CUDARuntimeError(_driver.text(result))


def driverGetVersion():
    version = ctypes.c_int()
    _check(_driver.library.cuDriverGetVersion(ctypes.byref(version)))
    return version.value


def memcpyAsync(dst, src, size, kind, stream):
    size, stream = ctypes.c_size_t(size), ctypes.c_void_p(stream)
    if kind == memcpyHostToDevice:
        copy, to, source = (
            _driver.library.cuMemcpyHtoDAsync_v2,
            ctypes.c_uint64(dst),
            ctypes.c_void_p(src),
        )
    else:
        copy, to, source = (
            _driver.library.cuMemcpyDtoHAsync_v2,
            ctypes.c_void_p(dst),
            ctypes.c_uint64(src),
        )
    _check(copy(to, source, size, stream))
