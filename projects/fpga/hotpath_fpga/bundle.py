"""Build for an FPGA board: compile the programs and weights of the overlay's engine."""

from typing import Callable

import hotpath_fpga as design
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.bundles.writer import BundleWriter
from hotpath.deploy.errors import BuildFailed
from hotpath.graphs import quantisable
from hotpath.runtime.engines import overlay
from hotpath.runtime.networks import bundle, default_of, sha256_of
from hotpath_fpga.compile import compile_network
from hotpath_fpga.compiler.layers import CannotCompile
from hotpath_fpga.compiler.survey import survey
from hotpath_fpga.runner import known_answer

IMAGE, PICTURE = "image.bin", "answer.bin"


def build(order: Order, say: Callable[[str], None]) -> bundle.Bundle:
    """Build the bundle.

    Raises:
        BuildFailed: there is no table of ranges, or the board's engine has no known size.
        CannotCompile: the engine can't run the network.
    """
    board, network = order.board, order.network
    paths = order.paths()
    size = design.sizes().get(board.name)
    if size is None:
        raise BuildFailed(
            "projects/fpga/hotpath_fpga/sizes.toml does not say how large the engine of a "
            f"{board.title} is; add a section [{board.name}] there"
        )
    table = order.table()
    if table is None:
        refused = survey(network, quantisable.parts(network, paths), board.name).refused
        if refused:
            raise _refusal(order, refused[0][1])
        raise BuildFailed(
            f"{network.name} has no table of ranges; run `hotpath int8 --network "
            f"{network.given} --clips DIR` with a folder of annotated clips first"
        )
    try:
        compiled = compile_network(network, paths, table, board.name)
    except CannotCompile as error:
        raise _refusal(order, str(error)) from None
    picture, checksum = known_answer(compiled, size)
    with BundleWriter(order.target) as writer:
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


def _refusal(order: Order, why: str) -> CannotCompile:
    """The error for a network that the board's engine can't run; it names one that can."""
    board, name = order.board, order.network.name
    if name == default_of(board):
        return CannotCompile(why)
    command = bundle.build_command(board.name, default_of(board), "int8")
    return CannotCompile(f"{name} does not run on a {board.title}: {why}; run `{command}`")
