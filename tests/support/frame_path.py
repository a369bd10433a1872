"""Traces tracked frames in a process of its own; prints the files of ours that they run through.

    python -m tests.support.frame_path KIND     processor, search, gpu or program

The GPU is the fake one (``hotpath_nogpu.gpu``), the FPGA is the model.
"""

import json
import os
import pathlib
import sys
import tempfile

import numpy as np

from tests.support import ROOT

HERE = str(ROOT / "hotpath")
OURS = HERE + os.sep
READ = ["video/folder.py", "read"]
WARM_UP, TRACED = 3, 8  # frames; with the search, one in four judges the target


def trace(tracker, frame):
    """The files of ours that one ``update`` runs through."""
    files = set()

    def seen(where, event, argument):
        if event == "call" and where.f_code.co_filename.startswith(OURS):
            files.add(os.path.relpath(where.f_code.co_filename, HERE))

    sys.setprofile(seen)
    try:
        track = tracker.update(frame)
    finally:
        sys.setprofile(None)
    assert track.state == "tracked", track
    return sorted(files)


def program():
    """[file, function] of each call of ours in a frame of ``hotpath.app``, in order."""
    from hotpath.app import __main__ as track
    from tests.support import tiny

    folder = pathlib.Path(tempfile.mkdtemp())
    calls = []
    pictures, boxes = tiny.film(WARM_UP + TRACED)
    tiny.write_pictures(folder / "film", pictures)

    def seen(where, event, argument):
        if event == "call" and where.f_code.co_filename.startswith(OURS):
            file = os.path.relpath(where.f_code.co_filename, HERE)
            calls.append([file, where.f_code.co_name])

    words = ["--video", str(folder / "film"), "--box", ",".join(map(str, boxes[0]))]
    sys.setprofile(seen)
    code = track.main(words + ["--no-show", "--results", str(folder / "boxes.csv")])
    sys.setprofile(None)
    assert code == 0
    reads = [place for place, call in enumerate(calls) if call == READ][WARM_UP:]
    # one frame in four judges the target
    return max((calls[a:b] for a, b in zip(reads, reads[1:])), key=len)


def on_processor(recover=False):
    from hotpath.runtime import load_tracker

    frame = np.random.RandomState(0).randint(0, 60, (360, 480, 3)).astype(np.uint8)
    frame[150:198, 200:248] = (250, 160, 90)
    tracker = load_tracker("kestrel", precision="fp32", recover=recover)
    return tracker, frame, (200, 150, 48, 48)


def on_gpu():
    from hotpath.kernels import cpu
    from hotpath.kernels.cuda import device
    from hotpath.runtime.devices.gpu import Gpu
    from hotpath.runtime.tracker import Tracker
    from hotpath_nogpu.cuda.engine import Engine
    from hotpath_nogpu.cuda.film import Film
    from tests.support.kernel_networks import network

    opened, net, film = device.open_device(), network(border="zero"), Film(3)
    tracker = Tracker(Gpu(net, Engine(opened, net), cpu.load()))
    return tracker, film.frame(0), film.box


KINDS = {
    "processor": on_processor,
    "search": lambda: on_processor(recover=True),
    "gpu": on_gpu,
}


def main(kind):
    tracker, frame, box = KINDS[kind]()
    tracker.init(frame, box)
    for _ in range(WARM_UP):
        tracker.update(frame)
    files = [trace(tracker, frame) for _ in range(TRACED)]
    return {"files": files, "modules": sorted(sys.modules)}


if __name__ == "__main__":
    print(json.dumps(program() if sys.argv[1] == "program" else main(sys.argv[1])))
