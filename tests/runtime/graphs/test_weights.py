"""Weights that are not numbers are found in the file, whatever an engine computes from them."""

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

from runtime import BadNetwork, engines, load_tracker
from runtime.graphs import weights
from runtime.networks import load_network
from tests.support import tiny


def spoil(path, tensor, value):
    """Write ``value`` into one number of a weight."""
    model = onnx.load(str(path))
    for entry in model.graph.initializer:
        if entry.name == tensor:
            values = onnx.numpy_helper.to_array(entry).copy()
            values.ravel()[values.size // 2] = value
            entry.CopyFrom(onnx.numpy_helper.from_array(values, tensor))
    onnx.save(model, str(path))


@pytest.mark.parametrize("engine", engines.installed())
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part, tensor", [("backbone", "w"), ("backbone", "b"), ("head", "log")])
def test_a_weight_that_is_not_finite_is_one_sentence(tmp_path, engine, value, part, tensor):
    toml = tiny.write_network(tmp_path)
    spoil(load_network(toml).locate()[part], tensor, value)
    with pytest.raises(BadNetwork, match="tiny: 1 of .* numbers in the weight .*not finite"):
        load_tracker(toml, engine=engine)


def test_an_infinite_mask_is_no_weight():
    mask = onnx.numpy_helper.from_array(np.array([0, -np.inf], np.float32), "mask")
    node = onnx.helper.make_node("Add", ["x", "mask"], ["y"])
    weights.check_finite(
        "any", onnx.helper.make_model(onnx.helper.make_graph([node], "graph", [], [], [mask]))
    )
