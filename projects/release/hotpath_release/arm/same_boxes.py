"""Compare the boxes of a tracker on an ARM machine with those on this computer.

Both sides get the same decoded frames. The sums of a network differ in their order, so boxes may
differ by ``LIMIT_PX``.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from hotpath.boards import HOST, load_board
from hotpath.deploy.bundles.engines import build_of
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime.networks import load_network
from hotpath.video.base import to_bgr
from hotpath.video.sources import open_source
from hotpath_release.arm.machine import HOME, TABLE
from tests.support import ROOT

LIMIT_PX = 1e-3
CLIP = ROOT / ".cache" / "bigbuckbunny.mp4"
FACE = (328, 342, 82, 118)
NETWORK, PRECISION = "kestrel", "fp32"
FEW, MORE = 3, 6  # frames, and with `--whole`


def compare(machine, whole):
    """Compare the boxes of each engine on a few frames; whether none differs by too much."""
    if not CLIP.exists():
        print(f"no {CLIP}; run `make {CLIP.relative_to(ROOT)}`")
        return False
    with open_source(str(CLIP)) as source:
        frames = np.stack([to_bgr(source.read()) for _ in range(MORE if whole else FEW)])
    results = []
    for engine in TABLE["engines"]:
        try:
            here, there = both_sides(machine, frames, arguments(engine))
        except BuildFailed as error:
            print(f"{engine}, left out: {error}")
            continue
        far = float(np.abs(np.subtract(here["boxes"], there["boxes"])).max())
        results.append(far <= LIMIT_PX)
        versions = "{}, {}".format(here["engine"]["version"], there["engine"]["version"])
        more = "" if results[-1] else f", which is more than {LIMIT_PX:g}"
        print(
            f"{NETWORK} {PRECISION} {engine} {versions}, {len(frames)} frames of {CLIP.stem}: "
            f"at most {far:.2g} px apart{more}",
            flush=True,
        )
    return all(results)


def arguments(engine):
    """The arguments of ``load_tracker`` for an engine; ncnn needs a bundle, and gets a new one."""
    if engine == "ncnn":
        board = load_board(HOST)  # which both sides are
        order = Order(board, load_network(NETWORK), PRECISION, HOME / "bundles", engine=engine)
        return {"bundle": build_of(board, engine)(order, lambda text: None).folder}
    return {"network": NETWORK, "engine": engine, "precision": PRECISION}


def both_sides(machine, frames, load):
    """Follow the target on both sides: (what was written here, what was written there)."""
    with tempfile.TemporaryDirectory(dir=str(HOME)) as name:
        folder = pathlib.Path(name)
        np.savez(str(folder / "frames.npz"), frames=frames, box=np.array(FACE, float))
        rest = [folder / "frames.npz", *(f"{key}={value}" for key, value in load.items())]
        command, here, there = (
            ["-m", "hotpath_release.arm.boxes"],
            folder / "here",
            folder / "there",
        )
        subprocess.run([sys.executable, *command, here, *rest], cwd=str(ROOT), check=True)
        machine.run(machine.cores[0], [*command, there, *rest], check=True)
        return json.loads(here.read_text()), json.loads(there.read_text())
