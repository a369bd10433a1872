"""A network that takes the channels of a pixel side by side gives the same maps."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kernels.golden import pack
from runtime import engines
from runtime.engines import openvino
from runtime.graphs import batch, byte_pictures
from runtime.networks import load_network
from tests.conftest import ROOT


def shipped(form):
    return load_network(str(ROOT / "runtime" / "networks" / form))


def maps(engine, network, seed):
    """The maps of a random picture, written into the engine's input as a tracker does."""
    noise = np.random.RandomState(seed)
    for crop in (engine.exemplar_crop, engine.search_crop):
        picture = noise.randint(0, 256, crop.shape[2:] + (3,)).astype(np.uint8)
        crop[...] = pack(picture, network.mean, network.scale, False, crop.dtype)
    return [array.copy() for array in engine.search(engine.exemplar())]


@pytest.mark.parametrize("form", ["kestrel", "kestrel_small"])
def test_openvino_gives_the_same_bits_in_either_order(form, monkeypatch):
    pytest.importorskip("openvino")
    if not openvino.Engine.computes_int8():
        pytest.skip("OpenVINO computes in floats here")
    network = shipped(f"int8/{form}-int8.toml")
    engine = engines.create("openvino", network, network.locate())
    assert engine.search_crop.shape == (1, 3, 255, 255) and engine.search_crop.strides[1] == 1
    monkeypatch.setattr(byte_pictures, "with_pixels", lambda model: (model, frozenset()))
    in_planes = engines.create("openvino", network, network.locate())
    assert in_planes.search_crop.flags.c_contiguous
    for seed in range(3):
        pairs = zip(maps(engine, network, seed), maps(in_planes, network, seed))
        for found, wanted in pairs:
            np.testing.assert_array_equal(found, wanted)


def model_of(kind=TensorProto.UINT8, channels=3, steps=(0.5,)):
    """A picture, dequantised, and the sum of each of its rows."""
    step = numpy_helper.from_array(np.array(steps, np.float32).reshape(-1)[: len(steps)], "step")
    zero = numpy_helper.from_array(np.zeros(len(steps), np.uint8), "zero")
    nodes = [
        helper.make_node("DequantizeLinear", ["picture", "step", "zero"], ["values"], axis=1),
        helper.make_node("ReduceSum", ["values", "axes"], ["sums"], keepdims=0),
    ]
    axes = numpy_helper.from_array(np.array([3], np.int64), "axes")
    graph = helper.make_graph(
        nodes,
        "rows",
        [helper.make_tensor_value_info("picture", kind, (1, channels, 4, 5))],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, (1, channels, 4))],
        [step, zero, axes],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_the_graph_turns_the_picture_around():
    onnxruntime = pytest.importorskip("onnxruntime")
    model = model_of()
    rewritten, names = byte_pictures.with_pixels(model)
    onnx.checker.check_model(rewritten, full_check=True)
    assert names == {"picture"} and model == model_of()
    picture = np.random.RandomState(0).randint(0, 256, (1, 4, 5, 3)).astype(np.uint8)
    session = onnxruntime.InferenceSession(rewritten.SerializeToString())
    (found,) = session.run(None, {"picture": picture})
    np.testing.assert_array_equal(found, picture.sum(axis=2).transpose(0, 2, 1) * 0.5)


@pytest.mark.parametrize(
    "model", [model_of(TensorProto.INT8), model_of(channels=1), model_of(steps=(0.5, 0.25, 0.5))]
)
def test_other_inputs_stay_as_they_are(model):
    rewritten, names = byte_pictures.with_pixels(model)
    assert rewritten is model and not names


def test_a_batch_of_targets_takes_pixels_too():
    network = shipped("int8/kestrel-int8.toml")
    from runtime.graphs import assemble

    graphs = byte_pictures.with_byte_pictures(network, assemble.build(network, network.locate()))
    rewritten, names = byte_pictures.with_pixels(batch.several(graphs.search, 2))
    (value,) = [value for value in rewritten.graph.input if value.name in names]
    assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == [2, 255, 255, 3]
