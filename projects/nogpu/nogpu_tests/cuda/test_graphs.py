"""CUDA graphs on drivers of several versions: a function that a driver lacks is named."""

import ctypes
import subprocess

import pytest

from hotpath.base.errors import GpuFailed
from hotpath.kernels.cuda import cuda_graphs
from tests.support.needs import needs_program

CUDA_10_2 = "cuStreamBeginCapture_v2 cuStreamEndCapture cuGraphInstantiate cuGraphLaunch"
CUDA_10_2 += " cuGraphExecDestroy cuGraphDestroy"
CUDA_11_0 = CUDA_10_2 + " cuGraphInstantiate_v2"
CUDA_12 = CUDA_11_0 + " cuGraphInstantiateWithFlags cuGetErrorString"


class Function:
    """A fake driver function: records its calls, writes through a pointer, and returns a result."""

    def __init__(self, name, library):
        self.name, self.library = name, library

    def __call__(self, *arguments):
        self.library.calls.append((self.name, len(arguments)))
        result = self.library.results.get(self.name, 0)
        if self.name == "cuGetErrorString":
            arguments[1]._obj.value = b"words of the driver"
        elif self.name == "cuStreamEndCapture" and not result:
            arguments[1]._obj.value = 77
        elif self.name.startswith("cuGraphInstantiate") and not result:
            arguments[0]._obj.value = 78
        return result


class Library:
    """A driver with some functions; ``results`` is a dict of name -> CUresult."""

    def __init__(self, names, **results):
        self.calls = []
        self.results = results
        for name in names.split():
            setattr(self, name, Function(name, self))

    def called(self):
        return [name for name, _ in self.calls]


@pytest.mark.parametrize(
    "names, instantiate",
    [
        (CUDA_10_2, ("cuGraphInstantiate", 5)),
        (CUDA_11_0, ("cuGraphInstantiate_v2", 5)),
        (CUDA_12, ("cuGraphInstantiateWithFlags", 3)),
    ],
)
def test_each_age_of_driver_is_called_by_its_own_names(names, instantiate):
    library = Library(names)
    graph = cuda_graphs.CudaGraph(
        cuda_graphs.GraphDriver(library), 5, lambda: library.calls.append(("body", 0))
    )
    graph.launch(5)
    graph.close()
    graph.close()
    assert library.calls == [
        ("cuStreamBeginCapture_v2", 2),
        ("body", 0),
        ("cuStreamEndCapture", 2),
        instantiate,
        ("cuGraphDestroy", 1),
        ("cuGraphLaunch", 2),
        ("cuGraphExecDestroy", 1),
    ]


@pytest.mark.parametrize("name", CUDA_10_2.split())
def test_a_driver_without_graphs_is_named(name):
    names = " ".join(n for n in CUDA_10_2.split() if n != name)
    with pytest.raises(cuda_graphs.NoGraph, match="this driver has no " + name):
        cuda_graphs.GraphDriver(Library(names))


@pytest.mark.parametrize(
    "name", ["cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"]
)
def test_a_refusal_has_the_drivers_words(name):
    library = Library(CUDA_12, **{name: 900})
    with pytest.raises(cuda_graphs.NoGraph, match="words of the driver"):
        cuda_graphs.CudaGraph(cuda_graphs.GraphDriver(library), 5, lambda: None)
    assert ("cuGraphDestroy" in library.called()) == (name == "cuGraphInstantiateWithFlags")
    del library.cuGetErrorString
    with pytest.raises(cuda_graphs.NoGraph, match="error 900"):
        cuda_graphs.CudaGraph(cuda_graphs.GraphDriver(library), 5, lambda: None)


RUNTIME = """
static int last;
int cudaSetLastError(int error) { return last = error; }
int cudaPeekAtLastError(void) { return last; }
int cudaGetLastError(void) { int error = last; last = 0; return error; }
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """A stand-in for CUDA's runtime library, loaded into this process."""
    needs_program("gcc")
    path = tmp_path_factory.mktemp("runtime") / "libcudart.so.12"
    path.with_suffix(".c").write_text(RUNTIME)
    command = ["gcc", "-shared", "-fPIC", "-o", str(path), str(path.with_suffix(".c"))]
    subprocess.check_call(command)
    return ctypes.CDLL(str(path))


@pytest.mark.parametrize("fails", ["body", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"])
def test_a_failed_capture_leaves_no_error_for_the_next_library(runtime, fails):
    def body():
        runtime.cudaSetLastError(900)
        if fails == "body":
            raise KeyError("the engine's own")

    library = Library(CUDA_12, **({} if fails == "body" else {fails: 901}))
    with pytest.raises(KeyError if fails == "body" else cuda_graphs.NoGraph):
        cuda_graphs.CudaGraph(cuda_graphs.GraphDriver(library), 5, body)
    assert runtime.cudaPeekAtLastError() == 0
    if fails == "body":
        assert library.called()[-2:] == ["cuStreamEndCapture", "cuGraphDestroy"]


def test_a_launch_that_fails_is_a_sentence():
    library = Library(CUDA_12, cuGraphLaunch=719)
    graph = cuda_graphs.CudaGraph(cuda_graphs.GraphDriver(library), 5, lambda: None)
    with pytest.raises(GpuFailed, match="words of the driver"):
        graph.launch(5)
