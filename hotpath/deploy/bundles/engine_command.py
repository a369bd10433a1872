"""Build the networks of a board, each as a bundle (a folder that the board can run).

    hotpath engine jetson_nano                       its default network and witness
    hotpath engine jetson_nano --network kestrel     only this network

Run it on the board itself. On another computer, it prepares what it can, and prints the commands
to run on the board.
"""

import argparse
import os
import pathlib
import shlex
import sys
from typing import List, Optional

from hotpath import boards
from hotpath.base.cli import Parser
from hotpath.base.common_options import add_networks_dir
from hotpath.base.errors import HotpathError
from hotpath.base.exit_codes import exit_code
from hotpath.base.messages import PYNQ, make_command
from hotpath.boards import detect
from hotpath.deploy.bundles import engines
from hotpath.deploy.bundles.build_progress import say
from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.bundles.order import PRECISIONS, TABLE, Order
from hotpath.runtime import DEFAULT_NETWORK
from hotpath.runtime import engines as files
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared import precision
from hotpath.runtime.networks import bundle, default_of, load_network
from hotpath.runtime.options import INT8, Options


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line and return the exit code."""
    cli = _parser()
    options = cli.parse_args(arguments)
    if bool(options.board) == bool(options.prepared):
        cli.error("name a board, or a folder with --prepared")
    run = _build_prepared if options.prepared else _build
    return exit_code("hotpath engine", lambda: run(options), "stopped; nothing was changed")


def _parser() -> argparse.ArgumentParser:
    cli = Parser(
        prog="hotpath engine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    table = "file with the ranges for int8 (default: {})".format(TABLE.format("NETWORK"))
    force = "build a precision that the board lacks, or for another board than this one"
    out = f"folder of all bundles (default: {bundle.FOLDER})"
    add = cli.add_argument
    add("board", nargs="?", help="a name of `hotpath boards list`, or a TOML file")
    usual = f"only this network (default: the board's, else {DEFAULT_NETWORK}, and its witness)"
    add("--network", metavar="NAME|FILE.toml", help=usual)
    add("--precision", choices=PRECISIONS, help="precision of the bundle (default: the board's)")
    add_networks_dir(cli)
    add("--calibration", metavar="FILE", type=pathlib.Path, help=table)
    add("--engine", metavar="NAME", help="engine that runs the bundle (default: the board's)")
    add("--out", type=pathlib.Path, metavar="DIR", help=out)
    add("--force", action="store_true", help=force)
    add("--prepared", type=pathlib.Path, metavar="DIR", help="continue from a prepared folder")
    return cli


def _build(options: argparse.Namespace) -> None:
    """Build what follows on the board by default, or the network that is named."""
    board = boards.load_board(options.board)
    usual = default_of(board)
    results = [_build_one(board, options.network or usual, options)]
    if options.network is None and board.witness:
        try:
            results.append(_build_one(board, board.witness, options))
        except HotpathError as error:  # the network follows alone, too
            say(f"the witness {board.witness} was not built: {error}")
    if results[0] is not None:
        _tell(results[0], board, board.witness if len(results) > 1 else None)


def _build_one(
    board: boards.Board, name: str, options: argparse.Namespace
) -> Optional[bundle.Bundle]:
    """Build one network; returns None when the board must go on."""
    names = ("networks_dir", "calibration", "force", "engine")
    build = engines.build_of(board, options.engine)
    network = load_network(name)
    wanted = options.precision or board.precision["default"]
    if build is engines.build_files:  # which has no network in fp16
        setup = Setup(network, options=Options(networks_dir=options.networks_dir))
        if options.precision is None and board.name == boards.HOST:
            wanted = precision.default_precision(setup)
        elif options.precision is None and wanted == "fp16":
            wanted = "fp32"
        if wanted == INT8:
            network = precision.int8_form(network) or network
    order = Order(
        board,
        network,
        wanted,
        options.out or bundle.FOLDER,
        **{name: getattr(options, name) for name in names},
    )
    result: Optional[bundle.Bundle] = build(order, say)
    if result is not None:
        _tell_size(result)
    return result


def _build_prepared(options: argparse.Namespace) -> None:
    target = options.out / "bundle" if options.out else None
    result = tensorrt.build_here(options.prepared, target, options.force, say)
    _tell_size(result)
    _tell(result)


def _tell_size(result: bundle.Bundle) -> None:
    size = sum(part["bytes"] for part in result.parts.values())
    version = result.libraries.get(result.engine)
    say(f"wrote {result.folder} ({size / 1e6:.1f} MB, {result.engine} {version})")


def _tell(
    result: bundle.Bundle, board: Optional[boards.Board] = None, witness: Optional[str] = None
) -> None:
    """Say how to use a bundle, and the witness that was built, too; board: None for this one."""
    if board is not None and board.after_build:
        print(f"{result.folder}: {board.after_build}")
        return
    is_here = board is None or _may_be_here(board)
    if result.engine == "overlay":
        _tell_of_overlay(result)
    if board is not None and not is_here:
        _say_copy(board, result.folder.parent)
    command = _command(result, witness)
    if result.engine == "overlay":
        print(f"{PYNQ} runtime.{command} --box 45%,40%,10%,20%")
    else:
        print(f"{_program() if is_here else 'python3 -m hotpath'} {command}")


def _program() -> str:
    """What starts Hotpath here: its own command, if it is installed beside this Python."""
    if os.path.exists(os.path.join(os.path.dirname(sys.executable), "hotpath")):
        return "hotpath"
    is_system = sys.prefix == sys.base_prefix
    return f"{'python3' if is_system else shlex.quote(sys.executable)} -m hotpath"


def _command(result: bundle.Bundle, witness: Optional[str] = None) -> str:
    """The command that tracks with a bundle, without a choice that the board makes itself."""
    places = [os.path.realpath(str(folder / result.board)) for folder in bundle.bundle_folders()]
    is_found = os.path.realpath(str(result.folder.parent)) in places
    board = boards.load_board(result.board) if result.board in boards.names() else None
    if board is None or not is_found or files.find(board.engine).runs_files:
        more = f" --witness {witness}" if witness else ""
        return f"track --bundle {shlex.quote(str(result.folder))}{more} --video cam0"
    name = result.network["name"].split(precision.SUFFIX)[0]
    return f"track {'' if name == default_of(board) else f'--network {name} '}--video cam0"


def _may_be_here(board: boards.Board) -> bool:
    """Whether this can be the board. A file of the user's own describes what nobody detects."""
    is_own = board.path.parent != boards.FOLDER
    return is_own or board.name == boards.HOST or detect.detect().may_be(board.name)


def _say_copy(board: boards.Board, folder: pathlib.Path) -> None:
    say(
        f"this computer is not that board ({board.title}); copy {folder} to one that has Hotpath, "
        "and run there:"
    )


def _tell_of_overlay(result: bundle.Bundle) -> None:
    """Say what an FPGA board still needs."""
    overlay = result.folder.parent / "overlay" / "hotpath.bit"
    if not overlay.exists():
        command = make_command("overlay", BOARD=result.board)
        say(f"missing: {overlay}, the bitstream; where Vivado is installed, run `{command}`")


if __name__ == "__main__":
    sys.exit(main())
