"""Pictures as cameras and decoders give them: brightness and colour in planes of their own.

``Planes`` describes one such picture, in host memory. ``golden.bgr_at`` defines the colour of a
pixel; ``golden.crop`` and the kernels read the planes directly.
"""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

# kind -> (shift of the column, of the row) from a pixel to its colour sample; None: not YUV
KINDS = {
    "I420": (1, 1),  # three planes
    "I422": (1, 0),  # three planes
    "I444": (0, 0),  # three planes
    "NV12": (1, 1),  # brightness; U and V in turn
    "YUYV": (1, 0),  # one plane: Y U Y V
    "UYVY": (1, 0),  # one plane: U Y V Y
    "GREY": (0, 0),  # one plane, no colour
    "BGRx": None,  # one array (H, W, 4)
}
THREE_PLANES = ("I420", "I422", "I444")


class Matrix(NamedTuple):
    """What a pixel's Y, U and V give to blue, green and red, as whole numbers of 2**-20."""

    black: int  # the Y of black; smaller values count as black
    grey: int  # factor of Y
    u_blue: int  # factors of U - 128 and V - 128
    u_green: int
    v_green: int
    v_red: int


# ITU-R BT.601 and BT.709; (name, whether Y has the full range 0..255 instead of 16..235). The first
# row holds OpenCV's numbers, which take the factor of Y as 1.164.
MATRICES = {
    ("601", False): Matrix(16, 1220542, 2116026, -409993, -852492, 1673527),
    ("601", True): Matrix(0, 1048576, 1858077, -360853, -748826, 1470104),
    ("709", False): Matrix(16, 1220945, 2215014, -223607, -558796, 1879825),
    ("709", True): Matrix(0, 1048576, 1945738, -196424, -490864, 1651297),
}


class PlaneViews(NamedTuple):
    """Views of the planes: a pixel (y, x) has ``luma[y, x]``, ``u[y >> sy, x >> sx]`` and ``v``."""

    luma: np.ndarray  # (H, W) uint8
    u: Optional[np.ndarray]  # uint8, of one shape and the same strides; None for grey
    v: Optional[np.ndarray]
    shift_x: int  # sx and sy
    shift_y: int


class Planes:
    """A picture in planes.

    Args:
        kind: a key of ``KINDS``.
        planes: uint8 arrays with any row stride, w and h rounded up if colour has half the
            resolution. Three planes: (H, W) and two of the colour's size. NV12: (H, W) and
            (h, 2 * w). YUYV and UYVY: (H, 4 * w). GREY: (H, W). BGRx: (H, W, 4).
        width, height: pixels.
        matrix: "601" or "709".
        full_range: whether Y takes 0..255 instead of 16..235.

    Attributes:
        shape: (height, width, 3), as a BGR array of this picture has.
        samples: ``PlaneViews``; None for BGRx.
        factors: the ``Matrix``.
        record: kernels keep the addresses of the samples here; None before they were asked for.

    Raises:
        ValueError: no such kind or matrix, or planes of other sizes than the picture's.
    """

    def __init__(
        self,
        kind: str,
        planes: Sequence[np.ndarray],
        width: int,
        height: int,
        matrix: str = "601",
        full_range: bool = False,
    ) -> None:
        if kind not in KINDS or (matrix, full_range) not in MATRICES:
            raise ValueError(f"a picture of {kind} with the matrix {matrix}")
        self.kind = kind
        self.planes = tuple(planes)
        self.width, self.height = width, height
        self.matrix, self.full_range = matrix, full_range
        self.shape = height, width, 3
        _check(self)
        self.samples = _samples(self) if KINDS[kind] else None
        self.factors = MATRICES[matrix, full_range]
        self.record: Any = None

    @property
    def nbytes(self) -> int:
        """Bytes of all planes."""
        return sum(plane.nbytes for plane in self.planes)

    def part(self, x: int, y: int, width: int, height: int) -> Tuple["Planes", int, int]:
        """A rectangle inside the picture, without a copy.

        Args:
            x, y, width, height: pixels.

        Returns:
            (``Planes``, x, y): it begins at x and y, which may be one pixel further left or up, so
            that colour samples stay whole.
        """
        right, bottom = KINDS[self.kind] or (0, 0)
        u, v = x >> right, y >> bottom  # of the first colour sample
        columns, rows = -(-(x + width) >> right), -(-(y + height) >> bottom)
        x0, y0 = u << right, v << bottom
        lines, places = slice(y0, y + height), slice(x0, x + width)
        if self.kind in ("YUYV", "UYVY"):
            planes = [self.planes[0][lines, 4 * u : 4 * columns]]
        else:
            components = 2 if self.kind == "NV12" else 1
            planes = [self.planes[0][lines, places]]
            planes += [p[v:rows, components * u : components * columns] for p in self.planes[1:]]
        size = x + width - x0, y + height - y0
        return Planes(self.kind, planes, *size, self.matrix, self.full_range), x0, y0

    def mean(self) -> np.ndarray:
        """Mean colour, float64 (3,): blue, green, red.

        It is the colour of the mean Y, U and V. It equals the mean of the converted pixels but for
        their rounding and for pixels that no BGR value can show, which conversion clips.
        """
        if self.samples is None:
            return np.array([self.planes[0][:, :, c].mean() for c in range(3)])
        luma, u, v, factors = self.samples.luma, self.samples.u, self.samples.v, self.factors
        grey = (float(luma.mean()) - factors.black) * factors.grey
        u_mean, v_mean = (0.0, 0.0) if u is None or v is None else (u.mean() - 128, v.mean() - 128)
        green = grey + factors.u_green * u_mean + factors.v_green * v_mean
        colour = grey + factors.u_blue * u_mean, green, grey + factors.v_red * v_mean
        mean: np.ndarray = np.clip(np.array(colour) / (1 << 20), 0, 255)
        return mean


def _check(picture: Planes) -> None:
    """Raise ``ValueError`` unless every plane has the size of its kind."""
    width, height, kind = picture.width, picture.height, picture.kind
    shifts = KINDS[kind]
    columns, rows = (0, 0) if shifts is None else (-(-width >> shifts[0]), -(-height >> shifts[1]))
    if kind in THREE_PLANES:
        expected: List[Tuple[int, ...]] = [(height, width), (rows, columns), (rows, columns)]
    elif kind == "NV12":
        expected = [(height, width), (rows, 2 * columns)]
    elif kind == "BGRx":
        expected = [(height, width, 4)]
    else:
        expected = [(height, width if kind == "GREY" else 4 * columns)]
    actual = [plane.shape for plane in picture.planes]
    whole = all(plane.dtype == np.uint8 for plane in picture.planes)
    if actual != expected or not whole or width < 1 or height < 1:
        raise ValueError(f"{kind} of {width}x{height} with planes {actual}")


def _samples(picture: Planes) -> PlaneViews:
    kind, planes = picture.kind, picture.planes
    u: Optional[np.ndarray] = None
    v: Optional[np.ndarray] = None
    luma = planes[0]
    if kind in THREE_PLANES:
        u, v = planes[1], planes[2]
        if u.strides != v.strides:  # the kernels take one stride for both
            u, v = np.ascontiguousarray(u), np.ascontiguousarray(v)
    elif kind == "NV12":
        u, v = planes[1][:, 0::2], planes[1][:, 1::2]
    elif kind != "GREY":
        first = 0 if kind == "YUYV" else 1  # of brightness; the colour has the other places
        luma = planes[0][:, first::2][:, : picture.width]
        u, v = planes[0][:, 1 - first :: 4], planes[0][:, 3 - first :: 4]
    shifts: Tuple[int, int] = KINDS[kind] or (0, 0)
    return PlaneViews(luma, u, v, shifts[0], shifts[1])


def row_bytes_of(kind: str, width: int) -> List[int]:
    """Bytes that a row of each plane of a kind has, without gaps."""
    half = (width + 1) // 2
    if kind in ("YUYV", "UYVY", "BGRx"):
        return [4 * (width if kind == "BGRx" else half)]
    colours = {"NV12": [2 * half], "I420": [half] * 2, "I422": [half] * 2, "I444": [width] * 2}
    return [width] + colours.get(kind, [])
