"""All engines choose the same levels, because no sum of an INT8 network lies between two."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from hotpath.calib import qdq, ranges, tie_free_scales
from hotpath.graphs import quantisable
from hotpath.runtime.engines import openvino
from tests.support.models import model_of

SIDE = 12


class Net:
    """Builds a float network node by node."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.values = {}
        self.nodes = []

    def conv(self, source, name, inputs, outputs, kernel, group=1):
        shape = (outputs, inputs // group, kernel, kernel)
        weights = self.rng.normal(0, (inputs // group * kernel**2) ** -0.5, shape)
        self.values[name + "w"] = weights.astype(np.float32)
        self.values[name + "b"] = self.rng.normal(0, 0.3, outputs).astype(np.float32)
        sources = [source, name + "w", name + "b"]
        return self.add("Conv", sources, name, pads=[kernel // 2] * 4, group=group)

    def add(self, kind, sources, name, **attributes):
        self.nodes.append((kind, sources, [name], dict(attributes, name=name)))
        return name

    def model(self, **inputs):
        output = {"y": [1, 4, SIDE, SIDE]}
        return quantisable.prepare_for_quantiser(
            model_of(self.nodes, inputs, output, self.values, 14)
        )


def network(seed, channels=24):
    """Convolutions, and the product with a target's features, as kestrel's."""
    net = Net(seed)
    deep = net.add("Relu", [net.conv("x", "c0", 3, channels, 3)], "r0")
    deep = net.add("Relu", [net.conv(deep, "c1", channels, channels, 3, channels)], "r1")
    net.values["flat"] = np.array([1, channels, SIDE * SIDE])
    net.values["square"] = np.array([1, 8, SIDE, SIDE])
    product = net.add("MatMul", ["z", net.add("Reshape", [deep, "flat"], "f")], "m")
    square = net.add("Reshape", [product, "square"], "s")
    net.conv(net.add("Relu", [net.conv(square, "c2", 8, 40, 3)], "r2"), "y", 40, 4, 1)
    shapes = {"x": [1, 3, SIDE, SIDE], "z": [1, 8, channels]}
    feed = {n: net.rng.normal(0, 1, shape).astype(np.float32) for n, shape in shapes.items()}
    return net.model(**shapes), feed


def network_with_a_sum(seed, channels=16):
    """The first layer in floating point; then a block whose input is added to its result."""
    net = Net(seed)
    first = net.add("Relu", [net.conv("x", "c0", 3, channels, 3)], "r0")
    deep = net.conv(first, "c3", channels, channels, 1)
    other = net.add("Relu", [net.conv(deep, "c4", channels, 40, 1)], "r4")
    other = net.conv(other, "c5", 40, 16, 1)
    total = net.conv(net.add("Add", [deep, other], "a"), "c6", channels, channels, 1)
    net.conv(net.add("Relu", [total], "r6"), "y", channels, 4, 1)
    pixels = np.random.default_rng(seed).integers(0, 256, (1, 3, SIDE, SIDE))
    return net.model(x=[1, 3, SIDE, SIDE]), {"x": pixels.astype(np.float32)}


def measured(seed, build=network):
    """A float network, one input and the ranges of its tensors."""
    model, feed = build(seed)
    histograms = ranges.Histograms(model)
    histograms.add(feed)
    return model, feed, histograms.ranges("minmax")


def quantised(seed, build=network, keep=()):
    """The INT8 network and one input."""
    model, feed, spans = measured(seed, build)
    return qdq.quantised_model(model, spans, "cpu", {*quantisable.last_layers(model), *keep}), feed


def arrays(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def with_levels(model):
    """Add the dequantised levels to the outputs."""
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] not in constants:
            value = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None)
            model.graph.output.append(value)
    return model


def onnxruntime_levels(model, feed, optimised):
    session = ranges.session(model, literal=not optimised)
    return dict(zip([v.name for v in session.get_outputs()], session.run(None, feed)))


def openvino_levels(model, feed):
    pytest.importorskip("openvino")
    compiled = openvino.compile_on_cpu(openvino.load_library(), model.SerializeToString(), 1)
    results = compiled(feed)
    return {name: results[port] for port in compiled.outputs for name in port.names}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("build, keep", [(network, ()), (network_with_a_sum, ["c0"])])
def test_engines_choose_the_same_levels_whatever_they_fuse(seed, build, keep):
    fused, feed = quantised(seed, build, keep)
    open_ = with_levels(onnx.ModelProto.FromString(fused.SerializeToString()))
    for model, least in ((open_, 6), (fused, 1)):
        plain = onnxruntime_levels(model, feed, optimised=False)
        others = [onnxruntime_levels(model, feed, optimised=True), openvino_levels(model, feed)]
        assert len(plain) >= least
        for name, values in plain.items():
            step = 1e-5 * np.abs(values).max()  # far below a level
            assert all(np.abs(other[name] - values).max() <= step for other in others), name


@given(st.floats(tie_free_scales.LEAST, 1e9))
def test_units_are_odd_and_make_weights_little_coarser(ratio):
    found = tie_free_scales.odd_units(np.array(ratio))
    assert found % 2 == 1 and found <= ratio
    assert found > ratio - 2


@given(st.integers(0, 2**32 - 1), st.floats(15, 2000))
def test_weights_lose_no_more_than_with_any_odd_number_near(seed, ratio):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (4, 6, 3, 3))
    scale = (np.abs(values).max(axis=(1, 2, 3)) / 127).astype(np.float32)
    level = float(scale.max()) * ratio
    found = tie_free_scales.best_scale(values, 0, scale, level)
    units = level / found.astype(np.float64)
    assert np.abs(units - np.rint(units)).max() < 1e-3 and (np.rint(units) % 2 == 1).all()

    def errors(scales):
        along = scales.astype(np.float64).reshape(-1, 1, 1, 1)
        rounded = np.clip(np.rint(values / along), -127, 127) * along
        return np.square(rounded - values).sum(axis=(1, 2, 3))

    nearest = (level / tie_free_scales.odd_units(level / scale.astype(np.float64))).astype(
        np.float32
    )
    assert (errors(found) <= errors(nearest)).all()


def test_terms_of_a_sum_share_its_level_and_lowest_value():
    model, _, spans = measured(0, network_with_a_sum)
    values = arrays(
        qdq.quantised_model(model, spans, "cpu", {*quantisable.last_layers(model), "c0"})
    )
    levels = [values[name + "_scale"] for name in ("c3", "c5", "a")]
    assert levels[0] == levels[1] == levels[2]
    greatest = max(high - low for low, high in (spans[name] for name in ("c3", "c5", "a")))
    assert levels[0] == pytest.approx(greatest / 255, rel=1e-3)
    for name in ("c3", "c5", "a"):
        lowest = -float(values[name + "_zero_point"]) * levels[0]
        assert lowest == pytest.approx(spans[name][0], abs=float(levels[0]))


def test_a_layer_with_few_units_in_a_level_is_left_alone():
    model, _, spans = measured(0)
    spans["r0"] = (spans["r0"][0], spans["r0"][1] / 1000)
    made = arrays(qdq.quantised_model(model, spans, "cpu", quantisable.last_layers(model)))
    before = np.abs(arrays(model)["c0w"])
    assert made["c0w_scale"] == pytest.approx(before.max((1, 2, 3)) / 127, rel=1e-5)


def test_a_bias_fits_into_int32_where_weights_are_almost_nothing():
    model, feed = network(3)
    for tensor in model.graph.initializer:
        if tensor.name == "c2w":  # a channel that training has nearly switched off
            values = numpy_helper.to_array(tensor).copy()
            values[1] *= 1e-9
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    model, _, spans = measured(3, lambda seed: (model, feed))
    done = qdq.quantised_model(model, spans, "cpu", quantisable.last_layers(model))
    made = {node.input[0]: node for node in done.graph.node}["c2b_quantized"]
    found = arrays(done)
    bias = found["c2b_quantized"] * found[made.input[1]].astype(np.float64)
    assert np.abs(bias - arrays(model)["c2b"]).max() < 0.01
    assert np.abs(found["c2b_quantized"].astype(np.int64)).max() < 1.1 * 2**30
