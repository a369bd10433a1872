"""The driver's library."""

import ctypes

library = ctypes.CDLL("libcuda.so.1")


def check(result):
    from cupy.cuda.driver import CUDADriverError

    if result:
        raise CUDADriverError(text(result))


def text(result):
    words = ctypes.c_char_p()
    library.cuGetErrorString(result, ctypes.byref(words))
    return words.value.decode()
