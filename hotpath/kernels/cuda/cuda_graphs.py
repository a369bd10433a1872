"""CUDA graphs through the driver: capture work of a stream once, launch it again as one graph.

A stream of CuPy or PyCUDA is a handle of the driver, so this file serves both. The functions are
looked up by name, because their versions came with CUDA 10.1 to 11.4. Where one is missing, the
driver has no graphs.
"""

import ctypes
import os
import re
from typing import Any, Callable, Sequence

from hotpath.base.errors import GpuFailed
from hotpath.kernels.cuda.driver import error_text

THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may use the GPU as they like

HANDLE = ctypes.c_void_p


class NoGraph(Exception):
    """This driver has no graphs, or it refused this one. The message says why."""


class GraphDriver:
    """The driver's functions for graphs.

    Args:
        library: from ``driver.load``.

    Raises:
        NoGraph: one of them is missing.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        begin = _function(library, ("cuStreamBeginCapture_v2",), HANDLE, ctypes.c_int)
        self.begin_capture = lambda stream: begin(stream, THREAD_LOCAL)
        self.end_capture = _function(library, ("cuStreamEndCapture",), HANDLE, HANDLE)
        self.instantiate = self._instantiate(library)
        self.launch = _function(library, ("cuGraphLaunch",), HANDLE, HANDLE)
        self.destroy = _function(library, ("cuGraphExecDestroy",), HANDLE)
        self.destroy_description = _function(library, ("cuGraphDestroy",), HANDLE)

    @staticmethod
    def _instantiate(library: ctypes.CDLL) -> Callable[[Any, Any], int]:
        try:
            name = ("cuGraphInstantiateWithFlags",)
            newest = _function(library, name, HANDLE, HANDLE, ctypes.c_ulonglong)
        except NoGraph:  # before CUDA 11.4; _v2 came with 11.0
            names = ("cuGraphInstantiate_v2", "cuGraphInstantiate")
            older = _function(library, names, HANDLE, HANDLE, HANDLE, HANDLE, ctypes.c_size_t)
            return lambda place, graph: older(place, graph, None, None, 0)
        return lambda place, graph: newest(place, graph, 0)

    def text(self, error: int) -> str:
        """The driver's own description of an error."""
        return error_text(self._library, error)


class CudaGraph:
    """The work that ``body`` puts on a stream, as one graph.

    Args:
        driver: ``GraphDriver``.
        stream: handle of a stream, not of the default one.
        body: called once. It may launch kernels and copy asynchronously, nothing else.

    Raises:
        NoGraph: the driver refused. The stream can be used as before.
    """

    def __init__(self, driver: GraphDriver, stream: int, body: Callable[[], None]) -> None:
        self._driver, self._graph = driver, None  # type: GraphDriver, Any
        self._check(driver.begin_capture(stream), "capture does not begin")
        description, executable = HANDLE(), HANDLE()
        try:
            body()
        except Exception:
            driver.end_capture(stream, ctypes.byref(description))
            if description:
                driver.destroy_description(description)
            clear_last_error()
            raise
        self._check(driver.end_capture(stream, ctypes.byref(description)), "capture does not end")
        try:
            result = driver.instantiate(ctypes.byref(executable), description)
        finally:
            driver.destroy_description(description)
        self._check(result, "the graph can't be made")
        self._graph = executable

    def launch(self, stream: int) -> None:
        """Put the whole graph on a stream.

        Raises:
            GpuFailed: the driver refused.
        """
        result = self._driver.launch(self._graph, stream)
        if result:
            text = self._driver.text(result)
            raise GpuFailed(f"the GPU stopped: {text}; start the program again")

    def close(self) -> None:
        """Free the graph."""
        if self._graph is not None:
            self._driver.destroy(self._graph)
            self._graph = None

    def _check(self, result: int, what: str) -> None:
        if result:
            clear_last_error()
            raise NoGraph(f"{what}: {self._driver.text(result)}")


def clear_last_error() -> None:
    """Clear the error that CUDA's runtime library keeps after a failed call.

    The next library that asks for errors would report it as its own. The runtime library is not
    loaded for this: each copy of it that is in the process is asked.
    """
    try:
        with open("/proc/self/maps") as file:
            paths = set(re.findall(r"/\S*libcudart[^/\s]*\.so\S*", file.read()))
    except OSError:
        return
    for path in paths:
        try:
            ctypes.CDLL(path, mode=os.RTLD_NOLOAD).cudaGetLastError()
        except (OSError, AttributeError):
            continue


def _function(library: ctypes.CDLL, names: Sequence[str], *types: Any) -> Any:
    for name in names:
        function = getattr(library, name, None)
        if function is not None:
            function.argtypes = types
            function.restype = ctypes.c_int
            return function
    raise NoGraph(f"this driver has no {names[-1]}")
