"""Memory on the GPU."""

import ctypes

from cupy.cuda import driver


class OutOfMemoryError(MemoryError):
    pass


class MemoryPointer:
    def __init__(self, size):
        address = ctypes.c_uint64()
        if driver._library.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size)):
            raise OutOfMemoryError(f"Out of memory allocating {size} bytes")
        self.ptr = address.value

    def __del__(self):
        if hasattr(self, "ptr"):
            driver._library.cuMemFree_v2(ctypes.c_uint64(self.ptr))
