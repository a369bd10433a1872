"""An operator that an engine computes otherwise than ONNX defines it is found and named."""

import numpy as np
import onnx
import pytest
from onnx import parser

from hotpath.graphs import agreement, convert, models
from hotpath.runtime.errors import BadNetwork

pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")

HEAD = '<ir_version: 8, opset_import: ["" : 18]>\ng (float[1,4,16,16] x) => (float[{shape}] y)\n'
HALF = "<float[4] s = {1, 1, 0.5, 0.5}>\n"
FORMS = {  # the operator that OpenVINO 2026.4 computes otherwise -> (its result, the graph's text)
    "antialias=1": ("1,4,8,8", HALF + "{ r = Relu(x)\n t = Resize <mode=\"linear\", antialias=1> "
                    "(r, , s)\n y = Sigmoid(t) }"),
    "exclude_outside=1": ("1,4,8,8", HALF + "{ t = Resize <mode=\"cubic\", exclude_outside=1> "
                          "(x, , s)\n y = Relu(t) }"),
    "count_include_pad=1": ("1,4,9,9", "{ t = AveragePool <kernel_shape=[3,3], strides=[2,2], "
                            "pads=[1,1,1,1], ceil_mode=1, count_include_pad=1> (x)\n y = Abs(t) }"),
    "": ("1,4,8,8", HALF + "{ t = Resize <mode=\"linear\"> (x, , s)\n y = Sigmoid(t) }"),
}  # fmt: skip  # a graph's text goes on below itself


def read(tmp_path, name):
    shape, text = FORMS[name]
    onnx.save(parser.parse_model(HEAD.format(shape=shape) + text), tmp_path / "a.onnx")
    return models.read(tmp_path / "a.onnx")


@pytest.mark.parametrize("name", sorted(FORMS))
def test_the_engine_that_differs_from_the_definition_is_named(tmp_path, name):
    wrong = agreement.wrong_engines(read(tmp_path, name))
    assert set(wrong) == ({"openvino"} if name else set())
    assert name in wrong.get("openvino", "")


def test_scores_hardly_above_zero_are_those_of_both_engines(tmp_path):
    """As kestrel's are on a random picture: at most 1e-4, where 1e-7 is a thousandth."""
    text = "<float low = {-14}>\n{ t = Add(x, low)\n y = Sigmoid(t) }"
    onnx.save(parser.parse_model(HEAD.format(shape="1,4,16,16") + text), tmp_path / "a.onnx")
    assert agreement.wrong_engines(models.read(tmp_path / "a.onnx")) == {}


@pytest.mark.parametrize("name", ["antialias=1", "exclude_outside=1"])
def test_what_tensorrt_does_not_compute_is_not_prepared_for_it(tmp_path, name):
    with pytest.raises(BadNetwork, match=f"Resize with {name}"):
        convert.for_old_tensorrt(models.infer_shapes(read(tmp_path, name)))


def test_the_reference_judges_between_two_engines(tmp_path, monkeypatch):
    by_openvino, right = agreement._runs().values()

    def wrong(model, feed):
        return [np.minimum(result, 0.4) for result in right(model, feed)]

    monkeypatch.setattr(agreement, "_runs", lambda: {"openvino": by_openvino, "onnxruntime": wrong})
    assert "Resize" in agreement.wrong_engines(read(tmp_path, ""))["onnxruntime"]


def test_a_result_that_is_not_finite_accuses_no_engine(tmp_path):
    """Its own sentence says so when the network runs, and engines fill it in their own ways."""
    text = HEAD.format(shape="1,4,16,16") + "{ t = Neg(x)\n u = Abs(t)\n v = Neg(u)\n y = Sqrt(v) }"
    onnx.save(parser.parse_model(text), tmp_path / "root.onnx")
    assert agreement.wrong_engines(models.read(tmp_path / "root.onnx")) == {}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_an_engine_that_alone_is_not_finite_is_accused(tmp_path, monkeypatch, engine, bad):
    runs = agreement._runs()

    def breaks(model, feed, run=runs[engine]):
        """The engine, whose Resize gives a value that is not finite."""
        results = run(model, feed)
        names = [name for node in model.graph.node for name in node.output]
        for result, value in zip(results, model.graph.output):
            after = names.index("t") <= names.index(value.name) if "t" in names else False
            result.reshape(-1)[: 3 * after] = bad
        return results

    monkeypatch.setattr(agreement, "_runs", lambda: {**runs, engine: breaks})
    wrong = agreement.wrong_engines(read(tmp_path, ""))
    assert set(wrong) == {engine} and "Resize" in wrong[engine]


def test_an_error_after_what_is_not_finite_is_found(tmp_path):
    """Where the definition itself is not finite, engines fill in what they like."""
    text = HALF + (
        "{ n = Neg(x)\n q = Abs(n)\n m = Neg(q)\n r = Sqrt(m)\n b = IsNaN(r)\n"
        ' c = Where(b, x, r)\n t = Resize <mode="linear", antialias=1> (c, , s)\n y = Abs(t) }'
    )
    onnx.save(parser.parse_model(HEAD.format(shape="1,4,8,8") + text), tmp_path / "a.onnx")
    wrong = agreement.wrong_engines(models.read(tmp_path / "a.onnx"))
    assert set(wrong) == {"openvino"} and "Resize" in wrong["openvino"]


def test_a_branch_that_uses_results_around_it_accuses_no_engine(tmp_path):
    branch = '{{ {0} = Resize <mode="linear", antialias=1> (r, , s) }}'
    then, other = (f"b{n} () => (float[1,4,8,8] t{n}) " + branch.format(f"t{n}") for n in (1, 2))
    text = "<float[4] s = {1, 1, 0.5, 0.5}, float zero = {0}>\n{ r = Relu(x)\n"
    text += "sum = ReduceSum <keepdims=0> (r)\n is = Greater(sum, zero)\n"
    text += f"y = If (is) <then_branch = {then}, else_branch = {other}> }}"
    model = parser.parse_model(HEAD.format(shape="1,4,8,8") + text)
    onnx.checker.check_model(model)
    assert agreement.wrong_engines(model) == {}
