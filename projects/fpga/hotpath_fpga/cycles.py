"""python -m hotpath_fpga.cycles: measure the cycles of a frame in the RTL, for every size.

    python -m hotpath_fpga.cycles
    python -m hotpath_fpga.cycles --network kestrel_fast

Compiles each board's network for its size and runs a frame and its exemplar in the verilated RTL,
against a memory with the latency and the share of ``sizes.toml``. What comes out must be what the
NumPy model gives. Prints the tables of ``docs/results/fpga.md``; with --network, the rows of
another network instead. Cycles are measured; a clock is an assumption, and nothing ran on a board.
"""

import argparse
import sys
from typing import Any, List, NamedTuple, Optional, Sequence

import numpy as np

import hotpath_fpga as design
from hotpath import boards
from hotpath.base.errors import HotpathError
from hotpath.kernels.fpga import tables
from hotpath.kernels.fpga.tables import Size
from hotpath.runtime.networks import default_of, load_network
from hotpath_fpga import model
from hotpath_fpga.compile import compile_network
from hotpath_fpga.runner import MEMORY, Runner
from hotpath_fpga.sim.build import CannotBuild
from hotpath_fpga.sim.rtl import Rtl

MULTIPLIERS = 256  # a lane
LIMIT = 5000000  # cycles

# name -> (side of the search window, frame's width and height), pixels
WINDOWS = {"typical": (255, 640, 480), "large": (640, 1280, 720)}
# memory that is worse than assumed: (latency in cycles, share of the beats, percent of stalls,
# bursts that it accepts before it answers)
WORSE = (
    (100, 0.75, 0, 16),
    (40, 0.5, 0, 16),
    (100, 0.5, 0, 16),
    (40, 0.75, 30, 16),
    (40, 0.75, 0, 2),
    (40, 0.75, 0, 1),
)


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
    cli.add_argument("--network", metavar="NAME", help="print the rows of this network")
    options = cli.parse_args()
    try:
        print(rows(options.network) if options.network else tables_of_page(), end="")
    except (HotpathError, CannotBuild) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def rows(network):
    """The rows of a network at every size, for the typical window."""
    lines = ["network | " + TITLES]
    for name, size in design.sizes().items():
        program = compile_network(load_network(network), size_name=name)
        frame = measure(size, program, WINDOWS["typical"])
        lines.append(f"{network} " + _line(name, size, "typical", frame))
    return "\n".join(lines) + "\n"


def network_of(size):
    """The network of the board with the name of a size."""
    return load_network(default_of(boards.load_board(size)))


def compiled(size):
    """The network of a board, compiled for its size of the accelerator."""
    return compile_network(network_of(size), size_name=size)


def measure(
    size: Size,
    compiled: Any,
    window: Sequence[int],
    memory: Optional[Sequence[float]] = None,
) -> Frame:
    """Measure a frame in the RTL and compare it with the model.

    Args:
        compiled: the network for it.
        window: (side, frame's width, height), pixels.
        memory: (latency, share, stalls, bursts); None for the size's.

    Returns:
        ``Frame`` of the search.

    Raises:
        Differs: RTL and model do not agree.
        CannotBuild: no Verilator or no compiler.
    """
    more = dict(zip(("latency", "share", "stalls", "bursts"), memory or ()))
    rtl = Runner(compiled, Rtl(size, **more))
    golden = Runner(compiled, model.Machine(size, MEMORY))
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


def tables_of_page():
    """The tables of cycles of the page; runs everything, which takes minutes."""
    sizes = design.sizes()
    programs = {name: compiled(name) for name in sizes}
    frames = {}
    for name in sizes:
        for kind, window in WINDOWS.items():
            frames[name, kind] = measure(sizes[name], programs[name], window)
    name = "pynq_z2"
    worse = [measure(sizes[name], programs[name], WINDOWS["typical"], each) for each in WORSE]
    lines = ["| " + TITLES + " |", "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |"]
    for (name, kind), frame in frames.items():
        lines.append(_line(name, sizes[name], kind, frame))
    lines += _memory(frames["pynq_z2", "typical"], sizes["pynq_z2"], worse)
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


def _memory(usual: Frame, size: Size, worse: List[Frame]) -> List[str]:
    lines = [
        "",
        "For a PYNQ-Z2 and the typical window, with memory that is worse than assumed:",
        "",
        "| latency | share | random stalls of every channel | bursts at once | cycles |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    memories = ((size["ddr_latency"], size["ddr_share"], 0, 16),) + WORSE
    for (latency, share, stalls, bursts), frame in zip(memories, [usual] + worse):
        cells = latency, share, stalls, bursts, frame.cycles
        lines.append("| {} | {:.0%} | {}% | {} | {:,} |".format(*cells))
    return lines


if __name__ == "__main__":
    sys.exit(main())
