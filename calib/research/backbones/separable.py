"""A depthwise backbone beside ``k80``, and an example of a backbone of one's own.

    python -m calib.research.backbones calib/research/backbones/separable.py:Separable kestrel:k80
    python -m calib.research.train --backbone calib/research/backbones/separable.py:Separable ...

It has the depth and strides of ``k80``, kestrel_small's backbone, ReLU, no branches and no sums, as
that has. But each 3x3 convolution after the first is a depthwise 3x3 and a 1x1 (Howard et al.,
"MobileNets", 2017), with twice the channels in the later ones. It shows what depthwise convolutions
cost on each target.
"""

from torch import nn

FIRST = 8  # channels of the first convolution, which is a plain one
LAYERS = ((16, 2), (32, 2), (64, 1), (160, 2), (160, 1), (160, 1), (160, 1))  # channels, stride


def unit(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Separable(nn.Sequential):
    """Pictures (N, 3, side, side) -> maps (N, 160, side / 16, side / 16)."""

    def __init__(self) -> None:
        layers, width = [unit(3, FIRST, 3, 2)], FIRST
        for channels, stride in LAYERS:
            layers += [unit(width, width, 3, stride, groups=width), unit(width, channels, 1)]
            width = channels
        super().__init__(*layers)
