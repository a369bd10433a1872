"""The layers of our networks while they train, and their folded form, which is deployed.

A unit is a convolution with a batch norm behind it, and with an identity branch in its kernel where
the shapes allow one. Folding makes one convolution of it.
"""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from calib.research.train import rounding

Narrow = namedtuple("Narrow", "channels")  # a 1x1 convolution without ReLU
Block = namedtuple("Block", "expanded stride channels")  # of a ``Bottleneck``

# of the shapes of NanoTrack v2's behind its map of stride 8, which has 24 channels
LATER = (Block(96, 2, 40), *2 * (Block(240, 1, 40),), Block(120, 1, 48), Block(144, 1, 48))

# layers of a backbone; (channels, stride): a 3x3 convolution
BACKBONES = {
    "k80": ((8, 2), (16, 2), (32, 2), (32, 1), (80, 2), (80, 1), (80, 1), (80, 1)),
    "k48b5": ((8, 2), (24, 2), (48, 2), (48, 1), Narrow(24), *LATER),
    "tiny": ((4, 2), (8, 2), (8, 2), (16, 2)),  # for tests
    "tinyb": ((4, 2), (8, 2), (8, 2), Narrow(24), *LATER),
}
GROUPS = (24, 16, 8)  # channels that a depthwise convolution is trained in, see ``Depthwise``


class Unit(nn.Module):
    """A convolution with batch norm, and with an identity branch where the shapes allow one."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.stride, self.padding, self.relu = stride, kernel // 2, relu
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.norm = nn.BatchNorm2d(outputs, momentum=0.05)
        identity = None
        if kernel == 3 and stride == 1 and inputs == outputs and relu:
            identity = torch.zeros_like(self.weight)
            identity[range(outputs), range(outputs), 1, 1] = 1.0
            with torch.no_grad():
                self.weight.mul_(0.5)
        self.register_buffer("identity", identity, persistent=False)

    def kernel(self) -> torch.Tensor:
        return self.weight if self.identity is None else self.weight + self.identity

    def convolved(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.kernel(), None, self.stride, self.padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.convolved(x))
        return F.relu(x, inplace=True) if self.relu else x

    def folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of the one convolution that does the same, float64."""
        norm = self.norm
        gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weight = self.kernel().double() * gain[:, None, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * gain
        return weight.detach(), bias.detach()


class Depthwise(Unit):
    """A depthwise unit with ReLU.

    PyTorch is slow at depthwise convolutions in bfloat16 on a processor. So a group of channels is
    convolved densely, with zeros between them: 24 channels take half to a third of the time.
    """

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(1, channels, kernel, stride)
        group = next((size for size in GROUPS if channels % size == 0), 1)
        mask = torch.zeros(channels, group, 1, 1)
        mask[range(channels), [i % group for i in range(channels)]] = 1.0
        self.register_buffer("mask", mask, persistent=False)

    def convolved(self, x: torch.Tensor) -> torch.Tensor:
        groups = self.mask.shape[0] // self.mask.shape[1]
        kernel = self.weight * self.mask
        return F.conv2d(x, kernel, None, self.stride, self.padding, groups=groups)


class Bottleneck(nn.Module):
    """Expansion, depthwise 5x5, narrow 1x1; the input is added where the shapes allow it.

    The block of MobileNetV2 and V3 (Sandler et al., 2018; Howard et al., 2019), with ReLU and
    without gates.
    """

    def __init__(self, inputs: int, expanded: int, stride: int, outputs: int) -> None:
        super().__init__()
        self.expand = Unit(inputs, expanded, kernel=1)
        self.depth = Depthwise(expanded, 5, stride)
        self.narrow = Unit(expanded, outputs, kernel=1, relu=False)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.narrow(self.depth(self.expand(x)))
        return x + found if self.adds else found


def row(shape: str) -> tuple[nn.Sequential, int]:
    """The layers of one of ``BACKBONES``, and how many channels they give."""
    layers, width = [], 3
    for layer in BACKBONES[shape]:
        if isinstance(layer, Narrow):
            made = Unit(width, layer.channels, kernel=1, relu=False)
        elif isinstance(layer, Block):
            made = Bottleneck(width, *layer)
        else:
            made = Unit(width, layer[0], stride=layer[1])
        layers.append(made)
        width = layer[-1] if isinstance(layer, (Narrow, Block)) else layer[0]
    return nn.Sequential(*layers), width


def units(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    """A row of 3x3 units."""
    layers = []
    for width in widths:
        layers.append(Unit(inputs, width))
        inputs = width
    return nn.Sequential(*layers)


class Conv(nn.Conv2d):
    """A convolution whose weights may be rounded while it runs, see ``rounding.py``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(x, rounding.weights(self), self.bias)


class Sum(nn.Module):
    """The sum of two maps; ``rounding.py`` hooks its result."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


class FoldedBottleneck(nn.Module):
    """The folded form of a ``Bottleneck``."""

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.expand, self.depth = plain(block.expand), plain(block.depth)
        self.narrow = plain(block.narrow)
        self.sum = Sum() if block.adds else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.narrow(self.depth(self.expand(x)))
        return self.sum(x, found) if self.sum else found


def conv(weight: torch.Tensor, bias: torch.Tensor, stride: int = 1, groups: int = 1) -> Conv:
    """A ``Conv`` with these weights."""
    outputs, inputs, kernel = weight.shape[:3]
    layer = Conv(inputs * groups, outputs, kernel, stride, kernel // 2, groups=groups)
    layer.weight.data, layer.bias.data = weight.detach().float(), bias.detach().float()
    return layer


def plain(layer: Any) -> nn.Module:
    """The folded form of a unit or block; a unit becomes a convolution, with its ReLU if any."""
    if isinstance(layer, Bottleneck):
        return FoldedBottleneck(layer)
    weight, bias = layer.folded()
    groups = len(weight) if isinstance(layer, Depthwise) else 1
    made = conv(weight, bias, layer.stride, groups)
    return nn.Sequential(made, nn.ReLU()) if layer.relu else made
