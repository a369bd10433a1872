"""Modules from files, and their kernels."""

import ctypes

from cupy.cuda import _current, _driver


class RawKernel:
    def __init__(self, function):
        self._function = function

    def compile(self):
        pass

    def __call__(self, grid, block, args, shared_mem=0):
        values = [ctypes.create_string_buffer(argument.tobytes()) for argument in args]
        places = (ctypes.c_void_p * len(values))(*[ctypes.addressof(value) for value in values])
        sizes = [ctypes.c_uint(size) for size in tuple(grid) + tuple(block) + (shared_mem,)]
        stream = ctypes.c_void_p(_current[-1].ptr)
        _driver.check(_driver.library.cuLaunchKernel(self._function, *sizes, stream, places, None))


class RawModule:
    def __init__(self, path=None):
        self.file_path = path
        self._module = None

    def get_function(self, name):
        library = _driver.library
        if self._module is None:
            self._module = ctypes.c_void_p()
            path = self.file_path.encode()
            _driver.check(library.cuModuleLoad(ctypes.byref(self._module), path))
        function = ctypes.c_void_p()
        _driver.check(
            library.cuModuleGetFunction(ctypes.byref(function), self._module, name.encode())
        )
        return RawKernel(function)
