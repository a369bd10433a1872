"""Kestrel: a tracker network of convolutions, and its folded form, which is deployed.

The folded network holds only convolutions, ReLU, sums, one pixel-wise correlation, one
concatenation and one exponential.

Images are float32 (N, 3, side, side), BGR, already ``(value - MEAN) * SCALE``, so that the zero
padding of the convolutions is the mean colour.
"""

import math

import torch
from torch import nn

from calib.research.train.geometry import CELLS, EXEMPLAR, EXEMPLAR_CELLS, MEAN, SCALE, SEARCH
from calib.research.train.layers import Unit, conv, plain, row, units

LOG_DISTANCE = (-2.0, 6.5)  # of a box side, natural log of search pixels; only while training


def normalise(images: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, 3) tensor -> float32 (N, 3, H, W), channels last in memory."""
    images = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
    return images.sub_(MEAN).mul_(SCALE)


class Backbone(nn.Module):
    """Images -> standardised features of the teachers, (N, channels, cells, cells).

    Args:
        shape: one of ``BACKBONES``.
        channels: of the teachers' features.
    """

    def __init__(self, shape: str, channels: int) -> None:
        super().__init__()
        self.layers, width = row(shape)
        self.project = nn.Conv2d(width, channels, 1)

    def deployed(self) -> nn.Module:
        """The layers as convolutions with bias, which may be rounded."""
        return nn.Sequential(*map(plain, self.layers))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.project(self.layers(images))


def correlate(exemplar: torch.Tensor, search: torch.Tensor) -> torch.Tensor:
    """Correlate all exemplar cells with all search cells: (N,C,h,h), (N,C,H,W) -> (N,h*h,H,W)."""
    n, c, rows, columns = search.shape
    product = torch.bmm(exemplar.flatten(2).transpose(1, 2), search.reshape(n, c, rows * columns))
    return product.reshape(n, -1, rows, columns)


class Head(nn.Module):
    """Features of both crops -> target logit (N,16,16), log distances l,t,r,b (N,4,16,16)."""

    def __init__(self, channels: int, width: int = 48, tower: int = 32, depth: int = 3) -> None:
        super().__init__()
        cells = EXEMPLAR_CELLS**2
        self.width = width
        self.exemplar = Unit(channels, width, kernel=1, relu=False)
        self.search = Unit(channels, width, kernel=1, relu=False)
        self.match = nn.BatchNorm2d(cells, momentum=0.05)
        self.reduce = Unit(cells + width, width, kernel=1)
        self.trunk = units(width, (width,) * depth)
        self.score_tower, self.box_tower = units(width, (tower,)), units(width, (tower,))
        self.score, self.box = nn.Conv2d(tower, 1, 1), nn.Conv2d(tower, 4, 1)
        for layer, bias in ((self.score, -2.0), (self.box, math.log(32.0))):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, bias)

    def forward(
        self, exemplar: torch.Tensor, search: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        search = self.search(search)
        match = self.match(correlate(self.exemplar(exemplar), search) / self.width)
        x = self.trunk(self.reduce(torch.cat([match, search], 1)))
        logits = self.score(self.score_tower(x))[:, 0]
        return logits.float(), self.box(self.box_tower(x)).float().clamp(*LOG_DISTANCE)


class Kestrel(nn.Module):
    """The whole network. ``Kestrel(**config)`` builds it again."""

    def __init__(
        self,
        shape: str = "k80",
        channels: int = 48,
        width: int = 48,
        tower: int = 32,
        depth: int = 3,
    ) -> None:
        super().__init__()
        self.config = dict(shape=shape, channels=channels, width=width, tower=tower, depth=depth)
        self.backbone = Backbone(shape, channels)
        self.head = Head(channels, width, tower, depth)

    def features(
        self, exemplar: torch.Tensor, search: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised images -> features of either."""
        return self.backbone(exemplar), self.backbone(search)

    def forward(
        self, exemplar: torch.Tensor, search: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        maps: tuple[torch.Tensor, torch.Tensor] = self.head(*self.features(exemplar, search))
        return maps


def merged(project: nn.Module, unit: Unit, gain: float = 1.0) -> nn.Module:
    """One 1x1 convolution that does the projection to the teachers' features and ``unit``."""
    weight, bias = unit.folded()
    weight = weight[:, :, 0, 0]
    first, first_bias = project.weight.detach().double()[:, :, 0, 0], project.bias.detach().double()
    return conv((weight @ first * gain)[:, :, None, None], (weight @ first_bias + bias) * gain)


class ExemplarGraph(nn.Module):
    """Folded: exemplar crop (1,3,127,127) -> what the search graph needs of it (1,width,8,8)."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        self.layers = network.backbone.deployed()
        self.project = merged(
            network.backbone.project, network.head.exemplar, 1.0 / network.head.width
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.project(self.layers(image))


class SearchGraph(nn.Module):
    """Folded: exemplar features, search crop (1,3,255,255) -> logits (1,1,16,16), distances."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        head = network.head
        self.width = head.width
        self.layers = network.backbone.deployed()
        self.project = merged(network.backbone.project, head.search)
        self.match = nn.Identity()  # rounding.py hooks the correlation here
        self.reduce = nn.Sequential(conv(*self._reduce(head)), nn.ReLU())
        self.trunk = nn.Sequential(*map(plain, head.trunk))
        score, box = (conv(layer.weight, layer.bias) for layer in (head.score, head.box))
        self.score = nn.Sequential(*map(plain, head.score_tower), score)
        self.box = nn.Sequential(*map(plain, head.box_tower), box)

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

    def maps(
        self, exemplar: torch.Tensor, image: torch.Tensor, count: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (count,1,16,16) and log distances (count,4,16,16) of ``count`` pairs."""
        search = self.project(self.layers(image))
        kernel = exemplar.reshape(count, self.width, -1).transpose(1, 2)
        match = torch.matmul(kernel, search.reshape(count, self.width, CELLS * CELLS))
        match = self.match(match.reshape(count, -1, CELLS, CELLS))
        x = self.trunk(self.reduce(torch.cat([match, search], 1)))
        return self.score(x), self.box(x)

    def forward(
        self, exemplar: torch.Tensor, image: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        score, box = self.maps(exemplar, image, 1)
        return score, torch.exp(box)


class Folded(nn.Module):
    """Both folded graphs as one module."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        self.config = {**network.config, "folded": True}
        self.exemplar_graph, self.search_graph = ExemplarGraph(network), SearchGraph(network)

    @property
    def trained(self) -> nn.ModuleList:
        """What is usually trained in this form: everything behind the backbones."""
        graph = self.search_graph
        parts = [graph.project, graph.reduce, graph.trunk, graph.score, graph.box]
        return nn.ModuleList([self.exemplar_graph.project, *parts])

    def forward(
        self, exemplar: torch.Tensor, search: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised crops -> logits (N,16,16), log distances (N,4,16,16)."""
        logits, distances = self.search_graph.maps(
            self.exemplar_graph(exemplar), search, len(search)
        )
        return logits[:, 0].float(), distances.float().clamp(*LOG_DISTANCE)


def macs(folded: Folded) -> dict[str, float]:
    """Multiply-accumulates for a search crop, and parameters.

    Returns:
        dict with ``backbone`` and ``head`` (millions) and ``parameters`` (millions).
    """
    graph, counted = folded.search_graph, {"backbone": 0, "head": EXEMPLAR_CELLS**2}
    counted["head"] *= graph.width * CELLS**2  # the correlation

    def count(layer: nn.Conv2d, part: str, out: torch.Tensor) -> None:
        counted[part] += layer.weight.numel() * out.shape[-1] * out.shape[-2]

    backbone = set(graph.layers.modules())
    hooks = [
        layer.register_forward_hook(
            lambda layer, _, out: count(layer, "backbone" if layer in backbone else "head", out)
        )
        for layer in graph.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    with torch.no_grad():
        folded(torch.zeros(1, 3, EXEMPLAR, EXEMPLAR), torch.zeros(1, 3, SEARCH, SEARCH))
    for hook in hooks:
        hook.remove()
    modules = (graph, folded.exemplar_graph.project)
    parameters = sum(each.numel() for module in modules for each in module.parameters())
    return {name: value / 1e6 for name, value in {**counted, "parameters": parameters}.items()}
