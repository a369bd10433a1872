"""Find the attitude reports of the camera that is steered, and their frame of reference."""

import math
from typing import Optional, Tuple

from hotpath_vehicle.gimbal.angles import pitch_yaw_of_quaternion
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.messages import Fields

FRESH_S = 0.5  # a heading that is older is not used
DEVICES = 6  # gimbal_device_id up to it names a device behind the manager's own component


class Attitudes:
    """Takes the attitudes of the gimbal that a manager steers, in the earth's frame.

    Attributes:
        manager: component of the gimbal manager; None before it is known: all are taken then.
        device: its ``gimbal_device_id``: a component, or 1 to 6 behind the manager.
        frame: of the last attitude: "earth", "vehicle" or "none".
    """

    def __init__(self) -> None:
        self.manager: Optional[int] = None
        self.device, self.frame = 0, "none"
        self._heading: Optional[Tuple[float, float, float]] = None  # time, yaw, its rate

    def turn_vehicle(self, now: float, yaw: float, rate: float) -> None:
        """Note the vehicle's heading, radians, as ATTITUDE has it."""
        if math.isfinite(yaw) and math.isfinite(rate):
            self._heading = now, yaw, rate

    def is_ours(self, component: int, device: int) -> bool:
        """Whether a GIMBAL_DEVICE_ATTITUDE_STATUS is of the gimbal that is steered."""
        if self.manager is None:
            return True
        if self.device > DEVICES:
            return component == self.device
        return component == self.manager and device in (0, self.device)

    def angles(self, now: float, fields: Fields) -> Optional[Tuple[float, float]]:
        """(pitch, yaw) that a report states, radians in the earth's frame; None: not known."""
        angles = pitch_yaw_of_quaternion(fields["q"])
        yaw = self._yaw(now, fields["flags"], angles[1]) if angles else None
        return None if angles is None or yaw is None else (angles[0], yaw)

    def _yaw(self, now: float, flags: int, yaw: float) -> Optional[float]:
        """The yaw in the earth's frame; None where the heading is not known."""
        is_lock = flags & m.GIMBAL_YAW_LOCK and not flags & m.GIMBAL_YAW_IN_VEHICLE_FRAME
        if flags & m.GIMBAL_YAW_IN_EARTH_FRAME or is_lock:
            self.frame = "earth"
            return yaw
        self.frame = "vehicle"
        if self._heading is None or not 0.0 <= now - self._heading[0] <= FRESH_S:
            return None
        at, heading, rate = self._heading
        return yaw + heading + rate * (now - at)
