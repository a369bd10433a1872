"""``python -m kernels.cuda``: compile the kernels for this computer's GPU, print where they are."""

import argparse
import sys

from kernels.cuda import compile as compiler
from kernels.cuda import device as devices
from kernels.errors import HotpathError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels.cuda", description=__doc__)
    parser.add_argument(
        "--arch", type=int, metavar="N", help="compute capability, such as 87; default: the GPU's"
    )
    arguments = parser.parse_args()
    try:
        capability, driver_version = arguments.arch, None
        if capability is None:
            device = devices.open_device()
            capability, driver_version = device.capability, device.driver_version
            text = "GPU of compute capability {}.{}, through {}"
            print(text.format(capability // 10, capability % 10, device.name))
            device.close()
        for name in compiler.SOURCES:
            print(compiler.binary(compiler.source(name), capability, driver_version))
    except HotpathError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
