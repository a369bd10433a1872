"""The GPU gives for each window what the processor gives: boxes, features, maps."""

import numpy as np
import pytest

from hotpath.base.errors import GpuFailed
from hotpath.kernels import cpu
from hotpath.kernels.cuda import compile as compiler
from hotpath.kernels.cuda import cuda_windows
from hotpath.kernels.cuda import device as devices
from hotpath.kernels.settings import ARGMAX, SelectionPrior
from hotpath.runtime.devices.base import WindowRequest
from hotpath.runtime.devices.gpu import GpuDevice
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.identity.learner.numpy_definition import Pooling
from hotpath.runtime.identity.learner.ridge import samples_of
from hotpath.runtime.search.regions import PRIORS
from hotpath_nogpu.cuda.engine import TinyGpuEngine
from hotpath_nogpu.cuda.film import Film
from hotpath_nogpu.tensorrt import machine
from nogpu_tests.cuda.test_frame import COPIES
from tests.support import kernel_networks as networks

# a network that is small enough for the interpreter
SMALL = {"exemplar": 31, "search": 63, "map_size": 5, "stride": 8, **networks.LOSSY}
PATH = Film(0)
STATES = [np.array(PATH.state), np.array((70.5, 60.0, 31, 44)), np.array((200.0, 180.0, 60, 50))]


PEAKS, WIDE = SelectionPrior(most=7, share=0.2), PRIORS["wide"]


def lists(exemplars):
    """One target, three targets, and a search of four windows beside a target."""
    yield [WindowRequest(exemplars[0], STATES[0])]
    yield [WindowRequest(own, state) for own, state in zip(exemplars, STATES)]
    places = [(40.0, 30.0), (250.0, 40.0), (30.0, 200.0), (290.0, 210.0)]
    sides = (1.0, 1.44, 2.0, 1.0)
    search = [
        WindowRequest(exemplars[1], np.array([*at, 31.0, 44.0]), factor, None)
        for at, factor in zip(places, sides)
    ]
    yield search
    yield [
        WindowRequest(exemplars[1], np.array([*at, 31.0, 44.0]), factor, prior, False)
        for at, factor, prior in zip(places, sides, (WIDE, PEAKS, ARGMAX, PEAKS))
    ]
    yield [WindowRequest(exemplars[0], STATES[0]), *search, WindowRequest(exemplars[2], STATES[2])]


MEAN = np.random.RandomState(2).normal(0, 9, (1, 3, 25)).astype(np.float32)[0].mean(axis=1)
POOLING = Pooling(MEAN, 5, SMALL["stride"], 2, 1.0)


def compare(gpu, processor):
    """Check that both devices see the same in every list of windows."""
    first, second = PATH.frame(0), PATH.frame(1)
    gpu_owns, owns = ([d.exemplar(first, s) for s in STATES] for d in (gpu, processor))
    for ours, theirs in zip(lists(gpu_owns), lists(owns)):
        (found, _), (wanted, _) = gpu.run(second, ours), processor.run(second, theirs)
        assert len(found) == len(wanted)
        for request, one, other in zip(ours, found, wanted):
            assert one.around is request.around and one.scale == other.scale
            assert (one.maps is None) == (other.maps is None) == (request.prior is not None)
            if request.reads:
                np.testing.assert_array_equal(one.features, other.features)
            else:
                assert one.features is None
            if request.prior:
                np.testing.assert_allclose(one.states, other.states, rtol=0, atol=1e-6)
                np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-6)
                assert list(one.cells) == list(other.cells)
                described = POOLING.describe(other.features, one.states, one.around, one.scale)
                pooled = samples_of(one.pooled, np.tile(MEAN, 2**2))
                np.testing.assert_allclose(pooled, described, rtol=0, atol=1e-5)
            for values, expected in zip(one.maps or (), other.maps or ()):
                np.testing.assert_array_equal(values, expected)
    return found


# in the second case a download has two rows of features, and all others are a further one
@pytest.mark.parametrize("most", [16 << 10, 4 * 312 + 2 * 28])
@pytest.mark.parametrize((), COPIES)
@pytest.mark.parametrize(
    "changes", [{}, {"crop": "stretched", "exemplar_margin": 0.2, "search_margin": 1.0}]
)
def test_boxes_of_every_list_of_windows_are_the_processors(monkeypatch, most, changes):
    monkeypatch.setattr(cuda_windows, "MOST_BYTES", most)
    device, net = devices.open_device(), networks.network(**dict(SMALL, **changes))
    for graph in (False, True):
        on = GpuDevice(net, TinyGpuEngine(device, net), cpu.load(), graph=graph)
        assert on.uses_graph == graph
        compare(on, CpuDevice(net, TinyGpuEngine(device, net), cpu.load()))
    device.close()


class BrokenGpu(machine.HostDevice):
    """A device that computes nothing, whose uploads fail from one on."""

    fails_at = None

    def kernel(self, module, name):
        return name

    def launch(self, kernel, grid, block, arguments, stream, shared=0):
        if kernel == "hp_layout":
            from hotpath.kernels.cuda import frame_structures

            numbers = np.array(frame_structures.layout(), np.int32)
            self.upload(int(arguments[0]), numbers.view(np.uint8), stream)

    def upload(self, address, array, stream):
        if self.fails_at is not None and self.counters.uploads >= self.fails_at:
            raise GpuFailed("no memory")
        super().upload(address, array, stream)


def broken(monkeypatch):
    """(a ``BrokenGpu`` device, an engine on it, a ``GpuDevice`` without CUDA graphs)."""
    monkeypatch.setattr(compiler, "binary", lambda path, *rest: path)
    device, net = BrokenGpu(), networks.network(**SMALL)
    engine = TinyGpuEngine(device, net)
    engine.capturable = False
    return device, engine, GpuDevice(net, engine, cpu.load())


@pytest.mark.parametrize("after", [0, 1])
def test_windows_whose_upload_fails_wait_for_what_is_in_flight(monkeypatch, after):
    device, engine, gpu = broken(monkeypatch)
    exemplar = gpu.exemplar(PATH.frame(0), STATES[0])
    before = dict(vars(device.counters))
    device.fails_at = before["uploads"] + after
    with pytest.raises(GpuFailed):
        gpu.run(PATH.frame(1), [WindowRequest(exemplar, STATES[0])])
    assert device.counters.uploads == device.fails_at
    assert device.counters.synchronisations == before["synchronisations"] + after


class Uncached(np.ndarray):
    """Pinned memory that no cache holds: it may be copied, and nothing else."""

    def __array_ufunc__(self, *arguments, **options):
        raise AssertionError("numbers are read one by one")

    astype = __array_ufunc__

    def copy(self):
        return np.array(memoryview(self.view(np.uint8).data)).view(self.dtype)


@pytest.mark.parametrize("count", [1, 3])
def test_pinned_memory_is_read_by_one_copy(monkeypatch, count):
    _, engine, gpu = broken(monkeypatch)
    windows = gpu._windows
    apart, size = engine.apart("seen") // 4, engine.size("seen") // 4
    assert apart > size
    values = np.arange(4 * apart, dtype=np.float32)
    windows._rooms["seen"] = values.view(np.uint8).view(Uncached)
    found = windows._floats("seen", count)
    assert type(found) is np.ndarray and found.shape == (count, 1, 3, 25)
    rows = values.reshape(4, apart)[:count, :size]
    np.testing.assert_array_equal(found.reshape(count, -1), rows)
    assert not np.shares_memory(found, values)
