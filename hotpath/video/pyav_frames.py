"""Turn PyAV's frames into ours: upright, and in planes where the kernels can read them."""

import re
import struct
from typing import Any, List, NamedTuple, Optional

import cv2
import numpy as np

from hotpath.kernels.planes import Planes, row_bytes_of
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.pictures import AnyFrame

# FFmpeg's name -> (kind of planes, whether the name says that Y has the full range)
FORMATS = {
    "yuv420p": ("I420", False),
    "yuvj420p": ("I420", True),
    "yuv422p": ("I422", False),
    "yuvj422p": ("I422", True),
    "yuv444p": ("I444", False),
    "yuvj444p": ("I444", True),
    "nv12": ("NV12", False),
    "yuyv422": ("YUYV", False),
    "uyvy422": ("UYVY", False),
    "gray": ("GREY", True),
    "bgr0": ("BGRx", True),
}
GREY = re.compile("gray(9|10|12|14|16)[lb]e$")
TURNED_IN_PLANES = ("I420", "I444", "NV12", "GREY")  # colour has one scale in both directions
MATRICES = {1: "709", 2: "601", 5: "601", 6: "601"}  # FFmpeg's AVColorSpace; 2 is "not stated"
# FFmpeg's AVColorSpace that its conversions refuse, such as ICtCp; BT.709 is taken for them
BT709, UNREAD_MATRICES = 1, (8, 10, 11, 12, 13, 14, 15, 16, 17)
FULL_RANGE = 2  # FFmpeg's AVCOL_RANGE_JPEG


class Turn(NamedTuple):
    """How a frame is set upright: rows and columns are exchanged, then each may be reversed."""

    transpose: bool = False
    columns: bool = False
    rows: bool = False

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """A copy of an array (H, W) or (H, W, channels), set upright."""
        if self.transpose:
            pixels = cv2.transpose(pixels)
        if self.columns or self.rows:
            pixels = cv2.flip(pixels, -1 if self.columns and self.rows else int(self.columns))
        return np.asarray(pixels)


UPRIGHT = Turn()


def turn_of(frame: Any) -> Turn:
    """What the display matrix of PyAV's frame asks for; ISO/IEC 14496-12, section 6.2.2.

    The nearest of the eight ways is taken where the matrix turns by another angle.
    """
    sides = getattr(frame, "side_data", None)
    side = sides.get("DISPLAYMATRIX") if sides else None
    if side is None:
        return UPRIGHT
    a, b, _, c, d = struct.unpack("=9i", bytes(side))[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, a < 0, d < 0)
    return Turn(True, c < 0, b < 0)


def upright(decoded: Any, turn: Turn, planes: bool) -> AnyFrame:
    """PyAV's frame, set upright.

    Args:
        decoded: the frame.
        turn: see ``turn_of``.
        planes: whether it may stay in planes, if the kernels can read them; else it becomes BGR,
            uint8 (H, W, 3). Grey or RGB of more than 8 bits becomes uint16, with its own values.

    Raises:
        OSError, ValueError: FFmpeg refuses the conversion.
    """
    deep = _deep(decoded)
    if deep is not None:
        return turn.of(deep)
    kind, full = FORMATS.get(decoded.format.name, ("", False))
    matrix = "601" if kind in ("GREY", "BGRx") else MATRICES.get(decoded.colorspace)
    turns_planes = turn == UPRIGHT or kind in TURNED_IN_PLANES
    if not (planes and kind and matrix and turns_planes):
        if decoded.colorspace in UNREAD_MATRICES:
            decoded.colorspace = BT709
        return turn.of(decoded.to_ndarray(format="bgr24"))
    parts = planes_of(decoded, kind)
    width = decoded.width
    height = decoded.height
    if turn != UPRIGHT:
        if kind == "NV12":  # U and V of a pixel stay together
            parts[1] = parts[1].reshape(len(parts[1]), -1, 2)
        parts = [turn.of(plane) for plane in parts]
        parts[1:] = [plane.reshape(len(plane), -1) for plane in parts[1:]]
        height, width = parts[0].shape
    full = full or decoded.color_range == FULL_RANGE
    return PlanarFrame(Planes(kind, parts, width, height, matrix, full))


def _deep(decoded: Any) -> Optional[np.ndarray]:
    """The values of a grey or RGB frame of more than 8 bits, uint16 (H, W) or BGR (H, W, 3).

    None for other frames. Those in YUV have a stated range, which FFmpeg's conversion uses.
    """
    kind = decoded.format
    is_grey = GREY.match(kind.name)
    if is_grey:
        plane = decoded.planes[0]
        order = ">u2" if kind.name.endswith("be") else "<u2"
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size).view(order)
        return rows[: decoded.height, : decoded.width].astype(np.uint16)
    if kind.is_rgb and kind.components[0].bits > 8:
        return np.asarray(decoded.to_ndarray(format="bgr48le")).astype(np.uint16)
    return None


def planes_of(decoded: Any, kind: str) -> List[np.ndarray]:
    """The planes of PyAV's frame, without a copy."""
    planes = []
    for plane, used in zip(decoded.planes, row_bytes_of(kind, decoded.width)):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        planes.append(rows[: plane.height, :used])
    if kind == "BGRx":
        planes = [planes[0].reshape(decoded.height, decoded.width, 4)]
    return planes
