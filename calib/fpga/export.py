"""Writes a network's int8 weights, int32 biases and power-of-two exponents to files.

The exponents are those of ``kernels.fpga.design.compiler.exponents``. A bias is int32 at the sum of
the exponents of its layer's input and weights.
"""

import json

import numpy as np

from calib import qdq, table
from kernels.fpga.design.compiler.exponents import activation_exponents, rounded, weight_exponents


def layers(model, exponents):
    """What each layer with constant weights needs.

    Yields:
        (node's name, dict of weight int8, weight_exponent int8, bias int32 or None,
        input_exponent, output_exponent).
    """
    constants = qdq.weights_of(model)
    for node in qdq.weighted_layers(model):
        weight = constants[node.input[1]]
        if node.op_type == "MatMul" or (node.op_type == "Gemm" and not _transposed(node)):
            weight = weight.T  # output channels first
        own = weight_exponents(weight)
        source = exponents.get(node.input[0], 0)
        bias = constants.get(node.input[2]) if len(node.input) > 2 else None
        if bias is not None:
            bias = np.clip(
                np.round(bias / 2.0 ** (own.astype(float) + source)), -(2**31), 2**31 - 1
            )
        yield (
            node.name,
            {
                "weight": rounded(weight, own),
                "weight_exponent": own,
                "bias": None if bias is None else bias.astype(np.int32),
                "input_exponent": source,
                "output_exponent": exponents.get(node.output[0], 0),
            },
        )


def _transposed(node):
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def write(parts, ranges, path):
    """Write PATH.npz (arrays PART/LAYER/weight …) and PATH.json (exponents of all tensors)."""
    exponents = activation_exponents(table.amax(ranges))
    arrays, told = (
        {},
        {
            "network": ranges["network"],
            "files": ranges["files"],
            "tensors": exponents,
            "layers": {},
        },
    )
    for part, model in parts.items():
        for name, layer in layers(model, exponents):
            for key in ("weight", "weight_exponent", "bias"):
                if layer[key] is not None:
                    arrays[f"{part}/{name}/{key}"] = layer[key]
            told["layers"][f"{part}/{name}"] = {
                key: layer[key] for key in ("input_exponent", "output_exponent")
            }
    np.savez_compressed(path.with_suffix(".npz"), **arrays)
    path.with_suffix(".json").write_text(json.dumps(told, indent=1))


def with_rounded_weights(model):
    """The model with its weights on their power-of-two grids, still float: to measure the loss."""
    from onnx import numpy_helper

    constants = qdq.weights_of(model)
    new = {}
    for node in qdq.weighted_layers(model):
        weight = constants[node.input[1]]
        turned = node.op_type == "MatMul" or (node.op_type == "Gemm" and not _transposed(node))
        first = weight.T if turned else weight
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
