"""The part of CuPy that kernels/cuda/cupy_launch.py may use, on the libcuda.so.1 that is found.

The real CuPy needs the real driver. A test checks that the real CuPy has every public name here.
"""

import ctypes

from cupy import cuda


class RawKernel:
    def __init__(self, function):
        self._function = function

    def compile(self):
        pass

    def __call__(self, grid, block, args, shared_mem=0):
        values = [ctypes.create_string_buffer(argument.tobytes()) for argument in args]
        places = (ctypes.c_void_p * len(values))(*[ctypes.addressof(value) for value in values])
        sizes = [ctypes.c_uint(size) for size in tuple(grid) + tuple(block) + (shared_mem,)]
        stream = ctypes.c_void_p(cuda._current[-1].ptr)
        launch = cuda.driver._library.cuLaunchKernel
        cuda.driver._check(launch(self._function, *sizes, stream, places, None))


class RawModule:
    def __init__(self, path=None):
        self.file_path = path
        self._module = None

    def get_function(self, name):
        library, check = cuda.driver._library, cuda.driver._check
        if self._module is None:
            self._module = ctypes.c_void_p()
            check(library.cuModuleLoad(ctypes.byref(self._module), self.file_path.encode()))
        function = ctypes.c_void_p()
        check(library.cuModuleGetFunction(ctypes.byref(function), self._module, name.encode()))
        return RawKernel(function)
