"""An INT8 network takes bytes where its quantiser keeps every byte, and gives the same maps."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kernels.golden import pack
from runtime import engines
from runtime.graphs import assemble, byte_pictures
from runtime.networks import load_network
from tests.conftest import ROOT

ENGINES = ("openvino", "onnxruntime")


@pytest.fixture(scope="module")
def kestrel():
    return load_network(str(ROOT / "runtime" / "networks" / "int8" / "kestrel-int8.toml"))


def _maps(engine, network, seed):
    """The maps of a random picture, written into the engine's input as a tracker does."""
    noise = np.random.RandomState(seed)
    _put(engine.exemplar_crop, network, noise)
    features = engine.exemplar()
    _put(engine.search_crop, network, noise)
    return [array.copy() for array in engine.search(features)]


def _put(crop, network, noise):
    picture = noise.randint(0, 256, crop.shape[2:] + (3,)).astype(np.uint8)
    crop[...] = pack(picture, network.mean, network.scale, False, crop.dtype)


@pytest.mark.parametrize("name", ENGINES)
def test_bytes_give_the_maps_of_normalised_pictures_to_the_bit(kestrel, name, monkeypatch):
    pytest.importorskip(name)
    paths = kestrel.locate()
    with_bytes = engines.create(name, kestrel, paths)
    assert with_bytes.search_crop.dtype == with_bytes.exemplar_crop.dtype == np.uint8
    assert with_bytes.describe()["precision"] == "int8"
    monkeypatch.setattr(byte_pictures, "with_byte_pictures", lambda network, graphs: graphs)
    with_floats = engines.create(name, kestrel, paths)
    assert with_floats.search_crop.dtype == np.float32
    for seed in range(3):
        pairs = zip(_maps(with_bytes, kestrel, seed), _maps(with_floats, kestrel, seed))
        for got, want in pairs:
            np.testing.assert_array_equal(got, want)
    with_bytes.close()
    with_floats.close()


@pytest.mark.parametrize(
    ("step", "zero", "is_kept"),
    [
        (1 / 58, 118, True),  # kestrel's own
        (1 / 58.2, 118, True),  # half a step is not reached
        (1 / 58.4, 118, False),
        (1 / 58, 117, False),
        (1 / 29, 118, False),
        (1 / 58, 118 - 128, False),  # signed bytes
    ],
)
def test_a_quantiser_goes_only_where_it_keeps_all_bytes(kestrel, step, zero, is_kept):
    model = _quantising(step, zero)
    graphs = assemble.Graphs(model, model, ("y",), ("x", "x"), ("y",))
    got = byte_pictures.with_byte_pictures(kestrel, graphs)
    assert (byte_pictures.dtype_of(got.search, "x") == np.uint8) is is_kept
    assert len(got.search.graph.node) == (1 if is_kept else 2)
    onnx.checker.check_model(got.search)
    assert len(model.graph.node) == 2  # not changed


def test_float32_networks_stay_as_they_are(kestrel):
    network = load_network("kestrel")
    graphs = assemble.build(network, network.locate())
    got = byte_pictures.with_byte_pictures(network, graphs)
    assert got.search is graphs.search
    assert got.exemplar is graphs.exemplar


def _quantising(step, zero):
    """A model that quantises its input and nothing else."""
    value = np.array(zero, np.uint8 if zero >= 0 else np.int8)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 5, 5)) for name in ("x", "y")
    ]
    parts = [
        numpy_helper.from_array(np.array(step, np.float32), "step"),
        numpy_helper.from_array(value, "zero"),
    ]
    graph = helper.make_graph(nodes, "bytes", ends[:1], ends[1:], parts)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
