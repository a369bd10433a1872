"""The receptive field that is told is the one that impulses find."""

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from hotpath.graphs import assemble, field, models
from hotpath.runtime.networks import load_network
from tests.support.models import model_of

SIDE = 96


def positive(model, outputs):
    """A copy that gives ``outputs``, whose weights add up and never cancel; biases are zero."""
    model = models.copy(model)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            values = abs(values) + 1e-3 if values.ndim > 1 else 0 * values
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    del model.graph.output[:]
    shapes = models.all_shapes(model)
    model.graph.output.extend(helper.make_tensor_value_info(n, 1, shapes[n]) for n in outputs)
    return model


def seen_by_impulses(model, axis):
    """dict of an output -> (cells, pixels) bool: which row (column) of pixels changes a cell."""
    run = onnxruntime.InferenceSession(model.SerializeToString())
    given = {i.name: np.ones(i.shape, np.float32) for i in run.get_inputs()}
    (picture,) = (i.name for i in run.get_inputs() if len(i.shape) == 4 and i.shape[1] == 3)
    found = {output.name: [] for output in run.get_outputs()}
    for line in range(given[picture].shape[2 + axis]):
        given[picture] = np.zeros_like(given[picture])
        np.moveaxis(given[picture], 2 + axis, 0)[line] = 1.0
        for name, values in zip(found, run.run(None, given)):
            found[name].append(values.max((1, 3 - axis))[0] > 0)
    return {name: np.array(each).T for name, each in found.items()}


def told(seen, axis, cells, pixels):
    """The same of a ``Field``."""
    start = seen.start[axis] + np.arange(cells)[:, None] * seen.step[axis]
    at = np.arange(pixels)
    return (at >= start) & (at < start + seen.size[axis])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_shipped_networks_field_is_that_of_impulses(axis):
    network = load_network("kestrel_small")
    graph = assemble.build(network, network.locate()).search
    # before a sigmoid, whose steps are too small for float32
    made = {output: node for node in graph.graph.node for output in node.output}
    linear = {}
    for output, seen in field.fields(graph).items():
        source = made[output].input[0] if made[output].op_type == "Sigmoid" else output
        if made[source].op_type == "Conv":
            linear[source] = seen
    assert linear
    for output, found in seen_by_impulses(positive(graph, linear), axis).items():
        assert np.array_equal(found, told(linear[output], axis, *found.shape)), output


def small(middle, axes=None):
    """A network with strides, uneven pads, and what ``middle`` makes of the tensor "a"."""
    weights = {
        "first": np.random.default_rng(1).random((4, 3, 3, 5), np.float32),
        "depthwise": np.random.default_rng(2).random((4, 1, 5, 5), np.float32),
        "point": np.random.default_rng(3).random((2, 4, 1, 1), np.float32),
        "up": np.random.default_rng(4).random((4, 4, 4, 4), np.float32),
    }

    def make(kind, inputs, outputs, **told):
        return kind, inputs, outputs, told

    nodes = [
        make("Conv", ["x", "first"], ["a"], strides=[2, 2], pads=[1, 0, 0, 2]),
        *middle(make),
        make("Conv", ["b", "point"], ["y"], strides=[2, 1]),
    ]
    model = model_of(nodes, {"x": [1, 3, SIDE, SIDE]}, {"y": [1, 2, None, None]}, weights, 13)
    return model


CASES = {
    "dilation": lambda make: [
        make("Conv", ["a", "depthwise"], ["b"], group=4, dilations=[3, 2], pads=[6, 4, 6, 4])
    ],
    "two branches": lambda make: [
        make("MaxPool", ["a"], ["c"], kernel_shape=[2, 3], pads=[0, 1, 1, 1]),
        make("Conv", ["a", "depthwise"], ["d"], group=4, pads=[2, 2, 2, 2]),
        make("Add", ["c", "d"], ["b"]),
    ],
    "turned and back": lambda make: [
        make("Transpose", ["a"], ["c"], perm=[0, 2, 3, 1]),
        make("Relu", ["c"], ["d"]),
        make("Transpose", ["d"], ["b"], perm=[0, 3, 1, 2]),
    ],
    "upwards": lambda make: [
        make("ConvTranspose", ["a", "up"], ["b"], strides=[2, 2], pads=[1, 1, 1, 1])
    ],
}


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_the_field_of_uncommon_layers_is_the_one_of_impulses(case, axis):
    model = small(CASES[case])
    (seen,) = field.fields(model).values()
    (found,) = seen_by_impulses(positive(model, ["y"]), axis).values()
    assert not seen.mixed
    expected = told(seen, axis, *found.shape)
    assert (found <= expected).all()  # dilated kernels leave pixels out
    inside = ~(expected[:, 0] | expected[:, -1])
    assert inside.any()
    if case == "upwards":  # a cell of "a" is 2 pixels
        assert found.sum(1).max() > expected.sum(1).max() - 2
    else:
        ends = (found.argmax(1), SIDE - found[:, ::-1].argmax(1))
        begin = seen.start[axis] + np.arange(len(found)) * seen.step[axis]
        assert np.array_equal(ends[0][inside], begin[inside])
        assert np.array_equal(ends[1][inside], (begin + seen.size[axis])[inside])


@pytest.mark.parametrize(
    ("mixing", "by"),
    [
        (lambda make: [make("GlobalAveragePool", ["a"], ["m"])], "GlobalAveragePool"),
        (lambda make: [make("ReduceMean", ["a"], ["m"], axes=[2, 3])], "ReduceMean"),
        (lambda make: [make("Softmax", ["a"], ["m"], axis=3)], "Softmax"),
    ],
)
def test_an_operator_that_mixes_all_cells_is_named(mixing, by):
    def excited(make):
        return [*mixing(make), make("Mul", ["a", "m"], ["b"])]

    (seen,), (plain,) = (
        field.fields(small(middle)).values()
        for middle in (excited, lambda make: [make("Relu", ["a"], ["b"])])
    )
    assert seen.mixed == by
    assert (seen.size, seen.step) == (plain.size, plain.step)


def test_a_softmax_over_channels_mixes_no_cells():
    (seen,) = field.fields(small(lambda make: [make("Softmax", ["a"], ["b"], axis=1)])).values()
    assert not seen.mixed
