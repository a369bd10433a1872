"""CUDA graphs over the driver itself: what is put on a stream once, launched again as one thing.

A CuPy or PyCUDA stream is a handle of the driver, so this file serves both. Functions are looked up
by name: their versions came with CUDA 10.0 to 11.4, and where one is missing there is no graph.
"""

import ctypes

from kernels.cuda.errors import GpuFailed

PROVEN_FROM = 11000  # driver version; on CUDA 10.2 capture is there but not proven with TensorRT
OF_THIS_THREAD = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may go on as they like

HANDLE = ctypes.c_void_p


class NoGraph(Exception):
    """This driver has no graphs, or what was captured can't be one; the message says why."""


class Driver:
    """The driver's functions for graphs.

    Args:
        library: ``device.driver()``.

    Raises:
        NoGraph: one of them is missing.
    """

    def __init__(self, library):
        self.begin_capture = self._begin(library)
        self.end_capture = _function(library, ("cuStreamEndCapture",), HANDLE, HANDLE)
        self.instantiate = self._instantiate(library)
        self.launch = _function(library, ("cuGraphLaunch",), HANDLE, HANDLE)
        self.destroy = _function(library, ("cuGraphExecDestroy",), HANDLE)
        self.destroy_description = _function(library, ("cuGraphDestroy",), HANDLE)
        self._describe = getattr(library, "cuGetErrorString", None)

    @staticmethod
    def _begin(library):
        try:
            begin = _function(library, ("cuStreamBeginCapture_v2",), HANDLE, ctypes.c_int)
        except NoGraph:  # CUDA 10.0
            return _function(library, ("cuStreamBeginCapture",), HANDLE)
        return lambda stream: begin(stream, OF_THIS_THREAD)

    @staticmethod
    def _instantiate(library):
        try:
            name = ("cuGraphInstantiateWithFlags",)
            newest = _function(library, name, HANDLE, HANDLE, ctypes.c_ulonglong)
        except NoGraph:  # before CUDA 11.4; _v2 came with 11.0
            names = ("cuGraphInstantiate_v2", "cuGraphInstantiate")
            older = _function(library, names, HANDLE, HANDLE, HANDLE, HANDLE, ctypes.c_size_t)
            return lambda place, graph: older(place, graph, None, None, 0)
        return lambda place, graph: newest(place, graph, 0)

    def text(self, error):
        """The driver's own words for an error."""
        words = ctypes.c_char_p()
        if self._describe is None or self._describe(error, ctypes.byref(words)) or not words.value:
            return "error {}".format(error)
        return words.value.decode("utf-8", "replace")


class Graph:
    """What ``body`` puts on a stream, as one graph.

    Args:
        driver: ``Driver``.
        stream: the stream's handle; must not be the default one.
        body: called once; may launch and copy asynchronously, nothing else.

    Raises:
        NoGraph: the driver refused; the stream can be used as before.
    """

    def __init__(self, driver, stream, body):
        self._driver, self._graph = driver, None
        self._check(driver.begin_capture(stream), "capture does not begin")
        description, executable = HANDLE(), HANDLE()
        try:
            body()
        except Exception:
            driver.end_capture(stream, ctypes.byref(description))
            if description:
                driver.destroy_description(description)
            raise
        self._check(driver.end_capture(stream, ctypes.byref(description)), "capture does not end")
        try:
            result = driver.instantiate(ctypes.byref(executable), description)
        finally:
            driver.destroy_description(description)
        self._check(result, "the graph can't be made")
        self._graph = executable

    def launch(self, stream):
        """Put all of it on a stream.

        Raises:
            GpuFailed: the driver refused.
        """
        result = self._driver.launch(self._graph, stream)
        if result:
            raise GpuFailed("the GPU broke off: {}; start again".format(self._driver.text(result)))

    def close(self):
        """Give it back."""
        if self._graph is not None:
            self._driver.destroy(self._graph)
            self._graph = None

    def _check(self, result, what):
        if result:
            raise NoGraph("{}: {}".format(what, self._driver.text(result)))


def _function(library, names, *types):
    for name in names:
        function = getattr(library, name, None)
        if function is not None:
            function.argtypes = types
            function.restype = ctypes.c_int
            return function
    raise NoGraph("this driver has no {}".format(names[-1]))
