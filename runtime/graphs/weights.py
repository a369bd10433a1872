"""Checks that the weights of a network are numbers that a network can have."""

import typing

import numpy as np
from onnx import numpy_helper

from runtime.errors import BadNetwork

if typing.TYPE_CHECKING:
    from onnx import ModelProto

# Their weights are finite; a constant elsewhere may be infinite, such as the mask of an attention.
_LINEAR = {"BatchNormalization", "Conv", "ConvTranspose", "Gemm"}


def check_finite(name: str, model: "ModelProto") -> None:
    """Refuse a model with a weight that is not a number.

    Some engines compute a finite result from it: a maximum with 0 turns NaN into 0. So it has to be
    found in the file.

    Args:
        name: of the network, for the message.
        model: its initializers are looked at.

    Raises:
        BadNetwork: a weight is NaN, or a weight of a convolution or the like is infinite.
    """
    linear = {read for n in model.graph.node if n.op_type in _LINEAR for read in n.input}
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind != "f":
            continue
        is_bad = ~np.isfinite(values) if tensor.name in linear else np.isnan(values)
        if is_bad.any():
            raise BadNetwork(
                "{}: {} of {} numbers in the weight {} are not finite, so the file is damaged or "
                "was exported badly; download or export it again".format(
                    name, int(is_bad.sum()), values.size, tensor.name
                )
            )
