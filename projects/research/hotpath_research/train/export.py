"""python -m hotpath_research.train.export: write a trained network as ONNX and TOML.

    python -m hotpath_research.train.export RUN/head.pt FOLDER
    python -m hotpath_research.train.export RUN/head.pt FOLDER --backbone OTHER/features.pt
    python -m hotpath_research.train.export FOLDER --shape timm:mobileone_s0

``NAME_exemplar.onnx``: image (1,3,128,128) -> features (1,width,8,8).
``NAME_search.onnx``: features, image (1,3,256,256) -> score (1,1,16,16), size (1,2,16,16) as shares
of the search region, offset (1,2,16,16) in cells. Images are RGB, mean and scale as in
``NAME.toml``, which says from the log of the run what taught it and which pictures it saw. NAME is
that of --name, else of the run's folder. --backbone takes the backbone of another run,
whose features have been learnt longer; the head is the same for both. --shape writes a network with
random weights, so that an architecture is timed on a board before it is trained.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hotpath.calib import command_line
from hotpath.calib.errors import TrainingStopped
from hotpath.graphs import counting, models
from hotpath_research.pytorch import nn, torch
from hotpath_research.train import loop, origin
from hotpath_research.train.backbones import checked
from hotpath_research.train.geometry import EXEMPLAR, SEARCH
from hotpath_research.train.layers import BACKBONES, Block
from hotpath_research.train.network import ExemplarGraph, Kestrel, SearchGraph
from hotpath_research.train.options import add_shape

TOML = Path(__file__).with_name("export.toml")  # of a network; names in braces are filled in
OPSET = 13  # of TensorRT 8.2 on a Jetson Nano
MAPS = ("score", "size", "offset")


def load(checkpoint: str | Path, backbone: str | Path | None = None) -> Kestrel:
    """The averaged network of a checkpoint, with the backbone of another one if it is named.

    Raises:
        TrainingStopped: a checkpoint is not there, or the two do not fit together.
    """
    for path in (checkpoint, backbone or checkpoint):
        if not Path(path).is_file():
            raise TrainingStopped(
                f"{path} is not there; train first: python -m hotpath_research.train"
            )
    state = loop.load(checkpoint)
    network: Kestrel = Kestrel(**state["config"]).eval()
    network.load_state_dict(state["average"])
    if backbone:
        other = loop.load(backbone)
        if other["config"]["channels"] != network.config["channels"]:
            raise TrainingStopped(f"{backbone} learnt another teacher's features; name one of both")
        head = network
        network = Kestrel(**{**network.config, "shape": other["config"]["shape"]})
        own = {k: v for k, v in other["average"].items() if k.startswith("backbone.")}
        network.load_state_dict({**own, **head.head.state_dict(prefix="head.")})
        _standardise_alike(network.eval(), head)
    return network


@torch.no_grad()
def _standardise_alike(network: Kestrel, other: Kestrel) -> None:
    """Give features that are standardised as another network's head has them."""
    ours, theirs, project = network.backbone, other.backbone, network.backbone.project
    gain = ours.deviation / theirs.deviation
    project.weight.mul_(gain[:, None, None, None])
    project.bias.mul_(gain).add_((ours.mean - theirs.mean) / theirs.deviation)
    ours.mean.copy_(theirs.mean)
    ours.deviation.copy_(theirs.deviation)


def layers_of(shape: str) -> str:
    """What the TOML's first line says of a backbone."""
    if shape not in BACKBONES:
        return f"the layers of {shape}"
    blocks = sum(isinstance(layer, Block) for layer in BACKBONES[shape])
    return f"3x3 convolutions, then {blocks} blocks of MobileNetV2"


def fold_error(network: Kestrel, exemplar: nn.Module, search: nn.Module) -> float:
    """How much the folded form changes the maps of random crops; see ``backbones.checked``."""
    torch.manual_seed(0)
    crops = [torch.randn(1, 3, side, side) for side in (EXEMPLAR, SEARCH)]
    error: float = checked(network.maps, lambda z, x: search(exemplar(z), x), *crops)
    return error


def write_onnx(graph: nn.Module, path: Path, inputs: dict[str, Any], outputs: Any) -> str:
    """Write a graph as ONNX; ``inputs`` maps names to examples; returns the file's SHA-256."""
    torch.onnx.export(
        graph.eval(),
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=list(outputs),
        dynamo=False,
        opset_version=OPSET,
    )
    return hashlib.sha256(path.read_bytes()).hexdigest()


@torch.no_grad()
def untrained(shape: str, head: Any = ()) -> Kestrel:
    """A network with random weights, whose batch norms have seen noise.

    Args:
        shape: as of ``--shape`` of the training.
        head: width, tower and depth.
    """
    torch.manual_seed(0)
    network: Kestrel = Kestrel(shape, 96, *head).train()
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    network(*(torch.randn(2, 3, side, side) for side in (EXEMPLAR, SEARCH)))
    network.eval()
    return network


def export(
    checkpoint: str | Path,
    folder: str | Path,
    name: str | None = None,
    backbone: str | Path | None = None,
) -> dict[str, Any]:
    """Write the network of a checkpoint; arguments as of ``load`` and ``write``.

    Without a name the run's folder names it. Teacher, pictures and licence are those of its log.
    """
    network = load(checkpoint, backbone)
    made = origin.origin_of(checkpoint, backbone or checkpoint)
    about = [*made.lines(), origin.marked(checkpoint, made.commit)]
    about += [origin.marked(backbone)] if backbone else []
    return write(network, folder, name or origin.name_of(checkpoint), made.licence, about)


def write(
    network: Kestrel, folder: str | Path, name: str, licence: str, about: Sequence[str] = ()
) -> dict[str, Any]:
    """Write both graphs and the TOML into ``folder``; ``name`` is that of the files.

    Args:
        about: sentences for the TOML: what the network was made from.

    Returns:
        dict: ``toml``, its path; ``fold_error``; ``macs_m``, millions; ``size_mb``.

    Raises:
        TrainingStopped: the folded form gives other maps. Nothing is written then.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    exemplar, search = ExemplarGraph(network).eval(), SearchGraph(network).eval()
    error = fold_error(network, exemplar, search)
    paths = {part: folder / f"{name}_{part}.onnx" for part in ("exemplar", "search")}
    z, x = torch.randn(1, 3, EXEMPLAR, EXEMPLAR), torch.randn(1, 3, SEARCH, SEARCH)
    with torch.no_grad():
        features = exemplar(z)
    inputs = {"exemplar": features, "image": x}
    sums = {
        "exemplar": write_onnx(exemplar, paths["exemplar"], {"image": z}, ["features"]),
        "search": write_onnx(search, paths["search"], inputs, MAPS),
    }
    macs_m = (counting.count(models.read(paths["search"])).macs or 0) / 1e6
    toml = folder / (name + ".toml")
    toml.write_text(
        TOML.read_text().format(
            title=name.replace("_", ", ").capitalize(),
            layers=layers_of(network.backbone.shape),
            about="".join(f"# {line}\n" for line in about),
            name=name,
            macs=f"{macs_m:.3g}",
            licence=licence.replace('"', "'"),
            **sums,
        )
    )
    return {
        "toml": str(toml),
        "fold_error": error,
        "macs_m": macs_m,
        "size_mb": sum(path.stat().st_size for path in paths.values()) / 1e6,
    }


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_research.train.export", __doc__)
    cli.add_argument("checkpoint", nargs="?", help="such as RUN/head.pt; it need not be finished")
    cli.add_argument("folder", help="where to write, such as runtime/networks")
    cli.add_argument("--name", help="of the files (default: of the run, or the model of --shape)")
    cli.add_argument("--force", action="store_true", help="replace another network of that name")
    cli.add_argument("--backbone", metavar="FILE", help="checkpoint of another run's backbone")
    add_shape(cli.add_argument, None)
    return cli


def check_free(folder: Path, name: str, force: bool) -> None:
    """Refuse to replace a network that is there.

    Raises:
        TrainingStopped: there is one of that name, and ``force`` is not set.
    """
    if (folder / f"{name}.toml").exists() and not force:
        raise TrainingStopped(
            f"{folder / name}.toml is a network already; give this one another --name, or replace "
            "that one with --force"
        )


def run(options: argparse.Namespace) -> None:
    """Export, and print figures about the network."""
    if bool(options.checkpoint) == bool(options.shape):
        raise TrainingStopped("name a checkpoint, or a --shape for random weights")
    if options.shape:
        name = options.name or re.sub(r"\W", "_", options.shape)
        check_free(Path(options.folder), name, options.force)
        network = untrained(options.shape, options.head)
        about = ["Its weights are random: only its speed means something."]
        export_record = write(network, options.folder, name, "none: its weights are random", about)
    else:
        name = options.name or origin.name_of(options.checkpoint)
        check_free(Path(options.folder), name, options.force)
        export_record = export(options.checkpoint, options.folder, name, options.backbone)
    print(json.dumps(export_record, indent=1))
    print(f"time it: hotpath networks show {export_record['toml']}", file=sys.stderr)


main = command_line.main("hotpath_research.train.export", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
