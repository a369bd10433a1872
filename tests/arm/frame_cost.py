"""Count the instructions of whole frames on ARM cores, and estimate their time.

    python -m tests.arm.frame_cost [--networks-dir DIR] [--int8-dir DIR] [--no-recover]

QEMU runs the tracker, Python and the real wheels, with a plugin that counts (``count.c``,
``frames.py``), on one thread. The frame has all that ``Tracker.update`` does. Two cores are
counted: the libraries have other code for those with dot products. Milliseconds follow from
``count.CORES``; they are estimates, of one core. OpenCV's TrackerNano is counted beside it.
"""

import collections
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

from runtime.networks import load_network
from tests.arm import same_boxes
from tests.arm.count import CORES, logged, milliseconds, plugin_for
from tests.arm.frames import BEGIN, CROP, NETWORK, SELECT, WARM_UP
from tests.arm.machine import HOME, ROOT, command_line, exit_code, open_machine

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
    plugin = plugin_for(machine)
    names = [name[len("cortex-") :].upper() + " ms" for name in CORES]
    print("Millions of instructions a frame\n")
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

    text = logged(plugin, run)
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
    cells += [f"{milliseconds(name, total):.1f}" if name in SAME[core] else "" for name in CORES]
    names = [network, precision, engine, core]
    print("| " + " | ".join(names + cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(exit_code("frame_cost", main))
