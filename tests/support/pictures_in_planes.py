"""Pictures in planes for tests: random ones, and BGR frames laid out as cameras give them."""

import cv2
import numpy as np

from hotpath.kernels.planes import KINDS, THREE_PLANES, Planes


def noise_in(kind, width, height, how=("601", False), seed=0, low=0, high=256):
    """Random values ``low`` .. ``high - 1`` in planes without gaps."""
    random = np.random.RandomState(seed)
    shift_x, shift_y = KINDS[kind] or (0, 0)
    columns, rows = -(-width >> shift_x), -(-height >> shift_y)
    if kind in THREE_PLANES:
        shapes = [(height, width), (rows, columns), (rows, columns)]
    elif kind == "NV12":
        shapes = [(height, width), (rows, 2 * columns)]
    elif kind == "BGRx":
        shapes = [(height, width, 4)]
    else:
        shapes = [(height, width if kind == "GREY" else 4 * columns)]
    planes = [random.randint(low, high, shape).astype(np.uint8) for shape in shapes]
    return Planes(kind, planes, width, height, *how)


def padded(picture, gap):
    """The same picture with ``gap`` bytes after every row of every plane."""
    planes = []
    for plane in picture.planes:
        wide = np.full((plane.shape[0], plane.shape[1] + gap) + plane.shape[2:], 201, np.uint8)
        wide[:, : plane.shape[1]] = plane
        planes.append(wide[:, : plane.shape[1]])
    return Planes(
        picture.kind, planes, picture.width, picture.height, picture.matrix, picture.full_range
    )


def planes_of(frame, kind):
    """A BGR frame of even size in planes of that kind: BT.601, limited range."""
    height, width = frame.shape[:2]
    if kind == "BGRx":
        return Planes(kind, [cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA)], width, height)
    if kind == "GREY":
        return Planes(kind, [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)], width, height, "601", True)
    flat = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_BGR2YUV_I420).reshape(-1)
    area = height * width
    luma = flat[:area].reshape(height, width)
    u, v = (flat[area + i * area // 4 :][: area // 4].reshape(height // 2, -1) for i in (0, 1))
    if kind == "I420":
        return Planes(kind, [luma, u, v], width, height)
    if kind == "NV12":
        return Planes(kind, [luma, np.dstack([u, v]).reshape(height // 2, width)], width, height)
    u, v = np.repeat(u, 2, axis=0), np.repeat(v, 2, axis=0)
    parts = (luma[:, 0::2], u, luma[:, 1::2], v)
    if kind == "UYVY":
        parts = (u, luma[:, 0::2], v, luma[:, 1::2])
    return Planes(kind, [np.dstack(parts).reshape(height, 2 * width)], width, height)
