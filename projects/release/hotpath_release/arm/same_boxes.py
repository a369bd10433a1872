"""Compare the boxes of a tracker on an ARM machine with those on this computer.

Both sides get the same decoded frames. The sums of a network differ in their order, so boxes may
differ by ``LIMIT_PX``.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np

from hotpath.boards import HOST, load_board
from hotpath.deploy.bundles.engines import build_of
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime.networks import load_network
from hotpath_release.arm.machine import HOME
from tests.support import ROOT

LIMIT_PX = 1e-3
CLIP = ROOT / ".cache" / "bigbuckbunny.mp4"
FACE = (328, 342, 82, 118)
FEW, MORE = 3, 6  # frames of the comparison that `hotpath_release.arm` does, and with `--whole`


def compare_few(machine, whole):
    """Compare the default network on a few frames; whether no box differs by too much."""
    count = MORE if whole else FEW
    frames = first_frames(CLIP, count)
    if frames is None:
        print(f"no {CLIP}; run `make {CLIP.relative_to(ROOT)}`")
        return False
    results = []
    for engine in machine.table["engines"]:
        try:
            load = arguments("kestrel", "fp32", engine)
        except BuildFailed as error:
            print(f"{engine}, left out: {error}")
            continue
        with tempfile.TemporaryDirectory(dir=str(HOME)) as folder:
            sides = both_sides(machine, [save(folder, CLIP.stem, frames, FACE)], load)
        worst, there = largest(sides)[CLIP.stem], sides[1]
        results.append(worst <= LIMIT_PX)
        title = f"{there['network']} {there['engine']['precision']} {versions(sides)}"
        more = "" if results[-1] else f", which is more than {LIMIT_PX:g}"
        told = f"{title}, {count} frames of {CLIP.stem}: at most {worst:.2g} px apart{more}"
        print(told, flush=True)
    return all(results)


def arguments(network, precision, engine):
    """The arguments of ``hotpath.runtime.load_tracker``; ncnn, which needs a bundle, gets a new
    one."""
    if engine == "ncnn":
        board = load_board(HOST)  # which both sides are
        order = Order(board, load_network(network), precision, HOME / "bundles", engine=engine)
        made = build_of(board, engine)(order, lambda text: None)
        return {"bundle": str(made.folder)}
    return {"network": network, "engine": engine, "precision": precision}


def save(folder, name, frames, box):
    """Write decoded frames for ``hotpath_release.arm.write_boxes``; returns the path."""
    path = pathlib.Path(folder) / (name + ".npz")
    np.savez(str(path), frames=np.stack(frames), box=np.asarray(box, float))
    return path


def both_sides(machine, paths, load):
    """Follow the targets on both sides: [what was written here, what was written there]."""
    files = [paths[0].with_name(side + ".json") for side in ("here", "there")]
    rest = [*map(str, paths), *("{}={}".format(*pair) for pair in sorted(load.items()))]
    command = ["-m", "hotpath_release.arm.write_boxes"]
    subprocess.run([sys.executable, *command, files[0], *rest], cwd=str(ROOT), check=True)
    machine.run(machine.cores[0], [*command, files[1], *rest], check=True)
    return [json.loads(path.read_text()) for path in files]


def largest(sides):
    """dict of clip -> the largest difference of a box's numbers, pixels."""
    here, there = (side["rows"] for side in sides)
    return {
        name: float(np.abs(np.array(here[name]) - np.array(there[name]))[:, :4].max())
        for name in here
    }


def versions(sides):
    """Name of the engine, and its versions here and there."""
    here, there = (side["engine"] for side in sides)
    return "{} {}, {}".format(here["engine"], here["version"], there["version"])


def first_frames(path, count):
    """The first frames of a video, or None where it can't be read."""
    video = cv2.VideoCapture(str(path))
    frames = []
    while len(frames) < count:
        read, frame = video.read()
        if not read:
            return None
        frames.append(frame)
    return np.stack(frames)
