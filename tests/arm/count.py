"""Count the instructions of crop on ARM cores, and estimate its time.

    python -m tests.arm.count

QEMU executes the programs with a plugin that counts (``count.c``). Two runs of different length are
subtracted, so that work that is done once drops out. Milliseconds follow from ``CORES``: they are
estimates.
"""

import functools
import os
import re
import subprocess
import sys
import tempfile

from kernels.cpu import build
from tests.arm.machine import ROOT, command_line, exit_code, open_machine

HERE = ROOT / "tests" / "arm"
# Core -> (clock of a usual board in MHz, instructions a cycle that are assumed, board).
CORES = {
    "cortex-a53": (1400, 0.9, "Raspberry Pi 3; a Kria KV260 has 1333 MHz"),
    "cortex-a57": (1430, 1.4, "Jetson Nano"),
    "cortex-a72": (1500, 1.6, "Raspberry Pi 4"),
    "cortex-a76": (2400, 2.4, "Raspberry Pi 5"),
    "cortex-a78ae": (2000, 2.4, "Jetson Orin NX"),
}
SIDES = (180, 300, 600)  # of the window, frame pixels; the result has 255
PIXELS = 255 * 255


def main(arguments=None):
    """Run the command line; returns the exit code."""
    command_line("count", __doc__).parse_args(arguments)
    machine = open_machine("aarch64")
    plugin = plugin_for(machine)
    print("| core | window | instructions a crop | a pixel of three channels | estimated ms |")
    print("|---|---|---|---|---|")
    for core in CORES:
        _crop(machine, plugin, core)
    return 0


def plugin_for(machine):
    """Compile the plugin of QEMU; returns its path."""
    plugin = machine.folder / "count.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(HERE / "count.c")], check=True
    )
    return plugin


def _crop(machine, plugin, core):
    """One line for each size of the window."""
    program = machine.folder / ("crop-" + core)
    flags = [flag for flag in build.FLAGS if flag not in ("-fPIC", "-shared")]
    compiler = [machine.table["compiler"], *flags, "-mcpu=" + core, "-static"]
    subprocess.run(compiler + ["-o", str(program), str(HERE / "count_crop.cpp")], check=True)
    for side in SIDES:
        counts = []
        for crops in (1, 5):
            command = [machine.table["qemu"], "-cpu", machine.emulated(core), str(program)]
            command += [str(side), str(crops)]
            text = logged(plugin, functools.partial(_run, command))
            counts.append(int(re.search(r"instructions (\d+)", text).group(1)))
        each = (counts[1] - counts[0]) / 4
        row = "| {} | {} | {:,.0f} | {:.1f} | {:.2f} |"
        print(row.format(core, side, each, each / PIXELS, milliseconds(core, each)), flush=True)


def _run(command, more):
    """Run a program with more environment variables."""
    subprocess.run(command, env=dict(os.environ, **more), check=True)


def logged(plugin, run):
    """What the plugin writes in a run of QEMU: ``run`` takes environment variables as ``more``."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        more = {"QEMU_PLUGIN": "file=" + str(plugin), "QEMU_LOG": "plugin"}
        run(more=dict(more, QEMU_LOG_FILENAME=log.name))
        return log.read()


def milliseconds(core, instructions):
    """An estimate of the time that a core takes for so many instructions."""
    clock_mhz, per_cycle, _ = CORES[core]
    return instructions / per_cycle / clock_mhz / 1e3


if __name__ == "__main__":
    sys.exit(exit_code("count", main))
