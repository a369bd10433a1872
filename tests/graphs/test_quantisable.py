"""What is told to stay in floating point is what the quantiser leaves there."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.calib import qdq
from hotpath.calib.ranges import float_tensors
from hotpath.graphs import quantisable
from hotpath.runtime.networks import load_network
from tests.support.models import model_of


def quantised_nodes(model, keep):
    """Names of the nodes whose weights are whole numbers."""
    spans = dict.fromkeys(float_tensors(model), (-1.0, 1.0))
    made = qdq.quantised(model, spans, "symmetric", keep).graph
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
    model = quantisable.prepared(model)
    left = quantisable.floating(model, ["last"])
    assert set(left) == {"mean", "excited", "swish", "last"}
    assert weighted_of(model, quantised_nodes(model, ["last"])) == {"plain", "wide", "between"}
