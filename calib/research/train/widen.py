"""Start a backbone from a trained one that has fewer channels.

The wide backbone computes the same features at first: what it has more begins without effect. A new
channel looks at all channels before it, with random weights, and its batch norm has the statistics
of real pictures. The weights that look at it are zero, and training moves them. The idea is that of
Net2Net (Chen et al., 2016), without copies of channels.
"""

from collections.abc import Sequence
from typing import Any

import torch

from calib.research.train.layers import BACKBONES, Block, Bottleneck, Unit, channels_of

PARTS = ("expand", "depth", "narrow")  # of a ``Bottleneck``
LOOKED_AT = 128  # pictures that statistics are measured on


def can_widen(narrow: Any, wide: Any) -> bool:
    """Whether a backbone of the shape ``wide`` can start from one of the shape ``narrow``."""
    if narrow == wide:
        return False
    rows = BACKBONES[narrow], BACKBONES[wide]
    same_sums = _sums(rows[0]) == _sums(rows[1])
    return same_sums and len(rows[0]) == len(rows[1]) and all(map(_fits, *rows))


def _sums(row: Sequence[Any]) -> list[int]:
    """Where a row of ``BACKBONES`` adds a block's input to its result."""
    blocks = ((i, layer) for i, layer in enumerate(row) if isinstance(layer, Block))
    return [i for i, b in blocks if b.stride == 1 and b.channels == channels_of(row[i - 1])]


def _fits(narrow: Any, wide: Any) -> bool:
    """Whether one layer of ``BACKBONES`` differs from another in its channels alone."""
    if type(narrow) is not type(wide):
        return False
    if hasattr(narrow, "_fields"):  # all numbers are channels, but a stride
        same = getattr(narrow, "stride", None) == getattr(wide, "stride", None)
        return same and all(a <= b for a, b in zip(narrow, wide))
    return bool(narrow[0] <= wide[0] and narrow[1] == wide[1])


@torch.no_grad()
def widen(narrow: Any, wide: Any, images: torch.Tensor) -> None:
    """Give ``wide`` the weights of ``narrow``; new channels begin without effect.

    Args:
        narrow, wide: ``Backbone``, of shapes that ``can_widen`` accepts.
        images: float32 (N,3,side,side), normalised; statistics of new channels are measured on
            them.
    """
    wide.eval()
    maps = images
    for old, new in zip(narrow.layers, wide.layers):
        if isinstance(new, Bottleneck):
            found = maps
            for part in PARTS:
                found = _widen_unit(getattr(old, part), getattr(new, part), found)
            maps = maps + found if new.adds else found
        else:
            maps = _widen_unit(old, new, maps)
    wide.project.weight.zero_()
    wide.project.weight[:, : narrow.width] = narrow.project.weight
    wide.project.bias.copy_(narrow.project.bias)


def _widen_unit(old: Unit, new: Unit, maps: torch.Tensor) -> torch.Tensor:
    """Give a unit the weights of a narrower one; returns its maps."""
    kernel = old.kernel()
    outputs, inputs = kernel.shape[:2]
    weight = new.weight
    weight[:outputs] = 0.0
    weight[:outputs, :inputs] = kernel
    if new.identity is not None:
        weight[:outputs] -= new.identity[:outputs]
    values = new.convolved(maps).transpose(0, 1).flatten(1)
    norm = new.norm
    norm.running_mean.copy_(values.mean(1))
    norm.running_var.copy_(values.var(1))
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(norm, name)[:outputs] = getattr(old.norm, name)
    return new(maps)
