"""Memory between pages that no one may touch: an access beside it ends the process."""

import ctypes
import mmap

import numpy as np

PAGE = mmap.PAGESIZE


def guarded(shape, dtype, at_end):
    """An array of zeros, which ends where the memory ends or begins where it begins."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pages = -(-size // PAGE)
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for page in (0, pages + 1):
        if libc.mprotect(start + page * PAGE, PAGE, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = PAGE + (pages * PAGE - size if at_end else 0)
    return np.frombuffer(memory, dtype, int(np.prod(shape)), offset).reshape(shape)
