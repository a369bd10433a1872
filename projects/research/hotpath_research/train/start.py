"""The first weights of a stage: from a checkpoint, from the other stage, or from the teacher."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hotpath.calib.errors import TrainingStopped
from hotpath_research.train import loop
from hotpath_research.train.backbones import PREFIX, PRETRAINED
from hotpath_research.train.layers import BACKBONES, Block, Bottleneck
from hotpath_research.train.network import Backbone, Kestrel
from hotpath_research.train.stages import FEATURES
from hotpath_research.train.teacher import Teacher

LOOKED_AT = 64  # crops that the teacher's statistics are measured on
LEAST = 1e-3  # of a deviation, so that a channel that is always the same divides nothing by zero


@torch.no_grad()
def begin(backbone: Backbone, teacher: Teacher, held: dict[str, np.ndarray]) -> None:
    """Standardise as the teacher's features ask for; give our shapes the teacher's blocks.

    A batch norm that starts as the identity would remove the scale of every channel in the first
    step. So each starts with the mean and deviation of the teacher's convolution on held-out crops.
    The projection starts as the standardisation itself.

    Raises:
        TrainingStopped: the teacher has no such blocks.
    """
    features = [held[name].astype(np.float32).transpose(1, 0, 2, 3) for name in FEATURES]
    flat = np.concatenate([values.reshape(len(values), -1) for values in features], 1)
    mean = flat.mean(1)
    deviation = flat.std(1) + LEAST
    backbone.mean.copy_(torch.from_numpy(mean))
    backbone.deviation.copy_(torch.from_numpy(deviation))
    if backbone.shape not in BACKBONES:
        return
    theirs = teacher.blocks(held["search"][:LOOKED_AT])
    entered = False
    for index, (layer, ours) in enumerate(zip(BACKBONES[backbone.shape], backbone.layers)):
        if not isinstance(layer, Block):
            continue
        if len(theirs) < -layer.place or not _alike(ours, theirs[layer.place]):
            raise TrainingStopped(
                f"the teacher has no block {layer.place} of the form that --shape {backbone.shape} "
                "asks for; use another --shape or --teacher"
            )
        block = theirs[layer.place]
        for unit, convolution in zip((ours.expand, ours.depth, ours.narrow), block.convolutions):
            unit.begin(*convolution)
        if not entered:  # the stem's last layer gives what the teacher's first block gets
            norm = backbone.layers[index - 1].norm
            entered = True
            norm.weight.copy_(torch.from_numpy(block.deviation))
            norm.bias.copy_(torch.from_numpy(block.mean))
    last = backbone.project
    if last.weight.shape[0] == last.weight.shape[1]:  # the last block gives the features
        last.weight.copy_(torch.diag(1 / torch.from_numpy(deviation))[:, :, None, None])
        last.bias.copy_(torch.from_numpy(-mean / deviation))


def _alike(ours: Bottleneck, theirs: Any) -> bool:
    """Whether two blocks have convolutions of the same shapes."""
    units = (ours.expand, ours.depth, ours.narrow)
    return [tuple(u.weight.shape) for u in units] == [c.weight.shape for c in theirs.convolutions]


def timm_weights(shape: str, start: str | None, pretrained: bool) -> str:
    """Where the first weights of a backbone of timm come from, for ``backbones.Level``.

    Args:
        start: the ``--start`` of stage features. A file without averaged weights is not of a run
            of ours: it is one in timm's form.
    """
    if not shape.startswith(PREFIX):
        return ""
    if start is None:
        return PRETRAINED if pretrained else ""
    if not Path(start).is_file():
        raise TrainingStopped(f"{start} is not there; correct --start")
    own = Path(start).suffix != ".safetensors" and "average" in loop.load(start)
    return "" if own else start


def load_start(name: str, network: Kestrel, path: str | Path) -> None:
    """Load the averaged weights of a checkpoint, from which stage ``name`` starts.

    Stage features takes over the backbone, stage head also the head where it is of the same size.

    Raises:
        TrainingStopped: it is not there, or is of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise TrainingStopped(f"{path} is not there; correct --start")
    weights = dict(loop.load(path)["average"])
    own = network.state_dict()
    if name == "features":  # its own head stays
        weights.update({key: value for key, value in own.items() if key.startswith("head.")})
    wrong = [k for k in own if k not in weights or weights[k].shape != own[k].shape]
    if wrong or len(weights) != len(own):
        raise TrainingStopped(
            f"{path} is of another network ({(wrong or ['more layers'])[0]}); correct --start, "
            "--shape or --head"
        )
    network.load_state_dict(weights)


def widths_of(start: str | None) -> dict[str, Any]:
    """The arguments of ``Kestrel`` that a checkpoint of ``prune`` has besides the options."""
    if start is None or not start.endswith(".pt") or not Path(start).is_file():
        return {}
    config = loop.load(start).get("config", {})
    return {key: config[key] for key in ("expanded", "towers") if key in config}


def load_features(network: Kestrel, out: Path) -> None:
    """Load the backbone of stage features, which stage head goes on from."""
    path = out / "features.pt"
    if not path.is_file():
        raise TrainingStopped(
            f"stage head needs a backbone, but {path} is not there; run stage features first, or "
            "name a checkpoint with --start"
        )
    weights = loop.load(path)["average"]
    own = {key: value for key, value in weights.items() if key.startswith("backbone.")}
    network.load_state_dict({**network.state_dict(), **own})
