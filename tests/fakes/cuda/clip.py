"""Track clips with a network's whole frame on the fake GPU, and with the host's tracker beside it.

    python -m tests.fakes.cuda.clip '{"network": "fear_xs", "files": DIR, "clips": [DIR, ...]}'

Run by tests/kernels/cuda/test_whole_frames.py with the fake driver in LD_LIBRARY_PATH. ONNX
Runtime's CPU provider runs the network on the fake device's memory, which is the host's.
"""

import glob
import json
import os
import sys

import cv2
import numpy as np

from kernels import cpu
from kernels.cuda import device as devices
from runtime import engines
from runtime.devices.gpu import Gpu
from runtime.devices.processor import Processor
from runtime.engines import onnxruntime_gpu as adapter
from runtime.engines.base import Setup
from runtime.networks import load_network
from runtime.options import Options
from runtime.targets.exclusion import Exclusion
from runtime.targets.targets import Targets
from runtime.tracker import Tracker
from tests.fakes.cuda import build

COSTS = "allocations launches uploads downloads download_bytes synchronisations".split()


class OnFakeStream(adapter._OnStream):
    """Runs after the work that was put on the stream before it, as it would on a GPU."""

    def __init__(self, library, engine, *rest):
        super().__init__(library, engine, *rest)
        self._engine = engine

    def run(self, handle):
        counters = self._engine.device.counters
        before = counters.read()
        self._engine.device.synchronise(self._engine.stream)
        counters.rewind(before)
        super().run(handle)


def open_engine(network, files, device):
    """The GPU's ONNX Runtime engine on the fake device."""
    adapter.PROVIDERS["test"] = (("CPUExecutionProvider",), "cpu")
    adapter._OnStream = OnFakeStream
    setup = Setup(network, network.locate(files), device=device, settings={"provider": "test"})
    return adapter.Engine(setup)


def read_clip(folder, count):
    """(frames, first box) of a clip."""
    paths = sorted(glob.glob(os.path.join(folder, "img", "*")))[: count + 1]
    with open(os.path.join(folder, "boxes.csv")) as file:
        box = [float(number) for number in file.read().splitlines()[1].split(",")[1:]]
    return [cv2.imread(path) for path in paths], box


def follow(tracker, frames, box, depth=1):
    """Boxes, scores and lost flags of a clip; ``depth``: frames in flight."""
    told = []

    def tell(track):
        told.append([list(track.box), track.score, bool(track.lost)])

    tracker.init(frames[0], box)
    if depth == 1:
        for frame in frames[1:]:
            tell(tracker.update(frame))
        return told
    for frame in frames[1:]:
        tracker.submit(frame)
        if tracker.in_flight == depth:
            tell(tracker.collect())
    while tracker.in_flight:
        tell(tracker.collect())
    return told


def follow_several(network, engine, frames, box, options):
    """What a group of targets and the same targets one by one find, and what a frame costs."""
    (x, y, w, h), said = box, []
    boxes = [(x + i * w / 4, y + i * h / 5, w, h) for i in range(options["targets"])]
    targets = Targets(network, engine, cpu.load(), Options(log=said.append, recover=False))
    Exclusion.resolve = lambda self, trackers, tracks, shape: tracks  # each finds what it finds
    for first in boxes[:-1]:
        targets.add(frames[0], first)
    told, counters = [], engine.device.counters
    for index, frame in enumerate(frames[1:]):
        if index == 2:  # the last one comes late, and the first one goes
            targets.add(frames[0], boxes[-1])
        if index == len(frames) - 4:
            targets.drop(0)
        before = counters.read()
        tracks = targets.update(frame)
        after = counters.read()
        cost = {name: after[name] - before[name] for name in COSTS}
        told.append({number: list(track.box) for number, track in tracks.items()})
    for number in targets.numbers:
        targets.drop(number)
    wanted = []
    for number, first in enumerate(boxes):
        tracker = Tracker(Gpu(network, engine))
        late = number == len(boxes) - 1
        wanted.append([t[0] for t in follow(tracker, frames[:1] + frames[1 + 2 * late :], first)])
        tracker.release()
    return {"found": told, "wanted": wanted, "frame": cost, "said": said}


def run(options):
    device = devices.open_device()
    build.match_compiler(device.driver_version)
    network, files = load_network(options["network"]), options.get("files")
    engine = open_engine(network, files, device)
    host = engines.create("onnxruntime", network, network.locate(files))
    depth, report = options.get("pipeline", 1), []
    for folder in options["clips"]:
        frames, box = read_clip(folder, options.get("frames", 60))
        if options.get("targets"):
            report.append(follow_several(network, engine, frames, box, options))
            continue
        if options.get("hidden"):
            frames[12:20] = [np.full_like(frame, 128) for frame in frames[12:20]]
        tracker = Tracker(Gpu(network, engine, slots=depth))
        found = follow(tracker, frames, box, depth)
        wanted = follow(Tracker(Processor(network, host, cpu.load())), frames, box)
        before = device.counters.read()
        tracker.update(frames[-1])
        after = device.counters.read()
        tracker.release()
        cost = {name: after[name] - before[name] for name in COSTS}
        report.append({"found": found, "wanted": wanted, "frame": cost})
    device.close()
    return report


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
