"""A gimbal that takes the rates of a calibration, through its manager and the link's own thread."""

import time
from typing import Any, Callable, List, Sequence, Tuple

from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from hotpath_vehicle.follow import Follow, Rates
from hotpath_vehicle.gimbal.settings import load_settings
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.gimbal_manager import GimbalManager
from hotpath_vehicle.mavlink.messages import Message, Outgoing, TargetView
from hotpath_vehicle.mavlink.reports import CameraIdentity, heartbeat
from hotpath_vehicle.mavlink.service import begin
from hotpath_vehicle.plug import MavlinkOptions

BEAT_S = 1.0
FOV_DEG = (1e9, 1e9)  # nothing that it turns is too much


class Nudging(Follow):
    """Gives the rates that it is told, whatever the picture shows.

    Attributes:
        wanted: (right, up), degrees a second.
    """

    wanted: Rates = (0.0, 0.0)

    def see(self, *_: object) -> None:
        """Nothing is followed."""

    def rates(self, *_: object) -> Rates:
        """The rates that are told."""
        return self.wanted


class Component:
    """What ``Service`` asks of a camera: heartbeats, and a target in the middle of each frame."""

    def __init__(self, identity: CameraIdentity, size: Tuple[int, int]) -> None:
        self.identity, self.run = identity, self
        self._size, self._next_s = size, 0.0

    def view_of(self, tracked: TrackedFrame) -> TargetView:
        """A view whose target is tracked in the middle; a still scene is what is asked for."""
        width, height = self._size
        track = Track(Box(width / 2 - 10.0, height / 2 - 10.0, 20.0, 20.0), 1.0)
        return TargetView(tracked.index, tracked.captured_s, self._size, track, 0, None)

    def tick(self, now: float) -> List[Outgoing]:
        """A heartbeat each second."""
        if now < self._next_s:
            return []
        self._next_s = now + BEAT_S
        return [heartbeat(self.identity.kind, self.identity.mark)]

    def receive(self, message: Message, now: float) -> List[Outgoing]:
        """Nothing is answered."""
        return []


class NudgedGimbal:
    """A gimbal for ``hotpath_vehicle.calibrate``."""

    why = "no gimbal manager gives us control; check the address, and that no other program has it"

    def __init__(self, service: Any, manager: GimbalManager, aim: Nudging) -> None:
        self._service, self._manager, self._aim, self._index = service, manager, aim, 0

    @property
    def name(self) -> str:
        """Its name in a calibration."""
        return self._manager.name

    @property
    def frame(self) -> str:
        """In which it reports its yaw."""
        return self._manager.attitudes.frame

    def is_ready(self) -> bool:
        """Whether it obeys."""
        self._service.check()
        return bool(self._manager.ours)

    def send(self, rates: Rates, frames: Any) -> float:
        """Give it rates; returns when."""
        self._aim.wanted = rates
        self._index += 1
        self._service.write(TrackedFrame(frames.frame, self._index, None, {}, time.monotonic()))
        return time.monotonic()

    def stop(self) -> None:
        """Stop it, and return control."""
        self._aim.wanted = (0.0, 0.0)
        self._service.close()


def open_gimbal(
    options: MavlinkOptions, size: Sequence[int], say: Callable[[str], None]
) -> NudgedGimbal:
    """The gimbal of ``hotpath gimbal calibrate``; raises ``BadOutput``."""
    me = (options.system, options.component)
    settings = load_settings()
    aim = Nudging(settings, FOV_DEG)
    aim.note = None
    manager = GimbalManager(aim, *me, settings["lost"]["link"])
    kind = m.TYPE_ONBOARD_CONTROLLER
    component = Component(CameraIdentity(*me, "", None, (), None, kind, 1), (size[0], size[1]))
    service = begin(options, component, None, manager, say)
    service.start()
    return NudgedGimbal(service, manager, aim)
