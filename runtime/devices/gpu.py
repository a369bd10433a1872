"""The tracker whose whole frame runs on the GPU."""

from typing import Any, Callable, Dict, Optional, Sequence, Tuple, Union

import numpy as np

from kernels.cuda import frames
from kernels.cuda.frame import Found, Frame
from kernels.cuda.frames import Nv12, OnDevice
from kernels.errors import NotOnGpu
from kernels.planes import MATRICES, Planes
from kernels.settings import FrameSettings, InputSettings
from runtime import geometry
from runtime.decode.anchors import anchors_settings
from runtime.decode.centre import centre_settings
from runtime.decode.corners import corners_settings
from runtime.decode.points import points_settings
from runtime.decode.response import response_settings
from runtime.devices.gpu_search import GpuSearch
from runtime.engines.base import Engine
from runtime.errors import BadFrame, HotpathError
from runtime.loss import loss_settings
from runtime.networks import Network
from runtime.pictures import Picture, PlanarFrame
from runtime.search.budget import SHARE
from runtime.states import StateMachine
from runtime.tracker import NOT_ASKED, SEVERAL_IN_FLIGHT, PipelinedTracker
from runtime.types import Track, checked_box, checked_frame

BT601 = MATRICES["601", False]  # the one that the GPU's crop has


# The families whose select the GPU has: name -> function of the network that gives its numbers.
SELECTS: Dict[str, Callable[[Network], Any]] = {
    "points": points_settings,
    "anchors": anchors_settings,
    "centre": centre_settings,
    "corners": corners_settings,
    "response": response_settings,
}


def frame_settings(network: Network) -> FrameSettings:
    """The numbers of a network that the GPU's kernels take: ``kernels.settings.FrameSettings``.

    Raises:
        NotOnGpu: the kernels lack this network's crop or select.
    """
    lacks = f"of the family {network.family!r}" if network.family not in SELECTS else ""
    if network.family == "response" and network.filter == "ridge":
        lacks = "that learns a regression in every frame"
    if lacks:
        raise NotOnGpu(
            f"{network.name}: the GPU has no select {lacks}; run it with --engine onnxruntime"
        )
    select = SELECTS[network.family](network)
    return FrameSettings(
        window=geometry.window_settings(network),
        input=InputSettings(network.mean, network.scale, network.channels == "RGB"),
        select=select,
        loss=loss_settings(network),
        factors=getattr(select, "factors", (1.0,)),
    )


def checked_size(frame: Any) -> Tuple[int, int]:
    """(width, height) of a frame that the GPU's crop can read.

    Raises:
        BadFrame: it can read no such frame.
    """
    if isinstance(frame, (Nv12, OnDevice)):
        try:
            return frames.size_of(frame)
        except ValueError as error:
            raise BadFrame(f"a camera's frame has planes of the wrong size: {error}") from None
    if isinstance(frame, np.ndarray) and frame.ndim == 3 and frame.shape[2] == 4:
        checked_frame(frame[:, :, :3])
    else:
        checked_frame(frame)
    return frame.shape[1], frame.shape[0]


def as_uploaded(frame: Any) -> Any:
    """A ``Picture`` as the GPU's crop reads it: NV12, BGRx, or converted to BGR; others as is."""
    if not isinstance(frame, Picture):
        return frame
    planes = frame.planes if isinstance(frame, PlanarFrame) else None
    if planes and planes.kind == "BGRx":
        return planes.planes[0]
    is_even = not (frame.shape[0] % 2 or frame.shape[1] % 2)
    if planes and planes.kind == "NV12" and planes.factors == BT601 and is_even:
        return Nv12(*planes.planes)
    return frame.bgr()


class GpuTracker(PipelinedTracker):
    """Follows one target.

    Besides BGR arrays it takes frames as cameras give them, without a conversion on the processor:
    ``PlanarFrame`` of BGRx and NV12, BGRx arrays (H, W, 4), ``kernels.cuda.frames.Nv12`` and
    ``OnDevice``. Boxes are those of the
    frames that OpenCV converts to BGR.

    Args:
        network: the ``Network``.
        engine: an engine whose ``device`` is open.
        pipeline: frames that may be in flight at a time: with 2, ``submit`` the next frame before
            you ``collect`` the last one's ``Track``.
        kernels: the host's crop and select, for the search; see ``kernels.cpu.load``.
        recover: whether a lost target is searched for, where network and engine allow it.
        budget_ms, budget_share: of the search, see ``runtime.search.budget``.
        windows: of the search, that may be one batch.
        options: of ``Frame``: graph, profile, log. ``step_ms`` is measured with ``profile`` only.

    Attributes:
        frame: the ``Frame`` of the target.
        can_join: whether it may take frames in a group (``kernels.cuda.group``).

    Raises:
        NotOnGpu, NoCompiler, GpuFailed: see ``kernels.cuda.frame.Frame``.
    """

    kernels_name = "cuda"

    def __init__(
        self,
        network: Network,
        engine: Engine,
        *,
        kernels: Any = None,
        pipeline: int = 1,
        recover: bool = False,
        budget_ms: Optional[float] = None,
        budget_share: float = SHARE,
        windows: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(network, engine)
        self.why_no_search = NOT_ASKED
        self._search: Optional[GpuSearch] = None
        self._searching = False  # whether a frame of the search was submitted
        if pipeline > 1:
            self.why_no_search = SEVERAL_IN_FLIGHT
        elif recover:
            log = options.get("log")
            search = GpuSearch(network, engine, kernels, budget_ms, budget_share, windows, log)
            self.why_no_search = search.why_no_search
            self._search = search if search.searches else None
        self.searches = self._search is not None
        self._certainty, self._widened = 1.0, 1.0  # of the frame that was collected last
        self._states = StateMachine(network.unsure_below)
        self._profile = options.get("profile", False)
        self.can_join = pipeline == 1 and not self._profile
        settings = frame_settings(network)
        if self._search:  # it says what is lost
            settings = settings._replace(loss=settings.loss._replace(lost_below=0.0))
            self._search.open(settings)
        self.frame = Frame(
            engine.device, settings, engine, slots=pipeline, keeps_features=self.searches, **options
        )

    def init(self, frame: Any, box: Sequence[float]) -> None:
        """Take a target; see ``Tracker.init``. Results of frames in flight are dropped.

        Raises:
            BadFrame: also for a first frame on the GPU, if the network's border is its mean colour.
        """
        self.check_open()
        frame = as_uploaded(frame)
        width, height = checked_size(frame)
        box = checked_box(box, (height, width))
        self.state = None
        state = geometry.state_of(self.network, box, width, height)
        border = self._border(frame)
        self._searching = False
        self.frame.begin(frame, tuple(state), tuple(border))
        if self._search:
            self._search.take(frame, state, border, self.frame.features)
        self.state = state
        self._certainty, self._widened = 1.0, 1.0
        self._states.begin()

    def submit(self, frame: Any, is_kept: bool = False) -> None:
        """See ``PipelinedTracker.submit``."""
        self.check_target()
        frame = as_uploaded(frame)
        checked_size(frame)
        if self.in_flight and self._search:
            raise RuntimeError("1 frame is in flight; take a result")
        if self.prepare(frame):
            self.frame.place(frame, self.state)
        if self._search and self._search.active:
            self._searching = True
        else:
            self.frame.submit(frame)

    def prepare(self, frame: Any) -> bool:
        """Begin a frame, which the GPU takes afterwards, alone or in a group of targets.

        Args:
            frame: as the GPU takes it.

        Returns:
            whether ``state``, in pixels of this frame, must be given to the GPU before.
        """
        if self._search is None or not self._search.prepare(frame):
            return False
        self.state = self._search.state.copy()
        return True

    def collect(self) -> Track:
        """See ``PipelinedTracker.collect``."""
        if self._search and self._searching:
            self._searching = False
            return self._searched(self._search.search())
        found = self.frame.result()
        if self._profile:
            self.step_ms.update(self.frame.step_ms())
        return self.tell(found, self.frame.seen[0] if self._search else None)

    def tell(self, found: Union[Found, HotpathError], seen: Any) -> Track:
        """The ``Track`` of what was found, alone or in a group of targets.

        Args:
            found: what the GPU found. While the target is searched for, it does not count.
            seen: features of the search region, (1, channels, cells), where the tracker
                ``searches``.

        Raises:
            HotpathError: what ``found`` is.
        """
        if self._search and self._search.active:
            return self._searched(self._search.search())
        if isinstance(found, HotpathError):
            raise found
        if self._search:
            return self._searched(self._search.follow(found, seen))
        self.state = found.state
        self._certainty = found.certainty
        network = self.network
        wider = min(self._widened * network.hold_widen, network.hold_limit) if found.held else 1.0
        self._widened = wider
        state = self._states.step(found.lost, self.certainty)
        return Track(geometry.box_of(network, found.state), found.score, found.lost, state)

    def _searched(self, track: Track) -> Track:
        """Take over where the search, or what judges the target for it, has put the target."""
        assert self._search is not None, "there is no search"
        self.state = self._search.state.copy()
        return track

    def suggest(self, boxes: np.ndarray) -> None:
        """See ``Tracker.suggest``."""
        if self._search:
            self._search.suggest(boxes)

    @property
    def uses_graph(self) -> bool:
        """Whether a frame runs as one CUDA graph."""
        return self.frame.uses_graph

    @property
    def in_flight(self) -> int:
        """Frames that were submitted and not collected."""
        return self.frame.in_flight + self._searching

    @property
    def certainty(self) -> Optional[float]:
        """As ``Tracker``'s, to the digits of float32."""
        if self._search:
            return self._search.certainty
        return self._certainty if self.network.lost_below > 0 else None

    @property
    def widened(self) -> float:
        """As ``Tracker``'s."""
        return self._widened

    def _border(self, frame: Any) -> np.ndarray:
        """The colour of the pixels outside the frame: (3,) uint8, BGR."""
        if isinstance(frame, Nv12) and self.network.border != "zero":
            height, width = frame.luma.shape
            frame = PlanarFrame(Planes("NV12", frame, width, height))
        elif isinstance(frame, OnDevice) and self.network.border != "zero":
            raise BadFrame(
                f"the first frame is on the GPU, but {self.network.name} needs its mean colour; "
                "init with the frame "
                "in host memory"
            )
        return geometry.border_colour(self.network, frame)

    def release(self) -> None:
        """Release the target's memory on the GPU; see ``Tracker.release``."""
        if not self._closed:
            self.frame.close()
            if self._search:
                self._search.release()
        super().release()
