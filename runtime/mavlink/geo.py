"""Where the target is on the earth, where that can be computed honestly.

The ray through the box's centre is turned by the camera's attitude and cut with a level plane at
the height of the take-off point. That needs: the field of view, a fresh position and attitude of
the vehicle (or of the gimbal), a ray that points down, and flat ground. Where one of them is
missing nothing is sent. What the plane costs is stated as accuracy: an error of the attitude and of
the ground's height is carried through to the ground.
"""

import math
from typing import Any, List, Optional, Tuple

from runtime.gimbal.angles import ray_of, turned
from runtime.mavlink.reports import boot_ms, tracking_status

FRESH_S = 0.5  # a position or an attitude that is older is not used
KEPT = 64  # attitudes, so that the one of the capture time is found
SHALLOWEST_RAD = math.radians(5.0)  # below the horizon; flatter rays say nothing of the distance
ATTITUDE_ERROR_RAD = math.radians(1.0)
GROUND_ERROR_M = 3.0  # how far the ground may lie from the take-off's height
EARTH_M = 6371000.0
NAN = float("nan")


class Geo:
    """Keeps the vehicle's position and attitude; computes the target's position.

    Args:
        fov_deg: (horizontal, vertical) field of view, degrees.
        mount_rad: (pitch, yaw) of a camera that is fixed to the vehicle, radians.
    """

    def __init__(
        self, fov_deg: Tuple[float, float], mount_rad: Tuple[float, float] = (0.0, 0.0)
    ) -> None:
        self._fov_deg, self._mount_rad = fov_deg, mount_rad
        self._attitudes = []  # (seconds, roll, pitch, yaw) of the vehicle
        self._cameras = []  # (seconds, pitch, yaw) of the gimbal, in the earth's frame
        self._position: Any = (
            None  # (seconds, latitude, longitude, altitude, height above take-off)
        )

    def hear(self, message, now: float) -> None:
        """Note what the vehicle says of itself."""
        fields = message.fields
        if message.name == "ATTITUDE":
            values = (fields["roll"], fields["pitch"], fields["yaw"])
            if all(math.isfinite(v) for v in values):
                _keep(self._attitudes, (now,) + values)
        elif message.name == "GLOBAL_POSITION_INT":
            self._position = (
                now,
                fields["lat"] / 1e7,
                fields["lon"] / 1e7,
                fields["alt"] / 1e3,
                fields["relative_alt"] / 1e3,
            )

    def camera_at(self, now: float, pitch: float, yaw: float) -> None:
        """Note a gimbal's angles in the earth's frame, radians; they replace the vehicle's."""
        _keep(self._cameras, (now, pitch, yaw))

    def direction(self, view, point=None) -> Optional[Tuple[float, float, float]]:
        """Unit vector (north, east, down) through a point of the frame; None: attitude unknown.

        Args:
            view: ``run.View``.
            point: (x, y) pixels; None for the frame's centre.
        """
        at = view.captured_s
        width, height = view.size
        ray = ray_of(point or (width / 2.0, height / 2.0), view.size, self._fov_deg)
        camera = _nearest(self._cameras, at)
        if camera is not None:
            return turned(ray, 0.0, camera[1], camera[2])
        vehicle = _nearest(self._attitudes, at)
        if vehicle is None:
            return None
        ray = turned(ray, 0.0, self._mount_rad[0], self._mount_rad[1])
        return turned(ray, vehicle[1], vehicle[2], vehicle[3])

    def target(self, view):
        """(latitude, longitude, altitude, distance, accuracy) in degrees and metres, or None."""
        if view is None or view.track is None or view.track.lost or self._position is None:
            return None
        at, latitude, longitude, altitude, height = self._position
        x, y, w, h = view.track.box
        ray = self.direction(view, (x + w / 2, y + h / 2))
        if abs(view.captured_s - at) > FRESH_S or ray is None or height <= 0:
            return None
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

    def status(self, view, now: float) -> List:
        """CAMERA_TRACKING_GEO_STATUS in a list; an empty one where it can't be computed."""
        found = self.target(view)
        if found is None:
            return []
        latitude, longitude, altitude, away, error = found
        return [
            (
                "CAMERA_TRACKING_GEO_STATUS",
                {
                    "tracking_status": tracking_status(view.track),
                    "lat": int(round(latitude * 1e7)),
                    "lon": int(round(longitude * 1e7)),
                    "alt": altitude,
                    "h_acc": error,
                    "v_acc": GROUND_ERROR_M,
                    "vel_n": NAN,
                    "vel_e": NAN,
                    "vel_d": NAN,
                    "vel_acc": NAN,
                    "dist": away,
                    "hdg": NAN,
                    "hdg_acc": NAN,
                    "camera_device_id": 0,
                },
            )
        ]

    def fov_status(self, view, now: float) -> List:
        """CAMERA_FOV_STATUS in a list; an empty one while the position is unknown."""
        if view is None or self._position is None or now - self._position[0] > FRESH_S:
            return []
        _, latitude, longitude, altitude, _ = self._position
        unknown = 0x7FFFFFFF
        return [
            (
                "CAMERA_FOV_STATUS",
                {
                    "time_boot_ms": boot_ms(view.captured_s),
                    "lat_camera": int(latitude * 1e7),
                    "lon_camera": int(longitude * 1e7),
                    "alt_camera": int(altitude * 1e3),
                    "lat_image": unknown,
                    "lon_image": unknown,
                    "alt_image": unknown,
                    "q": [NAN] * 4,
                    "hfov": self._fov_deg[0],
                    "vfov": self._fov_deg[1],
                    "camera_device_id": 0,
                },
            )
        ]


def _keep(history, entry):
    history.append(entry)
    if len(history) > KEPT:
        del history[: len(history) - KEPT]


def _nearest(history, at):
    """The entry whose time is nearest; None where all of them are too far."""
    if not history:
        return None
    entry = min(history, key=lambda e: abs(e[0] - at))
    return entry if abs(entry[0] - at) <= FRESH_S else None
