"""python -m hotpath_fpga.cycles: measure the cycles of a frame in the RTL, for every size.

    python -m hotpath_fpga.cycles
    python -m hotpath_fpga.cycles --network kestrel_fast

Compiles each board's network for its size and runs a frame and its exemplar in the verilated RTL,
against a memory with the latency and the share of ``sizes.toml``. What comes out must be what the
NumPy model gives. Prints the table of ``docs/results/fpga.md``; with --network, that of
another network. Cycles are measured; a clock is an assumption, and nothing ran on a board.
"""

import argparse
import sys
from typing import Any, NamedTuple, Sequence

import numpy as np

import hotpath_fpga as design
from hotpath import boards
from hotpath.base.errors import HotpathError
from hotpath.kernels.fpga import tables
from hotpath.kernels.fpga.tables import Size
from hotpath.runtime.networks import default_of, load_network
from hotpath_fpga import model
from hotpath_fpga.compile import compile_network
from hotpath_fpga.runner import MEMORY, FpgaRunner
from hotpath_fpga.sim.build import NoSimulator
from hotpath_fpga.sim.rtl import Rtl

MULTIPLIERS = 256  # a lane
LIMIT = 5000000  # cycles

# name -> (side of the search window, frame's width and height), pixels
WINDOWS = {"typical": (255, 640, 480), "large": (640, 1280, 720)}


class Frame(NamedTuple):
    """What a program took.

    Attributes:
        cycles: from start to done.
        read: beats.
        steps: cycles in which the array multiplied.
        macs: products of the network.
    """

    cycles: int
    read: int
    steps: int
    macs: int


class Differs(HotpathError):
    """The RTL does not give what the model gives, or does not end."""


def main():
    """Run the command line; returns the exit code."""
    summary = __doc__.partition("\n")[0]
    cli = argparse.ArgumentParser(prog="python -m hotpath_fpga.cycles", description=summary)
    cli.add_argument("--network", metavar="NAME", help="network to run (default: the boards' own)")
    options = cli.parse_args()
    try:
        print(table(options.network), end="")
    except (HotpathError, NoSimulator) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def compiled(size, network=None):
    """A network, by default the board's own, compiled for its size of the accelerator."""
    network = network or default_of(boards.load_board(size))
    return compile_network(load_network(network), size_name=size)


def measure(size: Size, compiled: Any, window: Sequence[int]) -> Frame:
    """Measure a frame in the RTL and compare it with the model.

    Args:
        compiled: the network for it.
        window: (side, frame's width, height), pixels.

    Returns:
        ``Frame`` of the search.

    Raises:
        Differs: RTL and model do not agree.
        CannotBuild: no Verilator or no compiler.
    """
    rtl = FpgaRunner(compiled, Rtl(size))
    golden = FpgaRunner(compiled, model.NumpyMachine(size, MEMORY))
    side, width, height = window
    frame = np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)
    for part, square in (("exemplar", side // 2), ("search", side)):
        place = ((width - square) // 2, (height - square) // 2, square, square)
        for runner in (rtl, golden):
            status = runner.look(part, frame, place, (0, 0, 0), limit=LIMIT)
            if status != tables.IS_DONE:
                raise Differs(f"the {part} program ends with STATUS 0x{status:08X}")
        if (rtl.work() != golden.work()).any():
            raise Differs(f"the RTL's {part} is not the model's")
    macs = compiled.run["programs"]["search"]["macs"]
    return Frame(rtl.read("CYCLES"), rtl.read("READ"), rtl.read("BUSY"), macs)


def table(network=None):
    """The table of cycles of the page, or that of another network."""
    lines = ["| " + TITLES + " |", "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |"]
    for name, size in design.sizes().items():
        program = compiled(name, network)
        for kind, window in WINDOWS.items():
            lines.append(_line(name, size, kind, measure(size, program, window)))
    return "\n".join(lines) + "\n"


TITLES = (
    "board | window | lanes | memory | cycles | read | cycles in which the array works"
    " | share of the network's products"
)


def _line(name: str, size: Size, kind: str, frame: Frame) -> str:
    memory = "{bus_bytes} B, {ddr_latency} cycles, {ddr_share:.0%}".format(**size)
    cells = [
        design.parts()[name]["title"],
        kind,
        size["lanes"],
        memory,
        f"{frame.cycles:,}",
        "{:.2f} MB".format(frame.read * size["bus_bytes"] / 1e6),
        f"{frame.steps / frame.cycles:.1%}",
        "{:.1%}".format(frame.macs / (frame.cycles * MULTIPLIERS * size["lanes"])),
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
