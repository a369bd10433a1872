"""Turn a PTZ camera with the rates that ``aim`` allows.

A camera takes shares of its fastest turn, which it does not state. So without a calibration it is
taken for a fast one, and goes even more slowly where it is not.
"""

import threading
from typing import Callable, Dict, Optional, Sequence, Tuple

from hotpath.links import Selection
from hotpath.runtime.frames.directions import vertical_fov_deg
from hotpath.video.base import TrackedFrame
from hotpath_vehicle.aim.calibration import AimCalibration
from hotpath_vehicle.follow import Follow
from hotpath_vehicle.gimbal.settings import load_settings
from hotpath_vehicle.steering import Evidence, Ramp, Velocity, Watch, missing

FASTEST = 100.0  # degrees a second of a fast camera's fastest turn, until it is measured
FOV_DEG = 60.0  # without --fov
BAND = 1.0 / 40  # an offset from the centre that counts as none, share of the width
REST: Velocity = (0.0, 0.0)  # right, up: shares of the camera's fastest


def make_aim(
    fov: Optional[Sequence[float]], size: Tuple[int, int], calibration: Optional[AimCalibration]
) -> Follow:
    """The ``Follow`` of a PTZ camera.

    Args:
        fov: (horizontal,) or (horizontal, vertical) field of view, degrees; None: a usual one.
        size: (width, height) of the frames.
        calibration: of the camera, or None.
    """
    settings = load_settings()
    width = fov[0] if fov else FOV_DEG
    # where it points is not known, so the range of its tilt is not either
    settings["limits"].update(pitch_min=-1e9, pitch_max=1e9, dead_band=BAND * width)
    height = fov[1] if fov and len(fov) > 1 else vertical_fov_deg(width, size)
    return Follow(settings, (width, height), calibration, FASTEST)


class Follower:
    """Decides how a PTZ camera moves. The frame loop and the camera's thread may call it.

    Args:
        aim: computes how fast the camera turns.
        say: function of one line of text for the user.
        holds: see ``steering.Ramp``.
        selection: which target is followed.
    """

    def __init__(
        self,
        aim: Follow,
        say: Callable[[str], None],
        holds: Optional[Dict[str, str]] = None,
        selection: Optional[Selection] = None,
    ) -> None:
        self.aim = aim
        self._selection = Selection() if selection is None else selection
        self._acts, self._number = 0, None  # type: int, Optional[int]
        self._watch = Watch(self._selection)
        self._using = threading.Lock()
        self._seen: Optional[Evidence] = None
        self._size = (0, 0)
        self._ramp = Ramp("camera", len(REST), say, holds)

    def see(self, tracked: TrackedFrame, now: float) -> None:
        """Take a frame and its target."""
        seen, (height, width) = self._watch.evidence(tracked), tracked.frame.shape[:2]
        with self._using:
            if self._selection.acts != self._acts:
                self._acts = self._selection.acts
                self.aim.acted()
            if seen.number != self._number:
                self._number = seen.number
                self.aim.restart()
            self._seen, self._size = seen, (width, height)
            if seen.track is not None and missing(seen, now) is None:
                self.aim.see(seen.captured_s, seen.track.box, self._size)

    def command(self, now: float) -> Velocity:
        """The velocity to send now: right, up, as shares of the fastest."""
        with self._using:
            rates = self._ramp.steer(now, self.aim, self._seen, self._size)
            right, up = (max(-1.0, min(1.0, share)) for share in self.aim.command(rates))
            return right, up
