"""Newer operators for older TensorRTs; LayerNorms, whose squares overflow FP16, in float32."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from boards.build import plans
from runtime.graphs import IN_FLOAT32, convert
from tests.fakes.tensorrt import fake
from tests.fakes.tensorrt.machine import Board

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

# what opset 13 can't say, or ONNX Runtime can't run: inputs, attributes; the opset that it gets
OTHERS = [
    ("LayerNormalization", ["x", "row", ""], {}, 13),
    ("Pad", ["x", "pads", "", "axes"], {}, 18),
    ("Shape", ["x"], {"start": 1}, 15),
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
    nodes = [helper.make_node(kind, given, [made], **k) for kind, given, made, k in LAYER_NORM]
    constants = {"two": 2.0, "little": 1e-9}
    if opset >= 17:
        nodes = [helper.make_node("LayerNormalization", ["x", "two"], ["y"])]
        constants = {"two": np.full(64, 2.0)}
    graph = helper.make_graph(
        nodes,
        "norm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in outputs],
        [numpy_helper.from_array(np.float32(v), name) for name, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    onnx.save(model, str(path))
    return model


@pytest.mark.parametrize("kind, opset, given, attributes, count", NEWER)
def test_newer_operators_become_those_of_opset_13(kind, opset, given, attributes, count):
    runtime = pytest.importorskip("onnxruntime")
    random, made = np.random.RandomState(1), [f"y{index}" for index in range(count)]
    numbers = [("row", (8,)), ("plane", (3, 8))]
    constants = {name: random.normal(1, 1, shape).astype("f") for name, shape in numbers}
    constants.update(axes=np.array([0, 2]), sides=np.array([3, -1]), none=np.array([], int))
    x = random.normal(0.5, 3, (2, 3, 8)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node(kind, given, made, **attributes)],
        "newer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in made],
        [numpy_helper.from_array(constants[name], name) for name in set(given) - {"x", ""}],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    older = convert.for_old_tensorrt(onnx.shape_inference.infer_shapes(model))
    assert [entry.version for entry in older.opset_import] == [13]
    assert not {node.op_type for node in older.graph.node} & set(fake.NEWER)
    sessions = [runtime.InferenceSession(each.SerializeToString()) for each in (older, model)]
    for got, want in zip(*(session.run(None, {"x": x}) for session in sessions)):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind, given, attributes, opset", OTHERS)
def test_the_opset_is_the_oldest_that_has_the_inputs_and_attributes(kind, given, attributes, opset):
    reference = pytest.importorskip("onnx.reference").ReferenceEvaluator
    constants = {"row": np.float32(range(8)), "pads": np.array([1, 1]), "axes": np.array([2])}
    x = np.random.RandomState(1).normal(0.5, 3, (2, 3, 8)).astype(np.float32)
    types = {"Shape": TensorProto.INT64}
    graph = helper.make_graph(
        [helper.make_node(kind, given, ["y"], **attributes)],
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", types.get(kind, TensorProto.FLOAT), None)],
        [numpy_helper.from_array(constants[name], name) for name in set(given) - {"x", ""}],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    older = convert.for_old_tensorrt(model)
    assert [entry.version for entry in older.opset_import] == [opset]
    got, want = (reference(each).run(None, {"x": x}) for each in (older, model))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_beside_an_operator_of_a_newer_opset_the_others_are_still_written_out():
    reference = pytest.importorskip("onnx.reference").ReferenceEvaluator
    x = np.random.RandomState(1).normal(0.5, 3, (2, 3, 8)).astype(np.float32)
    constants = {"row": np.float32(range(8)), "pads": np.array([1, 1]), "axes": np.array([2])}
    graph = helper.make_graph(
        [
            helper.make_node("Pad", ["x", "pads", "", "axes"], ["wide"]),
            helper.make_node("HardSwish", ["wide"], ["bent"]),
            helper.make_node("ReduceMean", ["bent", "axes"], ["mean"], keepdims=1),
            helper.make_node("Sub", ["x", "mean"], ["away"]),
            helper.make_node("LayerNormalization", ["away", "row"], ["y"]),
        ],
        "newer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    older = convert.for_old_tensorrt(model)
    kinds = [node.op_type for node in older.graph.node]
    kept = ["Sub", "LayerNormalization"]  # whose parts opset 18 writes in another way
    assert kinds == ["Pad", "HardSigmoid", "Mul", "ReduceMean", *kept]
    got, want = (reference(each).run(None, {"x": x}) for each in (older, model))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


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
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1]) for name in "xy"]
    node = helper.make_node("ReduceMean", ["x", ""], ["y"], "mean" + IN_FLOAT32)
    graph = helper.make_graph([node], "mean", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    half = convert.to_float16(model)
    assert [list(n.input)[1:] for n in half.graph.node if n.op_type == "ReduceMean"] == [[""]]


def test_a_constant_of_a_shape_has_half_precision_too():
    runtime = pytest.importorskip("onnxruntime")
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [3.0])
    nodes = [
        helper.make_node("ConstantOfShape", ["sides"], ["three"], value=value),
        helper.make_node("Concat", ["x", "three"], ["y"], axis=1),
    ]
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, k]) for n, k in (("x", 1), ("y", 3))
    ]
    sides = numpy_helper.from_array(np.array([1, 2]), "sides")
    model = helper.make_model(helper.make_graph(nodes, "constant", ends[:1], ends[1:], [sides]))
    model.ir_version, model.opset_import[0].version = 8, 13
    session = runtime.InferenceSession(convert.to_float16(model).SerializeToString())
    np.testing.assert_array_equal(session.run(None, {"x": np.float32([[1]])})[0], [[1, 3, 3]])


@pytest.mark.parametrize("family, opset", [("8.2", 13), ("8.2", 17), ("10", 13)])
def test_the_builder_keeps_layer_norms_in_float32(tmp_path, family, opset):
    path, prefix = tmp_path / "norm.onnx", "y/" if opset == 17 else ""
    onnx.save(convert.for_old_tensorrt(write_norm(path, opset=opset)), str(path))
    board = Board(family)
    try:
        plans.Builder(plans.Request("fp16"), str(tmp_path), print).build(path, "norm")
    finally:
        board.leave()
    seen = board.machine.seen
    kept = [value for what, value in seen if what == "kept"]
    names = [prefix + made + IN_FLOAT32 for _, _, made, _ in LAYER_NORM[:-1]]
    assert kept == [(name, "FLOAT", "FLOAT") for name in names]
    assert ("flag", "OBEY_PRECISION_CONSTRAINTS") in seen
