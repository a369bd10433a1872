"""An engine for tests on the (fake) GPU: the kernels of network.cu compute its network."""

import os

import numpy as np

from hotpath.kernels.cuda import compile as compiler
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared.gpu_engine import GpuEngine
from hotpath_nogpu.cuda import build

NETWORK = os.path.join(build.HERE, "network.cu")


class TinyGpuEngine(GpuEngine):
    """Its network takes one window in a call; it shows features where targets are watched."""

    name = "tiny"

    def __init__(self, device, network):
        super().__init__(Setup(network, {}, device=device))
        self._module = device.module(
            compiler.binary(NETWORK, device.capability, device.driver_version)
        )
        cells, (side, region) = network.map_size, (network.exemplar, network.search)
        shapes = {"exemplar": (1, 3, side, side), "search": (1, 3, region, region)}
        shapes.update(target=(1, 3), scores=(1, 2, cells, cells), distances=(1, 4, cells, cells))
        shapes.update(seen=(1, 3, cells * cells))
        self._allocate(shapes, ["target"], ["scores", "distances"], "seen")
        self.calls = 0
        self.before_search = lambda: None  # a test replaces it by what a library must not do
        self._exemplar = TinyGpuKernel(
            self, "tiny_exemplar", ["exemplar", "target"], (1, 3), [side]
        )
        sizes = [region, cells, network.stride]
        self._frame = [
            Before(self),
            TinyGpuKernel(
                self,
                "tiny_search",
                ["search", "target", "scores", "distances"],
                (cells,) * 2,
                sizes,
            ),
        ]
        if self.shown:
            self._frame.append(
                TinyGpuKernel(self, "tiny_seen", ["search", "seen"], (cells,) * 2, sizes)
            )


class TinyGpuKernel:
    """A kernel; ``numbers`` stand after the tensors that it reads."""

    READ = {"tiny_exemplar": 1, "tiny_search": 2, "tiny_seen": 1}

    def __init__(self, engine, kernel, tensors, size, numbers):
        self.engine, self.size, self.numbers = engine, size, numbers
        self.kernel = engine.device.kernel(engine._module, kernel)
        self.addresses = {name: engine.place_of(name) for name in tensors}
        self.read = self.READ[kernel]

    def bind(self, name, address):
        if name in self.addresses:
            self.addresses[name] = address

    def run(self, handle):
        engine = self.engine
        if handle != engine.device.handle(engine.stream):
            raise AssertionError("another stream than the engine's")
        given = [np.uint64(address) for address in self.addresses.values()]
        given[self.read : self.read] = [np.int32(number) for number in self.numbers]
        blocks, threads = self.size
        engine.device.launch(self.kernel, (blocks, 1, 1), (threads, 1, 1), given, engine.stream)


class Before:
    """What a test does before a search."""

    def __init__(self, engine):
        self.engine = engine

    def bind(self, name, address):
        pass

    def run(self, handle):
        self.engine.calls += 1
        self.engine.before_search()
