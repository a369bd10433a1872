"""Angles between pixels, the camera and the earth.

Axes are (forward, right, down). Pitch is positive upwards, yaw to the right, roll clockwise seen
from behind; all in radians.
"""

import math
from typing import Optional, Sequence, Tuple

Vector = Tuple[float, float, float]


def turned(ray: Vector, roll: float, pitch: float, yaw: float) -> Vector:
    """A vector of a body with those angles, seen from the frame that they are measured in."""
    x, y, z = ray
    y, z = y * math.cos(roll) - z * math.sin(roll), y * math.sin(roll) + z * math.cos(roll)
    x, z = x * math.cos(pitch) + z * math.sin(pitch), z * math.cos(pitch) - x * math.sin(pitch)
    x, y = x * math.cos(yaw) - y * math.sin(yaw), x * math.sin(yaw) + y * math.cos(yaw)
    return x, y, z


def pitch_yaw_of(ray: Vector) -> Tuple[float, float]:
    """(pitch, yaw) of a camera that looks along a vector."""
    return math.atan2(-ray[2], math.hypot(ray[0], ray[1])), math.atan2(ray[1], ray[0])


def between(angle: float, reference: float) -> float:
    """``angle`` minus ``reference`` by the shorter way, from -pi to pi."""
    return math.atan2(math.sin(angle - reference), math.cos(angle - reference))


def pitch_yaw_of_quaternion(q: Sequence[float]) -> Optional[Tuple[float, float]]:
    """(pitch, yaw) of a quaternion (w, x, y, z); None if it is none."""
    if len(q) != 4 or not all(math.isfinite(v) for v in q):
        return None
    length = math.sqrt(sum(v * v for v in q))
    if not 0.5 < length < 2.0:
        return None
    w, x, y, z = (v / length for v in q)
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    return pitch, math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
