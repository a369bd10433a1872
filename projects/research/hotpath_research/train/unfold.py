"""Turn the ONNX files of a shipped network into a network that can be trained.

Folding loses the batch norms, and the border between the projection to the teacher's features and
the head's first layer. Both are found again on crops: the batch norms get the statistics of what
they give, and the projection is the one that comes nearest to the teacher's features.
"""

from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from hotpath.calib.errors import TrainingStopped
from hotpath.graphs import models
from hotpath.runtime.networks import load_network
from hotpath_research.train.backbones import checked
from hotpath_research.train.layers import BACKBONES, Unit
from hotpath_research.train.network import ExemplarGraph, Kestrel, SearchGraph, correlate
from hotpath_research.train.stages import CLEAR, CROPS, FEATURES, StageInputs

LOOKED_AT = 128  # pairs of crops


@torch.no_grad()
def unfolded(name: str, work: StageInputs, networks_dir: str | None = None) -> Kestrel:
    """The network of these ONNX files, in the form that trains.

    Args:
        name: of a network, or the path of a TOML that ``train.export`` wrote.
        work: with the teacher, and held-out pairs.

    Raises:
        TrainingStopped: the files are of another kind of network.
        HotpathError: they are not there.
    """
    paths = load_network(name).locate(networks_dir)
    work = work._replace(device="cpu")  # the network moves to the device when its stage begins
    try:
        states = [_weights(paths[part]) for part in CROPS]
        network = _alike(states[1], work.teacher.channels)
        graphs = ExemplarGraph(network).eval(), SearchGraph(network).eval()
        for graph, state in zip(graphs, states):
            graph.load_state_dict(state)
    except (KeyError, RuntimeError, StopIteration):
        raise TrainingStopped(
            f"{name} is not a network of hotpath_research.train.export in fp32; name one, such "
            "as kestrel, or a checkpoint"
        ) from None
    batch = work.tensors({key: work.held[key][:LOOKED_AT] for key in (*CLEAR, *FEATURES)})
    batch.update((crop, batch[clear]) for crop, clear in zip(CROPS, CLEAR))
    flat = torch.cat([batch[key].float().transpose(0, 1).flatten(1) for key in FEATURES], 1)
    network.backbone.mean.copy_(flat.mean(1))
    network.backbone.deviation.copy_(flat.std(1).clamp(min=1e-3))
    _fill(network, graphs, batch)
    crops = [batch[crop][:1] for crop in CROPS]
    checked(lambda z, x: graphs[1](graphs[0](z), x), network.maps, *crops)
    return network


def _weights(path: Path) -> dict[str, torch.Tensor]:
    values = models.read(path).graph.initializer
    arrays = {value.name: onnx.numpy_helper.to_array(value) for value in values}
    return {key: torch.tensor(value) for key, value in arrays.items() if "." in key}


def _alike(state: dict[str, torch.Tensor], channels: int) -> Kestrel:
    """An untrained network with layers of these shapes."""
    width, tower = len(state["project.weight"]), len(state["size.weight"][0])
    depth = len({key.split(".")[1] for key in state if key.startswith("trunk.")})
    candidates = (Kestrel(shape, channels, width, tower, depth).eval() for shape in BACKBONES)
    match: Kestrel = next(
        n for n in candidates if SearchGraph(n).state_dict().keys() == state.keys()
    )
    return match


def _fill(network: Kestrel, graphs: Any, batch: dict[str, torch.Tensor]) -> None:
    """Give every layer its part of the folded graphs."""
    seen: dict[Any, torch.Tensor] = {}
    for graph in graphs:
        for layer in graph.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(lambda layer, _, out: seen.update({layer: out}))
    exemplar, search = graphs
    kernel = exemplar(batch["exemplar"])
    search(kernel, batch["search"])
    head, backbone = network.head, network.backbone
    for ours, theirs in (
        (backbone.layers, search.layers),
        (head.reduce, search.reduce),
        (head.trunk, search.trunk),
        (head.score_tower, search.score[:-1]),
        (head.box_tower, search.tower),
    ):
        units = [module for module in ours.modules() if isinstance(module, Unit)]
        convs = [module for module in theirs.modules() if isinstance(module, nn.Conv2d)]
        for unit, layer in zip(units, convs):
            weight, bias = layer.weight.numpy(), layer.bias.numpy()
            unit.begin(weight, bias, *_statistics(seen[layer]))
    mean, deviation = _statistics(correlate(kernel, seen[search.project]))
    norm = head.match
    norm.weight.copy_((deviation**2 + norm.eps).sqrt())
    norm.running_var.copy_(deviation**2)
    norm.bias.copy_(mean)
    norm.running_mean.copy_(mean)
    parts = search.score[-1], search.size, search.offset
    head.score.load_state_dict(parts[0].state_dict())
    head.box.weight.copy_(torch.cat([part.weight for part in parts[1:]]))
    head.box.bias.copy_(torch.cat([part.bias for part in parts[1:]]))
    _project(network, graphs, seen, batch)


def _project(network: Kestrel, graphs: Any, seen: Any, batch: dict[str, torch.Tensor]) -> None:
    """Find the projection to the teacher's features, and take it out of the head's first layers."""
    backbone, head = network.backbone, network.head
    entered = backbone.layers(batch["search"]).transpose(0, 1).flatten(1).double()
    target = backbone.standardised(batch["search_features"]).transpose(0, 1).flatten(1).double()
    rows = torch.cat([entered, torch.ones_like(entered[:1])])
    solution = torch.linalg.lstsq(rows.T, target.T).solution.T
    weight, bias = solution[:, :-1], solution[:, -1]
    backbone.project.weight.copy_(weight[:, :, None, None])
    backbone.project.bias.copy_(bias)
    for graph, unit, gain in zip(graphs, (head.exemplar, head.search), (head.width, 1.0)):
        layer = graph.project
        own = gain * layer.weight[:, :, 0, 0].double() @ torch.linalg.pinv(weight)
        rest = gain * layer.bias.double() - own @ bias
        statistics = _statistics(gain * seen[layer])
        unit.begin(own[:, :, None, None].numpy(), rest.numpy(), *statistics)


def _statistics(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each channel."""
    return values.mean((0, 2, 3)), values.std((0, 2, 3)).clamp(min=1e-3)
