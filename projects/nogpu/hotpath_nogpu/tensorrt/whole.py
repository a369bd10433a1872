"""Track a film by the fake TensorRT on the fake GPU, in a process of its own: JSON in, JSON out.

    python -m hotpath_nogpu.tensorrt.whole FOLDER NETWORK FAMILY [PRECISION | TRACKING |
        PRECISION WINDOWS TRACKING]

Crop, correlation and select are the product's own kernels, on the real PyCUDA over the fake driver.
The fake TensorRT runs the network, on tensors at the driver's addresses. FOLDER must be empty.
projects/nogpu/nogpu_tests/test_tensorrt_frame.py uses it.
"""

import ctypes
import json
import pathlib
import sys

import cv2

from hotpath import boards
from hotpath.boards import detect
from hotpath.deploy.bundles import prepared
from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.bundles.order import Order
from hotpath.kernels import cpu
from hotpath.kernels.cuda import driver, graphs
from hotpath.runtime import loading
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker import Tracker
from hotpath_lab.vanishing import Vanishing
from hotpath_nogpu.cuda import build as fake_gpu
from hotpath_nogpu.tensorrt import fake
from tests.support import tiny, tiny_cut

FRAMES = 30
WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Queue:
    """Puts a Python function on a stream of the driver, where a graph may capture it."""

    def __init__(self):
        self._launch = ctypes.CDLL("libcuda.so.1").cuLaunchHostFunc
        self._launch.argtypes = [ctypes.c_void_p, WORK, ctypes.c_void_p]
        self._alloc = ctypes.CDLL("libcuda.so.1").cuMemAlloc_v2
        self._kept = []  # objects that the driver has pointers to

    def __call__(self, handle, work):
        self._kept.append(WORK(lambda data: work()))
        if self._launch(handle, self._kept[-1], None):
            raise AssertionError("the driver refuses")

    def take_memory(self):
        """Allocate, which the driver refuses while this thread captures, and ends the capture."""
        self._alloc(ctypes.byref(ctypes.c_uint64()), ctypes.c_size_t(256))


def watch_captures(machine):
    """Let the fake TensorRT know which graph is being captured."""
    begin = graphs.Graph.__init__

    def watched(self, *given):
        machine.graph, self._graph = self, None
        try:
            begin(self, *given)
        finally:
            machine.graph = None

    graphs.Graph.__init__ = watched


def make(folder, name, family, precision="fp32", windows=1, **tracking):
    """Build a bundle in FOLDER on a simulated Nano; tracking: more keys of the network's TOML."""
    gpu = driver.describe_gpu()
    machine = fake.Machine(gpu.compute_capability)
    major, minor = gpu.driver.split(".")
    fake_gpu.match_compiler(1000 * int(major) + 10 * int(minor))
    queue = machine.enqueue = Queue()
    watch_captures(machine)
    machine.take_memory = queue.take_memory
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
    """Several targets and a search: the boxes, the processor's, and the cost of the last frame."""
    made = make(folder, name, family, precision, windows, **tracking)
    loaded = loading.load(Options(bundle=folder / "bundle", log=quiet))
    options = Options(log=quiet, search_windows=windows)
    gpu = loading.create_device(*loaded, options)
    processor = Processor(loaded.network, loaded.engine, cpu.load())
    frames, boxes = list(covered())[:70], covered().boxes
    firsts = [boxes[0], boxes[0] + (5, -4, 6, 3), boxes[0] + (60, 30, 0, 0)]
    report = {"windows": made.run["windows"], "form": made.run["form"], "graph": gpu.uses_graph}
    report["counts"] = list(loaded.engine.counts)
    report["costs"] = []
    for side, device in (("found", gpu), ("wanted", processor)):
        targets = Targets(device, options)
        said = []
        for first in firsts:
            targets.add(frames[0], first)
        for frame in frames[1:]:
            before = loaded.engine.device.counters.read()
            tracks = targets.update(frame)
            after = loaded.engine.device.counters.read()
            if side == "found":
                report["costs"].append({key: after[key] - before[key] for key in after})
            said.append([[list(track.box), track.state] for track in tracks.values()])
        report[side] = said
    loaded.engine.close()
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


def watch(folder, name, family, tracking):
    """Track ``covered``. Return the judgement of each frame, and the cost of one frame."""
    make(folder, name, family, **tracking)
    parts = loading.load(Options(bundle=folder / "bundle", log=quiet))
    tracker = loading.create_tracker(*parts, Options(log=quiet, search_windows=2))
    said = judge(tracker, covered())
    frame = cost(tracker, list(covered())[-1])
    result = {"said": said, "frame": frame}
    if tracker.searches:  # the same plans, with the processor's crop and select
        device = Processor(tracker.network, tracker.engine, cpu.load())
        host = Tracker(device, recover=True, search_windows=2)
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


def judge(tracker, clip):
    """Track a clip; return a list with [lost, certainty, box] of each frame."""
    said = []
    for index, frame in enumerate(clip):
        if index == 0:
            tracker.init(frame, clip.boxes[0])
            continue
        track = tracker.update(frame)
        box = [float(value) for value in track.box]
        said.append([bool(track.lost), tracker.identity.value, box])
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
    given = list(map(json.loads, more))
    do = batch if len(given) == 3 else watch if isinstance(given[0], dict) else run
    print(json.dumps(do(folder, sys.argv[2], sys.argv[3], *given)))
