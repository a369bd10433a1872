"""The tracker whose whole frame runs on the GPU: ``init`` and ``update`` as ``runtime.tracker``."""

from kernels.cuda.frame import Frame
from runtime import geometry
from runtime.errors import NetworkFailed
from runtime.tracker import Tracker
from runtime.types import Track, checked_box, checked_frame


class GpuTracker(Tracker):
    """Follows one target.

    Args:
        network: the ``Network``.
        engine: an engine with device memory, as ``kernels.cuda.frame`` says.
        device: the device that the engine is on.
        options: of ``Frame``: graph, profile, log.

    Attributes:
        step_ms: as ``Tracker``'s; filled in with ``profile`` alone.
    """

    def __init__(self, network, engine, device, **options):
        self.name = network.name
        self.network, self.engine = network, engine
        self.state = None  # float64 [cx, cy, w, h], frame pixels
        self.step_ms = {"crop": 0.0, "network": 0.0, "select": 0.0}
        self._profile = options.get("profile", False)
        self._frame = Frame(device, network, engine, **options)

    def init(self, frame, box):
        """Take a target; see ``Tracker.init``."""
        frame = checked_frame(frame)
        box = checked_box(box, frame.shape)
        height, width = frame.shape[:2]
        self.state = geometry.state_of(self.network, box, width, height)
        self._frame.begin(frame, self.state, geometry.border_colour(self.network, frame))

    def update(self, frame):
        """Find the target in the next frame; see ``Tracker.update``."""
        if self.state is None:
            raise NetworkFailed("the tracker has no target yet; call init(frame, box) first")
        self._frame.submit(checked_frame(frame))
        found = self._frame.result()
        self.state = found.state
        if self._profile:
            self.step_ms.update(self._frame.step_ms())
        return Track(geometry.box_of(self.network, found.state), found.score)

    def close(self):
        """Give the engine's memory and the graph back."""
        self._frame.close()
        self.engine.close()
