"""The backbones of ``calib.research.train``, opened like any other."""

import torch
from torch import nn

from calib.errors import BadRun
from calib.research.train import foreign
from calib.research.train.layers import BACKBONES, plain
from calib.research.train.network import Backbone

BEGINS = "kestrel:"  # of their names: kestrel:k80


class Own(nn.Module):
    """The convolutions of a backbone of ``calib.research.train``."""

    def __init__(self, shape: str) -> None:
        super().__init__()
        self.layers = Backbone(shape, 1).layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)

    def folded(self) -> nn.Module:
        """The same as convolutions with bias, and ReLU."""
        return nn.Sequential(*map(plain, self.layers))


def load(name: str, stride: int = 16, seed: int = 0, pretrained: bool = False) -> nn.Module:
    """Open a backbone by name: one of ``calib.research.train``, else see ``foreign.load``."""
    if not name.startswith(BEGINS):
        return foreign.load(name, stride, seed, pretrained)
    shape = name[len(BEGINS) :]
    if shape not in BACKBONES:
        there = ", ".join(BACKBONES)
        raise BadRun(f"calib.research.train has no backbone {shape}; there are: {there}")
    torch.manual_seed(seed)
    return foreign.checked(Own(shape).eval(), name, stride)
