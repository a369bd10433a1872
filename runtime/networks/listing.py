"""List the networks that come with the runtime, and find the files of one."""

import argparse
import pathlib
from typing import Dict, Optional

from runtime.errors import HotpathError
from runtime.networks import Network, load_network, names


def list_networks(options: argparse.Namespace) -> None:
    """Print one line for each network: family, crops, whether its files are here."""
    row = "{:<16} {:<10} {:>8} {:>7}  {}"
    print(row.format("network", "family", "exemplar", "search", "files"))
    for name in names():
        network = load_network(name)
        files = "present" if paths_of(network, options.networks_dir) else "missing"
        print(row.format(name, network.family, network.exemplar, network.search, files))


def paths_of(network: Network, networks_dir: Optional[str]) -> Optional[Dict[str, pathlib.Path]]:
    """The paths of the files, or None when one is missing."""
    try:
        return network.locate(networks_dir)
    except HotpathError:
        return None
