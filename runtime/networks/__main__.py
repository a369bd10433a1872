"""python -m runtime.networks: list, show, check and download networks."""

import argparse
import pathlib
import sys

from runtime import engines
from runtime.errors import HotpathError
from runtime.networks import CACHE, fetch, load_network, names, sha256_of


def main(arguments=None):
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except HotpathError as error:
        print("runtime.networks: {}".format(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        return 130


def _parser():
    parser = argparse.ArgumentParser(prog="python -m runtime.networks", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True
    for name, run, text in (
        ("list", list_networks, "the networks that come with the runtime"),
        ("show", show, "one network: its numbers, its files, where they are"),
        ("check", check, "whether a network's TOML and files are right, in words"),
        ("get", get, "download a network's files"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if name != "list":
            command.add_argument("network", help="a name, or a TOML of your own")
        command.add_argument("--networks-dir", help="folder with networks' files")
    return parser


def list_networks(options):
    """A line a network: family, search region, whether its files are here."""
    print("{:<16} {:<10} {:>8} {:>7}  {}".format("network", "family", "exemplar", "search", "files"))
    for name in names():
        network = load_network(name)
        print("{:<16} {:<10} {:>8} {:>7}  {}".format(
            name, network.family, network.exemplar, network.search,
            "present" if _present(network, options.networks_dir) else "missing"))  # fmt: skip


def _present(network, networks_dir):
    try:
        return bool(network.locate(networks_dir))
    except HotpathError:
        return False


def show(options):
    """All that the TOML says, and where the files are."""
    network = load_network(options.network)
    for key, value in sorted(vars(network).items()):
        if key not in ("files", "published"):
            print("{:<12} {}".format(key, value))
    for key, value in sorted(network.published.items()):
        print("published    {} {}".format(key, value))
    for entry in network.files:
        print("{:<12} {} sha256 {}".format(entry.part, entry.name, entry.sha256 or "not given"))
    print("files        {}".format(
        "present" if _present(network, options.networks_dir) else "missing"))  # fmt: skip


def check(options):
    """Read the TOML, find the files, load them into an engine and run it once."""
    network = load_network(options.network)
    paths = network.locate(options.networks_dir)
    for part, path in paths.items():
        given = network.file(part).sha256
        print("{:<9} {} {}".format(
            part, path, "sha256 is right" if given else "sha256 " + sha256_of(path)))  # fmt: skip
    engine = engines.create("auto", network, paths)
    maps = engine.search(engine.exemplar())
    print("runs      on {engine} {version}".format(**engine.describe()))
    print("maps      {}".format(", ".join("x".join(map(str, item.shape)) for item in maps)))
    engine.close()


def get(options):
    """Download into ``--networks-dir``, else into the folder of downloaded networks."""
    folder = pathlib.Path(options.networks_dir) if options.networks_dir else CACHE
    fetch.fetch(load_network(options.network), folder, print)


if __name__ == "__main__":
    sys.exit(main())
