"""What is told to stay in floating point is what the quantiser leaves there."""

import pathlib

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper

from hotpath import boards
from hotpath.calib import qdq
from hotpath.calib.ranges import float_tensors
from hotpath.deploy.bundles import plans, prepared
from hotpath.deploy.bundles.order import Order
from hotpath.graphs import convert, quantisable
from hotpath.runtime import networks
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network
from tests.support.errors import refusal
from tests.support.models import model_of


def quantised_nodes(model, keep):
    """Names of the nodes whose weights are whole numbers."""
    spans = dict.fromkeys(float_tensors(model), (-1.0, 1.0))
    made = qdq.quantised_model(model, spans, "symmetric", keep).graph
    scaled = {n.output[0] for n in made.node if n.op_type == "DequantizeLinear"}
    return {node.name for node in made.node if scaled.intersection(node.input[1:2])}


def weighted_of(model, names):
    return {n.name for n in quantisable.weighted_layers(model) if n.name in names}


def test_the_layers_of_a_shipped_network_are_told_as_quantised():
    network = load_network("kestrel_small")
    model = quantisable.parts(network, network.locate())["search"]
    last = quantisable.last_layers(model)
    left = quantisable.floating(model, last)
    every = {node.name for node in quantisable.weighted_layers(model)}
    assert weighted_of(model, left) == every - quantised_nodes(model, last) != set()
    assert {left[name] for name in weighted_of(model, left)} == {"kept"}


def test_excitation_swish_and_attention_are_told():
    nodes = [
        ("Conv", ["x", "w"], ["a"], {"name": "plain"}),
        ("GlobalAveragePool", ["a"], ["m"], {"name": "mean"}),
        ("Mul", ["a", "m"], ["b"], {"name": "excited"}),
        ("HardSwish", ["b"], ["c"], {"name": "swish"}),
        (
            "Conv",
            ["c", "five"],
            ["d"],
            {"name": "wide", "group": 3, "pads": [4] * 4, "dilations": [2, 2]},
        ),
        ("Conv", ["d", "w"], ["e"], {"name": "between"}),
        ("Conv", ["e", "own"], ["y"], {"name": "last"}),
    ]
    weights = dict.fromkeys(["w", "own"], np.ones((3, 3, 1, 1), np.float32))
    weights["five"] = np.ones((3, 1, 5, 5), np.float32)
    model = model_of(nodes, {"x": [1, 3, 8, 8]}, {"y": [1, 3, 8, 8]}, weights, 14)
    model = quantisable.prepare_for_quantiser(model)
    left = quantisable.floating(model, ["last"])
    assert set(left) == {"mean", "excited", "swish", "last"}
    assert weighted_of(model, quantised_nodes(model, ["last"])) == {"plain", "wide", "between"}


def pair(zero_point, kind=np.uint8):
    """A quantiser with a zero point, and what reads it."""
    constants = {"scale": np.float32(0.1), "zero": np.asarray(zero_point, kind)}
    nodes = [
        ("QuantizeLinear", ["x", "scale", "zero"], ["q"], {"name": "first"}),
        ("DequantizeLinear", ["q", "scale", "zero"], ["y"], {}),
    ]
    return nodes, constants


def dynamic():
    nodes = [("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"], {})]
    return [*nodes, ("DequantizeLinear", ["q", "scale", "zero"], ["y"], {})], {}


def of_a_bias():
    nodes = [
        ("DequantizeLinear", ["bias", "scale", "zero"], ["b"], {}),
        ("Add", ["x", "b"], ["y"], {}),
    ]
    zeros = np.zeros(2, np.int32)
    return nodes, {"bias": zeros[:1], "scale": np.float32(0.1), "zero": zeros[0]}


REFUSED = {  # name -> (nodes and constants, words)
    "a zero point": (pair(128), "no zero point but 0 (first)"),
    "one of a channel": (pair([0, 3], np.int8), "no zero point but 0 (first)"),
    "unsigned": (pair(0), "int8 only, not uint8"),
    "dynamic": (dynamic(), "has no DynamicQuantizeLinear"),
    "a bias": (of_a_bias(), "int8 only, not int32"),
}


def quantised_model(nodes, constants):
    graph = helper.make_graph(
        [helper.make_node(kind, ins, outs, **more) for kind, ins, outs, more in nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph)


@pytest.mark.parametrize("made, words", REFUSED.values(), ids=REFUSED)
def test_what_tensorrts_parser_refuses_is_named_before_it_is_prepared(made, words):
    with refusal(BadNetwork, "not by TensorRT") as caught:
        convert.check_quantisers(quantised_model(*made), "mine")
    assert words in str(caught.value) and "int8-symmetric" in str(caught.value)


def test_the_form_for_tensorrt_and_floating_point_are_taken():
    convert.check_quantisers(quantised_model(*pair(0, np.int8)), "mine")
    convert.check_quantisers(quantised_model([("Relu", ["x"], ["y"], {})], {}), "mine")


def test_a_network_for_processors_is_not_prepared_for_a_jetson(tmp_path):
    network = load_network(pathlib.Path(networks.__file__).parent / "int8" / "kestrel-int8.toml")
    order = Order(boards.load_board("jetson_orin_nano"), network, "int8")
    with refusal(BadNetwork, "not by TensorRT"):
        prepared.prepare(tmp_path / "prepared", order, lambda sentence: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        "Assertion failed: zeroPt must be all zeros",  # TensorRT 8
        "Non-zero zero point is not supported. Please set zero point to 0",  # 10
        "TRT only supports symmetric quantization - zeropoint must be all zeros",
    ],
)
def test_the_parsers_words_for_a_zero_point_are_known(words):
    assert plans.ZERO_POINT.search(words)
