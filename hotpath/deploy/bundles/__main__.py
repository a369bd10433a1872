"""Make a network ready for a board, as a bundle: a folder.

    hotpath engine jetson_nano --network kestrel                       on the board itself
    hotpath engine host --network kestrel                              for this computer

On another computer, this prepares all that can be prepared there, and prints the
command to run on the board.
"""

import argparse
import pathlib
import sys
from typing import List, Optional

from hotpath import boards
from hotpath.base.arguments import add_networks_dir
from hotpath.base.cli import Parser
from hotpath.base.commands import PYNQ, make
from hotpath.base.ends import exit_code
from hotpath.boards import detect
from hotpath.deploy.bundles import engines
from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.bundles.order import CORRELATIONS, PRECISIONS, TABLE, Order
from hotpath.deploy.bundles.progress import say
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime import DEFAULT_NETWORK
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
    force = "build a precision that the board lacks; replace another network's folder"
    out = f"folder of all bundles (default: {bundle.FOLDER})"
    add = cli.add_argument
    add("board", nargs="?", help="a name of `hotpath boards list`, or a TOML file")
    usual = f"the network (default: the board's, else {DEFAULT_NETWORK})"
    add("--network", metavar="NAME|FILE.toml", help=usual)
    add("--precision", choices=PRECISIONS, help="of the bundle (default: the board's own)")
    add_networks_dir(cli)
    add("--calibration", metavar="FILE", type=pathlib.Path, help=table)
    add("--dla", type=int, metavar="CORE", help="run on this DLA core what it can run")
    add("--provider", choices=("cuda", "tensorrt"), help="of ONNX Runtime, for an NVIDIA GPU")
    add("--engine", metavar="NAME", help="that runs the bundle (default: the board's own)")
    words = (
        "for TensorRT: what computes the correlation (default: the kernel before TensorRT 8.5.1)"
    )
    add("--correlation", choices=CORRELATIONS, help=words)
    add("--out", type=pathlib.Path, metavar="DIR", help=out)
    add("--force", action="store_true", help=force)
    add("--prepared", type=pathlib.Path, metavar="DIR", help="go on from a prepared folder")
    return cli


def _build(options: argparse.Namespace) -> None:
    board = boards.load_board(options.board)
    names = ("networks_dir", "calibration", "dla", "provider", "force", "engine", "correlation")
    # a provider runs the network's own files, whatever the board's engine is
    build = engines.build_files if options.provider else engines.build_of(board, options.engine)
    for name in () if build is tensorrt.build else ("dla", "correlation"):
        if getattr(options, name) is not None:
            raise BuildFailed(
                f"--{name} is an option of TensorRT, which a bundle for {board.title} does not "
                "use; leave it out",
                what="option of another engine",
            )
    network = load_network(options.network or default_of(board))
    wanted = options.precision or ("fp32" if options.provider else board.precision["default"])
    if board.name == boards.HOST and build is engines.build_files and not options.provider:
        setup = Setup(network, options=Options(networks_dir=options.networks_dir))
        wanted = options.precision or precision.usual(setup)
        if wanted == INT8:
            network = precision.int8_form(network) or network
    order = Order(
        board,
        network,
        wanted,
        options.out or bundle.FOLDER,
        **{name: getattr(options, name) for name in names},
    )
    for folder in (order.target, order.target.with_name(order.target.name + ".prepared")):
        order.check_free(folder)
    result = build(order, say)
    if result is not None and result.engine == "overlay" and not _may_be_here(board):
        _tell_of_fpga(result, board)
    elif result is not None:
        _tell(result, board)
    else:
        _tell_of_witness(board, network.name, wanted)


def _build_prepared(options: argparse.Namespace) -> None:
    target = options.out / "bundle" if options.out else None
    result = tensorrt.build_here(options.prepared, target, options.force, say)
    _tell(result)


def _tell(result: bundle.Bundle, board: Optional[boards.Board] = None) -> None:
    """Say where the bundle is and how to use it; None: on the board that this is."""
    size = sum(part["bytes"] for part in result.parts.values())
    version = result.libraries.get(result.engine)
    say(f"wrote {result.folder} ({size / 1e6:.1f} MB, {result.engine} {version})")
    if board is not None and board.after_build:
        print(f"{result.folder}: {board.after_build}")
    elif board is None or _may_be_here(board):
        print(f"hotpath track --bundle {result.folder} --video cam0")
    else:
        _say_copy(board, result.folder)
        print(f"python3 -m hotpath track --bundle {result.folder} --video cam0")
    if board is not None:
        _tell_of_witness(board, result.network["name"], result.precision)


def _tell_of_witness(board: boards.Board, name: str, of_precision: str) -> None:
    """Say how to build the network that watches the board's own one."""
    if board.witness and name == default_of(board):
        build = bundle.command(board.name, board.witness, of_precision)
        say(f"the witness has a bundle of its own: `{build}`; run both with --board {board.name}")


def _may_be_here(board: boards.Board) -> bool:
    """Whether this can be the board. A file of the user's own describes what nobody detects."""
    is_own = board.path.parent != boards.FOLDER
    return is_own or board.name == boards.HOST or detect.detect().may_be(board.name)


def _say_copy(board: boards.Board, folder: pathlib.Path) -> None:
    say(
        f"this computer is not that board ({board.title}); copy {folder} to one that has Hotpath, "
        "and run there:"
    )


def _tell_of_fpga(result: bundle.Bundle, board: boards.Board) -> None:
    """Say what the FPGA board still needs, and print the command that runs there."""
    overlay = result.folder.parent / "overlay" / "hotpath.bit"
    say(f"wrote {result.folder}")
    if not overlay.exists():
        command = make("overlay", BOARD=board.name)
        say(f"missing: {overlay}, the bitstream; where Vivado is installed, run `{command}`")
    _say_copy(board, result.folder.parent)
    print(f"{PYNQ} runtime.track --bundle {result.folder} --video cam0 --box 45%,40%,10%,20%")


if __name__ == "__main__":
    sys.exit(main())
