"""Run the tests of the on-board code on an emulated ARM machine.

    python -m tests.arm [MACHINE...] [--whole]

MACHINE is a table of ``machines.toml`` (default: aarch64). Its folder is made once below
``.cache/arm``. After the tests, the C++ crop is compiled for each core, runs on it, and is compared
with its definition, bit for bit. Then the boxes of trackers there are compared with those here.

Exit codes: 0, 1 when a test failed, 2 when a program or a download is missing.
"""

import argparse
import sys
import time

from tests.arm import same_boxes, same_crops
from tests.arm.machine import Machine, Missing, load_table

TIMEOUT_S = 1800  # of one test; the emulation takes 10 to 20 times as long as this computer
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--timeout", TIMEOUT_S)


def main(arguments=None):
    """Run the command line; returns the exit code."""
    table = {name: machine for name, machine in load_table().items() if "tests" in machine}
    cli = argparse.ArgumentParser(
        prog="python -m tests.arm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_argument("machines", nargs="*", metavar="MACHINE", help=", ".join(table))
    cli.add_argument(
        "--whole",
        action="store_true",
        help="more tests, cores, windows and frames",
    )
    options = cli.parse_args(arguments)
    unknown = [name for name in options.machines if name not in table]
    if unknown:
        cli.error("there is no machine {}; there are: {}".format(unknown[0], ", ".join(table)))
    failed = False
    for name in options.machines or ["aarch64"]:
        try:
            failed = not _try(Machine(name, table[name]), options.whole) or failed
        except Missing as error:
            print(f"tests.arm: {name}: {error}", file=sys.stderr)
            return 2
    return 1 if failed else 0


def _try(machine, whole):
    """Run all tests of a machine; whether they passed."""
    started = time.monotonic()
    machine.set_up()
    print(f"{machine.name}: made in {time.monotonic() - started:.0f} s", flush=True)
    tests = machine.table["tests"] + (machine.table["whole"] if whole else [])
    done = machine.run(machine.table["cores"][0], list(PYTEST) + tests)
    results = [done.returncode == 0, same_crops.compare(machine, whole)]
    results.append(same_boxes.compare_few(machine, whole))
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    return all(results)


if __name__ == "__main__":
    sys.exit(main())
