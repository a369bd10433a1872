"""hotpath networks: list, show, check, download and add networks; download detectors."""

import argparse
import pathlib
import sys
from typing import Any, Dict, List, Optional, Tuple

from hotpath.app import detect
from hotpath.app.cli.networks import fetch
from hotpath.base import projects, toml, toml_checks
from hotpath.base.cli import Parser, wrap_for_terminal
from hotpath.base.common_options import add_networks_dir
from hotpath.base.exit_codes import exit_code
from hotpath.base.messages import make_command
from hotpath.runtime import decode, engines
from hotpath.runtime.engines.shared.precision import int8_form
from hotpath.runtime.errors import BadNetwork, HotpathError, UnknownNetwork
from hotpath.runtime.network import check_folder, shapes_text
from hotpath.runtime.networks import (
    CACHE,
    Network,
    canonical,
    find_toml,
    load_network,
    names,
    network_schema,
    sha256_of,
)

NETWORK = "a name, or your own TOML"
# Fields of a network that are printed after its numbers.
OF_FILES = ("files", "published", "negatives", "point_prompt", "made_from")


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    return exit_code("hotpath networks", lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="hotpath networks", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="list|show|check|get|add")
    commands.required = True
    for name, run, text in (
        ("list", list_networks, "list the networks and detectors that come with Hotpath"),
        ("show", show, "show a network's numbers, cost, engines and files"),
        ("check", check, "check a network's TOML and files, and print each mistake"),
        ("get", get, "download the files of a network or a detector"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if name != "list":
            command.add_argument("network", help=NETWORK)
        add_networks_dir(command)
    _add_parser(commands)
    return parser


def _add_parser(commands: Any) -> None:
    text = "write the TOML for your own ONNX files"
    command = commands.add_parser("add", help=text, description=text)
    command.set_defaults(run=add_network)
    command.add_argument("files", nargs="+", metavar="FILE.onnx", help="all files of the network")
    command.add_argument("--name", required=True, help="name of the network")
    command.add_argument("--like", help="take the settings of this network")
    command.add_argument(
        "--out", metavar="DIR", help="folder to write to (default: that of the first file)"
    )


def add_network(options: argparse.Namespace) -> None:
    """Write the TOML for a user's own network."""
    from hotpath.app.cli.networks import add  # needs the onnx library

    path = add.add(
        [pathlib.Path(file) for file in options.files],
        options.name,
        pathlib.Path(options.out) if options.out else None,
        options.like,
    )
    network = load_network(path)
    make_ready(network, None)
    if not network.found_above:
        print(
            f"`hotpath networks check {path}` looks at the numbers in its maps\n"
            "without thresholds its target is never called lost; where its graph shows features, "
            "measure and write them with "
            f"`python -m hotpath_lab.thresholds --networks {path} --clips DIR --write`"
        )
    elif network.negatives is None:
        print(
            "without negatives, a returning target is verified less reliably; make them with "
            f"`python -m hotpath_lab.negatives --network {path} --clips DIR`"
        )


def list_networks(options: argparse.Namespace) -> None:
    """Print one line for each network and detector: family, sides, whether its files are here."""
    check_folder(options.networks_dir)
    row = "{:<21} {:<8} {:>8} {:>7}  {}"
    print(row.format("network", "family", "exemplar", "search", "files"))
    for name in names():
        network = load_network(name)
        files = _state(network, options.networks_dir)
        line = row.format(name, network.family, network.exemplar, network.search, files)
        print(wrap_for_terminal(line, sys.stdout, line.rindex(files)))
    print("\n" + row.format("detector", "family", "", "side", "files"))
    for name in detect.names():
        detector = detect.describe(name)
        files = _state(detector.network, options.networks_dir)
        line = row.format(name, detector.family, "", detector.side[0], files)
        print(wrap_for_terminal(line, sys.stdout, line.rindex(files)))


def _state(network: Network, networks_dir: Optional[str]) -> str:
    """Return whether the files of a network are here, and else how to get them."""
    if paths_of(network, networks_dir):
        return "present"
    if all(entry.url and entry.sha256 for entry in network.files):
        return f"missing: hotpath networks get {network.name}"
    return f"missing: export them from {network.source or 'its authors'}"


def paths_of(network: Network, networks_dir: Optional[str]) -> Optional[Dict[str, pathlib.Path]]:
    """The paths of the files, or None when one is missing."""
    try:
        return network.locate(networks_dir)
    except HotpathError:
        return None


def show(options: argparse.Namespace) -> None:
    """Print the TOML's numbers, the cost of the graphs, and where they run."""
    from hotpath.app.cli.networks import support

    network = load_network(options.network)
    check_folder(options.networks_dir)
    for key, value in sorted(vars(network).items()):
        if key not in OF_FILES and value not in ((), ""):
            print(f"{key:<16} {_plain(value)}")
    for part, digest in network.made_from.items():
        print(f"made from        {part} sha256 {digest}")
    for key, value in sorted(network.published.items()):
        print(f"published        {key} {value}")
    print("maps             " + shapes_text(decode.shapes(network)))
    for entry in network.files:
        digest = entry.sha256 or "not given"
        if entry.measured_sha256:
            digest = f"{entry.measured_sha256} was measured; your own export may have another"
        print(f"{entry.part:<16} {entry.name} sha256 {digest}")
    for section, made in (("negatives", network.negatives), ("point_prompt", network.point_prompt)):
        print("{:<16} {}".format(section, f"{made.name} sha256 {made.sha256}" if made else "none"))
    form = int8_form(network)
    if form and form.name != network.name and not _check_form(network, options.networks_dir):
        print(f"INT8 form        {form.name}, which runs on processors where it is faster")
    print(f"on a GPU         {support.on_gpus(network)}")
    paths = paths_of(network, options.networks_dir)
    print("\nfiles            {}".format("present" if paths else "missing"))
    if paths:
        from hotpath.app.cli.networks import cost  # needs the onnx library

        survey = projects.find_entry_point("fpga.survey")
        cost.show(network, paths, survey and survey.load())


def _plain(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)


def check(options: argparse.Namespace) -> int:
    """Print each mistake: in the TOML, in its files, and in what the network computes."""
    path = find_toml(options.network)
    table = toml.read(path, BadNetwork)
    values, files, mistakes = network_schema.read(table)
    for mistake in mistakes:
        print(f"{path}: {toml_checks.sentence(mistake)}")
    wrong = len(mistakes)

    network = Network(path.stem, path, values, files)
    paths = {}
    for entry in files:
        if any(mistake.section == ("file", files.index(entry)) for mistake in mistakes):
            continue
        try:
            paths[entry.part] = network.locate_file(entry, options.networks_dir)
        except HotpathError as error:
            print(error)
            wrong += 1
    for companion in () if wrong else filter(None, (network.negatives, network.point_prompt)):
        try:
            network.locate_made(companion)
        except HotpathError as error:
            print(error)
            wrong += 1
    limit = ""
    if not wrong:
        wrong, limit = _try(network, paths, options.networks_dir)
    if not mistakes:
        wrong += _check_form(network, options.networks_dir)
    if wrong:
        print("{}: {} mistake{}".format(path, wrong, "" if wrong == 1 else "s"))
        return 2
    print(f"{path}: all is well{limit}")
    return 0


def _check_form(network: Network, networks_dir: Optional[str]) -> int:
    """Check that the INT8 form was made from this network. Returns the number of mistakes."""
    try:
        form = int8_form(network)
        if form is not None:
            network.check_form(form, networks_dir)
    except HotpathError as error:
        print(error)
        return 1
    return 0


def _try(
    network: Network, paths: Dict[str, pathlib.Path], networks_dir: Optional[str]
) -> Tuple[int, str]:
    """Look at the weights and run the files on pictures.

    Returns:
        the number of mistakes, and where the network does not work although there are none.
    """
    from hotpath.app.cli.networks import examine  # needs the onnx library

    for part, path in paths.items():
        entry = network.file(part)
        has_digest = entry and entry.sha256
        digest = "sha256 is right" if has_digest else "sha256 " + sha256_of(path)
        print(f"{part:<10} {path} {digest}")
    try:
        report, mistakes = examine.maps(network, paths)
        table, differing = ([], 0) if mistakes else examine.boxes(network, paths, networks_dir)
        overflow = "" if mistakes else examine.half_overflow(network, paths)
    except HotpathError as error:
        print(error)
        return 1, ""
    for line in [*report, *mistakes, *table, *filter(None, [overflow])]:
        print(line)
    return len(mistakes) + differing, ", but not in FP16" if overflow else ""


def get(options: argparse.Namespace) -> None:
    """Download into ``--networks-dir``, or into the folder of downloaded networks."""
    folder = pathlib.Path(options.networks_dir) if options.networks_dir else CACHE
    name = options.network
    own = toml.read(find_toml(name), BadNetwork) if name.endswith(".toml") else {}
    is_detector = name in detect.names() or "classes" in own
    try:
        network = detect.describe(name).network if is_detector else load_network(name)
    except UnknownNetwork as error:
        detectors = ", ".join(detect.names())
        raise UnknownNetwork(f"{error}; the detectors are: {detectors}") from None
    fetch.fetch(network, folder, print)
    if not is_detector:
        make_ready(network, str(folder))


def make_ready(network: Network, networks_dir: Optional[str]) -> None:
    """Make the canonical files for the preferred engine if this Python has one and onnx."""
    for engine in engines.installed()[:1]:
        paths, form = network.locate(networks_dir), engines.find(engine).form()
        try:
            graphs = canonical.load(network, paths, form)
        except ImportError:
            engine_command = make_command("engine", NETWORK=network.name)
            print(f"onnx is not installed here; run `{engine_command}` on a computer")
        else:
            print(f"{pathlib.Path(graphs.search.path).parent} is ready for engines")


if __name__ == "__main__":
    sys.exit(main())
