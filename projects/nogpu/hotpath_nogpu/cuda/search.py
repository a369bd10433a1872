"""Search for lost targets on the fake GPU, and with the host's tracker: JSON in, JSON out.

    python -m hotpath_nogpu.cuda.search '{"network": "tiny.toml", "windows": 3, "kind": "nv12"}'

Run by projects/nogpu/nogpu_tests/test_gpu_search.py with the fake driver in LD_LIBRARY_PATH. ONNX
Runtime's CPU provider runs the network on the fake device's memory, which is the host's.
"""

import json
import sys

import cv2
import numpy as np

from hotpath.graphs import batch
from hotpath.kernels import cpu
from hotpath.kernels.cuda import device as devices
from hotpath.runtime import engines
from hotpath.runtime.camera_frames import PlanarFrame
from hotpath.runtime.devices.gpu import Gpu
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.pictures import bgr_of
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker import Tracker
from hotpath_nogpu.cuda import build
from hotpath_nogpu.cuda.clip import COSTS, open_engine, read_clip
from tests.runtime.search.test_search import Elsewhere
from tests.support.pictures_in_planes import planes_of
from tests.support.proposed import counted

RESTS = 40, 380, 40, 40  # box of a target that is always there


def on_the_gpu(frame, kind):
    """A BGR frame as the GPU's tracker takes it."""
    if kind == "bgrx":
        return np.dstack([frame, frame[:, :, 0]])
    return frame


def given_of(frames, kind, engine):
    """The frames as the GPU's tracker takes them, one after the other; none is kept."""
    for frame in frames:
        yield on_the_gpu(bgr_of(frame) if kind != "nv12" else frame, kind)


def changed(frames, start):
    """The frames, from one on 1.5 times as large."""
    if start is None:
        return frames
    return frames[:start] + [cv2.resize(f, None, fx=1.5, fy=1.5) for f in frames[start:]]


def told(track, tracker):
    return [list(track.box), track.score, bool(track.lost), track.state, tracker.identity.value]


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


def follow_several(device, frames, boxes, windows):
    """What is said of every target in every frame."""
    targets = Targets(device, Options(recover=True, search_windows=windows))
    said = []
    for box in boxes:
        targets.add(frames[0], box)
    for frame in frames[1:]:
        tracks = targets.update(frame)
        said.append([told(track, targets._trackers[n]) for n, track in tracks.items()])
    return said


def interrupted(clip, other, start, end):
    """(frames, first box) of a clip, with frames of another one, from ``start`` to ``end``."""
    frames, box = read_clip(clip, 60)
    others, _ = read_clip(other, end)
    size = frames[0].shape[1::-1]
    between = [cv2.resize(frame, size) for frame in others[start:end]]
    return frames[:start] + between + frames[end:], box


def long_film(count):
    """``count`` frames in which a target is tracked, and then ``count`` in which it is searched."""
    film = Elsewhere(back=False)
    box, seen, gone = film.boxes[0], film.frames[:12], film.frames[20:]
    tracked = [seen[0]] + [seen[n % 12] for n in range(count)]
    return tracked + [gone[n % len(gone)] for n in range(count)], box


def run(options):
    device = devices.open_device(options.get("library", "auto"))
    build.match_compiler(device.driver_version)
    network, kind = load_network(options["network"]), options.get("kind", "bgr")
    files, windows = options.get("files"), options.get("windows", 1)
    if options.get("one_region"):
        batch.several = lambda model, count=None: None
    engine = open_engine(network, files, device)
    host = engines.create("onnxruntime", network, network.locate(files))
    film = Elsewhere()
    if options.get("targets"):
        for frame in film.frames:
            x, y, w, h = RESTS
            frame[y : y + h, x : x + w] = (90, 240, 110)
    pictures, box = film.frames, film.boxes[0]
    if options.get("clips"):
        pictures, box = interrupted(*options["clips"], start=10, end=35)
    if options.get("long"):
        pictures, box = long_film(options["long"])
    pictures = pictures + pictures[-1:] * options.get("after", 0)
    frames = changed(pictures, options.get("change"))
    if kind == "nv12":
        frames = [PlanarFrame(planes_of(frame, "NV12")) for frame in frames]
    report = {"library": device.name}
    said = []
    gpu = Gpu(network, engine, cpu.load(), said.append)
    processor = None
    processor = Processor(network, host, cpu.load())
    if options.get("targets"):
        boxes = [film.boxes[0], film.boxes[0] + (0, 2, 0, 0), RESTS]
        report["found"] = follow_several(gpu, frames, boxes, windows)
        report["wanted"] = follow_several(processor, frames, boxes, windows)
    else:
        tracker = Tracker(gpu, recover=True, search_windows=windows)
        report["peaks"] = counted(tracker) if tracker.chooses else []
        # what is uploaded first must not need a mean colour of the device's memory
        given = given_of(frames[1:], kind, engine)
        report["found"], report["costs"] = follow(tracker, given, frames[0], box)
        tracker.release()
        if not options.get("long"):
            other = Tracker(processor, recover=True, search_windows=windows)
            report["wanted"], _ = follow(other, frames[1:], frames[0], box)
    report["counts"] = list(engine.counts)
    gpu.close()
    device.close()
    return report


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
