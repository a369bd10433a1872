"""python -m calib.fpga.cycles: measure the cycles of a frame in the RTL, for every engine size.

Compiles each board's network for its size, runs it in the verilated RTL and writes
``kernels/fpga/design/CYCLES.md``; see ``kernels.fpga.design.cycles``.
"""

import argparse
import sys

import boards
from calib.fpga.compile import compile_network
from kernels.errors import HotpathError
from kernels.fpga import design
from kernels.fpga.design import cycles
from kernels.fpga.design.sim.build import CannotBuild
from runtime.networks import default_of, load_network


def main():
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m calib.fpga.cycles", description=__doc__.partition("\n")[0]
    )
    parser.parse_args()
    try:
        text = document(print)
    except (HotpathError, CannotBuild) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    cycles.DOCUMENT.write_text(text, encoding="utf-8")
    print(text)
    return 0


def document(say=lambda text: None):
    """The text of ``CYCLES.md``."""
    return cycles.document(design.sizes(), compiled, " and ".join(networks()), say)


def networks():
    """The sorted names of the networks that FPGA boards run by default."""
    return sorted({network_of(size).name for size in design.sizes()})


def compiled(size):
    """The network of a board, compiled for its size of the engine."""
    return compile_network(network_of(size), size_name=size)


def network_of(size):
    """The network of the board whose name a size has."""
    return load_network(default_of(boards.load_board(size)))


if __name__ == "__main__":
    sys.exit(main())
