"""ONNX Runtime's CPU provider runs a network on the fake device's memory, which is the host's."""

import glob
import os

import cv2

from hotpath.kernels import cpu
from hotpath.kernels.cuda import device as devices
from hotpath.runtime import engines
from hotpath.runtime.devices.gpu import GpuDevice
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.engines import onnxruntime_gpu as adapter
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.networks import load_network
from hotpath_nogpu.cuda import build, counting

waits = 0  # of the stand-in's own
COSTS = "allocations launches uploads downloads download_bytes synchronisations".split()


class OnFakeStream(adapter._OnStream):
    """Runs after the work that was put on the stream before it, as it would on a GPU."""

    def __init__(self, library, engine, *rest):
        super().__init__(library, engine, *rest)
        self._engine = engine

    def run(self, handle):
        global waits
        self._engine.device.synchronise(self._engine.stream)
        waits += 1
        super().run(handle)


class OnHost(adapter.OnnxRuntimeGpuEngine):
    """The engine on the host's memory, which captures no CUDA graph."""

    provider, memory = "CPUExecutionProvider", "cpu"

    def _captured(self, model):
        return adapter._OnStream(self._library, self, model)


def open_both(name, files=None, log=None):
    """A network on the fake GPU and on the processor: a ``GpuDevice`` and a ``CpuDevice``.

    Args:
        name: of the network, or its TOML.
        files: folder with its files.
        log: function of one sentence.
    """
    adapter._OnStream = OnFakeStream
    device = devices.open_device()
    build.match_compiler(device.driver_version)
    network = load_network(name)
    paths = network.locate(files)
    engine = OnHost(Setup(network, paths, device=device))
    host = engines.create("onnxruntime", network, paths)
    return GpuDevice(network, engine, cpu.load(), log), CpuDevice(network, host, cpu.load())


def close(gpu):
    """Close a ``GpuDevice`` and its device."""
    device = gpu.engine.device
    gpu.close()
    device.close()


def read_clip(folder, count):
    """(frames, first box) of a clip."""
    paths = sorted(glob.glob(os.path.join(folder, "img", "*")))[: count + 1]
    with open(os.path.join(folder, "boxes.csv")) as file:
        box = [float(number) for number in file.read().splitlines()[1].split(",")[1:]]
    return [cv2.imread(path) for path in paths], box


def cost_of(run):
    """What the driver does in a call, but for the waits of ``OnFakeStream``."""
    before = waits
    cost = counting.cost_of(run)
    cost["synchronisations"] -= waits - before
    return {name: cost[name] for name in COSTS}
