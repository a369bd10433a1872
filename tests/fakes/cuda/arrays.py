"""The selects of several kernels on the processor: their launches, on arrays of the host."""

import numpy as np

from kernels.cuda import layout
from kernels.cuda.frame_kernels import SELECTS
from kernels.cuda.select import Tools
from runtime.devices.gpu import frame_settings


class OnArrays:
    """The frames of one target, without crops and network: maps in, a pose out.

    Args:
        shim: ``tests.fakes.cuda.shim.Shim``.
        net: the network.
        frame: (width, height) in pixels.
        half: whether maps are given in half precision.

    Attributes:
        pose, plan, monitor: arrays of ``layout``'s types.
    """

    def __init__(self, shim, net, frame, half=False):
        numbers = frame_settings(net)
        self.shim, self._arrays, self._type = shim, {}, np.float16 if half else np.float32
        tools = Tools(lambda source, name: name, self._constant, self._alloc, self._launch, half)
        self.select = SELECTS[type(numbers.select)](numbers, tools)
        self._at = {kind: self._alloc(size) for kind, size in self.select.sizes.items()}
        self.limits = layout.limits(numbers.loss, None) if net.lost_below else None
        self.pose = np.zeros(1, layout.POSE)
        self.plan = np.zeros(2 * net.search * len(numbers.factors), layout.LINE)
        self.monitor = layout.monitor()
        self.picture = np.zeros(1, layout.FRAME)
        for names in (("frame_width", "frame_height"), ("width", "height")):
            self.picture[names[0]], self.picture[names[1]] = frame
        view = layout.view(numbers.window, numbers.factors)
        view["half"] = half
        self.planned = [self._constant(view)]
        self.planned += [self._kept(array) for array in (self.monitor, self.pose, self.plan)]

    def address(self, kind):
        """As ``TargetMemory.address``."""
        return self._at.get(kind, 0)

    def begin(self, state, maps):
        """Take a target: the first search gave these maps."""
        self.monitor[:] = layout.monitor()
        self.pose["state"], self.pose["flags"] = state, 0
        view, monitor, pose, plan = (self._arrays[at] for at in self.planned)
        self.shim.launch("hp_aim", 1, 256, view, monitor, 0, pose, plan)
        self.select.remember(self, [self._map(maps)])

    def _map(self, values):
        return self._constant(np.asarray(values, self._type))

    def frame(self, maps):
        """Find the target in the maps of all sizes; returns the pose."""
        view, monitor, pose, plan = self.planned
        arguments = self.select.find(self, [self._map(maps)]) + [view]
        arguments += [self._kept(self.picture)]
        arguments += [0 if self.limits is None else self._kept(self.limits), 0, 0]
        self._launch(self.select.kernel, (1, 1, 1), (256, 1, 1), arguments + [monitor, pose, plan])
        return self.pose[0]

    def _constant(self, array):
        return self._kept(np.array(array))

    def _alloc(self, size):
        return self._kept(np.zeros(size, np.uint8))

    def _kept(self, array):
        self._arrays[array.ctypes.data] = array
        return array.ctypes.data

    def _launch(self, kernel, grid, block, arguments):
        taken = [self._argument(argument) for argument in arguments]
        self.shim.launch(kernel, grid, block, *taken)

    def _argument(self, argument):
        if isinstance(argument, np.int32):
            return int(argument)
        return self._arrays[argument] if argument else None
