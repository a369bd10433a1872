"""Measure what a converted network loses: its one-step overlap beside the network's own in fp32.

    python -m boards.build.accuracy raspberry_pi5 --precision int8 --clips DIR DIR
    python -m boards.build.accuracy rk3588 --precision int8 --clips DIR --frames 10

A bundle for ncnn is built and run here. For an RK3588, Rockchip's toolkit builds the network and
runs it in its simulator of the NPU. The pairs of crops are those of ``calib.one_step_overlap``.
Each folder of clips gets a line.
"""

import argparse
import os
import pathlib
import sys
import tempfile
from typing import Any, Dict, List, Optional, Tuple

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

import numpy as np

import boards
from boards.build.engines import build_of, converted, rknn
from boards.build.order import PRECISIONS, Order
from boards.build.progress import say
from calib.clips import find_clips
from calib.one_step_overlap import FRAMES, Finder, Pairs, best_cell, put
from kernels.commands import Parser
from kernels.errors import HotpathError
from runtime import DEFAULT_NETWORK, engines, loading
from runtime.decode.shared.voting import probability
from runtime.networks import load_network


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        for folder in options.clips:
            _measure(options, folder)
        return 0
    except HotpathError as error:
        print(f"boards.build.accuracy: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    cli = Parser(
        prog="python -m boards.build.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_argument("board", help="whose engine is ncnn or rknn")
    cli.add_argument("--network", default=DEFAULT_NETWORK, metavar="NAME|FILE.toml")
    cli.add_argument("--networks-dir", metavar="DIR")
    cli.add_argument("--precision", choices=PRECISIONS, default="int8")
    cli.add_argument("--clips", nargs="+", required=True, metavar="DIR", type=pathlib.Path)
    cli.add_argument(
        "--frames", type=int, default=FRAMES, help="of each clip (default: %(default)s)"
    )
    return cli


def _measure(options: argparse.Namespace, folder: pathlib.Path) -> None:
    """Print both overlaps on one folder of clips."""
    network = load_network(options.network)
    pairs = Pairs(find_clips([folder]), network, frames=options.frames)
    exact = engines.create("auto", network, network.locate(options.networks_dir))
    finder = Finder(network, exact)
    cells, wanted = finder.run(pairs)
    with tempfile.TemporaryDirectory() as out:
        board = boards.load_board(options.board)
        order = Order(board, network, options.precision, out, options.networks_dir)
        if order.engine == "rknn":
            found_cells, found = _simulated(order, finder, pairs, pathlib.Path(out))
        else:
            made = build_of(board)(order, lambda text: None)
            found_cells, found = Finder(network, loading.open_bundle(made)).run(pairs)
    say(
        f"{network.name} {order.engine} {options.precision}, {folder.name}: {len(pairs)} pairs, "
        f"one-step overlap {found.mean():.4f}, in fp32 {wanted.mean():.4f} "
        f"({found.mean() - wanted.mean():+.4f}); the same cell "
        f"in {(found_cells == cells).mean():.1%}"
    )


def _simulated(
    order: Order, finder: Any, pairs: Any, out: pathlib.Path
) -> Tuple[np.ndarray, np.ndarray]:
    """(cells, overlaps) of all pairs in the toolkit's simulator.

    Both graphs are simulated: the features come from the exemplars, and go into the searches.
    """
    crops = {"exemplar": pairs.exemplars, "search": pairs.searches}

    results: Dict[str, Dict[str, np.ndarray]] = {}

    def convert(part: converted.Part) -> Dict[str, str]:
        pictures = np.array([_input(finder, crop) for crop in crops[part.name]])
        arrays = [pictures]
        for name, _ in part.inputs[1:]:
            features = results["exemplar"][name]
            arrays.append(features[pairs.clip])
        paths = {key: str(out / (part.name + key + ".npz")) for key in ("inputs", "outputs")}
        named: Dict[str, Any] = {f"in{i}": a for i, a in enumerate(arrays)}
        np.savez(paths["inputs"], **named)
        rknn.run_toolkit(part, order.precision, part.folder / (part.name + ".rknn"), paths)
        with np.load(paths["outputs"]) as made:
            outputs = [made[f"out{i}"] for i in range(len(part.outputs))]
        results[part.name] = {
            name: values.reshape([len(pictures)] + shape).astype(np.float32)
            for (name, shape), values in zip(part.outputs, outputs)
        }
        return {"model": part.name + ".rknn"}

    made = converted.build(order, rknn.toolkit_version(), convert)

    score, distances = (results["search"][name] for name in made.run["maps"])
    kind = finder.network.score
    maps = [
        (probability(s.astype(np.float64), kind), d[0].astype(np.float64))
        for s, d in zip(score, distances)
    ]
    return np.array([best_cell(p) for p, _ in maps]), pairs.overlaps(maps)


def _input(finder: Any, crop: np.ndarray) -> np.ndarray:
    """A crop as the network takes it, float32 (1, 3, side, side)."""
    picture = np.empty((1, 3) + crop.shape[:2], np.float32)
    put(picture, crop, finder.network)
    return picture


if __name__ == "__main__":
    sys.exit(main())
