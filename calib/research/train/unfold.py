"""A trainable network from an exported one, so that it can be trained on without its checkpoint.

An export has convolutions alone. Each becomes a unit again: the batch norm gets the statistics of
real pictures and gives back what the convolution gave, and the kernel gets the size of a fresh one,
because the optimiser's steps are as large as for a fresh one. The 1x1 convolutions behind the
backbone, which hold the projection to the teacher's features, are parted again by their common rows
and by least squares to these features. So the network computes what the export computes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from calib.errors import TrainingStopped
from calib.research.train.layers import Bottleneck, Unit
from calib.research.train.network import Backbone, Folded, Kestrel, normalise
from calib.research.train.stages import Standard

LOOKED_AT = 128  # pictures that statistics are measured on
LENGTH = 2.0**0.5  # of an output channel's weights, as Kaiming's initialisation gives it
RESIDUAL = 1e-4  # share of the projections that may be lost where they are parted


def graphs_of(paths: dict[str, Path]) -> dict[str, torch.Tensor]:
    """The weights of an export, under the names of the folded network's parts."""
    found = {}
    for part, path in paths.items():
        for initializer in onnx.load(str(path)).graph.initializer:
            name = f"{part}_graph.{initializer.name}"
            found[name] = torch.from_numpy(numpy_helper.to_array(initializer).copy())
    return found


@torch.no_grad()
def unfold(
    network: Kestrel,
    weights: dict[str, torch.Tensor],
    held: dict[str, np.ndarray],
    standard: Standard,
) -> None:
    """Give a network the weights of an export; it computes the same in evaluation."""
    network.eval()
    if any(name.endswith("_quantized") for name in weights):
        raise TrainingStopped("this export is in INT8; start from the TOML of its fp32 form")
    wanted = Folded(network).state_dict()
    wrong = [k for k in wanted if k not in weights or weights[k].shape != wanted[k].shape]
    if wrong:
        raise TrainingStopped(
            f"the export has other layers than this network ({wrong[0]}); correct --shape or "
            "--head, or start from an export of calib.research.train"
        )
    units = _units(network.backbone.layers, "search_graph.layers.")
    head = network.head
    for layers, name in (
        (head.trunk, "trunk"),
        (head.score_tower, "score"),
        (head.box_tower, "box"),
    ):
        units += _units(layers, f"search_graph.{name}.")
    for unit, name in units:
        _take(unit, weights[name + ".weight"], weights[name + ".bias"])
    for layer, name in ((head.score, "score"), (head.box, "box")):
        name = f"search_graph.{name}.{len(head.score_tower)}."
        layer.weight.copy_(weights[name + "weight"])
        layer.bias.copy_(weights[name + "bias"])
    images = {
        part: normalise(torch.from_numpy(held[part][:LOOKED_AT])) for part in ("exemplar", "search")
    }
    _part_projections(network, weights, images, held, standard)
    weight, bias = (weights["search_graph.reduce.0." + name] for name in ("weight", "bias"))
    _take_correlation(network, weight, bias, images)
    _measure(network, images)


def _units(layers: Any, prefix: str) -> list[tuple[Any, str]]:
    """(unit, name of its convolution in the folded form) of a row of layers."""
    found = []
    for index, layer in enumerate(layers):
        name = prefix + str(index)
        if isinstance(layer, Bottleneck):
            found += [(layer.expand, name + ".expand.0"), (layer.depth, name + ".depth.0")]
            found.append((layer.narrow, name + ".narrow"))
        else:
            found.append((layer, name + (".0" if layer.relu else "")))
    return found


def _take(unit: Unit, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Make a unit compute what a convolution computes; its statistics are not measured yet."""
    sizes = weight.flatten(1).norm(dim=1)
    gain = torch.where(sizes > 0, sizes / LENGTH, torch.ones_like(sizes))
    kernel = weight / gain[:, None, None, None]
    unit.weight.copy_(kernel if unit.identity is None else kernel - unit.identity)
    unit.norm.running_mean.zero_()
    unit.norm.running_var.fill_(1.0 - unit.norm.eps)
    unit.norm.weight.copy_(gain)
    unit.norm.bias.copy_(bias)


def _part_projections(
    network: Kestrel,
    weights: dict[str, torch.Tensor],
    images: dict[str, torch.Tensor],
    held: dict[str, np.ndarray],
    standard: Standard,
) -> None:
    """Part the 1x1 convolutions behind the backbone into projections and the head's own."""
    backbone, head = network.backbone, network.head
    parts = (("exemplar", head.exemplar, float(head.width)), ("search", head.search, 1.0))
    merged, biases = [], []
    for name, _, gain in parts:
        merged.append(weights[f"{name}_graph.project.weight"][:, :, 0, 0].double() * gain)
        biases.append(weights[f"{name}_graph.project.bias"].double() * gain)
    rows = torch.cat(merged)
    _, _, basis = torch.linalg.svd(rows, full_matrices=False)
    basis = basis[: backbone.project.weight.shape[0]]
    lost = float((rows - rows @ basis.T @ basis).norm() / rows.norm())
    if lost > RESIDUAL:
        raise TrainingStopped(
            "the export's projections are not those of one backbone, as after stage finish; "
            "start from a checkpoint of stage joint, or from another network"
        )
    a, a_bias = _to_teacher(backbone, basis, images, held, standard)
    backbone.project.weight.copy_((a @ basis)[:, :, None, None])
    backbone.project.bias.copy_(a_bias)
    back = torch.linalg.pinv(a)
    for (_, unit, _), rows, bias in zip(parts, merged, biases):
        weight = rows @ basis.T @ back
        _take(unit, weight[:, :, None, None].float(), (bias - weight @ a_bias).float())


def _to_teacher(
    backbone: Backbone,
    basis: torch.Tensor,
    images: dict[str, torch.Tensor],
    held: dict[str, np.ndarray],
    standard: Standard,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The linear map from rows of the backbone's channels to the teachers' features.

    Returns:
        float64 tensors: weights (channels, rows), bias (channels,).
    """
    inputs, targets = [], []
    for name, crops in images.items():
        maps = torch.cat([backbone.layers(part) for part in crops.split(32)]).double()
        inputs.append(torch.einsum("rc,nchw->rnhw", basis, maps).flatten(1))
        features = torch.from_numpy(held[name + "_features"][:LOOKED_AT])
        targets.append(standard.apply(features).double().transpose(0, 1).flatten(1))
    x, y = torch.cat(inputs, 1), torch.cat(targets, 1)
    x = torch.cat([x, torch.ones_like(x[:1])])
    found = torch.from_numpy(np.linalg.lstsq(x.T.numpy(), y.T.numpy(), rcond=None)[0]).T
    return found[:, :-1].contiguous(), found[:, -1].contiguous()


def _statistics(
    network: Kestrel, images: dict[str, torch.Tensor], norms: Sequence[nn.Module]
) -> dict[Any, Any]:
    """dict of batch norm -> mean and variance of its input, as a training keeps them.

    Where it gets exemplars and then search crops, these are between both: the running mean of
    numbers that take turns.
    """
    found: dict[Any, Any] = {}

    def look(norm: nn.Module, inputs: Any) -> None:
        values = inputs[0].transpose(0, 1).flatten(1)
        seen = values.mean(1), values.var(1)
        if norm in found:
            share = 1.0 / (2.0 - norm.momentum)  # of what came last
            seen = tuple(old.lerp(new, share) for old, new in zip(found[norm], seen))
        found[norm] = seen

    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    network(images["exemplar"], images["search"])
    for hook in hooks:
        hook.remove()
    return found


def _take_correlation(
    network: Kestrel, weight: torch.Tensor, bias: torch.Tensor, images: dict[str, torch.Tensor]
) -> None:
    """Standardise the correlation, and make the layer behind it compute what it computed."""
    match, reduce = network.head.match, network.head.reduce
    mean, variance = _statistics(network, images, [match])[match]
    match.running_mean.copy_(mean)
    match.running_var.copy_(variance)
    deviation, cells = torch.sqrt(variance + match.eps), len(mean)
    scaled = weight.clone()
    scaled[:, :cells] *= deviation[:, None, None]
    _take(reduce, scaled, bias + weight[:, :cells, 0, 0] @ mean)


def _measure(network: Kestrel, images: dict[str, torch.Tensor]) -> None:
    """Give the units' batch norms the statistics of their inputs; they compute the same."""
    norms = [module.norm for module in network.modules() if isinstance(module, Unit)]
    for norm, (mean, variance) in _statistics(network, images, norms).items():
        norm.bias.add_(mean * norm.weight)
        norm.weight.mul_(torch.sqrt(variance + norm.eps))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
