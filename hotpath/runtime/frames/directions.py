"""Compute the direction of an object from its box. Lens distortion is not corrected."""

import math
from typing import Any, List, NamedTuple, Sequence, Tuple

from hotpath.runtime.errors import BadBox, BadOption

LEAST_FOV_DEG = 2.0  # horizontal; a smaller number is probably in radians
Ray = Tuple[float, float, float]


class Bearing(NamedTuple):
    """The direction to a target, degrees. (0, 0) is where the camera looks.

    Attributes:
        right: angle to the right, about the camera's vertical axis; negative: to the left.
        down: angle below the camera's horizontal plane; negative: above it.

    Example:
        >>> right, down = Bearing(right=12.5, down=-3.0)
        >>> "turn right" if right > 0 else "turn left"
        'turn right'
    """

    right: float
    down: float


def bearing(box: Sequence[float], frame_size: Sequence[int], fov: Any) -> Bearing:
    """Return the direction to the middle of a box.

    Args:
        box: (x, y, w, h), 0-based pixels of the frame, such as ``track.box``.
        frame_size: (width, height) of the frame, pixels.
        fov: the camera's horizontal field of view in degrees; or (horizontal, vertical); or its
            3x3 matrix of pixels ``[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]``, as OpenCV calibrates it.

    Raises:
        BadOption: a size or a field of view that no camera has.
        BadBox: the box is not four finite numbers.

    Example:
        >>> right, down = bearing((440, 270, 60, 90), (640, 480), fov=60)
        >>> f"{right:.1f} degrees to the right, {down:.1f} below"
        '15.1 degrees to the right, 7.4 below'
    """
    try:
        x, y, w, h = (float(value) for value in box)
        if not math.isfinite(x + y + w + h):
            raise ValueError
    except (TypeError, ValueError):
        raise BadBox(f"a box is four finite numbers x,y,w,h, not {box!r}") from None
    ray = ray_of((x + w / 2, y + h / 2), frame_size, fov)
    down = math.degrees(math.atan2(ray[2], math.hypot(ray[0], ray[1])))
    return Bearing(math.degrees(math.atan2(ray[1], ray[0])), down)


def ray_of(point: Sequence[float], frame_size: Sequence[int], fov: Any) -> Ray:
    """Return the unit vector (forward, right, down) from a pinhole camera through a point.

    Args:
        point: (x, y), pixels of the frame; (0, 0) is the outer corner of the first pixel.
        frame_size, fov: as in ``bearing``.
    """
    per_x, per_y, middle_x, middle_y = _lens(frame_size, fov)
    right, down = (point[0] - middle_x) * per_x, (point[1] - middle_y) * per_y
    length = math.sqrt(1.0 + right * right + down * down)
    return 1.0 / length, right / length, down / length


def vertical_fov_deg(horizontal_deg: float, size: Sequence[int]) -> float:
    """Return the vertical field of view of square pixels, degrees."""
    half = math.tan(math.radians(horizontal_deg) / 2) * size[1] / float(size[0])
    return math.degrees(2 * math.atan(half))


def _lens(frame_size: Sequence[int], fov: Any) -> Tuple[float, float, float, float]:
    """Return the tangents of one pixel, x and y, and the point where the camera looks."""
    try:
        width, height = (float(side) for side in frame_size)
    except (TypeError, ValueError):
        width = height = 0.0
    if not (width > 0 and height > 0):
        raise BadOption(
            f"frame_size is (width, height), not {frame_size!r}; of a frame give "
            "(frame.shape[1], frame.shape[0])",
            what="not a size",
        )
    numbers = _numbers(fov)
    if len(numbers) == 9:
        fx, _, cx, _, fy, cy = numbers[:6]
        if math.isfinite(sum(numbers)) and fx > 0 and fy > 0:
            return 1 / fx, 1 / fy, cx + 0.5, cy + 0.5  # OpenCV's zero is the middle of a pixel
    elif len(numbers) == 1 and 0 < numbers[0] < LEAST_FOV_DEG:
        degrees = math.degrees(numbers[0])
        raise BadOption(
            f"fov is in degrees, and {fov!r} looks like radians; give {degrees:.1f}, or the "
            "camera's 3x3 matrix if its lens is as long as that",
            what="radians",
        )
    elif len(numbers) in (1, 2) and all(0 < angle < 180 for angle in numbers):
        tangents = [math.tan(math.radians(angle) / 2) for angle in numbers]
        per_x = 2 * tangents[0] / width
        per_y = 2 * tangents[1] / height if len(tangents) == 2 else per_x  # square pixels
        return per_x, per_y, width / 2, height / 2
    raise BadOption(
        f"fov is a field of view of more than 0 and less than 180 degrees, two of them, or the "
        f"3x3 matrix of a camera, not {fov!r}",
        what="not an angle",
    )


def _numbers(fov: Any) -> List[float]:
    """Return one angle, two of them, or the nine numbers of a matrix; else none."""
    try:
        rows = list(fov) if hasattr(fov, "__len__") else [fov]
        if len(rows) == 3:
            matrix = [[float(value) for value in row] for row in rows]
            return sum(matrix, []) if [len(row) for row in matrix] == [3, 3, 3] else []
        return [float(value) for value in rows]
    except (TypeError, ValueError):
        return []
