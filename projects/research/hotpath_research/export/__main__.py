"""python -m hotpath_research.export: ONNX files and a TOML of a checkpoint and its authors'
code.

    python -m hotpath_research.export pysot --checkout DIR --config config.yaml \
        --checkpoint model.pth --name siamrpn_alexnet --out networks

The authors' modules are imported from the checkout, so that what is exported is what they train.
Re-parameterised layers are folded, and both forms are compared before a file is written.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path

from hotpath.base import toml_checks, toml_writer
from hotpath.calib import command_line
from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import network_schema
from hotpath_research.export.authors import AUTHORS, Parts
from hotpath_research.export.one_stream import KINDS, one_stream
from hotpath_research.pytorch import torch
from hotpath_research.train.backbones import folded
from hotpath_research.train.export import write_onnx

EXPORTERS: dict[str, Callable[..., Parts]] = {
    **AUTHORS,
    **{name: functools.partial(one_stream, kind) for name, kind in KINDS.items()},
}
CONFIG_IS_NO_FILE = ("lighttrack", "trackit-siamdw", "trackit-ocean")  # a name, or nothing


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_research.export", __doc__)
    cli.add_argument("authors", choices=sorted(EXPORTERS), help="whose code base it is")
    cli.add_argument("--checkout", required=True, metavar="DIR", help="the authors' repository")
    text = (
        "the authors' configuration of the network; for LightTrack and TracKit a name, or nothing"
    )
    cli.add_argument("--config", metavar="FILE", help=text)
    cli.add_argument("--checkpoint", required=True, metavar="FILE", help="the trained weights")
    cli.add_argument("--name", required=True, help="name of the network")
    cli.add_argument("--out", default=".", metavar="DIR", help="folder to write to")
    return cli


def run(options: argparse.Namespace) -> None:
    """Export and check the result."""
    for option in ("config", "checkpoint"):
        value = getattr(options, option)
        if option == "config" and options.authors in CONFIG_IS_NO_FILE:
            continue
        if not value or not Path(value).is_file():
            raise BadRun(f"--{option} {value} is not a file; name one")
    parts = EXPORTERS[options.authors](
        Path(options.checkout), options.config, Path(options.checkpoint)
    )
    path = write(parts, options.name, Path(options.out))
    print(f"wrote {path}; try it with `hotpath networks check {path}`")


def write(parts: Parts, name: str, folder: Path) -> Path:
    """Write the ONNX files and the TOML; returns the TOML's path."""
    folder.mkdir(parents=True, exist_ok=True)
    sides = parts.table["input"]
    exemplar, search = (torch.zeros(1, 3, sides[key], sides[key]) for key in ("exemplar", "search"))
    graphs = ("exemplar", "search") if parts.exemplar else ("whole",)
    files = {part: folder / f"{name}_{part}.onnx" for part in graphs}
    taken = {"exemplar": exemplar}
    sums = {}
    if parts.box:
        taken["box"] = torch.tensor([[0.25, 0.25, 0.75, 0.75]])
    with torch.no_grad():
        inputs = {"search": search}
        if parts.exemplar:
            parts = parts._replace(exemplar=folded(parts.exemplar, exemplar))
            features = parts.exemplar(exemplar)
            features = features if isinstance(features, tuple) else (features,)
            names = [f"feature{index}" for index in range(len(features))]
            inputs.update(zip(names, features))
            sums["exemplar"] = write_onnx(parts.exemplar, files["exemplar"], taken, names)
        else:
            inputs = {**taken, **inputs}
        parts = parts._replace(search=folded(parts.search, *inputs.values()))
        sums[graphs[-1]] = write_onnx(parts.search, files[graphs[-1]], inputs, list(parts.maps))
    table = dict(parts.table)
    table["file"] = [
        {"part": part, "name": path.name, "sha256": sums[part]} for part, path in files.items()
    ]
    _, _, mistakes = network_schema.read(table)
    if mistakes:
        raise BadNetwork(f"the configuration gives {toml_checks.sentence(mistakes[0])}")
    path = folder / (name + ".toml")
    path.write_text(
        toml_writer.to_toml(table, "Written by `python -m hotpath_research.export`."),
        encoding="utf-8",
    )
    return path


main = command_line.main("hotpath_research.export", run, parser)

if __name__ == "__main__":
    sys.exit(main())
