"""The selects of one target on the processor, without crops and network: maps in, a pose out."""

import numpy as np

from kernels.cuda import layout
from kernels.cuda.select import head
from runtime.devices.gpu import frame_settings


class Turn:
    """Select, the loss monitor and the next crop's plan of one target, by the kernels.

    Args:
        shim: ``tests.fakes.cuda.shim.Shim``.
        net: the network.
        features: (1, channels, cells), shape of the search region's features, or None.
        threads: of a block.
        part: (x, y, w, h) that was uploaded; None: the whole frame of 1280 x 720.
        half: whether maps and features are given in half precision.

    Attributes:
        pose, plan, monitor: arrays of ``layout``'s types.
        reference: float32 (channels,), or None.
    """

    def __init__(self, shim, net, features=None, threads=256, part=None, half=False):
        self.shim, self.threads, numbers = shim, threads, frame_settings(net)
        self._type = np.float16 if half else np.float32
        source, self._tables, self._maps = head(numbers.select, half)
        self._kernel = "hp_select_" + source
        self.view = layout.view(numbers.window, half)
        self.limits = layout.limits(numbers.loss, features) if numbers.loss.lost_below else None
        self.reference = np.full(features[1], np.nan, np.float32) if features else None
        lines = 2 * max(net.exemplar, net.search)
        self.pose, self.plan = np.zeros(1, layout.POSE), np.zeros(lines, layout.LINE)
        picture = self.picture = np.zeros(1, layout.FRAME)
        picture["frame_width"], picture["frame_height"], picture["sequence"] = 1280, 720, 41
        picture["x"], picture["y"], picture["width"], picture["height"] = part or (0, 0, 1280, 720)

    def begin(self, state, features=None):
        """Take a target at a state, and aim at the first search region."""
        self.monitor = layout.monitor()
        self.pose["state"], self.pose["flags"] = state, 0
        if features is not None:
            given = self._given(features)
            self._run("hp_remember", self.limits, self.view, self.pose, given, self.reference)
        self._run("hp_aim", self.view, self.monitor, 0, self.pose, self.plan)

    def select(self, maps, features=None):
        """Take a frame's maps; returns the pose."""
        arrays = {values.ctypes.data: values for values in map(self._given, maps)}
        given = [_at(address, arrays) for address in self._maps(list(arrays))]
        more = self.view, self.picture, self.limits, self._given(features), self.reference
        self._run(self._kernel, *self._tables, *given, *more, self.monitor, self.pose, self.plan)
        return self.pose[0]

    def _given(self, values):
        """An array as the network gives it."""
        return None if values is None else np.ascontiguousarray(values, self._type)

    def _run(self, kernel, *arguments):
        self.shim.launch(kernel, 1, self.threads, *arguments)


def _at(address, arrays):
    """An address as ``Shim`` takes it: an array, or a place in the middle of one."""
    return arrays.get(address, _Address(address)) if address else None


class _Address:
    """An address in the middle of an array, in the shape that ``Shim`` takes."""

    def __init__(self, at):
        self.ctypes, self.data = self, at
