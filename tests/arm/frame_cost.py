"""Count the instructions of crops and of whole frames on ARM cores, and estimate their time.

    python -m tests.arm.frame_cost [--networks-dir DIR] [--int8-dir DIR] [--no-recover]

QEMU runs the programs with a plugin that counts (``count.c``). Crops are counted first, without
Python; two runs of different length are subtracted, so that work that is done once drops out. Then
come the tracker, Python and the real wheels (``frames.py``), on one thread. The frame has all that
``Tracker.update`` does. Two cores are counted: the libraries have other code for those with dot
products. Milliseconds follow from ``CORES``; they are estimates, of one core. OpenCV's TrackerNano
is counted beside it.
"""

import collections
import functools
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from kernels.cpu import build
from runtime.networks import load_network
from tests.arm import same_boxes
from tests.arm.frames import BEGIN, CROP, NETWORK, SELECT, WARM_UP
from tests.arm.machine import HOME, ROOT, command_line, exit_code, open_machine

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
COUNTED = 16  # frames: one in four judges, an update takes four of the others; then all repeats
# Counted core -> those that execute the same instructions, or nearly.
SAME = {
    "cortex-a72": ("cortex-a53", "cortex-a57", "cortex-a72"),
    "cortex-a76": ("cortex-a76", "cortex-a78ae"),
}
PEER = "nanotrack_v2"  # that OpenCV's TrackerNano runs too
HEAD = "| network | numbers | engine | core | crop | network | select | frame | {} |"


def main(words=None):
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(words)
    machine = open_machine("aarch64")
    plugin = _plugin_for(machine)
    print("| core | window | instructions a crop | a pixel of three channels | estimated ms |")
    print("|---|---|---|---|---|")
    for core in CORES:
        _crop(machine, plugin, core)
    names = [name[len("cortex-") :].upper() + " ms" for name in CORES]
    print("\nMillions of instructions a frame\n")
    print(HEAD.format(" | ".join(names)) + "\n" + "|---" * (8 + len(names)) + "|", flush=True)
    frames = same_boxes.first_frames(same_boxes.CLIP, 1 + WARM_UP + COUNTED)
    with tempfile.TemporaryDirectory(dir=str(HOME)) as folder:
        path = same_boxes.save(folder, "frames", frames, same_boxes.FACE)
        cases = itertools.product(options.networks, options.precisions, options.engines)
        for (network, precision, engine), core in itertools.product(cases, options.cores):
            load = same_boxes.arguments(
                network, precision, engine, options.networks_dir, options.int8_dir
            )
            if options.no_recover:
                load["recover"] = ""  # a text that is false
            words = ["{}={}".format(*pair) for pair in sorted(load.items())]
            steps = _steps(machine, plugin, core, [path] + words)
            _print(network, precision, engine, core, steps)
        if PEER in options.networks:
            files = load_network(PEER).locate(options.networks_dir)
            for core in options.cores:
                steps = _steps(machine, plugin, core, [path, files["backbone"], files["head"]])
                _print(PEER, "fp32", "OpenCV's TrackerNano", core, steps)
    return 0


def _parser():
    cli = command_line("frame_cost", __doc__)
    cli.add_argument("--networks", nargs="+", default=list(same_boxes.NETWORKS))
    cli.add_argument("--networks-dir", type=pathlib.Path, metavar="DIR")
    cli.add_argument("--int8-dir", type=pathlib.Path, default=ROOT / "out" / "int8", metavar="DIR")
    cli.add_argument("--precisions", nargs="+", default=["fp32", "int8"])
    cli.add_argument("--engines", nargs="+", default=list(same_boxes.ENGINES))
    cli.add_argument("--no-recover", action="store_true", help="without search for lost targets")
    cli.add_argument("--cores", nargs="+", default=list(SAME), choices=list(SAME))
    return cli


def _plugin_for(machine):
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
            text = _logged(plugin, functools.partial(_run, command))
            counts.append(int(re.search(r"instructions (\d+)", text).group(1)))
        each = (counts[1] - counts[0]) / 4
        row = "| {} | {} | {:,.0f} | {:.1f} | {:.2f} |"
        print(row.format(core, side, each, each / PIXELS, _milliseconds(core, each)), flush=True)


def _run(command, more):
    """Run a program with more environment variables."""
    subprocess.run(command, env=dict(os.environ, **more), check=True)


def _logged(plugin, run):
    """What the plugin writes in a run of QEMU: ``run`` takes environment variables as ``more``."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        more = {"QEMU_PLUGIN": "file=" + str(plugin), "QEMU_LOG": "plugin"}
        run(more=dict(more, QEMU_LOG_FILENAME=log.name))
        return log.read()


def _milliseconds(core, instructions):
    """An estimate of the time that a core takes for so many instructions."""
    clock_mhz, per_cycle, _ = CORES[core]
    return instructions / per_cycle / clock_mhz / 1e3


def _steps(machine, plugin, core, words):
    """dict of step -> instructions of a frame; a step is named by the mark at its end."""

    def run(more):
        machine.run(
            core,
            ["-m", "tests.arm.frames"] + words,
            more,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    text = _logged(plugin, run)
    marks = [(int(label), int(count)) for label, count in re.findall(r"mark (\d+) (\d+)", text)]
    spent = collections.Counter()
    for (_, before), (step, after) in zip(marks, marks[1:]):
        if step != BEGIN:
            spent[step] += after - before
    frames = sum(number == BEGIN for number, _ in marks)
    return {step: count / frames for step, count in spent.items()}


def _print(network, precision, engine, core, steps):
    total = sum(steps.values())
    cells = [
        f"{steps[step] / 1e6:.2f}" if step in steps else "" for step in (CROP, NETWORK, SELECT)
    ]
    if CROP not in steps:
        cells = [""] * 3
    cells.append(f"{total / 1e6:.1f}")
    cells += [f"{_milliseconds(name, total):.1f}" if name in SAME[core] else "" for name in CORES]
    names = [network, precision, engine, core]
    print("| " + " | ".join(names + cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(exit_code("frame_cost", main))
