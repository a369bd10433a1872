"""LayerNorms in FP16: what their squares overflow stays in float32, on every TensorRT."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from boards.build import plans
from runtime.graphs import IN_FLOAT32, convert
from tests.fakes.tensorrt.machine import Board

LAYER_NORM = [
    ("ReduceMean", ["x"], "mean", {"axes": [-1]}),
    ("Sub", ["x", "mean"], "away", {}),
    ("Pow", ["away", "two"], "square", {}),
    ("ReduceMean", ["square"], "variance", {"axes": [-1]}),
    ("Add", ["variance", "little"], "more", {}),
    ("Sqrt", ["more"], "deviation", {}),
    ("Div", ["away", "deviation"], "norm", {}),
    ("Mul", ["norm", "two"], "y", {}),
]


def write_norm(path, outputs=("y",)):
    """A LayerNorm as PyTorch exports it to opset 13, with a scale of two."""
    nodes = [helper.make_node(kind, given, [made], **k) for kind, given, made, k in LAYER_NORM]
    constants = {"two": 2.0, "little": 1e-9}
    graph = helper.make_graph(
        nodes,
        "norm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in outputs],
        [numpy_helper.from_array(np.float32(v), name) for name, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    onnx.save(model, str(path))
    return model


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "x", [500.0 * np.sin(np.arange(64)), np.full(64, 3.0)], ids=["large", "even"]
)
def test_a_layer_norm_of_large_values_is_right_in_half_precision(tmp_path, x):
    reference = pytest.importorskip("onnx.reference").ReferenceEvaluator
    plain = write_norm(tmp_path / "norm.onnx", ("norm", "y"))
    feed = {"x": np.float32(x)[None]}
    wanted = reference(plain).run(None, feed)
    half = reference(convert.to_float16(convert.for_old_tensorrt(plain))).run(None, feed)
    np.testing.assert_allclose(half, wanted, rtol=2e-3, atol=2e-3)
    unmarked = reference(convert.to_float16(plain)).run(None, feed)
    assert not np.allclose(unmarked, wanted, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("family", ["8.2", "10"])
def test_the_builder_keeps_layer_norms_in_float32(tmp_path, family):
    path = tmp_path / "norm.onnx"
    onnx.save(convert.for_old_tensorrt(write_norm(path)), str(path))
    board = Board(family)
    try:
        plans.Builder(plans.Request("fp16"), str(tmp_path), print).build(path, "norm")
    finally:
        board.leave()
    seen = board.machine.seen
    kept = [value for what, value in seen if what == "kept"]
    assert kept == [(made + IN_FLOAT32, "FLOAT", "FLOAT") for _, _, made, _ in LAYER_NORM[:-1]]
    assert ("flag", "OBEY_PRECISION_CONSTRAINTS") in seen
