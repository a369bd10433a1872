"""Search for lost targets on the fake GPU, and with the host's tracker: JSON in, JSON out.

    python -m tests.fakes.cuda.search '{"network": "tiny.toml", "windows": 3, "kind": "nv12"}'

Run by tests/runtime/devices/test_gpu_search.py with the fake driver in LD_LIBRARY_PATH. ONNX
Runtime's CPU provider runs the network on the fake device's memory, which is the host's.
"""

import json
import sys

import cv2
import numpy as np

from kernels import cpu
from kernels.cuda import device as devices
from runtime import engines
from runtime import tracker as tracking
from runtime.devices.gpu import Gpu
from runtime.devices.processor import Processor
from runtime.errors import BadBundle
from runtime.networks import load_network
from runtime.pictures import PlanarFrame, bgr_of
from runtime.targets.targets import Targets
from runtime.tracker import Tracker
from tests.fakes.cuda import build
from tests.fakes.cuda.clip import COSTS, open_engine, read_clip
from tests.fakes.cuda.whole import upload_frame
from tests.runtime.search.test_search import Elsewhere
from tests.support.counted_budget import Counted, OneBatch
from tests.support.pictures_in_planes import planes_of

RESTS = 40, 380, 40, 40  # box of a target that is always there


def on_the_gpu(frame, kind, engine):
    """A BGR frame as the GPU's tracker takes it."""
    if kind == "device":
        return upload_frame(engine.device, engine.stream, frame)
    if kind == "bgrx":
        return np.dstack([frame, frame[:, :, 0]])
    return frame


def changed(frames, start):
    """The frames, from one on 1.5 times as large."""
    if start is None:
        return frames
    return frames[:start] + [cv2.resize(f, None, fx=1.5, fy=1.5) for f in frames[start:]]


def told(track, tracker):
    return [list(track.box), track.score, bool(track.lost), track.state, tracker.presence.value]


def follow(tracker, frames, first, box):
    """What is said of every frame, and the cost of each on the device."""
    tracker.init(first, box)
    counters = tracker.engine.device.counters if tracker.engine.device else None
    said, costs = [], []
    for frame in frames:
        before = counters.read() if counters else {}
        said.append(told(tracker.update(frame), tracker))
        after = counters.read() if counters else {}
        costs.append({name: after[name] - before[name] for name in COSTS if counters})
    return said, costs


def follow_several(network, engine, frames, boxes):
    """What a group says of every target in every frame, and the name of the way."""
    targets = Targets(network, engine, cpu.load())
    for box in boxes:
        targets.add(frames[0], box)
    said = []
    for frame in frames[1:]:
        tracks = targets.update(frame)
        said.append([told(t, targets.trackers[n]) for n, t in tracks.items()])
    return said, type(targets._schedule).__name__


def refuse(features):
    """Fail as an engine does when its plan for several regions is broken."""
    raise BadBundle("windows.plan can't be loaded")


def interrupted(clip, other, start, end):
    """(frames, first box) of a clip, with frames of another one, from ``start`` to ``end``."""
    frames, box = read_clip(clip, 60)
    others, _ = read_clip(other, end)
    size = frames[0].shape[1::-1]
    between = [cv2.resize(frame, size) for frame in others[start:end]]
    return frames[:start] + between + frames[end:], box


def run(options):
    device = devices.open_device(options.get("library", "auto"))
    build.match_compiler(device.driver_version)
    network, kind = load_network(options["network"]), options.get("kind", "bgr")
    files = options.get("files")
    engine = open_engine(network, files, device)
    if options.get("one_region"):
        engine.batch_device = lambda features: None
    if options.get("broken"):
        engine.batch_device = refuse
    host = engines.create("onnxruntime", network, network.locate(files))
    Counted.most = options.get("windows", 1)
    tracking.Budget = OneBatch if options.get("one_batch") else Counted
    film = Elsewhere()
    if options.get("targets"):
        for frame in film.frames:
            x, y, w, h = RESTS
            frame[y : y + h, x : x + w] = (90, 240, 110)
    pictures, box = film.frames, film.boxes[0]
    if options.get("clips"):
        pictures, box = interrupted(*options["clips"], start=10, end=35)
    frames = changed(pictures, options.get("change"))
    if kind == "nv12":
        frames = [PlanarFrame(planes_of(frame, "NV12")) for frame in frames]
    report = {"library": device.name}
    if options.get("targets"):
        boxes = [film.boxes[0], film.boxes[0] + (0, 2, 0, 0), RESTS]
        report["found"], report["way"] = follow_several(network, engine, frames, boxes)
        alone = [Tracker(Processor(network, host, cpu.load()), recover=True) for _ in boxes]
        report["wanted"] = [
            follow(own, frames[1:], frames[0], box)[0] for own, box in zip(alone, boxes)
        ]
    else:
        batch = options.get("batch", 1)
        report["said"] = []
        tracker = Tracker(
            Gpu(network, engine, kernels=cpu.load(), batch=batch, log=report["said"].append),
            recover=True,
        )
        # what is uploaded first must not need a mean colour of the device's memory
        given = [on_the_gpu(bgr_of(f) if kind != "nv12" else f, kind, engine) for f in frames]
        if options.get("again"):
            tracker.init(given[0], box)
        report["found"], report["costs"] = follow(tracker, given[1:], frames[0], box)
        other = Tracker(Processor(network, host, cpu.load()), recover=True)
        report["wanted"], _ = follow(other, frames[1:], frames[0], box)
        tracker.release()
    device.close()
    return report


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
