"""Rewrites quantised operators (QOperator form) as quantisers around plain ones (QDQ form).

OpenVINO and TensorRT know only the second form. The results are the same, except for the rounding
of sums in float32.
"""

from typing import Dict, List

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper, version_converter

from runtime.errors import BadNetwork
from runtime.graphs import models

CONVERTS = (1, 12)  # the first onnx whose converter does not crash on a QLinearConv
PER_CHANNEL_FROM = 13  # the opset in which DequantizeLinear has an axis


def to_qdq(model: ModelProto) -> ModelProto:
    """Rewrite every QLinearConv.

    Args:
        model: not changed.

    Returns:
        a model of opset 13 or newer; the model itself where there is no such node.

    Raises:
        BadNetwork: the installed onnx can't bring the model to opset 13.
    """
    if not any(node.op_type == "QLinearConv" for node in model.graph.node):
        return model
    model = models.copy(model)
    if models.opset(model) < PER_CHANNEL_FROM:
        if tuple(int(part) for part in onnx.__version__.split(".")[:2]) < CONVERTS:
            raise BadNetwork(
                f"onnx {onnx.__version__} can't convert a quantised network of opset "
                f"{models.opset(model)}; prepare it where there is "
                "onnx 1.12 or newer (Python 3.7), with `make engine`"
            )
        model = version_converter.convert_version(model, PER_CHANNEL_FROM)
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    nodes: List[NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "QLinearConv":
            nodes.extend(_plain_conv(model, node, constants))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return models.prune(model)


def _plain_conv(
    model: ModelProto, node: NodeProto, constants: Dict[str, np.ndarray]
) -> List[NodeProto]:
    """A convolution of dequantised numbers, and the quantiser of its result."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = node.input[:8]
    name = node.output[0]
    picture, weights, result = (name + end for end in ("/input", "/weights", "/result"))
    per_channel = constants[w_scale].ndim and constants[w_scale].size > 1
    nodes = [
        helper.make_node("DequantizeLinear", [x, x_scale, x_zero], [picture]),
        helper.make_node(
            "DequantizeLinear",
            [w, w_scale, w_zero],
            [weights],
            **({"axis": 0} if per_channel else {}),
        ),
    ]
    inputs = [picture, weights]
    if len(node.input) > 8 and node.input[8]:
        # the bias is a whole number of steps of size x_scale * w_scale
        bias = constants[node.input[8]] * (constants[x_scale] * constants[w_scale]).ravel()
        values = numpy_helper.from_array(bias.astype(np.float32), name + "/bias")
        model.graph.initializer.append(values)
        inputs.append(values.name)
    conv = helper.make_node("Conv", inputs, [result], name=node.name)
    conv.attribute.extend(node.attribute)
    quantiser = helper.make_node("QuantizeLinear", [result, y_scale, y_zero], [name])
    return nodes + [conv, quantiser]
