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

Narrow = namedtuple("Narrow", "channels")  # a 1x1 convolution without ReLU
# a block of the teacher: its place among the teacher's blocks, counted from the last one (-1)
Block = namedtuple("Block", "place expanded stride channels")

STEM = ((8, 2), (24, 2), (48, 2), (48, 1), Narrow(32))
LIGHTFC = (  # its last nine blocks
    *(Block(place, 192, 1, 32) for place in (-9, -8)),
    Block(-7, 192, 2, 64),
    *(Block(place, 384, 1, 64) for place in (-6, -5, -4)),
    Block(-3, 384, 1, 96),
    *(Block(place, 576, 1, 96) for place in (-2, -1)),
)
# layers of a backbone; (channels, stride): a 3x3 convolution
BACKBONES = {
    "nine": STEM + LIGHTFC,
    "four": STEM + tuple(block for block in LIGHTFC if block.place in (-7, -6, -3, -2)),
    "tiny": ((4, 2), (8, 2), (8, 2), (8, 2), Narrow(96), LIGHTFC[-1]),  # for tests
}
GROUPS = (24, 16, 8)  # channels that a depthwise convolution is trained in, see ``Depthwise``


class Unit(nn.Module):
    """A convolution with batch norm, and with an identity branch if the shapes allow one."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = kernel // 2
        self.groups = 1
        self.relu = relu
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

    def dense(self) -> torch.Tensor:
        """The kernel as it is convolved in ``groups``."""
        return self.kernel()

    def convolved(self, x: torch.Tensor) -> torch.Tensor:
        """Convolution and batch norm.

        A batch norm with fixed statistics becomes a part of the kernel, which trains about 15 %
        faster.
        """
        kernel, norm = self.dense(), self.norm
        if norm.training:
            return norm(F.conv2d(x, kernel, None, self.stride, self.padding, 1, self.groups))
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        bias = norm.bias - norm.running_mean * gain
        kernel = kernel * gain[:, None, None, None]
        return F.conv2d(x, kernel, bias, self.stride, self.padding, 1, self.groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.convolved(x)
        return F.relu(x, inplace=True) if self.relu else x

    @torch.no_grad()
    def begin(self, weight: Any, bias: Any, mean: Any, deviation: Any) -> None:
        """Take over a convolution with bias, whose outputs have this mean and deviation.

        The batch norm gives its outputs this mean and deviation also while it trains, when it
        takes the statistics of its batch instead of its own.

        Args:
            weight, bias: arrays of the convolution.
            mean, deviation: (channels,) of its output, bias included.
        """
        norm = self.norm
        weight = torch.tensor(weight)
        self.weight.copy_(weight if self.identity is None else weight - self.identity)
        norm.weight.copy_(torch.as_tensor(deviation**2 + norm.eps).sqrt())
        norm.bias.copy_(torch.as_tensor(mean))
        norm.running_mean.copy_(torch.as_tensor(mean - bias))
        norm.running_var.copy_(torch.as_tensor(deviation**2))

    def folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of the one convolution that does the same, float64."""
        norm = self.norm
        gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weight = self.kernel().double() * gain[:, None, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * gain
        return weight.detach(), bias.detach()


class Depthwise(Unit):
    """A depthwise 3x3 unit with ReLU.

    PyTorch is slow at depthwise convolutions in bfloat16 on a processor. So a group of channels is
    convolved densely, with zeros between them: 24 channels take half to a third of the time.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(1, channels, 3, stride)
        group = next((size for size in GROUPS if channels % size == 0), 1)
        mask = torch.zeros(channels, group, 1, 1)
        mask[range(channels), [i % group for i in range(channels)]] = 1.0
        self.register_buffer("mask", mask, persistent=False)
        self.groups = channels // group

    def dense(self) -> torch.Tensor:
        return self.weight * self.mask


class Bottleneck(nn.Module):
    """Expansion, depthwise 3x3, narrow 1x1; the input is added if the shapes allow it.

    The block of MobileNetV2 (Sandler et al., "MobileNetV2", CVPR 2018), with ReLU.
    """

    def __init__(self, inputs: int, expanded: int, stride: int, outputs: int) -> None:
        super().__init__()
        self.expand = Unit(inputs, expanded, kernel=1)
        self.depth = Depthwise(expanded, stride)
        self.narrow = Unit(expanded, outputs, kernel=1, relu=False)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = self.narrow(self.depth(self.expand(x)))
        return x + residual if self.adds else residual


def row(shape: str, expanded: Sequence[int] = ()) -> tuple[nn.Sequential, int]:
    """The layers of one of ``BACKBONES``, and how many channels they give.

    ``expanded``: channels inside each block in their order, where some were removed.
    """
    layers = []
    width = 3
    inside = iter(expanded)
    for layer in BACKBONES[shape]:
        if isinstance(layer, Narrow):
            layer_module = Unit(width, layer.channels, kernel=1, relu=False)
        elif isinstance(layer, Block):
            channels = next(inside, layer.expanded)
            layer_module = Bottleneck(width, channels, layer.stride, layer.channels)
        else:
            layer_module = Unit(width, layer[0], stride=layer[1])
        layers.append(layer_module)
        width = layer[-1] if isinstance(layer, (Narrow, Block)) else layer[0]
    return nn.Sequential(*layers), width


def units(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    """A row of 3x3 units."""
    layers = []
    for width in widths:
        layers.append(Unit(inputs, width))
        inputs = width
    return nn.Sequential(*layers)


class FoldedBottleneck(nn.Module):
    """The folded form of a ``Bottleneck``."""

    def __init__(self, block: Bottleneck) -> None:
        super().__init__()
        self.layers = nn.Sequential(*map(plain, (block.expand, block.depth, block.narrow)))
        self.adds = block.adds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual: torch.Tensor = self.layers(x)
        return x + residual if self.adds else residual


def conv(weight: torch.Tensor, bias: torch.Tensor, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution with these weights."""
    outputs, inputs, kernel = weight.shape[:3]
    layer = nn.Conv2d(inputs * groups, outputs, kernel, stride, kernel // 2, groups=groups)
    layer.weight.data, layer.bias.data = weight.detach().float(), bias.detach().float()
    return layer


def plain(layer: Any) -> nn.Module:
    """The folded form of a unit or block; a unit becomes a convolution, with its ReLU if any."""
    if isinstance(layer, Bottleneck):
        return FoldedBottleneck(layer)
    weight, bias = layer.folded()
    groups = len(weight) if isinstance(layer, Depthwise) else 1
    convolution = conv(weight, bias, layer.stride, groups)
    return nn.Sequential(convolution, nn.ReLU()) if layer.relu else convolution
