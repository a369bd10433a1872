"""Kestrel: a tracker network of convolutions, and its folded form, which is deployed.

The folded network holds only convolutions, ReLU, sums, one pixel-wise correlation, one
concatenation and sigmoids. It is of the family ``centre``.

Images are float32 (N, 3, side, side), RGB, already ``(value - mean) * scale``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hotpath_research.train import backbones
from hotpath_research.train.geometry import EXEMPLAR_CELLS, SEARCH
from hotpath_research.train.layers import Unit, conv, plain, row, units

RARE = -4.0  # logit of the score before the training: few cells are the target's
BOX = (-1.0, -1.0, 0.5, 0.5)  # the same of the size's logits and of the offset


class Backbone(nn.Module):
    """Images -> features of the teacher (N, channels, cells, cells), standardised.

    Args:
        shape: one of ``BACKBONES``, or ``timm:NAME``.
        channels: channels of the teacher's features.
        weights: of a model of timm, see ``backbones.Level``.
        expanded: see ``layers.row``.

    Attributes:
        mean, deviation: float32 (channels,) of the teacher's features, by which they are
            standardised. They are part of a checkpoint, so that every stage has the same.
    """

    def __init__(
        self, shape: str, channels: int, weights: str = "", expanded: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.shape = shape
        if shape.startswith(backbones.PREFIX):
            self.layers: nn.Module = backbones.Level(shape, weights)
            width = self.layers.width
        else:
            self.layers, width = row(shape, expanded)
        self.project = nn.Conv2d(width, channels, 1)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def standardised(self, features: torch.Tensor) -> torch.Tensor:
        """The teacher's features (N, channels, h, w), standardised."""
        mean, deviation = (values[None, :, None, None] for values in (self.mean, self.deviation))
        return (features.float() - mean) / deviation

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.project(self.layers(images))


def correlate(exemplar: torch.Tensor, search: torch.Tensor) -> torch.Tensor:
    """Correlate all exemplar cells with all search cells: (N,C,h,h), (N,C,H,W) -> (N,h*h,H,W)."""
    n, c, rows, columns = search.shape
    kernel = exemplar.reshape(n, c, -1).transpose(1, 2)
    product = torch.matmul(kernel, search.reshape(n, c, rows * columns))
    return product.reshape(n, -1, rows, columns)


class Head(nn.Module):
    """Standardised features of both crops -> maps.

    Gives (logits (N,16,16), sizes (N,2,16,16) as shares of the region, offsets (N,2,16,16) in
    cells). ``towers`` has the channels of both towers, where some were removed.
    """

    def __init__(
        self,
        channels: int,
        width: int = 96,
        tower: int = 64,
        depth: int = 3,
        towers: Sequence[int] = (),
    ) -> None:
        super().__init__()
        cells = EXEMPLAR_CELLS**2
        self.width = width
        self.exemplar = Unit(channels, width, kernel=1, relu=False)
        self.search = Unit(channels, width, kernel=1, relu=False)
        self.match = nn.BatchNorm2d(cells, momentum=0.05)
        self.reduce = Unit(cells + width, width, kernel=1)
        self.trunk = units(width, (width,) * depth)
        of_score, of_box = towers or (tower, tower)
        self.score_tower, self.box_tower = units(width, (of_score,)), units(width, (of_box,))
        self.score, self.box = nn.Conv2d(of_score, 1, 1), nn.Conv2d(of_box, 4, 1)
        for layer, bias in ((self.score, (RARE,)), (self.box, BOX)):
            nn.init.normal_(layer.weight, std=0.01)
            layer.bias.data[:] = torch.tensor(bias)

    def forward(
        self, exemplar: torch.Tensor, search: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        search = self.search(search)
        match = self.match(correlate(self.exemplar(exemplar), search) / self.width)
        x = self.trunk(self.reduce(torch.cat([match, search], 1)))
        box = self.box(self.box_tower(x)).float()
        return self.score(self.score_tower(x))[:, 0].float(), box[:, :2].sigmoid(), box[:, 2:]


class Kestrel(nn.Module):
    """The whole network. ``Kestrel(**config)`` builds it again.

    ``expanded`` and ``towers`` are those of a network whose channels ``prune`` removed.
    """

    def __init__(
        self,
        shape: str = "nine",
        channels: int = 96,
        width: int = 96,
        tower: int = 64,
        depth: int = 3,
        weights: str = "",
        expanded: Sequence[int] = (),
        towers: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = dict(
            shape=shape, channels=channels, width=width, tower=tower, depth=depth
        )
        if expanded or towers:
            self.config.update(expanded=list(expanded), towers=list(towers))
        self.backbone = Backbone(shape, channels, weights, expanded)
        self.head = Head(channels, width, tower, depth, towers)

    def forward(self, exemplar: torch.Tensor, search: torch.Tensor) -> Any:
        """Normalised crops -> maps, as ``Head`` gives them."""
        return self.head(self.backbone(exemplar), self.backbone(search))

    def maps(self, exemplar: torch.Tensor, search: torch.Tensor) -> list[torch.Tensor]:
        """The same as the folded form gives them: the score is a probability."""
        logits, *rest = self(exemplar, search)
        return [logits.sigmoid()[:, None], *rest]


def deployed(backbone: Backbone) -> nn.Module:
    """The folded form of the layers before the projection."""
    if isinstance(backbone.layers, nn.Sequential):
        return nn.Sequential(*map(plain, backbone.layers))
    return backbones.folded(backbone.layers, torch.randn(1, 3, SEARCH, SEARCH))


def merged(project: nn.Module, unit: Unit, gain: float = 1.0) -> nn.Module:
    """One 1x1 convolution that does the projection to the teacher's features and ``unit``."""
    weight, bias = unit.folded()
    weight = weight[:, :, 0, 0]
    first = project.weight.detach().double()[:, :, 0, 0]
    first_bias = project.bias.detach().double()
    return conv((weight @ first * gain)[:, :, None, None], (weight @ first_bias + bias) * gain)


class ExemplarGraph(nn.Module):
    """Folded: exemplar crop (1,3,128,128) -> what the search graph needs of it (1,width,8,8)."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        head = network.head
        self.layers = deployed(network.backbone)
        self.project = merged(network.backbone.project, head.exemplar, 1.0 / head.width)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.project(self.layers(image))


class SearchGraph(nn.Module):
    """Folded: exemplar features, search crop (1,3,256,256) -> score, size and offset maps."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        head = network.head
        self.layers = deployed(network.backbone)
        self.project = merged(network.backbone.project, head.search)
        self.reduce = nn.Sequential(conv(*self._reduce(head)), nn.ReLU())
        self.trunk = nn.Sequential(*map(plain, head.trunk))
        score = conv(head.score.weight, head.score.bias)
        self.score = nn.Sequential(*map(plain, head.score_tower), score)
        self.tower = nn.Sequential(*map(plain, head.box_tower))
        self.size, self.offset = (  # two layers, since not every target cuts a map in two
            conv(head.box.weight[part], head.box.bias[part]) for part in (slice(2), slice(2, 4))
        )

    @staticmethod
    def _reduce(head: Head) -> tuple[torch.Tensor, torch.Tensor]:
        """Fold the batch norm of the correlation into the 1x1 convolution behind it."""
        weight, bias = head.reduce.folded()
        norm = head.match
        gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        shift = norm.bias.double() - norm.running_mean.double() * gain
        cells = len(gain)
        bias = bias + weight[:, :cells, 0, 0] @ shift.detach()
        weight = weight.clone()
        weight[:, :cells] *= gain.detach()[:, None, None]
        return weight, bias

    def forward(self, exemplar: torch.Tensor, image: torch.Tensor) -> Any:
        search = self.project(self.layers(image))
        x = self.trunk(self.reduce(torch.cat([correlate(exemplar, search), search], 1)))
        box = self.tower(x)
        return self.score(x).sigmoid(), self.size(box).sigmoid(), self.offset(box)
