"""Errors of the driver, and its library."""

import ctypes

_library = ctypes.CDLL("libcuda.so.1")


class CUDADriverError(RuntimeError):
    pass


def _check(result, error=CUDADriverError):
    if result:
        words = ctypes.c_char_p()
        _library.cuGetErrorString(result, ctypes.byref(words))
        raise error(words.value.decode())
