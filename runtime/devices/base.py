"""What a device is: it crops windows of a frame, runs the network on them, and selects.

A ``Device`` holds one target; several share an engine. ``Tracker`` composes it with presence,
search and learner, which know no device. What only some devices can do has a default here that says
no. The files of this folder are the devices: ``processor``, ``gpu`` and ``fpga``.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from kernels.cpu.interface import Kernels
from runtime.engines.base import Engine
from runtime.errors import HotpathError
from runtime.network import Network
from runtime.pictures import AnyFrame
from runtime.presence import Presence
from runtime.types import Found, View, checked_frame

Aim = Tuple[np.ndarray, float]  # a window: what it is around, and its sides in usual ones
ELSEWHERE: Aim = (np.zeros(4), 0.0)  # no window of a group: the target has windows of its own


class Device:
    """One target on one device.

    Args:
        network: the ``Network``.
        engine: an engine that holds it.
        slots: frames that may be in flight at a time.

    Attributes:
        kernels: of the processor (see ``kernels.cpu.load``), for what it judges.
        kernels_name: which kernels crop and select: "c++", "numpy" or "cuda".
        step_ms: dict of the frame's time in each step, milliseconds: crop, network, select.
        state: float64 [cx, cy, w, h] of the target, frame pixels; shared with the tracker.
        border: colour of the pixels outside the frame, (3,) uint8, BGR.
        judges: whether ``follow`` says by itself whether the target is there.
        learns: whether ``learn`` ends each frame.
        is_plain: whether a frame is one window, and nothing is learnt from it.
        shows_features: whether views have the features of the search region.
        gives_maps: whether ``follow`` gives maps and features as arrays of the processor.
        pipelines: whether a frame may be submitted before the last one's result is taken.
        can_rehearse: whether ``rehearse`` does anything.
        batch: how many windows ``look_at`` takes in one call; 1: it takes none.
        uses_graph: whether a frame runs as one CUDA graph.
        queues: whether ``start`` computes a window while the processor judges the last one.
    """

    kernels: Kernels
    kernels_name = ""
    border: np.ndarray = np.zeros(3, np.uint8)
    judges = learns = gives_maps = pipelines = can_rehearse = queues = False
    is_plain = True
    shows_features = False
    batch = 1
    uses_graph = False

    def __init__(self, network: Network, engine: Engine, slots: int = 1) -> None:
        self.network, self.slots = network, slots
        self.engine: Any = engine
        self.state = np.zeros(4)
        self.step_ms: Dict[str, float] = {"crop": 0.0, "network": 0.0, "select": 0.0}

    def open(self, searches: bool) -> None:
        """Take what targets need; called once. ``searches``: whether ``look`` will be called."""

    def take(self, frame: Any) -> Tuple[Any, Tuple[int, ...]]:
        """Check a frame: (as the device takes it, its (height, width, ...)).

        Raises:
            BadFrame: the device can read no such frame.
        """
        checked: AnyFrame = checked_frame(frame)
        return checked, checked.shape

    def picture(self, frame: Any) -> AnyFrame:
        """A frame as the processor reads it; a device with frames of its own converts them."""
        picture: AnyFrame = frame
        return picture

    def begin(
        self, frame: Any, state: np.ndarray, shape: Tuple[int, ...], compares: bool
    ) -> Optional[View]:
        """Take a target: crop its exemplar and keep its features.

        Args:
            frame, shape: from ``take``.
            state: [cx, cy, w, h], frame pixels; the device moves it from now on.
            compares: whether the first search region is looked at.
        """
        raise NotImplementedError

    def hand_over(self, presence: Presence) -> None:
        """Take over a judge's numbers, where ``follow`` goes on from them."""

    def rescale(self, factors: Sequence[float], shape: Tuple[int, ...]) -> None:
        """Take over a new frame size; ``factors`` of [cx, cy, w, h] were applied to the state."""

    def follow(self, frame: Any) -> Found:
        """Crop the search region, run the network, select, and move the state.

        Raises:
            NetworkFailed: nothing that was found is finite; the target stays where it was.
        """
        raise NotImplementedError

    def learn(self, frame: Any) -> None:
        """Learn from the window around the target that was just found, where it ``learns``."""

    def submit(self, frame: Any, is_kept: bool) -> None:
        """Send a frame, where it ``pipelines``; see ``Tracker.submit``."""
        raise NotImplementedError

    def collect(self) -> Found:
        """Wait for the oldest frame in flight."""
        raise NotImplementedError

    def rehearse(self, frame: Any) -> None:
        """Do a frame's work and forget what it finds, where it ``can_rehearse``."""

    def look(self, frame: Any, state: np.ndarray, factor: float) -> View:
        """What a window around ``state`` shows, ``factor`` times as wide as the usual one."""
        raise NotImplementedError

    def look_at(self, frame: Any, aims: Sequence[Aim]) -> List[View]:
        """As ``look``, for ``batch`` windows in one call."""
        raise NotImplementedError

    def start(self, frame: Any, state: np.ndarray, factor: float) -> None:
        """Begin to compute a window, where it ``queues``."""
        raise NotImplementedError

    def finish(self) -> View:
        """Wait for the window of ``start``."""
        raise NotImplementedError

    def settle(self) -> None:
        """Let all that was started come to nothing, or to results that ``collect`` gives."""

    # several targets of one engine

    def together(self, devices: Sequence[Any]) -> Optional["Group"]:
        """The targets of devices of this kind as one group; None where each takes its own frame.

        Raises:
            NotOnGpu, GpuFailed: they can be no group, for a reason that a user may want to know.
        """
        return None

    def release(self) -> None:
        """Stop following the target; the engine stays open."""


class Group:
    """Several targets of one engine that take a frame together.

    Attributes:
        sentence: what a user may want to know about it.
        takes_aims: whether windows of a search may be among those of a frame.
    """

    sentence = ""
    takes_aims = False

    def take(
        self, frame: Any, aims: Sequence[Optional[Aim]]
    ) -> List[Union[Found, View, HotpathError, None]]:
        """Take a frame: what was found of each target, or seen in its window.

        Args:
            frame: as the devices take it.
            aims: of each target: None where it is followed, or the window to look at, or
                ``ELSEWHERE``.
        """
        raise NotImplementedError

    def rehearse(self, frame: Any) -> None:
        """See ``Device.rehearse``."""

    def close(self) -> None:
        """Let the devices go on without it."""
