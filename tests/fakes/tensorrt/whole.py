"""Track a film by the fake TensorRT on the fake GPU, in a process of its own: JSON in, JSON out.

    python -m tests.fakes.tensorrt.whole FOLDER NETWORK FAMILY [PRECISION | PIPELINE TRACKING |
        PRECISION WINDOWS TRACKING]

Crop, correlation and select are the product's own kernels, on the real PyCUDA over the fake driver.
The fake TensorRT runs the network, on tensors at the driver's addresses. FOLDER must be empty.
tests/runtime/engines/test_tensorrt_frame.py uses it.
"""

import ctypes
import json
import pathlib
import sys

import cv2
import numpy as np

import boards
from boards import detect
from boards.build import prepared
from boards.build.engines import tensorrt
from boards.build.order import Order
from calib.vanishing import Vanishing
from kernels import cpu
from kernels.cuda import driver
from runtime import loading
from runtime.devices.processor import Processor
from runtime.networks import load_network
from runtime.options import Options
from runtime.tracker import Tracker
from tests.fakes.cuda import build as fake_gpu
from tests.fakes.tensorrt import fake
from tests.support import tiny, tiny_cut

FRAMES = 30
WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Queue:
    """Puts a Python function on a stream of the driver, where a graph may capture it."""

    def __init__(self):
        self._launch = ctypes.CDLL("libcuda.so.1").cuLaunchHostFunc
        self._launch.argtypes = [ctypes.c_void_p, WORK, ctypes.c_void_p]
        self._kept = []  # objects that the driver has pointers to

    def __call__(self, handle, work):
        self._kept.append(WORK(lambda data: work()))
        if self._launch(handle, self._kept[-1], None):
            raise AssertionError("the driver refuses")


def make(folder, name, family, precision="fp32", windows=1, **tracking):
    """Build a bundle in FOLDER on a simulated Nano; tracking: more keys of the network's TOML."""
    gpu = driver.describe_gpu()
    machine = fake.Machine(gpu.compute_capability)
    major, minor = gpu.driver.split(".")
    fake_gpu.match_compiler(1000 * int(major) + 10 * int(minor))
    machine.enqueue = Queue()
    sys.modules["tensorrt"] = fake.make(family, machine)
    tensorrt.CACHE = folder / "cache"
    write = {"tiny": tiny.write_network, "tiny_cut": tiny_cut.write_network}[name]
    network = load_network(write(folder, tiny.watched(**tracking)))
    board = boards.load_board("jetson_nano")
    board.search["windows"] = windows
    prepared.prepare(folder / "prepared", Order(board, network, precision), quiet)
    made = tensorrt.build_prepared(folder / "prepared", folder / "bundle", quiet)
    found = detect.Detection()
    found.board = board
    detect.detect = lambda root="/": found
    return made


def run(folder, name, family, precision="fp32"):
    made = make(folder, name, family, precision)
    tracker = loading.create_tracker(
        *loading.load(Options(bundle=folder / "bundle", log=quiet)), Options(log=quiet)
    )
    found = follow(tracker)
    result = {
        "boxes": found,
        "kind": type(tracker.device).__name__,
        "form": made.run["form"],
        "graph": tracker.device.uses_graph,
        "library": tracker.engine.device.name,
        "capability": made.compute_capability,
        "dtype": tracker.engine.dtype,
        "frame": cost(tracker, tiny.film(1)[0][0]),
    }
    host = Tracker(Processor(tracker.network, tracker.engine, cpu.load()))
    result["host"] = follow(host)  # the same plans, with the processor's crop and select
    tracker.close()
    return result


def batch(folder, name, family, precision, windows, tracking):
    """The maps and features of random windows by the plan for several, and by that for one."""
    made = make(folder, name, family, precision, windows, **tracking)
    engine = loading.load(Options(bundle=folder / "bundle", log=quiet)).engine
    device, stream = engine.device, engine.stream
    handle, size = device.handle(stream), engine.memory.size("search")
    random = np.random.RandomState(1)
    engine.exemplar_crop[...] = random.uniform(-1, 1, engine.exemplar_crop.shape)
    engine.exemplar()
    features = engine.new_features()
    engine.exemplar_device(handle, features)
    engine.reserve(windows)
    side = engine.search_crop.shape[-1]
    coarse = random.uniform(-2, 2, (3 * windows, 8, 8))
    pictures = np.array([cv2.resize(plane, (side, side)) for plane in coarse])
    memory = device.pinned(windows * size)
    memory.view(engine.memory.dtype)[:] = pictures.ravel()

    def told(maps, seen):
        return [values.ravel().tolist() for values in tuple(maps) + (seen,) if values is not None]

    report = {"plan": made.run["windows"], "together": [], "alone": []}
    found = engine.batch_device([features] * windows)
    if found is not None:
        device.upload(engine.search_input, memory, stream)
        found.run(handle)
        report["together"] = [told(*each) for each in engine.read_regions(windows)]
    for number in range(windows):
        device.upload(engine.search_input, memory[number * size : (number + 1) * size], stream)
        engine.search_device(handle, features)
        report["alone"].append(told(engine.read(), engine.search_features))
    engine.close()
    return report


class Growing:
    """A clip with frames that are 1.5 times as large from frame 50 on."""

    def __init__(self, clip):
        self.clip, self.boxes = clip, clip.boxes

    def __iter__(self):
        for index, frame in enumerate(self.clip):
            if index >= 50:
                frame = cv2.resize(frame, None, fx=1.5, fy=1.5)
            yield frame


def covered():
    """A film: the target disappears and comes back, and the frames become larger."""
    return Growing(Vanishing(tiny.Film(120), "cover"))


def watch(folder, name, family, pipeline, tracking):
    """Track ``covered``. Return the judgement of each frame, and the cost of one frame."""
    make(folder, name, family, **tracking)
    parts = loading.load(Options(bundle=folder / "bundle", log=quiet))
    tracker = loading.create_tracker(*parts, Options(log=quiet, pipeline=pipeline, budget_ms=0.0))
    said = judge(tracker, covered(), pipeline)
    frame = cost(tracker, list(covered())[-1])
    result = {"said": said, "frame": frame}
    if tracker.searches:  # the same plans, with the processor's crop and select
        host = Tracker(
            Processor(tracker.network, tracker.engine, cpu.load()), recover=True, budget_ms=0.0
        )
        result["host"] = judge(host, covered())
    tracker.close()
    return result


def cost(tracker, frame):
    """Count what the device does for one more frame."""
    device = tracker.engine.device
    before = device.counters.read()
    tracker.update(frame)
    after = device.counters.read()
    return {key: after[key] - before[key] for key in after}


def judge(tracker, clip, pipeline=1):
    """Track a clip; return a list with [lost, certainty, box] of each frame."""
    said = []

    def note(track):
        box = [float(value) for value in track.box]
        said.append([bool(track.lost), tracker.presence.value, box])

    for index, frame in enumerate(clip):
        if index == 0:
            tracker.init(frame, clip.boxes[0])
        elif pipeline == 1:
            note(tracker.update(frame))
        else:
            tracker.submit(frame)
            if index > 1:
                note(tracker.collect())
    if pipeline > 1:
        note(tracker.collect())
    return said


def follow(tracker):
    """Track the film; return its boxes."""
    pictures, truth = tiny.film(FRAMES)
    tracker.init(pictures[0], truth[0])
    return [[float(v) for v in tracker.update(picture).box] for picture in pictures[1:]]


def quiet(sentence):
    pass


if __name__ == "__main__":
    folder, more = pathlib.Path(sys.argv[1]), sys.argv[4:]
    do = {2: watch, 3: batch}.get(len(more), run)
    print(json.dumps(do(folder, sys.argv[2], sys.argv[3], *map(json.loads, more))))
