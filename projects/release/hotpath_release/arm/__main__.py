"""Run the tests of the on-board code on an emulated ARM machine.

    python -m hotpath_release.arm [MACHINE...] [--whole]

MACHINE is a table of ``machines.toml`` (default: aarch64). Its folder is made once below
``.cache/arm``. After the tests, those of the crop run on each core, for which it is compiled. Then
the boxes of trackers there are compared with those here.

Exit codes: 0, 1 when a test failed, 2 when a program or a download is missing.
"""

import sys
import time

from hotpath.calib.command_line import parser
from hotpath_release.arm import same_boxes
from hotpath_release.arm.machine import TABLE, ArmMachine, MissingDownload

TIMEOUT_S = 1800  # of one test; the emulation takes 10 to 20 times as long as this computer
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--timeout", TIMEOUT_S)
CROPS = ["tests/kernels/cpu/test_crop.py", "-k", "equals_its_definition_bit or every_size_equal"]
CORES = 2  # without `--whole`


def main(arguments=None):
    cli = parser("hotpath_release.arm", __doc__)
    cli.add_argument("machines", nargs="*", metavar="MACHINE", help=", ".join(TABLE))
    cli.add_argument("--whole", action="store_true", help="more tests, cores and frames")
    options = cli.parse_args(arguments)
    unknown = [name for name in options.machines if name not in TABLE]
    if unknown:
        cli.error("there is no machine {}; there are: {}".format(unknown[0], ", ".join(TABLE)))
    try:
        results = [_try(name, options.whole) for name in options.machines or ["aarch64"]]
    except MissingDownload as error:
        print(f"hotpath_release.arm: {error}", file=sys.stderr)
        return 2
    return 0 if all(results) else 1


def _try(name, whole):
    started, machine = time.monotonic(), ArmMachine(name)
    print(f"{machine.name}: made in {time.monotonic() - started:.0f} s", flush=True)
    tests, cores = machine.table["tests"] + (machine.table["whole"] if whole else []), machine.cores
    runs = [(cores[0], tests)] + [(core, CROPS) for core in cores[: None if whole else CORES]]
    results = [machine.run(core, [*PYTEST, *words]).returncode == 0 for core, words in runs]
    results.append(same_boxes.compare_few(machine, whole))
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    return all(results)


if __name__ == "__main__":
    sys.exit(main())
