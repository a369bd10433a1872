"""Track clips with a network's whole frame on the fake GPU, and with the host's tracker beside it.

    python -m hotpath_nogpu.cuda.clip '{"network": "fear_xs", "files": DIR, "clips": [DIR, ...]}'

Run by nogpu_tests/cuda/test_whole_frames.py with the fake driver in LD_LIBRARY_PATH. ONNX
Runtime's CPU provider runs the network on the fake device's memory, which is the host's.
"""

import glob
import json
import os
import sys

import cv2
import numpy as np

from hotpath.kernels import cpu
from hotpath.kernels.cuda import device as devices
from hotpath.runtime import engines
from hotpath.runtime.devices.gpu import Gpu
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.engines import onnxruntime_gpu as adapter
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.targets.exclusion import Decision, Exclusion
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker import Tracker
from hotpath_nogpu.cuda import build

COSTS = "allocations launches uploads downloads download_bytes synchronisations".split()


class OnFakeStream(adapter._OnStream):
    """Runs after the work that was put on the stream before it, as it would on a GPU."""

    def __init__(self, library, engine, *rest):
        super().__init__(library, engine, *rest)
        self._engine = engine

    def run(self, handle, windows=1):
        counters = self._engine.device.counters
        before = counters.read()
        self._engine.device.synchronise(self._engine.stream)
        counters.rewind(before)
        super().run(handle, windows)


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


def follow(tracker, frames, box):
    """Boxes, scores and lost flags of a clip."""
    tracker.init(frames[0], box)
    tracks = [tracker.update(frame) for frame in frames[1:]]
    return [[list(track.box), track.score, bool(track.lost)] for track in tracks]


def cost_of(device, run):
    """What a device does in a call."""
    before = device.counters.read()
    run()
    after = device.counters.read()
    return {name: after[name] - before[name] for name in COSTS}


def each_finds_what_it_finds(self, trackers, tracks, shape):
    return {number: Decision(track, None, None) for number, track in tracks.items()}


def follow_several(gpu, other, frames, box, count):
    """What several targets and the same targets one by one find, and what a frame costs."""
    x, y, w, h = box
    told = []
    boxes = [(x + i * w / 4, y + i * h / 5, w, h) for i in range(count)]
    Exclusion.resolve = each_finds_what_it_finds
    targets = Targets(gpu, Options(recover=False))
    for first in boxes[:-1]:
        targets.add(frames[0], first)
    for index, frame in enumerate(frames[1:]):
        if index == 2:  # the last one comes late, and the first one goes
            targets.add(frames[0], boxes[-1])
        if index == len(frames) - 4:
            targets.drop(0)
        tracks = {}
        cost = cost_of(gpu.engine.device, lambda: tracks.update(targets.update(frame)))  # noqa: B023
        told.append({number: list(track.box) for number, track in tracks.items()})
    for number in targets.numbers:
        targets.drop(number)
    wanted = []
    for number, first in enumerate(boxes):
        late = number == len(boxes) - 1
        alone = Tracker(other, recover=False)
        wanted.append([t[0] for t in follow(alone, frames[:1] + frames[1 + 2 * late :], first)])
        alone.release()
    return {"found": told, "wanted": wanted, "frame": cost}


def run(options):
    device = devices.open_device()
    build.match_compiler(device.driver_version)
    network, files = load_network(options["network"]), options.get("files")
    engine = open_engine(network, files, device)
    report = []
    host = engines.create("onnxruntime", network, network.locate(files))
    gpu, processor = Gpu(network, engine, cpu.load()), Processor(network, host, cpu.load())
    for folder in options["clips"]:
        frames, box = read_clip(folder, options.get("frames", 60))
        if options.get("targets"):
            report.append(follow_several(gpu, processor, frames, box, options["targets"]))
            continue
        if options.get("hidden"):
            frames[12:20] = [np.full_like(frame, 128) for frame in frames[12:20]]
        tracker = Tracker(gpu, recover=False)
        found = follow(tracker, frames, box)
        wanted = follow(Tracker(processor, recover=False), frames, box)
        cost = cost_of(device, lambda: tracker.update(frames[-1]))  # noqa: B023
        tracker.release()
        report.append({"found": found, "wanted": wanted, "frame": cost})
    gpu.close()
    device.close()
    return report


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
