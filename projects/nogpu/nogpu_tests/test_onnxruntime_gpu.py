"""ONNX Runtime on device memory, for which the host's and its CPU provider stand in here."""

import numpy as np
import pytest

from hotpath.runtime import engines
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.errors import NoEngine
from hotpath.runtime.networks import load_network
from hotpath_nogpu.cuda.onnx_engine import OnHost, close, open_both
from hotpath_nogpu.tensorrt.machine import HostDevice
from tests.support import tiny
from tests.support.errors import refusal

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def network(tmp_path):
    return load_network(tiny.write_network(tmp_path))


def opened(network):
    """The engine on a device that is the host's memory."""
    return OnHost(Setup(network, network.locate(), device=HostDevice()))


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
    device.upload(engine.place_of("exemplar"), engine.exemplar_crop, stream)
    device.upload(engine.place_of("search"), engine.search_crop, stream)
    own = {name: engine.place_of(name) for name in engine.features}
    before = dict(vars(device.counters))
    engine.run_exemplar(device.handle(stream), own)
    engine.run(device.handle(stream), 1)
    assert dict(vars(device.counters)) == before  # no copy, no allocation, no wait
    with pytest.raises(RuntimeError, match="its engine's stream"):
        engine.run(78, 1)
    for name, want in zip(engine.maps, wanted):
        got = np.zeros_like(want)
        device.download(got, engine.place_of(name), stream)
        np.testing.assert_array_equal(got, want)


def test_maps_and_features_are_those_of_the_processors_engine(tmp_path):
    for lossy in ({}, tiny.LOSSY):
        toml = tiny.write_network(tmp_path, tiny.watched(**lossy))
        network = load_network(toml)
        gpu = opened(network)
        host = engines.create("onnxruntime", network, network.locate())
        found = []
        for each in (gpu, host):
            each.exemplar_crop[...], each.search_crop[...] = pictures(3)
            found.append(each.search(each.exemplar()))
        for one, other in zip(*found):
            np.testing.assert_array_equal(one, other)
        if lossy:  # targets are watched
            np.testing.assert_array_equal(gpu.search_features, host.search_features)
        assert (gpu.search_features is None) == (not lossy)


def test_pips_cuda_libraries_are_loaded_before_the_provider(network, monkeypatch):
    loaded = []
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: loaded.append(True), raising=False)
    opened(network)
    assert loaded == [True]


@pytest.mark.fake_gpu()
def test_a_frame_with_onnx_runtime_is_never_captured(tmp_path):
    """Its providers synchronise in a run, which ends a capture with error 900."""
    gpu, _ = open_both(tiny.write_network(tmp_path), log=lambda line: None)
    assert not gpu.uses_graph
    close(gpu)


def test_an_onnx_runtime_without_the_provider_is_one_sentence(network):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has the CUDA provider")
    with refusal(NoEngine, "no provider", command="install onnxruntime-gpu"):
        engines.create("onnxruntime_gpu", network, network.locate())
