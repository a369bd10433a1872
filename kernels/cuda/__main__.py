"""``python -m kernels.cuda``: compile the kernels for this computer's GPU, say where they are."""

import argparse
import sys

from kernels.cuda import compile as compiler
from kernels.cuda import device as devices
from kernels.errors import HotpathError

NAMES = ("crop", "select", "loss_monitor", "correlate")


def main():
    parser = argparse.ArgumentParser(prog="python -m kernels.cuda", description=__doc__)
    parser.add_argument(
        "--arch", type=int, metavar="N", help="compute capability, such as 87; default: the GPU's"
    )
    arguments = parser.parse_args()
    try:
        capability = arguments.arch
        if capability is None:
            device = devices.open_device()
            capability = device.capability
            print("GPU of compute capability {}.{}, through {}".format(
                capability // 10, capability % 10, device.name))  # fmt: skip
            device.close()
        for name in NAMES:
            print(compiler.binary(compiler.source(name), capability))
    except HotpathError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
