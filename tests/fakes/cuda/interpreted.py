"""A ``hotpath.kernels.cuda.device`` in host memory, whose kernels are NVRTC's PTX, interpreted."""

import os

from tests.fakes.cuda.nvrtc import ptx
from tests.fakes.cuda.ptx import Machine
from tests.fakes.tensorrt import machine


class Device(machine.Device):
    """Its modules are names of .cu files; ``hotpath.kernels.cuda.compile.binary`` must give
    these."""

    capability = 87

    def __init__(self):
        super().__init__(self.capability)

    def free(self, address):
        self._memory.pop(address, None)

    def module(self, path):
        folder, name = os.path.split(os.path.splitext(path)[0])
        product = os.path.basename(folder) == "cuda" and "fakes" not in folder
        return Machine(ptx("", name if product else path, self.capability))

    def kernel(self, module, name):
        return module, name

    def launch(self, kernel, grid, block, arguments, stream, shared=0):
        module, name = kernel
        self.counters.launches += 1
        module.memory = list(self._memory.values())
        block = (32, 1, 1) if block[0] < 32 else block  # of whole warps
        module.launch(name, grid, block, *[int(argument) for argument in arguments])
