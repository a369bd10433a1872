"""The tracker whose whole frame runs on the GPU."""

from typing import Any, Optional, Sequence

import numpy as np

from kernels.cuda.errors import NotOnGpu
from kernels.cuda.frame import Frame
from kernels.settings import FrameSettings, InputSettings, LossSettings, WindowSettings
from runtime import geometry, loss
from runtime.decode.points import points_settings
from runtime.engines.base import Engine
from runtime.networks import Network
from runtime.trackers.base import PipelinedTracker
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


def frame_settings(network: Network) -> FrameSettings:
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


class GpuTracker(PipelinedTracker):
    """Follows one target.

    Args:
        network: the ``Network``.
        engine: an engine whose ``device`` is open.
        pipeline: frames that may be in flight at a time: with 2, ``submit`` the next frame before
            you ``collect`` the last one's ``Track``.
        options: of ``Frame``: graph, profile, log. ``step_ms`` is measured with ``profile`` only.

    Raises:
        NotOnGpu, NoCompiler, GpuFailed: see ``kernels.cuda.frame.Frame``.
    """

    kernels_name = "cuda"

    def __init__(
        self, network: Network, engine: Engine, *, pipeline: int = 1, **options: Any
    ) -> None:
        super().__init__(network, engine)
        self._certainty, self._widened = 1.0, 1.0  # of the frame that was collected last
        self._profile = options.get("profile", False)
        self._frame = Frame(
            engine.device, frame_settings(network), engine, slots=pipeline, **options
        )

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        """Take a target; see ``Tracker.init``. Results of frames in flight are dropped."""
        self.check_open()
        frame = checked_frame(frame)
        box = checked_box(box, frame.shape)
        height, width = frame.shape[:2]
        self.state = None
        state = geometry.state_of(self.network, box, width, height)
        self._frame.begin(frame, tuple(state), tuple(geometry.border_colour(self.network, frame)))
        self.state = state
        self._certainty, self._widened = 1.0, 1.0

    def submit(self, frame: np.ndarray) -> None:
        """See ``PipelinedTracker.submit``."""
        self.check_target()
        self._frame.submit(checked_frame(frame))

    def collect(self) -> Track:
        """See ``PipelinedTracker.collect``."""
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
    def in_flight(self) -> int:
        """Frames that were submitted and not collected."""
        return self._frame.in_flight

    @property
    def certainty(self) -> Optional[float]:
        """As ``Tracker``'s, to the digits of float32."""
        return self._certainty if self.network.lost_below > 0 else None

    @property
    def widened(self) -> float:
        """As ``Tracker``'s."""
        return self._widened

    def release(self) -> None:
        """Release the target's memory on the GPU; see ``Tracker.release``."""
        if not self._closed:
            self._frame.close()
        super().release()
