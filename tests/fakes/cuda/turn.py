"""The selects of one target on the processor, without crops and network: maps in, a pose out."""

import numpy as np

from kernels.cuda import layout
from kernels.cuda.frame_kernels import SELECTS
from kernels.cuda.select import HeadSelect, Tools
from runtime.devices.gpu import frame_settings


class Turn:
    """Select, the loss monitor and the next crop's plan of one target, by the kernels.

    Args:
        shim: ``tests.fakes.cuda.shim.Shim``.
        net: the network.
        features: (1, channels, cells), shape of the search region's features, or None.
        threads: of a block of the last kernel.
        frame: (width, height) in pixels.
        part: (x, y, w, h) that was uploaded; None: the whole frame.
        half: whether maps and features are given in half precision.

    Attributes:
        pose, plan, monitor: arrays of ``layout``'s types.
        reference: float32 (channels,), or None.
    """

    def __init__(
        self, shim, net, features=None, threads=256, frame=(1280, 720), part=None, half=False
    ):
        self.shim, self.threads, numbers = shim, threads, frame_settings(net)
        self._arrays, self._type = {}, np.float16 if half else np.float32
        tools = Tools(lambda source, name: name, self._kept, self._alloc, self._launch, half)
        self._select = SELECTS.get(type(numbers.select), HeadSelect)(numbers, tools)
        self._at = {kind: self._alloc(size) for kind, size in self._select.sizes.items()}
        self.view = layout.view(numbers.window, numbers.factors)
        self.view["half"] = half
        self.limits = layout.limits(numbers.loss, features) if numbers.loss.lost_below else None
        self.reference = np.full(features[1], np.nan, np.float32) if features else None
        lines = 2 * max(net.exemplar, net.search * len(numbers.factors))
        self.pose, self.plan = np.zeros(1, layout.POSE), np.zeros(lines, layout.LINE)
        picture = self.picture = np.zeros(1, layout.FRAME)
        picture["frame_width"], picture["frame_height"], picture["sequence"] = frame + (41,)
        picture["x"], picture["y"], picture["width"], picture["height"] = part or (0, 0) + frame

    def address(self, kind):
        """As ``TargetMemory.address``."""
        return self._at.get(kind, 0)

    def begin(self, state, features=None, maps=()):
        """Take a target at a state, and aim at the first search region, which gives the maps."""
        self.monitor = layout.monitor()
        self.pose["state"], self.pose["flags"] = state, 0
        if features is not None:
            given = self._given(features)
            self._run("hp_remember", self.limits, self.view, self.pose, given, self.reference)
        self.aim(False)
        self._select.remember(self, [self._kept(self._given(values)) for values in maps])

    def aim(self, exemplar):
        """Plan the crop of the exemplar or of the search region."""
        self._run("hp_aim", self.view, self.monitor, int(exemplar), self.pose, self.plan)

    def select(self, maps, features=None):
        """Take a frame's maps; returns the pose."""
        addresses = [self._kept(self._given(values)) for values in maps]
        found = map(self._argument, self._select.find(self, addresses))
        more = self.view, self.picture, self.limits, self._given(features), self.reference
        kernel = self._select.kernel
        self._run(kernel, *found, *more, self.monitor, self.pose, self.plan)
        return self.pose[0]

    def _given(self, values):
        """An array as the network gives it."""
        return None if values is None else np.ascontiguousarray(values, self._type)

    def _run(self, kernel, *arguments):
        self.shim.launch(kernel, 1, self.threads, *arguments)

    def _alloc(self, size):
        return self._kept(np.zeros(size, np.uint8))

    def _kept(self, array):
        self._arrays[array.ctypes.data] = array
        return array.ctypes.data

    def _launch(self, kernel, grid, block, arguments):
        self.shim.launch(kernel, grid, block, *map(self._argument, arguments))

    def _argument(self, argument):
        if isinstance(argument, np.int32):
            return int(argument)
        return self._arrays.get(argument, _Address(argument)) if argument else None


class _Address:
    """An address in the middle of an array, in the shape that ``Shim`` takes."""

    def __init__(self, at):
        self.ctypes, self.data = self, at
