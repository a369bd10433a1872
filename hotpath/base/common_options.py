"""The options that every command line with networks has."""

import argparse
import os
from typing import Sequence


def add_networks_dir(cli: argparse._ActionsContainer) -> None:
    """Add ``--networks-dir`` to a parser or a group."""
    cli.add_argument(
        "--networks-dir",
        default=os.environ.get("NETWORKS_DIR"),
        metavar="DIR",
        help="folder with the networks' files (default: the variable NETWORKS_DIR)",
    )


def add_engine(cli: argparse._ActionsContainer, names: Sequence[str]) -> None:
    """Add ``--engine`` with these names (``hotpath.runtime.engines.choices``)."""
    cli.add_argument(
        "--engine",
        default="auto",
        choices=names,
        metavar="NAME",
        help=f"what runs the network: {', '.join(names)} (default: auto, the best one that is "
        "installed)",
    )
