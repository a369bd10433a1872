"""Compare the boxes of trackers on an ARM machine with those on this computer.

    python -m hotpath_release.arm.same_boxes --clips DIR --networks-dir DIR --int8-dir DIR

Each clip has a column with the largest difference of a box's numbers, pixels. Both sides get the
same decoded frames. The sums of a network differ in their order; so boxes may differ by
``LIMIT_PX``. A run that was stopped goes on with ``--resume``.

An INT8 network comes from ``--int8-dir``, where ``hotpath int8`` wrote it, else it is the
one that ships. Exit codes: 0, 1 when a box differs by more.
"""

import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np

from hotpath.boards import load_board
from hotpath.calib.command import parser
from hotpath.deploy.bundles.engines import build_of
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime.networks import load_network
from hotpath.video.clips import find_clips
from hotpath_release.arm.machine import HOME, Machine, exit_code
from tests.support import ROOT

LIMIT_PX = 1e-3
CLIP = ROOT / ".cache" / "bigbuckbunny.mp4"
FACE = (328, 342, 82, 118)
FEW, MORE = 3, 6  # frames of the comparison that `hotpath_release.arm` does, and with `--whole`
ENGINES = ("onnxruntime", "openvino", "ncnn")
NETWORKS = ("kestrel", "kestrel_small", "nanotrack_v2")
PRECISIONS = ("fp32", "int8")
CLIPS = ("otb-Couple", "otb-Crossing", "otb-DragonBaby")
FRAMES = 100  # of each
BOARD = "raspberry_pi5"  # of the bundles for engines that run nothing else
HEAD = "| network | numbers | engine here, there | {} | largest, px |"


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


def main(words=None):
    cli = network_options(parser("hotpath_release.arm.same_boxes", __doc__))
    cli.add_argument("--clips", type=pathlib.Path, required=True, metavar="DIR")
    cli.add_argument("--resume", action="store_true", help="take results that are there")
    options = cli.parse_args(words)
    machine = Machine("aarch64")
    results = []
    kept = HOME / "boxes"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(HOME)) as folder:
        clips = [clip for clip in find_clips([options.clips]) if clip.name in CLIPS]
        paths = [
            save(folder, clip.name, list(itertools.islice(clip, FRAMES)), clip.boxes[0])
            for clip in clips
        ]
        names = [path.stem for path in paths]
        print(f"{FRAMES} frames of each clip, {machine.cores[0]}\n")
        print(HEAD.format(" | ".join(names)) + "\n" + "|---" * (len(names) + 4) + "|", flush=True)
        for case in cases(options.networks):
            known = kept / "{}-{}-{}.json".format(*case)
            if not (options.resume and known.is_file()):
                load = arguments(*case, options.networks_dir, options.int8_dir)
                known.write_text(json.dumps(both_sides(machine, paths, load)))
            sides = json.loads(known.read_text())
            worst = largest(sides)
            figures = [worst[name] for name in names]
            cells = [case[0], case[1], versions(sides)]
            cells += [f"{value:.1e}" for value in figures + [max(figures)]]
            print("| " + " | ".join(cells) + " |", flush=True)
            results.append(max(figures) <= LIMIT_PX)
    return 0 if all(results) else 1


def network_options(cli):
    """Add the options that name networks and their files; returns the parser."""
    cli.add_argument("--networks", nargs="+", default=list(NETWORKS))
    cli.add_argument("--networks-dir", type=pathlib.Path, metavar="DIR")
    cli.add_argument("--int8-dir", type=pathlib.Path, default=ROOT / "out" / "int8", metavar="DIR")
    return cli


def cases(networks):
    """The (network, precision, engine) that exist: ncnn has no INT8."""
    every = itertools.product(networks, PRECISIONS, ENGINES)
    return [case for case in every if case[1:] != ("int8", "ncnn")]


def arguments(network, precision, engine, networks_dir=None, int8_dir=None):
    """The arguments of ``hotpath.runtime.load_tracker``; an engine that needs a bundle gets a
    new one."""
    folder = str(networks_dir) if networks_dir else None
    if engine == "ncnn":
        order = Order(
            load_board(BOARD),
            load_network(network),
            precision,
            HOME / "bundles",
            folder,
        )
        made = build_of(order.board, engine)(order, lambda text: None)
        return {"bundle": str(made.folder), "board": BOARD}
    form = (int8_dir or ROOT) / f"{network}-int8.toml"
    if precision == "int8" and form.is_file():
        network = str(form)
    load = {"network": network, "engine": engine, "precision": precision}
    return dict(load, networks_dir=folder) if folder else load


def save(folder, name, frames, box):
    """Write decoded frames for ``hotpath_release.arm.boxes``; returns the path."""
    path = pathlib.Path(folder) / (name + ".npz")
    np.savez(str(path), frames=np.stack(frames), box=np.asarray(box, float))
    return path


def both_sides(machine, paths, load):
    """Follow the targets on both sides: [what was written here, what was written there]."""
    files = [paths[0].with_name(side + ".json") for side in ("here", "there")]
    rest = [*map(str, paths), *("{}={}".format(*pair) for pair in sorted(load.items()))]
    command = ["-m", "hotpath_release.arm.boxes"]
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


if __name__ == "__main__":
    sys.exit(exit_code("same_boxes", main))
