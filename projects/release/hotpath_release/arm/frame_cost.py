"""Count the instructions of crops and of whole frames on ARM cores, and estimate their time.

    python -m hotpath_release.arm.frame_cost [--networks-dir DIR] [--int8-dir DIR] [--no-recover]

QEMU runs the programs with a plugin that counts (``count.c``). Crops are counted without Python, as
the difference of two runs. Whole frames (``frames.py``) run on one thread. Two cores are counted:
the libraries have other code for those with dot products.
Milliseconds follow from ``CORES``; they are estimates, of one core.
"""

import collections
import contextlib
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from hotpath.calib.command import parser
from hotpath.kernels.cpu import build
from hotpath.runtime.networks import load_network
from hotpath_release.arm import same_boxes
from hotpath_release.arm.frames import BEGIN, CROP, NETWORK, SELECT, WARM_UP
from hotpath_release.arm.machine import HOME, Machine, exit_code

HERE = pathlib.Path(__file__).parent
# Core -> (clock of a usual board in MHz, instructions a cycle that are assumed).
CORES = {
    "cortex-a53": (1400, 0.9),  # Raspberry Pi 3; a Kria KV260 has 1333 MHz
    "cortex-a57": (1430, 1.4),  # Jetson Nano
    "cortex-a72": (1500, 1.6),  # Raspberry Pi 4
    "cortex-a76": (2400, 2.4),  # Raspberry Pi 5
    "cortex-a78ae": (2000, 2.4),  # Jetson Orin NX
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
    cli = same_boxes.network_options(parser("hotpath_release.arm.frame_cost", __doc__))
    cli.add_argument("--no-recover", action="store_true", help="without search for lost targets")
    options, machine = cli.parse_args(words), Machine("aarch64")
    plugin = machine.folder / "count.so"  # of QEMU
    compiler = ["cc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(HERE / "count.c")]
    subprocess.run(compiler, check=True)
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
        cases = same_boxes.cases(options.networks)
        for (network, precision, engine), core in itertools.product(cases, SAME):
            load = same_boxes.arguments(
                network, precision, engine, options.networks_dir, options.int8_dir
            )
            if options.no_recover:
                load["recover"] = "no"
            words = ["{}={}".format(*pair) for pair in sorted(load.items())]
            steps = _steps(machine, plugin, core, [path] + words)
            _print(network, precision, engine, core, steps)
        if PEER in options.networks:
            files = load_network(PEER).locate(options.networks_dir)
            for core in SAME:
                steps = _steps(machine, plugin, core, [path, files["backbone"], files["head"]])
                _print(PEER, "fp32", "OpenCV's TrackerNano", core, steps)
    return 0


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
            with _logged(plugin) as (log, more):
                subprocess.run(command, env=dict(os.environ, **more), check=True)
                text = log.read()
            counts.append(int(re.search(r"instructions (\d+)", text).group(1)))
        each = (counts[1] - counts[0]) / 4
        row = "| {} | {} | {:,.0f} | {:.1f} | {:.2f} |"
        print(row.format(core, side, each, each / PIXELS, _milliseconds(core, each)), flush=True)


@contextlib.contextmanager
def _logged(plugin):
    """The file that the plugin writes in a run of QEMU, and the environment variables for that."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        more = {"QEMU_PLUGIN": "file=" + str(plugin), "QEMU_LOG": "plugin"}
        yield log, dict(more, QEMU_LOG_FILENAME=log.name)


def _milliseconds(core, instructions):
    """An estimate of the time that a core takes for so many instructions."""
    clock_mhz, per_cycle = CORES[core]
    return instructions / per_cycle / clock_mhz / 1e3


def _steps(machine, plugin, core, words):
    """dict of step -> instructions of a frame; a step is named by the mark at its end."""
    program = ["-m", "hotpath_release.arm.frames"] + words
    with _logged(plugin) as (log, more):
        machine.run(core, program, more, check=True, stdout=subprocess.DEVNULL)
        text = log.read()
    marks = [(int(label), int(count)) for label, count in re.findall(r"mark (\d+) (\d+)", text)]
    spent = collections.Counter()
    for (_, before), (step, after) in zip(marks, marks[1:]):
        if step != BEGIN:
            spent[step] += after - before
    frames = sum(number == BEGIN for number, _ in marks)
    return {step: count / frames for step, count in spent.items()}


def _print(network, precision, engine, core, steps):
    total = sum(steps.values())
    parts = (CROP, NETWORK, SELECT) if CROP in steps else ()
    cells = [f"{steps[step] / 1e6:.2f}" for step in parts] or [""] * 3
    cells.append(f"{total / 1e6:.1f}")
    cells += [f"{_milliseconds(name, total):.1f}" if name in SAME[core] else "" for name in CORES]
    names = [network, precision, engine, core]
    print("| " + " | ".join(names + cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(exit_code("frame_cost", main))
