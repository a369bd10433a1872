"""Whole numbers in a folded network while it trains: int8 with power-of-two scales.

This is the coarsest form that the network has to bear, that of the FPGA. Each output of a layer has
one scale and each output channel of a convolution's weights another one. The gradient passes a
rounding as if it were not there, except where a value is beyond the int8 range.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from kernels.fpga.design.compiler.exponents import weight_exponents

LEAST, MOST = -12, 6  # exponents that an output may have
INPUT_STEP = 2.0**-5  # of normalised crops: the finest with which int8 holds white and black


def rounded(values: torch.Tensor, step: Any) -> torch.Tensor:
    """The nearest multiple of ``step`` that int8 can hold; straight through for the gradient."""
    whole = (values / step).clamp(-128, 127)
    return (whole + (whole.round() - whole).detach()) * step


def weights(layer: Any) -> torch.Tensor:
    """The weights that a convolution uses: rounded if ``switch`` turned rounding on."""
    step = getattr(layer, "weight_step", None)
    if step is None or not layer.rounding:
        return layer.weight
    return rounded(layer.weight, step)


def _look(layer: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    """Forward hook of every layer that has an output of its own."""
    if layer.errors is not None:
        for exponent in range(LEAST, MOST + 1):
            error = float((rounded(output, 2.0**exponent) - output).square().mean())
            layer.errors[exponent] = layer.errors.get(exponent, 0.0) + error
    elif layer.rounding:
        return rounded(output, layer.output_step)
    return output


def _with_outputs(module: nn.Module) -> Iterator[Any]:
    """The layers below ``module`` whose output is stored: a convolution with its ReLU is one."""
    for child in module.children():
        kinds = [type(layer) for layer in child.children()]
        fused = isinstance(child, nn.Sequential) and kinds[1:] == [nn.ReLU]
        if fused or not kinds and not isinstance(child, nn.ReLU):
            yield child
        else:
            yield from _with_outputs(child)


def prepare(folded: Any, feeds: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Choose all scales, and let ``switch`` turn the rounding on.

    The scale of an output has the least squared error on ``feeds``, (exemplar, search) crops that
    are normalised.
    """
    layers = list(_with_outputs(folded))
    for layer in layers:
        layer.register_forward_hook(_look)
        layer.errors, layer.rounding = {}, False
    with torch.no_grad():
        for exemplar, search in feeds:
            folded(exemplar, search)
    for layer in layers:
        layer.output_step = 2.0 ** min(layer.errors, key=layer.errors.get)
        layer.errors = None
    settle_weights(folded)


def convolutions(folded: Any) -> list[Any]:
    """All convolutions of the network."""
    return [layer for layer in folded.modules() if isinstance(layer, nn.Conv2d)]


def settle_weights(folded: Any) -> None:
    """Choose the scales of the weights anew, as the FPGA's compiler does."""
    for layer in convolutions(folded):
        weight = layer.weight.detach()
        exponents = weight_exponents(weight.cpu().numpy()).astype(np.float32)
        steps = torch.from_numpy(2.0**exponents).to(weight.device)
        layer.weight_step = steps[:, None, None, None]
        layer.rounding = getattr(layer, "rounding", False)


def switch(folded: Any, on: bool) -> None:
    """Turn the rounding of all outputs and weights on or off."""
    for layer in folded.modules():
        if hasattr(layer, "rounding"):
            layer.rounding = on
