"""Devices, memory, streams and events."""

import ctypes

from cupy.cuda import driver, memory, runtime

_current = []
_free = {}  # bytes of pinned memory -> addresses of such memory that nobody holds


class Device:
    def __init__(self, device=0):
        number = ctypes.c_int()
        runtime._check(driver._library.cuDeviceGet(ctypes.byref(number), device))
        self.id = number.value

    def use(self):
        context = ctypes.c_void_p()
        driver._library.cuDevicePrimaryCtxRetain(ctypes.byref(context), self.id)
        driver._library.cuCtxPushCurrent_v2(context)

    def __enter__(self):
        return self  # as the real one, it does not initialise the context of a thread

    def __exit__(self, *exception):
        pass

    @property
    def compute_capability(self):
        major, minor = ctypes.c_int(), ctypes.c_int()
        driver._library.cuDeviceComputeCapability(ctypes.byref(major), ctypes.byref(minor), self.id)
        return f"{major.value}{minor.value}"


class Stream:
    def __init__(self, non_blocking=False):
        handle = ctypes.c_void_p()
        driver._library.cuStreamCreate(ctypes.byref(handle), int(non_blocking))
        self.ptr = handle.value

    def synchronize(self):
        runtime._check(driver._library.cuStreamSynchronize(ctypes.c_void_p(self.ptr)))

    def wait_event(self, event):
        pair = ctypes.c_void_p(self.ptr), ctypes.c_void_p(event.ptr)
        runtime._check(driver._library.cuStreamWaitEvent(*pair, 0))

    def __enter__(self):
        _current.append(self)
        return self

    def __exit__(self, *exception):
        _current.pop()


class Event:
    def __init__(self, block=False):
        handle = ctypes.c_void_p()
        driver._library.cuEventCreate(ctypes.byref(handle), int(block))
        self.ptr = handle.value

    def record(self, stream):
        driver._library.cuEventRecord(ctypes.c_void_p(self.ptr), ctypes.c_void_p(stream.ptr))

    def synchronize(self):
        runtime._check(driver._library.cuEventSynchronize(ctypes.c_void_p(self.ptr)))


def get_elapsed_time(start_event, end_event):
    ms = ctypes.c_float()
    driver._library.cuEventElapsedTime(
        ctypes.byref(ms), ctypes.c_void_p(start_event.ptr), ctypes.c_void_p(end_event.ptr)
    )
    return ms.value


def alloc(size):
    return memory.MemoryPointer(size)


def alloc_pinned_memory(size):
    """Return a buffer of the pool, as the real CuPy does.

    It may be larger than requested. When nobody holds it any longer, the next request of its size
    gets the same memory, even if a copy is still to read it.
    """
    room = (size + 511) // 512 * 512
    free = _free.setdefault(room, [])
    if not free:
        address = ctypes.c_void_p()
        if driver._library.cuMemHostAlloc(ctypes.byref(address), ctypes.c_size_t(room), 0):
            raise memory.OutOfMemoryError(f"Out of memory allocating {size} bytes")
        free.append(address.value)
    methods = {"__del__": lambda block: free.append(ctypes.addressof(block))}
    return type("_Block", (ctypes.c_uint8 * room,), methods).from_address(free.pop())
