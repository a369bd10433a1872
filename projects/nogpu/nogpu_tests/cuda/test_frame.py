"""A whole frame on the GPU: real PyCUDA on a driver whose kernels are the product's own .cu files.

The tests run in processes with the fake driver (``nogpu_tests/conftest.py``).
"""

import ctypes
import threading

import numpy as np
import pytest

from hotpath.base.errors import GpuFailed
from hotpath.kernels import cpu
from hotpath.kernels.cuda import compile as compiler
from hotpath.kernels.cuda import device as devices
from hotpath.runtime.devices.gpu import GpuDevice
from hotpath_nogpu.cuda.counted_run import track
from hotpath_nogpu.cuda.engine import TinyGpuEngine
from hotpath_nogpu.cuda.film import Film, track_by_definition
from hotpath_nogpu.fake_gpu import STAND_IN, python
from tests.support.kernel_networks import network

pytestmark = pytest.mark.timeout(1500)
fake_gpu = pytest.mark.fake_gpu

SEEN = 312  # bytes of a window's places
ROW = 4 + 2 * 4 * 3  # of the features under one place
FEATURES = 4 * 3 * 256  # of a whole window
MAPS = 4 * 6 * 256


def download_bytes(windows, most=4):
    """Bytes of the one download of a call: places, and features under seven of each window."""
    return most * SEEN + 7 * windows * ROW


@pytest.fixture(scope="module")
def runs():
    """200 frames, eager and as a graph."""
    return track(graph=False, frames=200), track(graph=True, frames=200)


@pytest.fixture(scope="module")
def begun():
    """The first 40 frames, eager."""
    return track(graph=False, frames=40)


@fake_gpu()
def test_replay_equals_eager_and_the_definition_for_200_frames(runs):
    eager, replayed = runs
    assert not eager["uses_graph"] and replayed["uses_graph"]
    assert len(eager["states"]) == 200 and not eager["logged"] + replayed["logged"]
    assert eager["cells"] == replayed["cells"] and eager["scores"] == replayed["scores"]
    assert eager["features"] == replayed["features"]
    assert eager["states"].tobytes() == replayed["states"].tobytes()
    states, cells = track_by_definition(network(), Film(0), 200)
    assert eager["cells"] == cells
    np.testing.assert_allclose(eager["states"], states, rtol=0, atol=1e-6)
    assert eager["calls"] == 200 and replayed["calls"] == 0  # from Python


@fake_gpu()
def test_a_frame_allocates_nothing_and_synchronises_once(runs):
    for run, graphs in zip(runs, (0, 1)):
        counts = run["counts"]
        for name in ("allocations", "frees", "graphs", "modules"):
            assert counts[name] == 0, name
        assert counts["synchronisations"] == 200
        assert counts["uploads"] == 2 * 200 and counts["downloads"] == 200
        assert counts["download_bytes"] == 200 * download_bytes(1)
        # gather, crop, the network's two, places, pooling
        assert (counts["launches"], counts["graph_launches"]) == (200 * 6, 200 * graphs)
        assert 0 < counts["upload_bytes"] < 0.5 * 200 * 220 * 300 * 3  # the search region alone


COPIES = [
    pytest.param(marks=fake_gpu(FAKE_CUDA_EAGER_COPIES=eager), id="eager" + eager) for eager in "01"
]


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize((), COPIES)
@pytest.mark.parametrize("windows", [2, 3, 6])
def test_further_windows_change_nothing_and_are_one_submission(begun, windows, graph):
    """A search beside the target; more windows than one call takes are several calls."""
    found = track(graph=graph, windows=windows, frames=40)
    assert found["cells"] == begun["cells"]
    assert found["states"].tobytes() == begun["states"].tobytes()
    counts, calls = found["counts"], 1 if windows < 5 else 2
    assert counts["allocations"] == 0
    assert counts["synchronisations"] == 40 * calls
    assert counts["graph_launches"] == 40 * calls * graph
    sizes = [windows] if windows < 5 else [4, windows - 4]
    rows = sum(map(download_bytes, sizes))
    assert counts["download_bytes"] == 40 * (rows + windows * (FEATURES + MAPS))


@pytest.mark.parametrize("behaviour", ["overwrites", "synchronises", "allocates", "refuses"])
@fake_gpu()
def test_frames_run_step_by_step_where_a_graph_fails_or_differs(begun, behaviour):
    found = track(frames=10, behaviour=behaviour)
    assert not found["uses_graph"] and len(found["logged"]) == 1
    assert "step by step" in found["logged"][0]
    assert ("another result" in found["logged"][0]) == (behaviour == "overwrites")
    assert found["states"].tobytes() == begun["states"][:10].tobytes()


@pytest.mark.parametrize("graph", [False, True])
@fake_gpu()
def test_a_network_without_numbers_keeps_the_state_before(begun, graph):
    found = track(graph=graph, frames=12, poison=9)
    assert found["states"][:8].tobytes() == begun["states"][:8].tobytes()
    assert set(found["cells"][8:]) == {-1} and np.isnan(found["scores"][8:]).all()
    assert (found["states"][8:] == found["states"][7]).all()


each_library = pytest.mark.parametrize(
    "library",
    [
        pytest.param("pycuda", marks=fake_gpu()),
        pytest.param("cupy", marks=fake_gpu(site=STAND_IN)),
    ],
)


@each_library
def test_steps_are_timed_on_the_device(library):
    steps = track(timed=True, frames=3, library=library)["step_ms"]
    timed = ["crop", "download", "network", "select", "upload"]
    assert all(0 < steps[step] < 1000 for step in timed)


@each_library
@pytest.mark.parametrize("graph", [True, False])
def test_any_thread_may_use_what_another_one_opened(library, graph):
    options = dict(graph=graph, frames=6, library=library)
    elsewhere, here = track(elsewhere=True, **options), track(**options)
    assert elsewhere["states"].tobytes() == here["states"].tobytes()
    assert elsewhere["uses_graph"] == graph


@fake_gpu()
def test_only_a_lack_of_memory_is_called_so():
    gpu, messages = devices.open_device(), []

    def take():
        """Allocate in a thread that has no context."""
        try:
            gpu.alloc(100)
        except GpuFailed as error:
            messages.append(str(error))

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    gpu.close()
    assert messages[0].startswith("the GPU gives no memory: ") and "MB left" not in messages[0]


@pytest.mark.parametrize(
    "library",
    [
        pytest.param("pycuda", marks=fake_gpu(FAKE_CUDA_MEMORY="900000")),
        pytest.param("cupy", marks=fake_gpu(FAKE_CUDA_MEMORY="900000", site=STAND_IN)),
    ],
)
def test_a_full_gpu_is_a_sentence(library):
    with pytest.raises(GpuFailed, match=r"MB left \("):
        track(frames=2, library=library)


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param("no kernel image", marks=fake_gpu(FAKE_CUDA_CAPABILITY="53")),
        pytest.param("the GPU refuses a kernel", marks=fake_gpu()),
    ],
)
def test_another_gpus_kernels_and_wrong_arguments_are_sentences(messages):
    gpu = devices.open_device()
    with pytest.raises(GpuFailed, match=messages):
        module = gpu.module(compiler.binary(compiler.source("crop"), 87))
        kernel = gpu.kernel(module, "hp_crop")
        gpu.launch(kernel, (1, 1, 1), (32, 1, 1), [np.uint64(0)] * 3, gpu.stream())
    gpu.close()


@fake_gpu()
def test_only_the_memory_of_packed_frames_is_write_combined():
    gpu, fake, net = devices.open_device(), ctypes.CDLL("libcuda.so.1"), network(border="zero")
    engine = TinyGpuEngine(gpu, net)
    before = fake.fake_count(b"write_combined")
    windows = GpuDevice(net, engine, cpu.load())
    assert fake.fake_count(b"write_combined") == before + 1
    windows.exemplar(np.zeros((400, 400, 3), np.uint8), np.array((90.0, 90.0, 30.0, 30.0)))
    assert fake.fake_count(b"write_combined") == before + 2
    gpu.close()


OPEN = """
from hotpath.kernels.cuda import device
try:
    device.open_device({!r})
except Exception as error:
    print(type(error).__name__, error)
"""


def test_no_driver_and_no_library_are_sentences():
    printed = python(["-c", OPEN.format("auto")], driver=False)
    assert printed.startswith("NoGpu this computer has no NVIDIA driver")
    assert "python -m hotpath boards" in printed
    assert python(["-c", OPEN.format("cupy")]).startswith("NoGpu cupy is not installed")
    printed = python(["-c", OPEN.format("auto")], site=None)
    assert printed.startswith("NoGpu neither CuPy nor PyCUDA is installed")


def test_a_cupy_without_cudas_libraries_names_the_package(tmp_path):
    (tmp_path / "cupy.py").write_text(
        "raise ImportError('CuPy is not correctly installed.\\n\\nImportError: '\n"
        "    'libcublas.so.11: cannot open shared object file: No such file or directory')\n"
    )
    printed = python(["-c", OPEN.format("cupy")], site=str(tmp_path), FAKE_CUDA_VERSION="11040")
    assert printed == (
        "NoGpu cupy is linked with CUDA's libcublas-11-4; "
        "run `sudo apt-get install libcublas-11-4`\n"
    )


@each_library
def test_that_threads_yield_is_said_before_the_gpu_is_opened(library):
    gpu, fake = devices.open_device(library), ctypes.CDLL("libcuda.so.1")
    gpu.event()
    assert (fake.fake_count(b"context_flags"), fake.fake_count(b"event_flags")) == (2, 0)
    gpu.close()
