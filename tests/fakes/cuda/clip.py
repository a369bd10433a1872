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
from runtime.engines import onnxruntime_gpu as adapter
from runtime.engines.base import Setup
from runtime.networks import load_network
from runtime.trackers.gpu import GpuTracker
from runtime.trackers.host import HostTracker
from tests.fakes.cuda import build

COSTS = "allocations launches uploads downloads download_bytes synchronisations".split()


class OnFakeStream(adapter._OnStream):
    """Runs after the work that was put on the stream before it, as it would on a GPU."""

    def __init__(self, library, engine, model):
        super().__init__(library, engine, model)
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


def run(options):
    device = devices.open_device(options.get("library", "auto"))
    build.match_compiler(device.driver_version)
    network, files = load_network(options["network"]), options.get("files")
    engine = open_engine(network, files, device)
    host = engines.create("onnxruntime", network, network.locate(files))
    depth, report = options.get("pipeline", 1), []
    for folder in options["clips"]:
        frames, box = read_clip(folder, options.get("frames", 60))
        tracker = GpuTracker(network, engine, pipeline=depth)
        if "lost" in options:
            frames[20:30] = [np.full_like(frame, 128) for frame in frames[20:30]]
        before = device.counters.read()
        found = follow(tracker, frames, box, depth)
        after = device.counters.read()
        wanted = follow(HostTracker(network, host, cpu.load()), frames, box)
        tracker.update(frames[-1]) if depth == 1 else None
        last = device.counters.read()
        tracker.release()
        report.append(
            {
                "found": found,
                "wanted": wanted,
                "frame": {name: last[name] - after[name] for name in COSTS},
                "uploads": after["uploads"] - before["uploads"],
            }
        )
    device.close()
    return report


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
