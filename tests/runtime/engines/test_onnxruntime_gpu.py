"""ONNX Runtime on device memory, for which the host's and its CPU provider stand in here."""

import ctypes

import numpy as np
import pytest

from runtime import engines
from runtime.engines import onnxruntime_gpu as adapter
from runtime.engines.base import Setup
from runtime.errors import NoEngine
from runtime.networks import load_network
from tests.fakes.tensorrt.machine import Device
from tests.support import tiny
from tests.support.fake_gpu import python

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def network(tmp_path):
    return load_network(tiny.write_network(tmp_path))


@pytest.fixture(autouse=True)
def provider(monkeypatch):
    monkeypatch.setitem(adapter.PROVIDERS, "test", (("CPUExecutionProvider",), "cpu"))


def opened(network):
    """The engine on a device that is the host's memory."""
    settings = {"provider": "test"}
    return adapter.Engine(Setup(network, network.locate(), device=Device(), settings=settings))


@pytest.fixture
def engine(network):
    return opened(network)


def pictures(seed):
    random = np.random.RandomState(seed)
    return [random.uniform(0, 255, (1, 3, side, side)).astype(np.float32) for side in (127, 255)]


def test_the_device_interface_copies_nothing_through_the_host(engine):
    device, stream = engine.device, engine.stream
    engine.exemplar_crop[...], engine.search_crop[...] = pictures(4)
    wanted = [array.copy() for array in engine.search(engine.exemplar())]
    device.upload(engine.exemplar_input, engine.exemplar_crop, stream)
    device.upload(engine.search_input, engine.search_crop, stream)
    features = engine.new_features()
    before = device.counters.read()
    engine.exemplar_device(device.handle(stream), features)
    engine.search_device(device.handle(stream), features)
    assert device.counters.read() == before  # no copy, no allocation, no wait
    with pytest.raises(RuntimeError, match="its engine's stream"):
        engine.search_device(78, features)
    for address, want in zip(engine.maps, wanted):
        got = np.zeros_like(want)
        device.download(got, address, stream)
        np.testing.assert_array_equal(got, want)


def test_several_search_regions_have_places_of_their_own(engine):
    device, stream = engine.device, engine.stream
    engine.exemplar_crop[...], _ = pictures(4)
    features, regions = engine.exemplar(), [pictures(seed)[1] for seed in range(3)]
    wanted = []
    for region in regions:
        engine.search_crop[...] = region
        wanted.append([array.copy() for array in engine.search(features)])
    engine.reserve(3)
    handle, mine = device.handle(stream), engine.new_features()
    engine.exemplar_device(handle, mine)
    for place, region in enumerate(regions):
        ctypes.memmove(
            engine.search_input + place * region.nbytes, region.ctypes.data, region.nbytes
        )
    for place in range(3):
        engine.search_device(handle, mine, place)
    for index, address in enumerate(engine.maps):
        for place, want in enumerate(wanted):
            got = np.zeros_like(want[index])
            ctypes.memmove(got.ctypes.data, address + place * got.nbytes, got.nbytes)
            np.testing.assert_array_equal(got, want[index])
    engine.search_crop[...] = regions[1]  # the host's way still works, at the first place
    np.testing.assert_array_equal(engine.search(features)[0], wanted[1][0])


def test_maps_and_features_of_the_search_region_are_those_of_the_processors_engine(tmp_path):
    for lost_below in (0.0, 0.5):
        toml = tiny.write_network(tmp_path, tiny.watched(lost_below=lost_below))
        network = load_network(toml)
        gpu = opened(network)
        host = engines.create("onnxruntime", network, network.locate())
        before = gpu.device.counters.downloads
        found = []
        for each in (gpu, host):
            each.exemplar_crop[...], each.search_crop[...] = pictures(3)
            found.append(each.search(each.exemplar()))
        for one, other in zip(*found):
            np.testing.assert_array_equal(one, other)
        address, shape = gpu.search_features_device
        got = np.zeros(shape, np.float32)
        gpu.device.download(got, address, gpu.stream)
        np.testing.assert_array_equal(got, host.search_features)
        features = len(gpu._features)
        if lost_below:  # targets are watched
            np.testing.assert_array_equal(gpu.search_features, host.search_features)
        assert (gpu.search_features is None) == (lost_below == 0)
        assert gpu.device.counters.downloads - before == features + 2 + (lost_below > 0) + 1


def test_cudas_libraries_from_pip_are_loaded_before_the_provider_is_used(network, monkeypatch):
    loaded = []
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: loaded.append(True), raising=False)
    opened(network)
    assert loaded == [True]


FRAME = """
from kernels.cuda import device
from runtime.engines import onnxruntime_gpu as adapter
from runtime.engines.base import Setup
from runtime.networks import load_network
from runtime.devices.gpu import Gpu
from runtime.tracker import Tracker
adapter.PROVIDERS["test"] = (("CPUExecutionProvider",), "cpu")
network, gpu = load_network({!r}), device.open_device()
setup = Setup(network, network.locate(), device=gpu, settings={{"provider": "test"}})
engine = adapter.Engine(setup)
trackers = [Tracker(Gpu(network, engine, graph=graph)) for graph in (False, True)]
print([tracker.device.uses_graph for tracker in trackers])
gpu.close()
"""


def test_a_frame_with_onnx_runtime_is_never_captured(tmp_path):
    """Its providers synchronise in a run, which ends a capture with error 900."""
    code = FRAME.format(str(tiny.write_network(tmp_path)))
    assert python(["-c", code]) == "[False, False]\n"


def test_an_onnx_runtime_without_the_provider_is_one_sentence(network):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has the CUDA provider")
    with pytest.raises(NoEngine, match="has no CUDAExecutionProvider.*install onnxruntime-gpu"):
        engines.create("onnxruntime_gpu", network, network.locate())
