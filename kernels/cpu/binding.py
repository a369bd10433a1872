"""The compiled kernels as Python calls.

A frame takes about a millisecond. Each call costs two or three microseconds besides its work, so
the addresses of arrays that stay the same are kept.
"""

import ctypes
import struct
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import numpy as np

from kernels.cpu.build import Library
from kernels.cpu.checks import MAX_SIDE, check_frame, check_windows, planes
from kernels.cpu.colour import Colours
from kernels.cpu.jpeg import JpegDecoder
from kernels.cpu.online import Pooling, Regression, Samples, address
from kernels.cpu.response import Response
from kernels.cpu.select import Select
from kernels.planes import Planes
from kernels.settings import ColourSettings, ResponseSettings, SelectSettings

CROP_JOB = struct.Struct("=22q6f")  # hp_crop_job in crop.h
WINDOW = struct.Struct("=4d")
PLANES = struct.Struct("=15q")  # hp_planes in planes.h
MOST_BOUND = 8  # arrays whose addresses are kept: a tracker has an input or two, and a patch


class Kernels:
    """The hot path in C++; for one thread at a time.

    Args:
        library: ``build.Library``.
        release_lock: whether a crop releases the interpreter's lock, so that other threads can
            run. That costs time, and pays only where several threads work on a frame.

    Attributes:
        handle: the library's functions, for ``kernels.fpga.native``.
    """

    name = "c++"

    def __init__(self, library: Library, release_lock: bool = False) -> None:
        handle: Any = library.handle
        self._library, self.handle = library, handle
        pointer, double = ctypes.c_void_p, ctypes.c_double
        self._workspace_bytes = handle.hp_crop_workspace
        self._workspace_bytes.argtypes = [ctypes.c_int64, ctypes.c_int64]
        self._workspace_bytes.restype = ctypes.c_int64
        self._likeness = handle.hp_likeness
        self._likeness.argtypes = [pointer] + [ctypes.c_int] * 6 + [pointer] * 2
        self._likeness.restype = double
        self._features: Any = None
        self._features_at = 0
        self._to_bgr = handle.hp_planes_to_bgr
        self._to_bgr.argtypes = [pointer] + [ctypes.c_int64] * 2 + [pointer] * 2
        self._to_bgr.restype = None
        self._job = ctypes.create_string_buffer(CROP_JOB.size)
        self._planes = ctypes.create_string_buffer(PLANES.size)
        self._planes_at = ctypes.addressof(self._planes)
        if release_lock:
            handle = ctypes.CDLL(library.path, handle=handle._handle)
        self._crop = handle.hp_crop
        self._crop.argtypes = [ctypes.c_void_p]
        self._crop.restype = None
        self._crop_several = handle.hp_crop_several
        self._crop_several.argtypes = [pointer, ctypes.c_int64, pointer, ctypes.c_int64]
        self._crop_several.restype = None
        self._window = ctypes.create_string_buffer(WINDOW.size)
        self._window_at = ctypes.addressof(self._window)
        self._job_at = ctypes.addressof(self._job)
        self._bound: Dict[int, Tuple[Any, ...]] = {}  # id of an ``out`` -> what is known of it
        self._out: Any = None
        self._workspace: Any = None
        self._out_at = self._out_width = self._out_height = 0
        self._frame_width = self._workspace_at = 0

    def clone(self) -> "Kernels":
        """The same kernels for another thread that works at the same time."""
        return Kernels(self._library, release_lock=True)

    def crop(
        self,
        frame: Union[np.ndarray, Planes],
        window: Tuple[int, int, int, int],
        border: Sequence[int],
        out: np.ndarray,
        mean: Sequence[float] = (0, 0, 0),
        scale: Sequence[float] = (1, 1, 1),
        swap: bool = False,
    ) -> None:
        """Cut a window out of a frame, resize it, and write it as a network's input.

        Gives the same bits as ``golden.pack(golden.crop(...))``.

        Args:
            frame: (H, W, 3) uint8, BGR, any strides; or ``Planes``.
            window: ``(x, y, w, h)`` ints in frame pixels; may lie partly or wholly outside.
            border: 3 ints of 0..255, BGR, for the pixels outside the frame.
            out: (1, 3, h, w) or (3, h, w), float32 or uint8, C-contiguous; overwritten. Bytes may
                be a view of a C-contiguous (..., h, w, 3) too.
            mean, scale: per channel of the result; float32 becomes ``(value - mean) * scale``.
            swap: whether the result is RGB.

        Raises:
            ValueError: the frame or ``out`` has another type or shape, or the window no pixel.
        """
        self._fill_job(frame, window, border, out, mean, scale, swap)
        self._crop(self._job_at)

    def crop_several(
        self,
        frame: Union[np.ndarray, Planes],
        windows: np.ndarray,
        border: Sequence[int],
        out: np.ndarray,
        mean: Sequence[float] = (0, 0, 0),
        scale: Sequence[float] = (1, 1, 1),
        swap: bool = False,
        warp: bool = False,
    ) -> None:
        """Crop several windows of a frame in one call, each to its place of a batch.

        Args:
            frame, border, mean, scale, swap: as in ``crop``.
            windows: (n, 4) numbers, x, y, w, h of each in frame pixels. Whole numbers; with
                ``warp`` they may have fractions, and ``golden.warp`` is the definition.
            out: (n, 3, h, w), float32 or uint8, C-contiguous or a view as in ``crop``;
                overwritten.

        Raises:
            ValueError: the arrays have another type or shape, or a window has no pixel.
        """
        windows = np.ascontiguousarray(windows, np.float64)
        check_windows(windows, out)
        largest = windows.max(axis=0)
        check_frame(frame, largest[2], largest[3])
        self._fill_job(frame, (0, 0, 1, 1), border, out[0], mean, scale, swap)
        self._crop_several(self._job_at, len(windows), windows.ctypes.data, warp)

    def warp(
        self,
        frame: Union[np.ndarray, Planes],
        window: Sequence[float],
        border: Sequence[int],
        out: np.ndarray,
        mean: Sequence[float] = (0, 0, 0),
        scale: Sequence[float] = (1, 1, 1),
        swap: bool = False,
    ) -> None:
        """As ``crop``, of a window with fractions of pixels; ``golden.warp`` is the definition."""
        x, y, width, height = window
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
            raise ValueError(f"a window of {width}x{height} pixels")
        self._fill_job(frame, (0, 0, 1, 1), border, out, mean, scale, swap)
        WINDOW.pack_into(self._window, 0, x, y, width, height)
        self._crop_several(self._job_at, 1, self._window_at, True)

    def _fill_job(
        self,
        frame: Union[np.ndarray, Planes],
        window: Sequence[int],
        border: Sequence[int],
        out: np.ndarray,
        mean: Sequence[float],
        scale: Sequence[float],
        swap: bool,
    ) -> None:
        """Write ``hp_crop_job``."""
        x, y, window_width, window_height = window
        check_frame(frame, window_width, window_height)
        height, width, _ = frame.shape
        pixels_at, strides, planes_at = self._pixels_of(frame)
        if out is not self._out or width != self._frame_width:
            self._bind(out, width)
        CROP_JOB.pack_into(
            self._job,
            0,
            pixels_at,
            *strides,
            width,
            height,
            x,
            y,
            window_width,
            window_height,
            *border,
            self._out_at,
            self._out_width,
            self._out_height,
            self._as_float,
            not any(mean) and scale[0] == scale[1] == scale[2] == 1,
            swap,
            self._side_by_side,
            self._workspace_at,
            planes_at,
            *mean,
            *scale,
        )

    def to_bgr(self, picture: Planes) -> np.ndarray:
        """Convert a whole picture: (H, W, 3) uint8, as ``golden.bgr_from_planes``."""
        if picture.samples is None:
            return np.ascontiguousarray(picture.planes[0][:, :, :3])
        out = np.empty(picture.shape, np.uint8)
        space = np.empty(3 * picture.width + 256, np.uint8)
        record = ctypes.create_string_buffer(_record(picture))  # other threads may convert too
        self._to_bgr(
            ctypes.addressof(record),
            picture.width,
            picture.height,
            out.ctypes.data,
            space.ctypes.data,
        )
        return out

    def select(self, settings: SelectSettings) -> Select:
        """Select for the family of trackers that the settings are of."""
        return Select(self.handle, settings)

    def response(self, settings: ResponseSettings) -> Response:
        """Select for heads that respond to the target at several sizes."""
        return Response(self.handle, settings)

    def colours(self, settings: ColourSettings) -> Colours:
        """Bins of colours; see ``colour.Colours``."""
        return Colours(self.handle, settings)

    def samples(
        self, moves: np.ndarray, positive: float, negative: float, step: float, most: int
    ) -> Samples:
        """Boxes that a classifier learns from; see ``online.Samples``."""
        return Samples(self.handle, moves, positive, negative, step, most)

    def pooling(
        self, mean: np.ndarray, side: int, stride: float, parts: int, least: float
    ) -> Pooling:
        """Features under boxes; see ``online.Pooling``."""
        return Pooling(self.handle, mean, side, stride, parts, least)

    def regression(self, size: int, ridge: float, tiny: float) -> Regression:
        """The regression of a classifier that learns online; see ``online.Regression``."""
        return Regression(self.handle, size, ridge, tiny)

    def jpeg(self) -> JpegDecoder:
        """A decoder for parts of JPEG files; see ``jpeg.JpegDecoder``."""
        return JpegDecoder(ctypes.CDLL(self._library.path, handle=self._library.handle._handle))

    def likeness(
        self,
        features: np.ndarray,
        rows: Tuple[int, int],
        columns: Tuple[int, int],
        reference: Optional[np.ndarray] = None,
        pooled: Optional[np.ndarray] = None,
    ) -> float:
        """Compare features with a reference; ``kernels.golden.likeness`` defines the result."""
        if features is not self._features:
            if features.dtype != np.float32 or not features.flags.c_contiguous:
                raise ValueError(f"features: {features.dtype} {features.shape}")
            if features.ndim != 3:
                raise ValueError(f"features: {features.shape}")
            self._features, self._features_at = features, features.ctypes.data
            self._channels, self._side = features.shape[1], int(round(features.shape[2] ** 0.5))
        return self._likeness(
            self._features_at,
            self._channels,
            self._side,
            *rows,
            *columns,
            None if reference is None else reference.ctypes.data,
            None if pooled is None else pooled.ctypes.data,
        )

    def _pixels_of(self, frame: Union[np.ndarray, Planes]) -> Tuple[int, Tuple[int, ...], int]:
        """Address and strides of a frame's pixels, and the address of its planes, or zeros."""
        if isinstance(frame, Planes):
            if frame.samples is not None:
                self._planes.raw = _record(frame)
                return 0, (0, 0, 0), self._planes_at
            frame = frame.planes[0]
        return address(frame), frame.strides, 0

    def _bind(self, out: np.ndarray, frame_width: int) -> None:
        """Keep the address of ``out``, and allocate scratch memory for it."""
        known = self._bound.get(id(out))
        if known is None or known[0] is not out or known[1] != frame_width:
            _, height, width = planes(out).shape
            known = (out, frame_width, out.ctypes.data, width, height)
            known += (out.dtype.char == "f", not out.flags.c_contiguous)
            if len(self._bound) >= MOST_BOUND:
                self._bound.clear()
            self._bound[id(out)] = known
            needed = self._workspace_bytes(width, frame_width)
            if self._workspace is None or self._workspace.size < needed:
                self._workspace = np.empty(needed, np.uint8)
                self._workspace_at = self._workspace.ctypes.data
        self._out, self._frame_width = known[:2]
        self._out_at, self._out_width, self._out_height = known[2:5]
        self._as_float, self._side_by_side = known[5:]


def _record(picture: Planes) -> bytes:
    """A picture in planes as ``hp_planes``."""
    if not picture.record:
        samples: Any = picture.samples
        luma, u, v = samples.luma, samples.u, samples.v
        colour = (0, 0, 0, 0) if u is None else (address(u), address(v)) + u.strides
        shifts = samples.shift_x, samples.shift_y
        parts = (address(luma),) + luma.strides + colour + shifts + tuple(picture.factors)
        picture.record = PLANES.pack(*parts)
    return picture.record
