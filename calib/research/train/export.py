"""python -m calib.research.train.export: write a trained network as the runtime takes it.

    python -m calib.research.train.export RUN/finish.pt FOLDER

``NAME_exemplar.onnx``: image (1,3,127,127) -> features (1,48,8,8).
``NAME_search.onnx``: features, image (1,3,255,255) -> score logits (1,1,16,16), distances
(1,4,16,16) l,t,r,b in search pixels. Images are BGR, mean and scale as in ``NAME.toml``. NAME is
that of --name, else kestrel.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from calib import command
from calib.errors import TrainingStopped
from calib.research.pytorch import nn, torch
from calib.research.train import loop
from calib.research.train.geometry import EXEMPLAR, SEARCH
from calib.research.train.network import Folded, Kestrel, macs
from calib.research.train.start import licence_of

TOML = Path(__file__).with_name("export.toml")  # of a network; names in braces are filled in
TITLES = {"kestrel": "Kestrel", "kestrel_small": "Kestrel, small"}
LAYERS = {"k48b5": "3x3 convolutions, then blocks of MobileNetV3 with ReLU"}
PLAIN = "plain 3x3 and 1x1 convolutions"
OPSET = 13  # of TensorRT 8.2 on a Jetson Nano


def load(checkpoint: str | Path) -> Any:
    """The averaged network of a checkpoint: a ``Folded`` after stage finish, else a ``Kestrel``."""
    path = Path(checkpoint)
    if not path.is_file():
        raise TrainingStopped(f"{path} is not there; train first: python -m calib.research.train")
    state = loop.load(path)
    config = dict(state["config"])
    folded = config.pop("folded", False)
    network = Kestrel(**config).eval()
    network = Folded(network) if folded else network
    network.load_state_dict(state["average"])
    return network.eval()


def fold_error(network: Kestrel, folded: Folded) -> float:
    """Largest difference between a network and its folded form, logits and log distances."""
    torch.manual_seed(0)
    z, x = torch.randn(1, 3, EXEMPLAR, EXEMPLAR), torch.randn(1, 3, SEARCH, SEARCH)
    with torch.no_grad():
        logits, distances = network(z, x)
        others, folded_distances = folded(z, x)
    gap = (distances - folded_distances).abs()
    return max(float((others - logits).abs().max()), float(gap.max()))


def write_onnx(
    graph: nn.Module, path: Path, inputs: dict[str, torch.Tensor], outputs: list[str]
) -> str:
    """Write a graph as ONNX; ``inputs`` maps names to examples; returns the file's SHA-256."""
    torch.onnx.export(
        graph.eval(),
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=outputs,
        dynamo=False,
        opset_version=OPSET,
    )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def export(checkpoint: str | Path, folder: str | Path, name: str = "kestrel") -> dict[str, Any]:
    """Write both graphs and the TOML into ``folder``; ``name`` is that of the files.

    Returns:
        dict: ``toml``, its path; ``fold_error``; ``macs_m`` and ``parameters_m``, millions;
        ``size_mb``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    network = load(checkpoint)
    folded = network if isinstance(network, Folded) else Folded(network).eval()
    error = fold_error(network, folded)
    exemplar_graph, search_graph = folded.exemplar_graph, folded.search_graph
    paths = {part: folder / f"{name}_{part}.onnx" for part in ("exemplar", "search")}
    z, x = torch.randn(1, 3, EXEMPLAR, EXEMPLAR), torch.randn(1, 3, SEARCH, SEARCH)
    with torch.no_grad():
        features = exemplar_graph(z)
    sums = {
        "exemplar": write_onnx(exemplar_graph, paths["exemplar"], {"image": z}, ["features"]),
        "search": write_onnx(
            search_graph,
            paths["search"],
            {"exemplar": features, "image": x},
            ["score", "distances"],
        ),
    }
    size = macs(folded)
    total = size["backbone"] + size["head"]
    text = TOML.read_text().format(
        title=f"{TITLES.get(name, name)}: {LAYERS.get(network.config['shape'], PLAIN)}",
        name=name,
        macs=total,
        licence=licence_of(checkpoint),
        **sums,
    )
    toml = folder / (name + ".toml")
    toml.write_text(text)
    size_mb = sum(path.stat().st_size for path in paths.values()) / 1e6
    return {
        "toml": str(toml),
        "fold_error": error,
        "macs_m": total,
        "parameters_m": size["parameters"],
        "size_mb": size_mb,
    }


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.research.train.export", __doc__)
    cli.add_argument("checkpoint", help="such as RUN/finish.pt; it need not be finished")
    cli.add_argument("folder", help="where to write, such as runtime/networks")
    cli.add_argument("--name", default="kestrel", help="of the files (default: kestrel)")
    return cli


def run(options: argparse.Namespace) -> None:
    """Export, and print figures about the network."""
    print(json.dumps(export(options.checkpoint, options.folder, options.name), indent=1))


main = command.main("calib.research.train.export", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
