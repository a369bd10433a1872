"""Build for an FPGA board: compile the programs and weights of the overlay's engine."""

import sys
from typing import Callable

from hotpath.deploy.bundles.order import Order
from hotpath.deploy.bundles.writer import Writer
from hotpath.deploy.errors import BuildFailed
from hotpath.kernels.commands import make
from hotpath.kernels.fpga import need_design
from hotpath.runtime import bundle
from hotpath.runtime.networks import default_of, sha256_of

IMAGE, PICTURE = "image.bin", "answer.bin"


def build(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build the bundle.

    Raises:
        BuildFailed: there is no table of ranges, the board's engine has no known size, or this
            computer can't compile.
        CannotCompile: the engine can't run the network.
        NoDesign: this is a wheel.
    """
    board, network = order.board, order.network
    need_design(f"`{order.command('int8')}`")
    paths = order.paths()
    try:
        if sys.version_info < (3, 10):
            raise ImportError("this is Python {}.{}".format(*sys.version_info))
        from hotpath.deploy.bundles.fpga import compile_network
        from hotpath.kernels.fpga import design
        from hotpath.kernels.fpga.design.compiler.layers import CannotCompile
        from hotpath.kernels.fpga.design.runner import known_answer
        from hotpath.runtime.engines import overlay
    except ImportError as error:
        raise BuildFailed(
            f"programs for a {board.title} are compiled on a computer with Python 3.10 or newer "
            f"and onnx ({error}); there, run `{make('setup', ALSO='host')}`, then "
            f"`{order.command('int8')}`, and copy {order.target} to the board"
        ) from None
    size = design.sizes().get(board.name)
    if size is None:
        raise BuildFailed(
            f"kernels/fpga/design/sizes.toml does not say how large the engine of a {board.title} "
            f"is; add a section [{board.name}] there"
        )
    table = order.table()
    if table is None:
        raise BuildFailed(
            f"{network.name} has no table of ranges; run `hotpath int8 --network "
            f"{network.given} --clips DIR` with a folder of annotated clips first"
        )
    try:
        compiled = compile_network(network, paths, table, board.name)
    except CannotCompile as error:
        if network.name == default_of(board):
            raise
        command = bundle.command(board.name, default_of(board), "int8")
        raise CannotCompile(
            f"{network.name} does not run on a {board.title}: {error}; run `{command}`"
        ) from None
    picture, checksum = known_answer(compiled, size)
    with Writer(order.target) as writer:
        (writer.folder / IMAGE).write_bytes(compiled.image)
        (writer.folder / PICTURE).write_bytes(picture)
        values = order.entries(
            paths,
            engine="overlay",
            precision="int8",
            libraries={"overlay": overlay.layout()},
            calibration_sha256=sha256_of(table),
            settings={"size": size},
            run=dict(compiled.run, image=IMAGE, answer={"picture": PICTURE, "checksum": checksum}),
        )
        return writer.finish(values, network.path)
