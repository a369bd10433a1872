"""python -m calib.fpga.cycles: measure the cycles of a frame in the RTL, for every engine size.

Compiles the default network for each size, runs it in the verilated RTL and writes
``kernels/fpga/CYCLES.md``; see ``kernels.fpga.cycles``.
"""

import argparse
import sys

from calib.fpga.compile import compile_network
from kernels.errors import HotpathError
from kernels.fpga import cycles, tables
from kernels.fpga.sim.build import CannotBuild
from runtime.networks import load_network


def main():
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m calib.fpga.cycles", description=__doc__.partition("\n")[0]
    )
    parser.parse_args()
    try:
        network = load_network(cycles.NETWORK)
        text = cycles.document(
            tables.sizes(), lambda name: compile_network(network, size_name=name), print
        )
    except (HotpathError, CannotBuild) as error:
        print("error: {}".format(error), file=sys.stderr)
        return 2
    cycles.DOCUMENT.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
