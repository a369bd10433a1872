"""Quaternions for tests of gimbals."""

import math


def quaternion_of(pitch, yaw):
    """The quaternion (w, x, y, z) of a pitch and a yaw without roll."""
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return cp * cy, -sp * sy, sp * cy, cp * sy
