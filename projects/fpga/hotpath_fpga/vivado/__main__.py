"""python -m hotpath_fpga.vivado BOARD: make the overlay of a board with Vivado."""

import argparse
import os
import sys

from hotpath.base.exit_codes import exit_code
from hotpath_fpga import vivado


def main() -> int:
    prog = "python -m hotpath_fpga.vivado"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("board", help="a section of sizes.toml, such as pynq_z2")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (default: 2)")
    options = parser.parse_args()

    def run() -> None:
        folder = vivado.build(options.board, options.jobs)
        print(f"The overlay of {options.board} is in {os.path.relpath(str(folder))}")

    return exit_code("error", run)


if __name__ == "__main__":
    sys.exit(main())
