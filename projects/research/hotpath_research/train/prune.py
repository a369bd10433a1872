"""python -m hotpath_research.train.prune: remove channels of a trained network, and export it.

    python -m hotpath_research.train.prune RUN/head.pt --share .2 --out DIR --clips DIR...

It removes at most the given share of the channels inside each block of the backbone, and of both
towers of the head (what stays is a multiple of 8): those whose weights add least
(``torch.nn.utils.prune.ln_structured``). The result has the maps of the network with these channels
set to zero. DIR gets the TOML and the ONNX files of both
networks, and NAME_pruned.pt, from which ``--start`` of the training goes on. Without that, pruning
costs accuracy.
With --clips it also prints one-step overlap and milliseconds of both.
"""

import argparse
import json
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.nn.utils import prune

from hotpath.calib import command_line
from hotpath.calib.errors import TrainingStopped
from hotpath.calib.one_step_overlap import Finder
from hotpath.runtime import engines
from hotpath.runtime.networks import load_network
from hotpath.video.clips import find_clips
from hotpath_research.pytorch import nn, torch
from hotpath_research.train import export, judge, origin
from hotpath_research.train.backbones import PREFIX, checked
from hotpath_research.train.geometry import EXEMPLAR, SEARCH
from hotpath_research.train.layers import Bottleneck, Unit
from hotpath_research.train.loop import save
from hotpath_research.train.network import Kestrel

ROUNDS = 40  # of the timing, after which the median is taken
MULTIPLE = 8  # of the channels that stay, since processors work on so many at once


class Place(NamedTuple):
    """Channels of which some can be removed.

    Attributes:
        givers: units that have these channels as outputs, the last one gives them.
        reader: the layer whose ``weight`` has them as inputs.
    """

    givers: Sequence[Unit]
    reader: nn.Module


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_research.train.prune", __doc__)
    cli.add_argument("checkpoint", help="such as RUN/head.pt")
    cli.add_argument(
        "--share", type=float, default=0.2, help="to remove at most (default: %(default)s)"
    )
    cli.add_argument("--out", required=True, metavar="DIR", help="where to write")
    cli.add_argument("--clips", nargs="*", default=[], metavar="DIR", help="clips that judge both")
    cli.add_argument("--force", action="store_true", help="replace networks of these names")
    return cli


def places(network: Kestrel) -> list[Place]:
    """What can be pruned: the blocks in their order, then the towers of score and box.

    Raises:
        TrainingStopped: the backbone is one of timm.
    """
    if network.backbone.shape.startswith(PREFIX):
        raise TrainingStopped(
            f"{network.backbone.shape} is a model of timm, whose blocks are not known here; prune "
            "it with a library of yours, and export it with research.export fold"
        )
    blocks = [layer for layer in network.backbone.layers if isinstance(layer, Bottleneck)]
    head = network.head
    towers = (head.score_tower, head.score), (head.box_tower, head.box)
    return [Place((block.expand, block.depth), block.narrow) for block in blocks] + [
        Place((tower[-1],), reader) for tower, reader in towers
    ]


@torch.no_grad()
def mask(network: Kestrel, share: float) -> list[torch.Tensor]:
    """Set the weakest channels to zero; returns those that stay, indices for each place.

    A channel counts by the L2 norm of the weights that read it, times its deviation.
    """
    kept = []
    for givers, reader in places(network):
        deviation = givers[-1].norm.weight.abs()[None, :, None, None]
        count = deviation.numel()
        stays = min(count, max(1, math.ceil(count * (1 - share) / MULTIPLE)) * MULTIPLE)
        channels = torch.ones(count, dtype=torch.bool)
        if stays < count:
            scores = reader.weight * deviation
            how = dict(amount=count - stays, n=2, dim=1, importance_scores=scores)
            prune.ln_structured(reader, "weight", **how)
            channels = reader.weight_mask[0, :, 0, 0] > 0
            prune.remove(reader, "weight")
        kept.append(channels.nonzero()[:, 0])
    return kept


@torch.no_grad()
def removed(network: Kestrel, kept: Sequence[torch.Tensor]) -> Kestrel:
    """A network without the channels that ``mask`` set to zero: it has the same maps."""
    counts = [len(channels) for channels in kept]
    config = {**network.config, "expanded": counts[:-2], "towers": counts[-2:]}
    small: Kestrel = Kestrel(**config).eval()
    weights = network.state_dict()
    names = {module: name for name, module in network.named_modules()}
    modules = dict(small.named_modules())
    for (givers, reader), channels in zip(places(network), kept):
        for unit in givers:
            name = names[unit]
            norm = [
                key for key in weights if key.startswith(name + ".norm.") and weights[key].dim()
            ]
            weights.update({key: weights[key][channels] for key in norm})
            identity = modules[name].identity
            weight = unit.kernel()[channels]
            weights[name + ".weight"] = weight if identity is None else weight - identity
        weights[names[reader] + ".weight"] = reader.weight[:, channels]
    small.load_state_dict(weights)
    return small


def run(options: argparse.Namespace) -> None:
    """Prune, export both networks, and print a line for each."""
    if not 0 < options.share < 1:
        raise TrainingStopped(f"--share {options.share:g} is not between 0 and 1; give such as .2")
    out, name = Path(options.out), origin.name_of(options.checkpoint)
    names = name, name + "_pruned"
    for exported in names:
        export.check_free(out, exported, options.force)
    network = export.load(options.checkpoint)
    kept = mask(network, options.share)
    counts = [givers[-1].norm.weight.numel() for givers, _ in places(network)]
    gone = 1 - sum(map(len, kept)) / sum(counts)
    if not gone:
        raise TrainingStopped(
            f"--share {options.share:g} removes no channel, since what stays is a multiple of "
            f"{MULTIPLE}; give more"
        )
    whole = export.export(options.checkpoint, out, name)
    small = removed(network, kept)
    torch.manual_seed(0)
    crops = [torch.randn(1, 3, side, side) for side in (EXEMPLAR, SEARCH)]
    checked(network.maps, small.maps, *crops)
    source = origin.origin_of(options.checkpoint, options.checkpoint)
    about = [*source.lines(), f"{gone:.0%} of its inner channels were removed."]
    pruned = export.write(small, out, names[1], source.licence, about)
    save(out / f"{names[1]}.pt", {"config": small.config, "average": small.state_dict()})
    log = origin.folder_of(options.checkpoint) / origin.LOG
    if log.is_file() and log.parent != out.resolve():  # it says what the network saw
        shutil.copyfile(log, out / origin.LOG)
    for exported, figures in zip(names, measured([whole, pruned], options.clips)):
        print(json.dumps({"network": exported, **figures}), flush=True)


def measured(written: Sequence[dict[str, Any]], clips: Sequence[str]) -> list[dict[str, Any]]:
    """The figures of exported networks: arithmetic, and on clips time and one-step overlap."""
    figures = [{"mmac": round(record["macs_m"], 1)} for record in written]
    if not clips:
        return figures
    finders: dict[Any, Finder] = {}
    for number, record in enumerate(written):
        network = load_network(record["toml"])
        finders[number] = Finder(network, engines.create("auto", network, network.locate(None)))
    times = milliseconds({number: finder.engine for number, finder in finders.items()})
    results = judge.overlaps(judge.by_source(find_clips(clips)), finders)
    rows = [{"ms": round(times[n], 3), **judge.summary(results[n])} for n in finders]
    return [{**row, **more} for row, more in zip(figures, rows)]


def milliseconds(engines_of: dict[Any, Any]) -> dict[Any, float]:
    """Median milliseconds of a search region; the engines take turns."""
    features = {name: engine.exemplar() for name, engine in engines_of.items()}
    times: dict[Any, list[float]] = {name: [] for name in engines_of}
    for _ in range(ROUNDS):
        for name, engine in engines_of.items():
            started = time.perf_counter()
            engine.search(features[name])
            times[name].append((time.perf_counter() - started) * 1e3)
    return {name: float(np.median(values)) for name, values in times.items()}


main = command_line.main("hotpath_research.train.prune", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
