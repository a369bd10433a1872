"""Which ONNX files are read: also ones without the shapes of their outputs, and with functions."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from hotpath.graphs import convert, lifting, models
from hotpath.runtime.errors import BadNetwork
from tests.support.errors import refusal
from tests.support.models import model_of

ort = pytest.importorskip("onnxruntime")
NEWEST = onnx.defs.onnx_opset_version()


def model(operator="Relu", opset=13):
    """``x * 2``, then one more operator."""
    two = numpy_helper.from_array(np.float32([2]), "two")
    nodes = [helper.make_node("Mul", ["x", "two"], ["y"]), helper.make_node(operator, ["y"], ["z"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 4)) for name in ("x", "z")
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [two])
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


def without_shape(net):
    net.graph.output[0].type.tensor_type.ClearField("shape")
    return net


def without_type(net):
    net.graph.output[0].ClearField("type")
    return net


def of_ir(net, version):
    net.ir_version = version
    return net


ACCEPTED = {
    "output without a shape": without_shape(model()),
    "output without a type": without_type(model()),
}


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_a_file_without_shapes_is_read(tmp_path, name):
    path = tmp_path / "net.onnx"
    onnx.save(ACCEPTED[name], str(path))
    read = models.read(path)
    onnx.checker.check_model(read)
    sides = [side.dim_value for side in read.graph.output[0].type.tensor_type.shape.dim]
    assert sides == [1, 3, 4]
    known = models.copy(read)
    known.opset_import[0].version, known.ir_version = 13, 8
    x = np.float32([[[-1, 2, 3, 4]] * 3])
    (z,) = ort.InferenceSession(known.SerializeToString()).run(None, {"x": x})
    assert np.array_equal(z, np.maximum(2 * x, 0))


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (of_ir(model(), 99), "newer than .* IR version 99, .* --upgrade onnx"),
        (model(opset=99), f"newer than .* opset 99, where {NEWEST} .* --upgrade onnx"),
        (model("NewOne"), "not a whole ONNX file .*NewOne"),
        (without_shape(model("NewOne")), "z has no shape, .*export it with"),
    ],
)
def test_what_is_refused_names_its_cause(tmp_path, net, words):
    path = tmp_path / "net.onnx"
    onnx.save(net, str(path))
    with pytest.raises(BadNetwork, match=words):
        models.read(path)


def test_an_input_without_a_shape_and_half_a_file_are_named(tmp_path):
    path = tmp_path / "net.onnx"
    net = model()
    net.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(net, str(path))
    with refusal(BadNetwork, "no shape"):
        models.read(path)
    data = model().SerializeToString()
    path.write_bytes(data[: len(data) // 2])
    with refusal(BadNetwork, "not ONNX", where=path):
        models.read(path)


HEAD = '<ir_version: 10, opset_import: ["" : 21, "own" : 1]>\n'
ACT = '<domain: "own", opset_import: ["" : 21]>\nact (a) => (b) { b = Relu(a) }\n'
NESTED = (
    '<domain: "own", opset_import: ["" : 21, "own" : 1]>\n'
    "twice (a) => (c) { b = own.act(a)\n c = own.act(b) }\n"
)
SCALED = '<domain: "own", opset_import: ["" : 21]>\nleaky <alpha> (a) => (b) {\n'
SCALED += "b = LeakyRelu <alpha: float = @alpha> (a) }\n"
GRAPH = "g (float[1,4,6,6] x) => (float[1,4,6,6] y)\n"
BODIES = {  # texts of models by onnx's own parser
    "nested": GRAPH + "{ y = own.twice(x) }\n" + ACT + NESTED,
    "with an attribute": GRAPH
    + "{ t = own.leaky <alpha: float = 0.3> (x)\n y = Abs(t) }\n"
    + SCALED,
}


@pytest.mark.parametrize("name", sorted(BODIES))
def test_operators_with_a_body_are_written_out(tmp_path, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx.inliner")
    model = onnx.parser.parse_model(HEAD + BODIES[name])
    path = tmp_path / "a.onnx"
    onnx.save(model, path)
    read = models.read(path)
    assert not read.functions and {node.domain for node in read.graph.node} == {""}
    assert set(models.all_shapes(read)["y"]) == {1, 4, 6}
    feed = {"x": np.random.default_rng(1).normal(size=(1, 4, 6, 6)).astype(np.float32)}
    want, got = (
        onnxruntime.InferenceSession(m.SerializeToString()).run(None, feed)[0]
        for m in (model, read)
    )
    assert np.abs(want - got).max() < 1e-5


@pytest.mark.parametrize("name", ["antialias", "exclude_outside"])
def test_what_tensorrt_does_not_compute_is_not_prepared_for_it(name):
    net = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]>\n'
        "g (float[1,4,16,16] x) => (float[1,4,8,8] y)\n<float[4] s = {1, 1, 0.5, 0.5}>\n"
        f'{{ t = Resize <mode="cubic", {name}=1> (x, , s)\n y = Relu(t) }}'
    )
    with pytest.raises(BadNetwork, match=f"Resize with {name}=1"):
        convert.for_old_tensorrt(models.infer_shapes(net))


def test_quantised_operators_are_refused_with_the_format_to_take(tmp_path):
    numbers = {"s": np.float32(0.1), "z": np.uint8(0), "w": np.ones((1, 3, 1, 1), np.uint8)}
    nodes = [
        ("QuantizeLinear", ["x", "s", "z"], ["q"]),
        ("QLinearConv", ["q", "s", "z", "w", "s", "z", "s", "z"], ["r"]),
        ("DequantizeLinear", ["r", "s", "z"], ["y"]),
    ]
    net = model_of(nodes, {"x": [1, 3, 4, 4]}, {"y": [1, 1, 4, 4]}, numbers, 13)
    onnx.save(net, str(tmp_path / "a.onnx"))
    with refusal(BadNetwork, "not Q/DQ"):
        lifting.enter({"search": tmp_path / "a.onnx"})
