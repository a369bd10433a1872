"""Compute the target's position on the earth if the data suffice.

The ray through the box's centre is turned by the camera's attitude. It is intersected with a level
plane at the height of the take-off point. That needs the field of view, a fresh position, a fresh
attitude of the vehicle or of the gimbal, a ray that points down, and flat ground. If one of them is
missing, nothing is sent. The stated accuracy assumes an error of the attitude and of the ground's
height, and computes what both mean on the ground.
"""

import math
from collections import deque
from typing import Deque, List, Optional, Tuple, TypeVar

from hotpath.runtime.frames.directions import ray_of
from hotpath.runtime.types import TRACKED
from hotpath_vehicle.gimbal.angles import turned
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.attitudes import Attitudes
from hotpath_vehicle.mavlink.messages import Message, Outgoing, TargetView
from hotpath_vehicle.mavlink.reports import tracking_status

Entry = TypeVar("Entry", bound=Tuple[float, ...])  # (seconds, angles ...)

FRESH_S = 0.5  # a position or an attitude that is older is not used
KEPT = 64  # last attitudes; the one nearest to the capture time is used
SHALLOWEST_RAD = math.radians(5.0)  # below the horizon; a flatter ray gives no useful distance
ATTITUDE_ERROR_RAD = math.radians(1.0)
GROUND_ERROR_M = 3.0  # assumed difference between the ground and the height of the take-off
EARTH_M = 6371000.0
NAN = float("nan")


class Geo:
    """Keeps the vehicle's position and attitude, and computes the target's position.

    Args:
        fov_deg: (horizontal, vertical) field of view, degrees.
    """

    def __init__(self, fov_deg: Tuple[float, float]) -> None:
        self._fov_deg = fov_deg
        # (seconds, roll, pitch, yaw) of the vehicle
        self._attitudes: Deque[Tuple[float, float, float, float]] = deque(maxlen=KEPT)
        self._headings = Attitudes()
        # (seconds, pitch, yaw) of the gimbal, in the earth's frame
        self._cameras: Deque[Tuple[float, float, float]] = deque(maxlen=KEPT)
        # (seconds, latitude, longitude, altitude, height above take-off)
        self._position: Optional[Tuple[float, float, float, float, float]] = None

    def receive(self, message: Message, now: float) -> None:
        """Note the attitude or the position that a component of our vehicle reports."""
        fields, autopilot = message.fields, message.component == m.COMPONENT_AUTOPILOT
        if message.name == "ATTITUDE" and autopilot:
            values = (fields["roll"], fields["pitch"], fields["yaw"])
            if all(math.isfinite(v) for v in values):
                self._attitudes.append((now,) + values)
            self._headings.turn_vehicle(now, fields["yaw"], fields["yawspeed"])
        elif message.name == "GLOBAL_POSITION_INT" and autopilot:
            place = fields["lat"] / 1e7, fields["lon"] / 1e7
            if abs(place[0]) > 90.0 or abs(place[1]) > 180.0:  # such as INT32_MAX: not known
                return
            self._position = (now, *place, fields["alt"] / 1e3, fields["relative_alt"] / 1e3)
        elif message.name == "GIMBAL_DEVICE_ATTITUDE_STATUS":
            angles = self._headings.angles(now, fields)
            if angles is not None:  # else those of the vehicle are a substitute
                self._cameras.append((now, *angles))

    def target(
        self, view: Optional[TargetView]
    ) -> Optional[Tuple[float, float, float, float, float]]:
        """(latitude, longitude, altitude, distance, accuracy) of the target, or None.

        Latitude and longitude are in degrees, the others in metres.
        """
        if view is None or view.track is None or view.track.state != TRACKED:
            return None
        if self._position is None or abs(view.captured_s - self._position[0]) > FRESH_S:
            return None
        _, latitude, longitude, altitude, height = self._position
        x, y, w, h = view.track.box
        if not math.isfinite(x + y + w + h) or height <= 0:
            return None
        camera = _nearest(self._cameras, view.captured_s)
        vehicle = _nearest(self._attitudes, view.captured_s)
        if camera is not None:
            angles = (0.0, camera[1], camera[2])
        elif vehicle is not None:
            angles = vehicle[1:]
        else:
            return None
        # unit vector (north, east, down)
        ray = turned(ray_of((x + w / 2, y + h / 2), view.size, self._fov_deg), *angles)
        below = math.asin(max(-1.0, min(1.0, ray[2])))
        if below < SHALLOWEST_RAD:
            return None
        north, east = ray[0] * height / ray[2], ray[1] * height / ray[2]
        away = height / math.sin(below)
        error = math.hypot(
            away * ATTITUDE_ERROR_RAD / math.sin(below), GROUND_ERROR_M / math.tan(below)
        )
        return (
            latitude + math.degrees(north / EARTH_M),
            longitude + math.degrees(east / (EARTH_M * math.cos(math.radians(latitude)))),
            altitude - height,
            away,
            error,
        )

    def status(self, view: Optional[TargetView]) -> List[Outgoing]:
        """[CAMERA_TRACKING_GEO_STATUS], or an empty list if the position can't be computed."""
        found = self.target(view)
        if found is None or view is None or view.track is None:
            return []
        latitude, longitude, altitude, away, error = found
        unknown = dict.fromkeys(("vel_n", "vel_e", "vel_d", "vel_acc", "hdg", "hdg_acc"), NAN)
        fields = dict(unknown, alt=altitude, h_acc=error, v_acc=GROUND_ERROR_M, dist=away)
        fields.update(lat=int(round(latitude * 1e7)), lon=int(round(longitude * 1e7)))
        fields["tracking_status"] = tracking_status(view.track)
        return [("CAMERA_TRACKING_GEO_STATUS", fields)]


def _nearest(history: Deque[Entry], at: float) -> Optional[Entry]:
    """The entry with the time nearest to ``at``; None if that is more than ``FRESH_S`` away."""
    fresh = [entry for entry in history if abs(entry[0] - at) <= FRESH_S]
    return min(fresh, key=lambda entry: abs(entry[0] - at), default=None)
