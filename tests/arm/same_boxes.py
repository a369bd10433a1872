"""Compare the boxes of trackers on an ARM machine with those on this computer.

    python -m tests.arm.same_boxes --clips DIR --names otb-Crossing otb-Couple --frames 100 \\
        --networks kestrel nanotrack_v2 --precisions fp32 int8 --networks-dir DIR

Both sides get the same decoded pixels (see ``tests.arm.boxes``). The networks compute in float32 or
INT8, and the sums differ in their order; so boxes may differ by ``LIMIT_PX``, and no more.
Exit codes: 0, 1 when a box differs by more.
"""

import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np

from boards import load_board
from boards.build.engines import build_of
from boards.build.order import Order
from boards.errors import BuildFailed
from calib.clips import find_clips
from runtime.networks import load_network
from tests.arm.machine import HOME, ROOT, Machine, load_table

LIMIT_PX = 1e-3
CLIP = ROOT / ".cache" / "carphone_pristine.mp4"
FACE = (64, 34, 48, 65)
FEW = 6  # frames of the comparison that `make test-arm` does
ENGINES = ("onnxruntime", "openvino", "ncnn")
BOARD = "raspberry_pi5"  # of the bundles for engines that run nothing else


def compare_few(machine):
    """Compare the default network on a few frames; whether no box differs by too much."""
    frames = first_frames(CLIP, FEW)
    if frames is None:
        print("no {}; run `make {}`".format(CLIP, CLIP.relative_to(ROOT)))
        return False
    results = []
    for engine in machine.table["engines"]:
        try:
            load = arguments("kestrel", engine, "fp32", None)
        except BuildFailed as error:
            print("{}, left out: {}".format(engine, error))
            continue
        results.append(_compare(machine, machine.table["cores"][0], CLIP.stem, frames, FACE, load))
    return all(results)


def main(words=None):
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(words)
    table = load_table()
    machine = Machine(options.machine, table[options.machine])
    machine.set_up()
    core = options.core or machine.table["cores"][0]
    good = True
    for clip in find_clips([options.clips]):
        if clip.name not in options.names:
            continue
        frames = np.stack([clip[i] for i in range(min(options.frames, len(clip)))])
        for network, engine, precision in itertools.product(
            options.networks, options.engines, options.precisions
        ):
            load = arguments(network, engine, precision, options.networks_dir)
            same = _compare(machine, core, clip.name, frames, clip.boxes[0], load)
            good = same and good
    return 0 if good else 1


def _parser():
    cli = argparse.ArgumentParser(
        prog="python -m tests.arm.same_boxes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_argument("--machine", default="aarch64")
    cli.add_argument("--core", help="that QEMU emulates (default: the machine's first)")
    cli.add_argument("--clips", type=pathlib.Path, required=True, metavar="DIR")
    cli.add_argument("--names", nargs="+", required=True, help="of clips")
    cli.add_argument("--frames", type=int, default=100)
    cli.add_argument("--networks", nargs="+", default=["kestrel"])
    cli.add_argument("--networks-dir", type=pathlib.Path, metavar="DIR")
    cli.add_argument("--engines", nargs="+", default=list(ENGINES))
    cli.add_argument("--precisions", nargs="+", default=["fp32"])
    return cli


def arguments(network, engine, precision, networks_dir):
    """The arguments of ``runtime.load_tracker``; an engine that needs a bundle gets a new one."""
    if engine == "ncnn":
        folder = str(networks_dir) if networks_dir else None
        order = Order(load_board(BOARD), load_network(network), precision, HOME / "bundles", folder)
        made = build_of(order.board, engine)(order, lambda text: None)
        return {"bundle": str(made.folder), "board": BOARD}
    load = {"network": network, "engine": engine, "precision": precision}
    return dict(load, networks_dir=str(networks_dir)) if networks_dir else load


def _compare(machine, core, name, frames, box, load):
    """Follow a target on both sides, print one line, and say whether the boxes are the same."""
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(HOME)) as folder:
        clip = os.path.join(folder, "frames.npz")
        np.savez(clip, frames=frames, box=np.asarray(box, float))
        here, there = (os.path.join(folder, side) for side in ("here.json", "there.json"))
        pairs = ["{}={}".format(*pair) for pair in sorted(load.items())]
        command = ["-m", "tests.arm.boxes", clip]
        subprocess.run([sys.executable] + command + [here] + pairs, cwd=str(ROOT), check=True)
        machine.run(core, command + [there] + pairs, check=True)
        ours, theirs = (_read(path) for path in (here, there))
    rows = [np.array(side["rows"]) for side in (ours, theirs)]
    worst = np.abs(rows[0] - rows[1])[:, :4].max()
    good = bool(worst <= LIMIT_PX)
    print(
        "{} {} {} frames, {network} {engine} {precision}: at most {:.2g} px apart{}".format(
            core,
            name,
            len(frames),
            worst,
            "" if good else ", which is more than {:g}".format(LIMIT_PX),
            network=ours["network"],
            engine=" ".join((ours["engine"]["engine"], theirs["engine"]["version"])),
            precision=theirs["engine"]["precision"],
        ),
        flush=True,
    )
    return good


def _read(path):
    with open(path) as file:
        return json.load(file)


def first_frames(path, count):
    """The first frames of a video, or None where it can't be read."""
    video, frames = cv2.VideoCapture(str(path)), []
    while len(frames) < count:
        read, frame = video.read()
        if not read:
            return None
        frames.append(frame)
    return np.stack(frames)


if __name__ == "__main__":
    sys.exit(main())
