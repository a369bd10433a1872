"""Newer operators for older TensorRTs; LayerNorms, whose squares overflow FP16, in float32."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from hotpath.deploy.bundles import plans
from hotpath.graphs import IN_FLOAT32, convert
from hotpath_nogpu.tensorrt import bindings
from hotpath_nogpu.tensorrt.machine import FakeBoard
from tests.support.models import model_of

NEWER = [  # operator, its opset, inputs, attributes; how many outputs
    ("LayerNormalization", 17, ["x", "row", "row"], {"epsilon": 1e-2}, 1),
    ("LayerNormalization", 17, ["x", "plane"], {"axis": 1}, 1),
    ("Gelu", 20, ["x"], {}, 1),
    ("Gelu", 20, ["x"], {"approximate": "tanh"}, 1),
    ("HardSwish", 14, ["x"], {}, 1),
    ("ReduceMean", 18, ["x", "axes"], {"keepdims": 0, "noop_with_empty_axes": 0}, 1),
    ("ReduceMean", 18, ["x", ""], {}, 1),
    ("ReduceMean", 18, ["x", "none"], {}, 1),
    ("Split", 18, ["x"], {"num_outputs": 3, "axis": 2}, 3),
    ("Reshape", 14, ["x", "sides"], {"allowzero": 1}, 1),
]

# what opset 13 can't say: as above, and the opset that it gets
OTHERS = [
    ("LayerNormalization", 18, ["x", "row", ""], {}, 1, 13),
    ("Pad", 18, ["x", "pads", "", "last"], {}, 1, 18),
    ("Shape", 18, ["x"], {"start": 1}, 1, 15),
]

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


def write_norm(path, outputs=("y",), opset=13):
    """A LayerNorm as PyTorch exports it to an opset, with a scale of two."""
    nodes = [(kind, given, [made], k) for kind, given, made, k in LAYER_NORM]
    constants = {"two": np.float32(2.0), "little": np.float32(1e-9)}
    if opset >= 17:
        nodes = [("LayerNormalization", ["x", "two"], ["y"])]
        constants = {"two": np.full(64, 2.0, np.float32)}
    model = model_of(nodes, {"x": [1, 64]}, dict.fromkeys(outputs, [1, 64]), constants, opset)
    onnx.save(model, str(path))
    return model


def check_older(nodes, made, opset, **kinds):
    """Check that a model's older form gives the same values; returns the form."""
    reference = pytest.importorskip("onnx.reference").ReferenceEvaluator
    random, read = np.random.RandomState(1), {name for node in nodes for name in node[1]}
    numbers = [("row", (8,)), ("plane", (3, 8))]
    constants = {name: random.normal(1, 1, shape).astype("f") for name, shape in numbers}
    constants.update(axes=np.array([0, 2]), sides=np.array([3, -1]), none=np.array([], int))
    constants.update(last=np.array([2]), pads=np.array([1, 1]))
    constants = {name: value for name, value in constants.items() if name in read}
    x = random.normal(0.5, 3, (2, 3, 8)).astype(np.float32)
    ends = {"x": x.shape}, dict.fromkeys(made)
    model = onnx.shape_inference.infer_shapes(model_of(nodes, *ends, constants, opset, **kinds))
    older = convert.for_old_tensorrt(model)
    for got, want in zip(*(reference(each).run(None, {"x": x}) for each in (older, model))):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    return older


@pytest.mark.parametrize(
    "kind, opset, given, attributes, count, wanted", [(*row, 13) for row in NEWER] + OTHERS
)
def test_newer_operators_become_those_of_the_oldest_opset(
    kind, opset, given, attributes, count, wanted
):
    made = [f"y{index}" for index in range(count)]
    kinds = {"y0": TensorProto.INT64} if kind == "Shape" else {}
    older = check_older([(kind, given, made, attributes)], made, opset, **kinds)
    assert [entry.version for entry in older.opset_import] == [wanted]
    assert not {node.op_type for node in older.graph.node} & set(bindings.NEWER)


def test_beside_a_newer_operator_the_others_are_written_out():
    nodes = [
        ("Pad", ["x", "pads", "", "last"], ["wide"]),
        ("HardSwish", ["wide"], ["bent"]),
        ("ReduceMean", ["bent", "last"], ["mean"], {"keepdims": 1}),
        ("Sub", ["x", "mean"], ["away"]),
        ("LayerNormalization", ["away", "row"], ["y"]),
    ]
    kinds = [node.op_type for node in check_older(nodes, ["y"], 18).graph.node]
    kept = ["Sub", "LayerNormalization"]  # whose parts opset 18 writes in another way
    assert kinds == ["Pad", "HardSigmoid", "Mul", "ReduceMean", *kept]


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


def test_an_input_that_is_left_out_gets_no_cast():
    pytest.importorskip("onnx", "1.13", "an older onnx has no opset 18")
    node = onnx.helper.make_node("ReduceMean", ["x", ""], ["y"], "mean" + IN_FLOAT32)
    model = model_of([], {"x": [1, 1]}, {"y": [1, 1]}, opset=18)
    model.graph.node.append(node)
    half = convert.to_float16(model)
    assert [list(n.input)[1:] for n in half.graph.node if n.op_type == "ReduceMean"] == [[""]]


def test_a_constant_of_a_shape_has_half_precision_too():
    runtime = pytest.importorskip("onnxruntime")
    value = numpy_helper.from_array(np.float32([3.0]))
    nodes = [
        ("ConstantOfShape", ["sides"], ["three"], {"value": value}),
        ("Concat", ["x", "three"], ["y"], {"axis": 1}),
    ]
    model = model_of(nodes, {"x": [1, 1]}, {"y": [1, 3]}, {"sides": np.array([1, 2])})
    session = runtime.InferenceSession(convert.to_float16(model).SerializeToString())
    np.testing.assert_array_equal(session.run(None, {"x": np.float32([[1]])})[0], [[1, 3, 3]])


@pytest.mark.parametrize("family, opset", [("8.2", 13), ("8.2", 17), ("10", 13)])
def test_the_builder_keeps_layer_norms_in_float32(tmp_path, family, opset):
    path, prefix = tmp_path / "norm.onnx", "y/" if opset == 17 else ""
    onnx.save(convert.for_old_tensorrt(write_norm(path, opset=opset)), str(path))
    board = FakeBoard(family)
    try:
        plans.PlanBuilder(plans.Request("fp16"), str(tmp_path), print).build(path, "norm")
    finally:
        board.leave()
    seen = board.machine.seen
    kept = [value for what, value in seen if what == "kept"]
    names = [prefix + made + IN_FLOAT32 for _, _, made, _ in LAYER_NORM[:-1]]
    assert kept == [(name, "FLOAT", "FLOAT") for name in names]
    assert ("flag", "OBEY_PRECISION_CONSTRAINTS") in seen
