"""Count the instructions that the processor of an FPGA board executes for a frame.

    python -m tests.arm.count_fpga [--machine armhf] [--recover]

The board's network follows a face in a picture of 640 x 480 pixels on a simulated PYNQ-Z2, and what
the fabric gives is recorded. Then the same frames are followed under QEMU: the shipped Python code,
Debian's Python and NumPy, PYNQ's classes for registers and buffers, and C++ compiled for the core;
the recorded results are there as soon as a program starts (``replay.py``). The boxes must be those
of the recording. Counted is all that the program executes, without the kernel's part: not the
synchronisation of the caches, and no waiting.

--recover counts a tracker that would search for a lost target, while none is lost.
"""

import json
import os
import pathlib
import re
import sys
import tempfile

import cv2
import numpy as np

from boards.build import __main__ as build
from kernels import cpu
from kernels.fpga import tables
from runtime import loading
from runtime.bundle import Bundle
from tests.arm import fpga_frames
from tests.arm.count import logged, plugin_for
from tests.arm.machine import HOME, Missing, command_line, exit_code, load_table, open_machine
from tests.arm.same_boxes import CLIP, FACE, first_frames

BOARD = "pynq_z2"
FRAMES = 18
WARM = 4  # frames that are not counted: caches of NumPy and Python are filled in them
SIZE = (640, 480)  # of a frame
LIMIT_PX = 1e-6


def main(arguments=None):
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    machine = open_machine(options.machine)
    library = _pynq()
    frames, box = clip()
    found = {}
    with tempfile.TemporaryDirectory(dir=str(HOME)) as name:
        folder = pathlib.Path(name)
        if build.main([BOARD, "--out", str(folder)]):
            return 2
        rows = record(folder, frames, box)
        kinds = {"one": [1], "overlapped": [2]}
        if options.recover:
            kinds = {"one, with the search": [1, "recover"]}
        for kind, how in kinds.items():
            marks, there = _on(machine, folder, library, how)
            worst = np.abs(np.array(there["rows"]) - rows)[:, :4].max()
            if worst > LIMIT_PX:
                print(f"the boxes differ by {worst:g} px", file=sys.stderr)
                return 1
            found[kind] = parts(marks)
    _tell(machine, found, there["kernels"])
    return 0


def _parser():
    cli = command_line("count_fpga", __doc__)
    cli.add_argument("--machine", default="armhf", choices=list(load_table()))
    cli.add_argument("--recover", action="store_true", help="count with the search ready")
    return cli


def _pynq():
    try:
        from kernels.fpga.design.sim import device
    except ImportError:
        device = None
    if device is None or device.NO_PYNQ:
        raise Missing("PYNQ's library is missing; run `make fpga`")
    import pynq

    return pathlib.Path(pynq.__file__).parent


def clip():
    """(frames, box): a face of 48 x 65 pixels in a larger picture, mirrored around the clip's."""
    frames = first_frames(CLIP, FRAMES)
    if frames is None:
        raise Missing(f"there is no {CLIP}; run `make track` once")
    height, width = frames.shape[1:3]
    left, top = (SIZE[0] - width) // 2, (SIZE[1] - height) // 2
    margins = top, SIZE[1] - height - top, left, SIZE[0] - width - left
    wide = [cv2.copyMakeBorder(frame, *margins, cv2.BORDER_REFLECT) for frame in frames]
    return np.stack(wide), (FACE[0] + left, FACE[1] + top) + FACE[2:]


def record(folder, frames, box):
    """Write what a simulated fabric gives for the bundle in a folder; returns the boxes' rows."""
    from kernels.fpga.design.model import BASE
    from kernels.fpga.design.sim import device as simulation

    device, overlay = simulation.open_board(BOARD, "model")
    bundle = Bundle(next(folder.glob("*/*-int8")))
    engine = loading.open_bundle(bundle, device=device, overlay=overlay)
    results, finish, count = [], engine.fabric.finish, bundle.run["work_bytes"]

    def finished(*arguments):
        finish(*arguments)
        first = device.machine.read(tables.REGISTERS["REGION1"]) - BASE
        results.append(device.machine.memory[first : first + count].copy())

    engine.fabric.finish = finished
    tracker = loading.create_tracker(engine.network, engine, cpu.load())
    tracks = fpga_frames.follow(tracker, list(frames), box)
    np.savez(str(folder / "record.npz"), frames=frames, box=box, results=np.stack(results))
    return np.array([list(track.box) + [track.score] for track in tracks])


def _on(machine, folder, library, how):
    """(marks, what the program wrote) of a run on the machine.

    Args:
        how: last arguments of ``tests.arm.fpga_frames``.
    """
    out = folder / "out.json"
    command = ["-m", "tests.arm.fpga_frames", folder, library, out] + how
    single = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}

    def run(more):
        machine.run(machine.table["cores"][0], command, dict(single, **more), check=True)

    # compile the kernels first: the compiler is not counted, and marks nothing
    machine.run(machine.table["cores"][0], ["-m", "kernels.cpu"], check=True)
    text = logged(plugin_for(machine), run)
    marks = [(int(a), int(b)) for a, b in re.findall(r"mark (\d+) (\d+)", text)]
    with open(str(out)) as file:
        return marks, json.load(file)


def parts(marks):
    """Instructions a frame: (while the fabric is idle, while it computes), from the marks."""
    own = min(b[1] - a[1] for a, b in zip(marks, marks[1:]) if a[0] == b[0] == fpga_frames.EMPTY)
    idle, beside = [], []
    for (kind, first), (following, end) in zip(marks, marks[1:]):
        if kind == fpga_frames.RUN and following == fpga_frames.WAIT:
            beside.append(end - first - own)
        if kind == fpga_frames.WAIT and following == fpga_frames.START:
            idle.append(end - first - own)
    # the first two programs are the exemplar's and the first search's
    return {"idle": int(np.mean(idle[2 + WARM :])), "beside": int(np.mean(beside[2 + WARM :]))}


def _tell(machine, found, kernels):
    print("{} {}, kernels in {}:".format(machine.name, machine.table["cores"][0], kernels))
    print("| instructions a frame | while the fabric is idle | beside it | in all |")
    print("|---|---:|---:|---:|")
    for kind, one in found.items():
        row = one["idle"], one["beside"], sum(one.values())
        print("| {} | {:,} | {:,} | {:,} |".format(kind, *row))


if __name__ == "__main__":
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    sys.exit(exit_code("count_fpga", main))
