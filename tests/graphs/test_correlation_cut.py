"""Networks cut at their correlations, or rewritten for a parser, still give the same maps."""

import functools

import numpy as np
import onnx
import pytest

from hotpath.graphs import assemble, convert, correlation_cut
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network
from tests.support import cut_check, tiny, tiny_cut
from tests.support.errors import refusal

pytest.importorskip("onnxruntime")

# network -> how many correlations its search graph has; those by matrix products are not cut
PUBLISHED = dict.fromkeys(("nanotrack_v1", "nanotrack_v2", "fear_xs", "lighttrack"), 0)
PUBLISHED.update(nanotrack_v3=2, siamfc_015=1)


def graphs_of(write, folder):
    network = load_network(write(folder))
    return assemble.build(network, network.locate())


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_correlations_of_published_networks_are_cut_losslessly(networks_dir, name):
    network = load_network(name)
    graphs = assemble.build(network, network.locate(networks_dir))
    form, wanted = correlation_cut.cut(graphs), PUBLISHED[name]
    assert len(correlation_cut.find(graphs)) == sum(len(steps) for steps in form.steps) == wanted
    assert len(form.parts) == (2 if wanted else 1)
    if wanted:
        assert cut_check.difference(graphs, form) <= cut_check.TOLERANCE


def test_no_part_convolves_by_a_tensor_after_the_cut(tmp_path):
    form = correlation_cut.cut(graphs_of(tiny_cut.write_network, tmp_path))
    kinds = [(step.kind, form.shapes[step.exemplar]) for step in form.steps[0]]
    assert sorted(kinds) == [("depthwise", (1, 3, 3, 3))] * 2
    for part in form.parts:
        constants = {tensor.name for tensor in part.graph.initializer}
        assert all(n.input[1] in constants for n in part.graph.node if n.op_type == "Conv")
        onnx.checker.check_model(part)


def test_a_cut_that_changes_the_maps_is_noticed(tmp_path):
    graphs = graphs_of(tiny_cut.write_network, tmp_path)
    form = correlation_cut.cut(graphs)
    bias = next(t for t in form.parts[1].graph.initializer if t.name.endswith("/bias"))
    wrong = onnx.numpy_helper.to_array(bias) + 1
    bias.CopyFrom(onnx.numpy_helper.from_array(wrong, bias.name))
    assert cut_check.difference(graphs, form) > cut_check.TOLERANCE


def test_a_correlation_that_no_kernel_does_is_one_sentence(tmp_path):
    graphs = graphs_of(tiny_cut.write_network, tmp_path)
    node = next(n for n in correlation_cut.find(graphs))
    next(a for a in node.attribute if a.name == "pads").ints[:] = [2, 2, 2, 2]
    node.attribute.append(onnx.helper.make_attribute("dilations", [2, 2]))
    with refusal(BadNetwork, "not cut"):
        correlation_cut.cut(graphs)


def run(graphs, kind=np.float32):
    random = np.random.RandomState(3)
    pictures = {
        name: random.uniform(0, 255, (1, 3, side, side)).astype(kind)
        for name, side in (("exemplar", 127), ("search", 255))
    }
    values = cut_check.run(graphs.exemplar, pictures)
    values.update(cut_check.run(graphs.search, dict(values, **pictures)))
    return [values[name] for name in graphs.maps]


def rewritten(graphs, how):
    return graphs._replace(exemplar=how(graphs.exemplar), search=how(graphs.search))


def test_a_network_for_an_old_parser_gives_the_same_bits(tmp_path):
    graphs = graphs_of(tiny_cut.write_network, tmp_path)
    plainly = rewritten(graphs, convert.for_old_tensorrt)
    assert "HardSwish" in {n.op_type for n in graphs.search.graph.node}
    assert "HardSwish" not in {n.op_type for n in plainly.search.graph.node}
    assert [e.version for e in plainly.search.opset_import] == [13]
    for got, want in zip(run(plainly), run(graphs)):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


HALF, FLOAT = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT


@pytest.mark.parametrize("write", [tiny.write_network, tiny_cut.write_network])
@pytest.mark.parametrize(
    "change, weights, ends",
    [
        (convert.to_float16, HALF, FLOAT),
        (convert.with_half_ends, FLOAT, HALF),
        (functools.partial(convert.to_float16, ends=True), HALF, HALF),
    ],
    ids=["inside", "ends", "all"],
)
def test_weights_or_inputs_and_outputs_are_half_precision(tmp_path, write, change, weights, ends):
    graphs = rewritten(graphs_of(write, tmp_path), convert.for_old_tensorrt)
    halved = rewritten(graphs, change)
    for model in (halved.exemplar, halved.search):
        kinds = {t.data_type for t in model.graph.initializer} & {HALF, FLOAT}
        values = list(model.graph.input) + list(model.graph.output)
        assert kinds == {weights}
        assert {v.type.tensor_type.elem_type for v in values} == {ends}
        has_casts = any(node.op_type == "Cast" for node in model.graph.node)
        assert has_casts == (weights != ends)
    dtype = np.float16 if ends == HALF else np.float32
    for got, want in zip(run(halved, dtype), run(graphs)):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=2e-2, atol=2e-2 * np.abs(want).max())
