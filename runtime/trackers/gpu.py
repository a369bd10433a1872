"""The tracker whose whole frame runs on the GPU: same interface as ``runtime.trackers.host``."""

from kernels.cuda.errors import NotOnGpu
from kernels.cuda.frame import Frame
from kernels.settings import FrameSettings, InputSettings, LossSettings, WindowSettings
from runtime import geometry, loss
from runtime.decode.points import points_settings
from runtime.errors import NetworkFailed
from runtime.trackers.host import Tracker
from runtime.types import Track, checked_box, checked_frame

# The kernels implement one choice of these keys of a network's TOML: key -> that choice.
SUPPORTED = {
    "family": "points",
    "crop": "square",
    "resample": "resize",
    "quality": "none",
    "inclusive": False,
    "lr_power": 1,
    "clip": "centre",
    "box_pixels": "exact",
}


def frame_settings(network):
    """The numbers of a network that the GPU's kernels take: ``kernels.settings.FrameSettings``.

    Raises:
        NotOnGpu: the kernels lack this network's crop or select.
    """
    for key, value in SUPPORTED.items():
        if getattr(network, key, value) != value:
            raise NotOnGpu(
                "{}: the GPU's crop and select support {} = {!r}, not {!r}; run it with --engine "
                "onnxruntime".format(network.name, key, value, getattr(network, key))
            )
    return FrameSettings(
        window=WindowSettings(
            exemplar=network.exemplar,
            search=network.search,
            context=network.context,
            corner=geometry.FROM_CENTRE[network.corner],
            rounding=network.rounding,
        ),
        input=InputSettings(network.mean, network.scale, network.channels == "RGB"),
        points=points_settings(network),
        loss=LossSettings(
            lost_below=network.lost_below,
            hold_below=network.hold_below,
            hold_widen=network.hold_widen,
            hold_limit=network.hold_limit,
            kept=loss.KEPT,
            inner=loss.INNER,
            stride=network.stride,
        ),
    )


class GpuTracker(Tracker):
    """Follows one target.

    Args:
        network: the ``Network``.
        engine: an engine with device memory, as ``kernels.cuda.frame`` says.
        device: the device that the engine is on.
        pipeline: frames that may be on the way at a time: with 2, ``submit`` the next frame before
            you ``collect`` the last one's ``Track``.
        options: of ``Frame``: graph, profile, log.

    Attributes:
        step_ms: as ``Tracker``'s; filled in with ``profile`` alone.
    """

    def __init__(self, network, engine, device, pipeline=1, **options):
        self.name = network.name
        self.network, self.engine = network, engine
        self.state = None  # float64 [cx, cy, w, h], frame pixels
        self._certainty, self._widened = 1.0, 1.0
        self.step_ms = {"crop": 0.0, "network": 0.0, "select": 0.0}
        self._profile = options.get("profile", False)
        self._frame = Frame(device, frame_settings(network), engine, slots=pipeline, **options)

    def init(self, frame, box):
        """Take a target; see ``Tracker.init``. What was on the way is forgotten."""
        self.check_open()
        frame = checked_frame(frame)
        box = checked_box(box, frame.shape)
        height, width = frame.shape[:2]
        self.state = None
        state = geometry.state_of(self.network, box, width, height)
        self._frame.begin(frame, state, geometry.border_colour(self.network, frame))
        self.state = state
        self._certainty, self._widened = 1.0, 1.0

    def update(self, frame):
        """Find the target in the next frame; see ``Tracker.update``.

        Raises:
            RuntimeError: frames are on the way, whose results come first.
        """
        if self._frame.in_flight:
            raise RuntimeError("a frame is on the way; collect its result before this update")
        self.submit(frame)
        return self.collect()

    def submit(self, frame):
        """Send the next frame on its way; returns at once.

        Args:
            frame: as in ``update``; it is copied.

        Raises:
            BadFrame, NetworkFailed, GpuFailed: as ``update``; nothing of it is on the way then.
            RuntimeError: ``pipeline`` frames are on the way already.
        """
        self.check_open()
        if self.state is None:
            raise NetworkFailed("the tracker has no target yet; call init(frame, box) first")
        self._frame.submit(checked_frame(frame))

    def collect(self):
        """Wait for the oldest frame that is on the way; returns its ``Track``.

        Raises:
            NetworkFailed, GpuFailed: as ``update``, of that frame alone.
            RuntimeError: none is on the way.
        """
        found = self._frame.result()
        self.state = found.state
        if self._profile:
            self.step_ms.update(self._frame.step_ms())
        self._certainty = found.certainty
        network = self.network
        wider = min(self._widened * network.hold_widen, network.hold_limit) if found.held else 1.0
        self._widened = wider
        return Track(geometry.box_of(network, found.state), found.score, found.lost)

    @property
    def certainty(self):
        """As ``Tracker``'s, of the frame that was collected last; to the digits of float32."""
        return self._certainty if self.network.lost_below > 0 else None

    @property
    def widened(self):
        """How many times as wide as usual the search region is after that frame."""
        return self._widened

    def let_go(self):
        """Give back what is this target's; the engine goes on."""
        if not self._closed:
            self._frame.close()
        super().let_go()
