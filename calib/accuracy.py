"""Measure what a converted network loses: its one-step overlap beside the network's own in fp32.

    python -m hotpath.calib.accuracy raspberry_pi5 --precision fp16 --clips DIR DIR

The bundle is built and run here. The pairs of crops are those of
``hotpath.calib.one_step_overlap``. Each folder of clips gets a line.
"""

import argparse
import os
import pathlib
import sys
import tempfile
from typing import List, Optional

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

from hotpath import boards
from hotpath.calib.one_step_overlap import FRAMES, Finder, Pairs
from hotpath.deploy.bundles.engines import build_of
from hotpath.deploy.bundles.order import PRECISIONS, Order
from hotpath.deploy.bundles.progress import say
from hotpath.kernels.cli import Parser, exit_code
from hotpath.runtime import DEFAULT_NETWORK, engines, loading
from hotpath.runtime.arguments import add_networks_dir
from hotpath.runtime.networks import load_network
from hotpath.video.clips import find_clips


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args(arguments)

    def run() -> None:
        for folder in options.clips:
            _measure(options, folder)

    return exit_code("calib.accuracy", run)


def _parser() -> argparse.ArgumentParser:
    cli = Parser(
        prog="python -m hotpath.calib.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_argument("board", help="whose engine runs here, such as ncnn")
    cli.add_argument("--network", default=DEFAULT_NETWORK, metavar="NAME|FILE.toml")
    add_networks_dir(cli)
    cli.add_argument("--precision", choices=PRECISIONS, default="fp16")
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
    cells, exact_overlaps, _ = Finder(network, exact).run(pairs)
    with tempfile.TemporaryDirectory() as out:
        board = boards.load_board(options.board)
        order = Order(board, network, options.precision, out, options.networks_dir)
        bundle_here = build_of(board)(order, lambda text: None)
        found_cells, bundle_overlaps, _ = Finder(
            network, loading.open_plan(loading.Plan(bundle_here))
        ).run(pairs)
    say(
        f"{network.name} {order.engine} {options.precision}, {folder.name}: {len(pairs)} pairs, "
        f"one-step overlap {bundle_overlaps.mean():.4f}, in fp32 {exact_overlaps.mean():.4f} "
        f"({bundle_overlaps.mean() - exact_overlaps.mean():+.4f}); the same cell "
        f"in {(found_cells == cells).mean():.1%}"
    )


if __name__ == "__main__":
    sys.exit(main())
