"""One frame's select on the processor, without a frame around it: maps in, a pose out."""

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
        self.head, self._type = head(numbers.select, half), np.float16 if half else np.float32
        self.view = layout.view(numbers.window, numbers.factors)
        self.view["half"] = half
        self.limits = layout.limits(numbers.loss, features) if numbers.loss.lost_below else None
        self.reference = np.full(features[1], np.nan, np.float32) if features else None
        lines = 2 * max(net.exemplar, net.search * len(numbers.factors))
        self.pose, self.plan = np.zeros(1, layout.POSE), np.zeros(lines, layout.LINE)
        picture = self.picture = np.zeros(1, layout.FRAME)
        picture["frame_width"], picture["frame_height"], picture["sequence"] = frame + (41,)
        picture["x"], picture["y"], picture["width"], picture["height"] = part or (0, 0) + frame

    def begin(self, state, features=None):
        """Take a target at a state, and aim at the first search region."""
        self.monitor = layout.monitor()
        self.pose["state"] = state
        if features is not None:
            features = self._given(features)
            self._launch("hp_remember", self.limits, self.view, self.pose, features, self.reference)
        self.aim(False)

    def aim(self, exemplar):
        """Plan the crop of the exemplar or of the search region."""
        self._launch("hp_aim", self.view, self.monitor, int(exemplar), self.pose, self.plan)

    def select(self, maps, features=None):
        """Take a frame's maps; returns the pose."""
        maps, features = [self._given(values) for values in maps], self._given(features)
        given = {values.ctypes.data: values for values in maps}
        addresses = self.head.maps([values.ctypes.data for values in maps])
        arguments = list(self.head.constants)
        arguments += [given.get(at, _Address(at) if at else None) for at in addresses]
        arguments += [self.view, self.picture, self.limits, features, self.reference]
        self._launch(self.head.kernel, *(arguments + [self.monitor, self.pose, self.plan]))
        return self.pose[0]

    def _given(self, values):
        """An array as the network gives it."""
        return None if values is None else np.ascontiguousarray(values, self._type)

    def _launch(self, name, *arguments):
        self.shim.launch(name, 1, self.threads, *arguments)


class _Address:
    """An address in the middle of an array, in the shape that ``Shim`` takes."""

    def __init__(self, at):
        self.ctypes, self.data = self, at
