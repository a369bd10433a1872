"""A bundle by the fake TensorRT on the fake GPU, and films for its tracker.

Crop, correlation and select are the product's own kernels, on the real PyCUDA over the fake driver.
The fake TensorRT runs the network, on tensors at the driver's addresses.
"""

import ctypes
import sys

import cv2

from hotpath import boards
from hotpath.boards import detect
from hotpath.deploy.bundles import prepared
from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.bundles.order import Order
from hotpath.kernels.cuda import cuda_graphs, driver
from hotpath.runtime.networks import load_network
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
    begin = cuda_graphs.CudaGraph.__init__

    def watched(self, *given):
        machine.graph, self._graph = self, None
        try:
            begin(self, *given)
        finally:
            machine.graph = None

    cuda_graphs.CudaGraph.__init__ = watched


def make(folder, name, family, precision="fp32", **tracking):
    """Build a bundle in a folder on a simulated Nano, as which this process goes on.

    Args:
        folder: an empty one; the bundle is in ``folder/bundle``.
        name: "tiny", or "tiny_cut", whose correlation is ours.
        family: of TensorRT's versions.
        precision: of the bundle.
        tracking: more keys of the network's TOML.
    """
    gpu = driver.describe_gpu()
    machine = fake.FakeMachine(gpu.compute_capability)
    major, minor = gpu.driver.split(".")
    fake_gpu.match_compiler(1000 * int(major) + 10 * int(minor))
    queue = machine.enqueue = Queue()
    watch_captures(machine)
    machine.take_memory = queue.take_memory
    sys.modules["tensorrt"] = fake.make(family, machine)
    folder.mkdir(exist_ok=True)
    tensorrt.CACHE = folder / "cache"
    write = {"tiny": tiny.write_network, "tiny_cut": tiny_cut.write_network}[name]
    network = load_network(write(folder, tiny.watched(**tracking)))
    board = boards.load_board("jetson_nano")
    prepared.prepare(folder / "prepared", Order(board, network, precision), quiet)
    made = tensorrt.build_prepared(folder / "prepared", folder / "bundle", quiet)
    found = detect.Detection()
    found.board = board
    detect.detect = lambda root="/": found
    return made


def covered():
    """(frames, first box): the target disappears and comes back, and the frames become larger."""
    clip = tiny.Vanishing(120)
    frames = list(clip)
    large = [cv2.resize(frame, None, fx=1.5, fy=1.5) for frame in frames[50:]]
    return frames[:50] + large, clip.boxes[0]


def judge(tracker, frames, box):
    """Track a film; return a list with [lost, certainty, box] of each frame."""
    tracker.init(frames[0], box)
    messages = []
    for frame in frames[1:]:
        track = tracker.update(frame)
        box = [float(value) for value in track.box]
        messages.append([bool(track.lost), tracker.target.identity.value, box])
    return messages


def boxes_of(tracker):
    """Track the film; return its boxes."""
    pictures, truth = tiny.film(FRAMES)
    tracker.init(pictures[0], truth[0])
    return [[float(v) for v in tracker.update(picture).box] for picture in pictures[1:]]


def quiet(sentence):
    pass
