"""Launches the product's kernels on the processor, on NumPy arrays."""

import ctypes
import os

from hotpath_nogpu.cuda import build


class Failed(Exception):
    """A kernel stopped: not all threads reach a barrier, or the launch is not allowed."""


class Shim:
    """Runs kernels by name, directly on the memory of the arrays that it is given."""

    def __init__(self):
        self.library = ctypes.CDLL(os.path.join(build.driver(), "shim.so"))
        self.library.cuCtxPushCurrent_v2(None)

    def launch(self, name, grid, block, *arguments, **options):
        """Run a kernel; ints are 32 bits, floats doubles, None is address 0, ``shared`` bytes.

        Raises:
            Failed: it did not run to its end.
        """
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        image = f".version .entry {name}".encode()
        self.library.cuModuleLoadData(ctypes.byref(module), image)
        if self.library.cuModuleGetFunction(ctypes.byref(function), module, name.encode()):
            raise KeyError(name)
        values = [_value(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(
            *[ctypes.cast(ctypes.pointer(v), ctypes.c_void_p) for v in values]
        )
        sizes = [ctypes.c_uint(n) for n in three(grid) + three(block)]
        shared = ctypes.c_uint(options.get("shared", 0))
        result = self.library.cuLaunchKernel(function, *sizes, shared, None, pointers, None)
        result = result or self.library.cuCtxSynchronize()
        self.library.cuModuleUnload(module)
        if result:
            self.library.fake_recover()
            raise Failed(f"{name}: error {result}")


def _value(argument):
    if isinstance(argument, int):
        return ctypes.c_int(argument)
    if isinstance(argument, float):
        return ctypes.c_double(argument)
    return ctypes.c_void_p(None if argument is None else argument.ctypes.data)


def three(size):
    """The size of a grid or a block as three numbers."""
    size = (size,) if isinstance(size, int) else tuple(size)
    return size + (1,) * (3 - len(size))
