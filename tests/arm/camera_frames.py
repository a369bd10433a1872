"""Bring frames of cameras into BGR, each way once, with a mark of ``count.c`` before and after it.

    python -m tests.arm.camera_frames FRAME.npz

FRAME.npz holds ``frame``, (H, W, 3) uint8 BGR, and ``jpeg``, the same as a file. Marks: 2 * n
before way n of ``WAYS``, 2 * n + 1 after it.
"""

import ctypes
import sys

import cv2
import numpy as np

from kernels import cpu
from tests.support.pictures_in_planes import planes_of

MARK = 0x4850  # of count.c
WAYS = (
    "nothing",
    "Motion JPEG, OpenCV",
    "YUYV, OpenCV",
    "YUYV, the C++ kernels",
    "NV12, the C++ kernels",
    "a window of 255 x 255 of YUYV, the C++ kernels",
    "a window of 255 x 255 of BGR, copied",
    "a whole frame of BGR, copied",
)


def main(path):
    """See above."""
    with np.load(path) as held:
        frame, jpeg = held["frame"], held["jpeg"]
    kernels, mark = cpu.load(), ctypes.CDLL(None).getpriority
    if kernels.name != "c++":
        raise SystemExit("the C++ kernels are not compiled")
    yuyv, nv12 = (planes_of(frame, kind) for kind in ("YUYV", "NV12"))
    packed = yuyv.planes[0].reshape(frame.shape[:2] + (2,))
    ways = (
        lambda: None,
        lambda: cv2.imdecode(jpeg, cv2.IMREAD_COLOR),
        lambda: cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_YUYV),
        lambda: kernels.to_bgr(yuyv),
        lambda: kernels.to_bgr(nv12),
        lambda: kernels.to_bgr(yuyv.part(100, 100, 255, 255)[0]),
        lambda: frame[100:355, 100:355].copy(),
        lambda: frame.copy(),
    )
    assert len(ways) == len(WAYS)
    for number, way in enumerate(ways):
        way()  # tables are made once
        mark(MARK, 2 * number)
        way()
        mark(MARK, 2 * number + 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
