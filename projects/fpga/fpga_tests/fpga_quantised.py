"""Compute the integers of a compiled network with ONNX Runtime, as a Q/DQ model.

Each layer's int8 weights and int32 biases become floats, scaled by their exponents, and go back
into the network's own graph. QuantizeLinear and DequantizeLinear follow every layer. Sums of
products are exact in float32 if they fit into 24 bits. Those of the tests' networks do.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hotpath.calib.ranges import session
from hotpath_fpga.compiler import quantise
from hotpath_fpga.compiler.graph import attributes


def simulated(model, works):
    """(graph with the compiled numbers, whose outputs are all maps, and their exponents)."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    nodes = {node.name: node for node in model.graph.node}
    exponents = {}
    for work in works:
        made = work.layer.output
        exponents[made.name] = made.exponent
        if work.layer.kind == "conv" and nodes[work.layer.name].op_type == "Conv":
            _put_weights(model, nodes[work.layer.name], work)
    _put_rounding(model, works)
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in exponents
    )
    return model, exponents


def _put_weights(model, node, work):
    """Put a convolution's integer weights into the graph as floats."""
    layer, numbers = work.layer, work.numbers
    step = layer.output.sums_exponent - numbers.shift.astype(int)
    source = np.concatenate([np.full(one.channels, one.exponent) for one in layer.inputs])
    weight = numbers.weight * 2.0 ** (step[:, None, None, None] - source[:, None, None])
    bias = numbers.bias * 2.0**step
    groups = np.split(weight, attributes(node).get("group", 1))
    inputs = weight.shape[1] // len(groups)
    weight = np.concatenate([own[:, n * inputs :][:, :inputs] for n, own in enumerate(groups)])
    names = [f"{node.name}-whole", f"{node.name}-bias"]
    for name, value in zip(names, (weight, bias)):
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    del node.input[1:]
    node.input.extend(names)


def _put_rounding(model, works):
    """Add Q/DQ after every map, and after the sums that a table's function takes."""
    places = {}
    for work in works:
        made = work.layer.output
        places[made.name] = made.exponent
        if work.layer.function is not None:
            places[made.sums] = made.sums_exponent
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        name = node.output[0]
        if name not in places:
            continue
        node.output[0] = name + "-exact"
        scale, zero = name + "-scale", name + "-zero"
        for value, constant in ((np.float32(2.0 ** places[name]), scale), (np.int8(0), zero)):
            model.graph.initializer.append(numpy_helper.from_array(np.array(value), constant))
        exact, whole = name + "-exact", name + "-whole"
        nodes.append(helper.make_node("QuantizeLinear", [exact, scale, zero], [whole]))
        nodes.append(helper.make_node("DequantizeLinear", [whole, scale, zero], [name]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


class Simulation:
    """A compiled network in ONNX Runtime, without its fusions."""

    def __init__(self, compiled, models):
        self.sessions, self.exponents, self.parts = {}, {}, {}
        for name, part, works in compiled.reference:
            model, exponents = simulated(models[name], works)
            if name == "exemplar":  # what the search takes, as well
                have = {value.name for value in model.graph.output}
                model.graph.output.extend(
                    value for value in models[name].graph.output if value.name not in have
                )
            self.sessions[name] = session(model, literal=True)
            self.exponents[name], self.parts[name] = exponents, part

    def run(self, name, picture, network, features=None):
        """Run one part on a picture: tensor -> value; "whole:" and a map -> its whole numbers."""
        whole = quantise.pixels(network)[np.arange(3), picture].astype(np.float32)
        if network.channels == "RGB":
            whole = whole[:, :, ::-1]
        feed = {self.parts[name].picture.name: whole.transpose(2, 0, 1)[None]}
        feed.update(features or {})
        names = [value.name for value in self.sessions[name].get_outputs()]
        found = dict(zip(names, self.sessions[name].run(names, feed)))
        for tensor, exponent in self.exponents[name].items():
            value = found[tensor] / np.float32(2.0**exponent)
            assert (value == np.rint(value)).all()
            found["whole:" + tensor] = value.reshape(value.shape[1:]).astype(np.int8)
        return found
