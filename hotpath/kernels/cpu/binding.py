"""The compiled kernels as Python calls: the crop (``crop.h``), and the classes of other files here.

A frame takes about a millisecond. Each call costs two or three microseconds besides its work, so
the addresses of arrays that stay the same are kept.
"""

import ctypes
from typing import TYPE_CHECKING, Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.kernels import setting_structures
from hotpath.kernels.cpu import arguments, cpu_structures, interface
from hotpath.kernels.cpu.arguments import Frame, address, check_frame
from hotpath.kernels.cpu.build import CompiledLibrary
from hotpath.kernels.cpu.interface import PLAIN, Part
from hotpath.kernels.settings import Border, InputSettings, WindowSettings

if TYPE_CHECKING:
    from hotpath.kernels.planes import Planes

MOST_BOUND = 8  # arrays whose addresses are kept: a tracker has an input or two, and a patch


class _BoundOutput(NamedTuple):
    """An array that crops are written to, and what the job needs of it."""

    out: np.ndarray  # it keeps the address valid
    frame_width: int  # of the frames for which there is scratch memory
    address: int
    width: int
    height: int
    is_float: bool
    side_by_side: bool  # the channels of a pixel


class CompiledKernels(interface.CpuKernels):
    """The hot path in C++.

    Args:
        library: ``build.CompiledLibrary``.

    Attributes:
        handle: the library's functions, for ``hotpath.kernels.fpga.native``.
        job: that of ``fill_job``.
    """

    name = "c++"

    def __init__(self, library: CompiledLibrary) -> None:
        self._library = library
        self.handle = arguments.declare(library.handle)
        self._crop, self._warp = self.handle.hp_crop, self.handle.hp_warp
        self.job = cpu_structures.CropJob()
        self._job_at = ctypes.addressof(self.job)
        self._window = cpu_structures.Four()
        self._window_at = ctypes.addressof(self._window)
        self._bound: Dict[int, _BoundOutput] = {}  # by the id of an ``out``
        self._output: Optional[_BoundOutput] = None  # the one that the job has
        self._workspace: Any = None

    def new(self, part: Callable[..., Part], *arguments: object) -> Part:
        return part(self.handle, *arguments)

    def crop(
        self,
        frame: Frame,
        window: Sequence[float],
        border: Border,
        out: np.ndarray,
        packing: InputSettings = PLAIN,
    ) -> None:
        self.fill_job(frame, window, border, out, packing)
        self._crop(self._job_at)

    def warp(
        self,
        frame: Frame,
        window: Sequence[float],
        border: Border,
        out: np.ndarray,
        packing: InputSettings = PLAIN,
    ) -> None:
        check_frame(frame, window[2], window[3])
        self.fill_job(frame, (0, 0, 1, 1), border, out, packing)
        self._window[:] = list(window)
        self._warp(self._job_at, self._window_at)

    def around(self, settings: WindowSettings, out: np.ndarray, packing: InputSettings) -> "Around":
        return Around(CompiledKernels(self._library), settings, out, packing)

    def fill_job(
        self,
        frame: Frame,
        window: Sequence[float],
        border: Border,
        out: np.ndarray,
        packing: InputSettings,
    ) -> None:
        """Write ``hp_crop_job``."""
        check_frame(frame, window[2], window[3])
        mean, scale, swap = packing
        height, width, _ = frame.shape
        if type(frame) is np.ndarray:
            pixels_at = address(frame)
            strides = frame.strides
            planes_at = 0
        else:
            pixels_at, strides, planes_at = self._pixels_of(frame)
        output = self._output
        if output is None or out is not output.out or width != output.frame_width:
            self._bind(out, width)
        job = self.job
        job.frame, job.planes = pixels_at, planes_at
        job.row_stride, job.pixel_stride, job.channel_stride = strides
        job.frame_width, job.frame_height = width, height
        job.x, job.y, job.width, job.height = window
        job.border = tuple(map(int, border))
        job.mean, job.scale, job.swap = tuple(mean), tuple(scale), swap

    def _pixels_of(self, frame: Frame) -> Tuple[int, Tuple[int, ...], int]:
        """Address and strides of a frame's pixels, and the address of its planes, or zeros."""
        if not isinstance(frame, np.ndarray):
            if frame.samples is not None:
                return 0, (0, 0, 0), ctypes.addressof(_record(frame))
            frame = frame.planes[0]
        return address(frame), frame.strides, 0

    def _bind(self, out: np.ndarray, frame_width: int) -> None:
        """Let the job write to ``out``; keeps its address, and allocates scratch memory."""
        bound = self._bound.get(id(out))
        if bound is None or bound.out is not out or bound.frame_width != frame_width:
            _, height, width = arguments.planes_of(out).shape
            bound = _BoundOutput(
                out,
                frame_width,
                address=out.ctypes.data,
                width=width,
                height=height,
                is_float=out.dtype.char == "f",
                side_by_side=not out.flags.c_contiguous,
            )
            if len(self._bound) >= MOST_BOUND:
                self._bound.clear()
            self._bound[id(out)] = bound
            needed = self.handle.hp_crop_workspace(width, frame_width)
            if self._workspace is None or self._workspace.size < needed:
                self._workspace = np.empty(needed, np.uint8)
        self._output = bound
        job = self.job
        job.out, job.out_width, job.out_height = bound.address, bound.width, bound.height
        job.as_float, job.side_by_side = bound.is_float, bound.side_by_side
        job.workspace = self._workspace.ctypes.data

    def to_bgr(self, picture: "Planes") -> np.ndarray:
        if picture.samples is None:
            return np.ascontiguousarray(picture.planes[0][:, :, :3])
        out = np.empty(picture.shape, np.uint8)
        space = np.empty(3 * picture.width + 256, np.uint8)
        at = ctypes.addressof(_record(picture))
        size = picture.width, picture.height
        self.handle.hp_planes_to_bgr(at, *size, out.ctypes.data, space.ctypes.data)
        return out


class Around:
    """Crops windows around a target, in frames that are arrays, with one call each.

    Args:
        kernels: the ``CompiledKernels``. Nothing else may use them.
        settings: settings of the windows.
        out, packing: as ``CompiledKernels.crop`` takes them.
    """

    def __init__(
        self,
        kernels: CompiledKernels,
        settings: WindowSettings,
        out: np.ndarray,
        packing: InputSettings,
    ) -> None:
        self._kernels, self._out, self._packing = kernels, out, packing
        self._geometry = setting_structures.record(settings)
        self._geometry_at = ctypes.addressof(self._geometry)
        self._crop = kernels.handle.hp_crop_around
        self._job, self._job_at = kernels.job, ctypes.addressof(kernels.job)
        self._scale = cpu_structures.Two()
        self._scale_at = ctypes.addressof(self._scale)
        self._layout: Any = None  # shape and strides of the last frame
        self._border: Any = None
        self._state = np.zeros(4)
        self._state_at = address(self._state)

    def __call__(
        self, frame: np.ndarray, state: np.ndarray, sides: float, border: np.ndarray
    ) -> Tuple[float, float]:
        """Crop; returns the scale. Arguments and result are those of ``geometry.Crops.around``."""
        layout = frame.shape, frame.strides
        if layout != self._layout or border is not self._border:
            self._kernels.fill_job(frame, (0, 0, 1, 1), border, self._out, self._packing)
            self._layout, self._border = layout, border
        self._state[:] = state
        self._job.frame = frame.__array_interface__["data"][0]  # as `address` does, in line
        arguments = self._job_at, self._geometry_at, self._state_at, sides, self._scale_at
        if not self._crop(*arguments):
            raise ValueError(f"no window around {state}")
        scale_x, scale_y = self._scale
        return scale_x, scale_y


def _record(picture: "Planes") -> Any:
    """A picture in planes as ``hp_planes``, made once."""
    if picture.record is None:
        samples: Any = picture.samples
        luma, u, v = samples.luma, samples.u, samples.v
        colour = (0, 0, 0, 0) if u is None else (address(u), address(v)) + u.strides
        shifts = samples.shift_x, samples.shift_y
        parts = (address(luma),) + luma.strides + colour + shifts + tuple(picture.factors)
        picture.record = cpu_structures.Planes(*parts)
    return picture.record
