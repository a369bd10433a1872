"""Prepare a network once for all boards, so that it ships with this program.

    python -m hotpath_research.train.ship kestrel

A board then builds the network without onnx. Run it again after the network's files have changed.
"""

import argparse
import pathlib
import sys
from typing import List, Optional

from hotpath.base.cli import Parser
from hotpath.base.common_options import add_networks_dir
from hotpath.base.exit_codes import exit_code
from hotpath.boards import HOST, load_board
from hotpath.deploy.bundles import prepared
from hotpath.deploy.bundles.build_progress import say
from hotpath.deploy.bundles.order import Order
from hotpath.runtime.networks import load_network


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code."""
    cli = Parser(
        prog="python -m hotpath_research.train.ship",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_argument("network", help="a name of `hotpath networks list`, or a TOML")
    add_networks_dir(cli)
    cli.add_argument(
        "--out", default=str(prepared.SHIPPED), metavar="DIR", help="default: %(default)s"
    )
    options = cli.parse_args(arguments)

    def run() -> None:
        network = load_network(options.network)
        order = Order(load_board(HOST), network, "fp32", networks_dir=options.networks_dir)
        folder = pathlib.Path(options.out) / str(network.name)
        prepared.prepare(folder, order, say)
        values = prepared.read(folder)
        for name in values["files"]:  # a board takes the TOML, and what it names, of that day
            if not name.startswith(("whole-", "cut-")):
                (folder / name).unlink()
        prepared.seal(folder, values)

    return exit_code("hotpath_research.train.ship", run)


if __name__ == "__main__":
    sys.exit(main())
