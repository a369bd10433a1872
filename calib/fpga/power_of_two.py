"""The FPGA's scales, all powers of two, for a simulation of its arithmetic; see ``exponents``."""

import numpy as np
from onnx import numpy_helper

from calib import qdq
from kernels.fpga.design.compiler.exponents import activation_exponents, rounded, weight_exponents


def with_rounded_weights(model):
    """The model with its weights on their power-of-two grids, still float: to measure the loss."""
    constants = qdq.weights_of(model)
    new = {}
    for node in qdq.weighted_layers(model):
        weight = constants[node.input[1]]
        transposed = any(one.name == "transB" and one.i for one in node.attribute)
        turned = node.op_type == "MatMul" or (node.op_type == "Gemm" and not transposed)
        first = weight.T if turned else weight  # output channels first
        own = weight_exponents(first)
        steps = 2.0 ** own.astype(float).reshape(-1, *[1] * (first.ndim - 1))
        value = (rounded(first, own) * steps).astype(np.float32)
        new[node.input[1]] = np.ascontiguousarray(value.T if turned else value)
    copy = type(model).FromString(model.SerializeToString())
    for tensor in copy.graph.initializer:
        if tensor.name in new:
            tensor.CopyFrom(numpy_helper.from_array(new[tensor.name], tensor.name))
    return copy


def symmetric_ranges(amax):
    """Ranges whose int8 scale is the power of two of ``activation_exponents``."""
    return {name: (-127 * 2.0**e, 127 * 2.0**e) for name, e in activation_exponents(amax).items()}
