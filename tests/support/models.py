"""Small ONNX models, made from lists of nodes."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def model_of(nodes, inputs, outputs, constants=(), opset=13, **kinds):
    """A model of nodes (operator, inputs, outputs, attributes), the attributes perhaps left out.

    Args:
        inputs, outputs: dicts of name -> shape.
        constants: dict of name -> value.
        kinds: names of inputs and outputs that are not float32, with their types.
    """
    ends = [
        [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), s) for n, s in e.items()]
        for e in (inputs, outputs)
    ]
    made = [helper.make_node(*node[:3], **dict(*node[3:])) for node in nodes]
    values = [numpy_helper.from_array(np.asarray(v), n) for n, v in dict(constants).items()]
    graph = helper.make_graph(made, "small", *ends, values)
    version = 6 if opset < 13 else 7 if opset < 15 else 8  # that engines of the opset's time read
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=version)
