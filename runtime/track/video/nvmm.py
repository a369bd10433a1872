"""Pictures in NVMM, memory that a Jetson's camera, decoders and GPU share, without a copy.

    GstBuffer -> NvBufSurface (R32: nvbuf_utils) -> EGLImage -> CUDA's addresses of NV12's planes

An appsink gives the buffers. Camera and decoders write block-linear pictures, which the crop can't
read; ``nvvidconv`` lets the video hardware lay them out by rows. This has never run on a Jetson.
"""

import contextlib
import ctypes
import pathlib
from ctypes import byref, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from hotpath.kernels.cuda import driver
from hotpath.kernels.cuda.frames import OnDevice
from hotpath.kernels.errors import HotpathError
from hotpath.kernels.planes import Planes
from hotpath.runtime.pictures import AnyFrame, Picture, PlanarFrame
from hotpath.runtime.track.video import nvmm_structs as structs

BUFFERS = 10  # of nvvidconv
MOST_HELD = 7  # of them that frames may hold; a further picture is copied
BY_ROWS = (
    f"nvvidconv bl-output=false output-buffers={BUFFERS} ! video/x-raw(memory:NVMM),format=NV12"
)
NEWEST, EVERY = "drop=1 max-buffers=1", "max-buffers=2"  # of the appsink
FIRST_S = 10  # for the first picture, and those of a recording
READ_S = 2  # without a picture after which a live source counts as lost


class NoNvmm(HotpathError):
    """Pictures in NVMM can't go to the GPU here; the sentence says why."""


class NvmmFrame(PlanarFrame, OnDevice):
    """An ``OnDevice`` NV12 frame. Its buffer is returned when nothing refers to the frame any more.

    Reading ``planes`` on the processor downloads them.
    """

    _gpu: "_Gpu"
    _kept: Tuple[Any, ...]
    _lease: contextlib.ExitStack

    def __init__(self, *_: int) -> None:
        Picture.__init__(self)
        self.shape = self.height, self.width, 3

    def __getattr__(self, name: str) -> Any:
        if name != "planes":
            raise AttributeError(name)
        luma = self._gpu.download(self.plane, self.height, self.row_stride, self.width)
        chroma = self._gpu.download(self.chroma, self.height // 2, self.chroma_stride, self.width)
        self.planes = Planes("NV12", [luma, chroma], self.width, self.height)
        return self.planes

    def __del__(self) -> None:
        self.release()

    def release(self) -> None:
        """Give the buffer back now; its pixels can't be read afterwards."""
        if "_lease" in self.__dict__:
            self._lease.close()

    @property
    def nbytes(self) -> int:
        """As ``PlanarFrame``'s, without a download."""
        return self.width * self.height * 9 // 2


class NvmmCapture:
    """Has the methods of ``cv2.VideoCapture`` that sources use.

    Args:
        pipeline: pipeline of GStreamer, without its appsink.
        sink: ``NEWEST`` or ``EVERY``.

    Raises:
        NoNvmm: no GStreamer for Python, no GPU, or a pipeline that this computer can't run.
    """

    note = "its pictures go to the GPU without a copy"
    rotated = False

    def __init__(self, pipeline: str, sink: str) -> None:
        Gst, GLib = _gstreamer()
        self._gst, self._buffers = Gst, Buffers()
        self._ahead: Optional[AnyFrame] = None
        self._fps = self._time_ms = 0.0
        self._read_s = READ_S if sink == NEWEST else FIRST_S
        try:
            self.pipeline = Gst.parse_launch(f"{pipeline} ! appsink name=sink sync=false {sink}")
        except GLib.Error as error:
            raise NoNvmm(f"GStreamer refuses the pipeline ({error.message})") from None
        self._sink = self.pipeline.get_by_name("sink")
        self.pipeline.set_state(Gst.State.PLAYING)

    def start(self) -> "NvmmCapture":
        """Wait for the first picture, which ``read`` then gives.

        Raises:
            NoNvmm: there is none, or none that the GPU can read; the pipeline is stopped.
        """
        try:
            self._ahead = self.take(FIRST_S)
        except NoNvmm:
            self.release()
            raise
        return self

    def isOpened(self) -> bool:
        """Whether pictures come."""
        return True

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) where none came or the GPU can't read it."""
        frame, self._ahead = self._ahead, None
        try:
            return True, self.take(self._read_s) if frame is None else frame
        except NoNvmm:
            return False, None

    def get(self, what: int) -> float:
        """Frames a second, or the last frame's time in milliseconds; else 0."""
        known = {cv2.CAP_PROP_FPS: self._fps, cv2.CAP_PROP_POS_MSEC: self._time_ms}
        return known.get(what, 0.0)

    def push(self, nv12: bytes) -> None:
        """Give a picture to an appsrc "film" of the pipeline."""
        self.pipeline.get_by_name("film").emit("push-buffer", self._gst.Buffer.new_wrapped(nv12))

    def release(self) -> None:
        """Stop the pipeline. Frames that are still used keep their pictures."""
        self._ahead = None
        self.pipeline.set_state(self._gst.State.NULL)

    def take(self, timeout_s: int = FIRST_S) -> AnyFrame:
        """The next frame.

        Raises:
            NoNvmm: none came, or the GPU can't read it.
        """
        sample = self._sink.emit("try-pull-sample", timeout_s * self._gst.SECOND)
        if sample is None:
            message = self.pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
            raise NoNvmm(message.parse_error()[0].message if message else "no picture came")
        caps, buffer = sample.get_caps().get_structure(0), sample.get_buffer()
        size = caps.get_int("width")[1], caps.get_int("height")[1]
        _, number, seconds = caps.get_fraction("framerate")
        self._fps = number / seconds if number and seconds else 0.0
        if buffer.pts != self._gst.CLOCK_TIME_NONE:
            self._time_ms = buffer.pts / 1e6
        frame = self._buffers.frame((sample, buffer), size)
        return frame if len(self._buffers.held) <= MOST_HELD else PlanarFrame(frame.planes)


class Buffers:
    """GStreamer's buffers in NVMM, as frames.

    Attributes:
        held: addresses of the buffers that frames hold.

    Raises:
        NoNvmm: no GPU, or it refuses.
    """

    def __init__(self) -> None:
        self._library, self._gpu = ctypes.CDLL("libgstreamer-1.0.so.0"), _Gpu()
        self.held: List[int] = []

    def frame(self, kept: Tuple[Any, ...], size: Tuple[int, int]) -> NvmmFrame:
        """A frame of (width, height) pixels that holds ``kept``, the last of which is its buffer.

        Raises:
            NoNvmm: the GPU can't read it.
        """
        address = hash(kept[-1])  # of the GstBuffer, as NVIDIA's own bindings take it
        buffer, info, library = c_void_p(address), structs.MapInfo(), self._library
        if not library.gst_buffer_map(buffer, byref(info), structs.MAP_READ):
            raise NoNvmm("a buffer can't be mapped")
        with contextlib.ExitStack() as undo:  # the last callback is called first
            undo.callback(library.gst_buffer_unmap, buffer, byref(info))
            image, chroma_stride = _image_of(info, undo)
            frame = NvmmFrame(*self._gpu.place_of(image, chroma_stride, size, undo))
            self.held.append(address)
            undo.callback(self.held.remove, address)
            frame._kept, frame._gpu, frame._lease = kept, self._gpu, undo.pop_all()
        return frame


def open_video(address: str, sink: str) -> NvmmCapture:
    """A capture of a stream or a file, by the decoder that GStreamer prefers: on a Jetson NVIDIA's.

    Raises:
        NoNvmm: see ``NvmmCapture`` and ``start``.
    """
    uri = address if "://" in address else pathlib.Path(address).resolve().as_uri()
    return NvmmCapture(f'uridecodebin uri="{uri}" ! {BY_ROWS}', sink).start()


def _gstreamer() -> Tuple[Any, Any]:
    """The bindings ``Gst``, which is initialised, and ``GLib``.

    Raises:
        NoNvmm: they are not here.
    """
    try:
        # GStreamer brings libunwind, whose functions would replace those that unwind C++ exceptions
        # in libraries loaded so far, such as ONNX Runtime, which then crashes
        ctypes.CDLL("libgcc_s.so.1", ctypes.RTLD_GLOBAL)
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import GLib, Gst
    except (ImportError, ValueError, OSError) as error:
        raise NoNvmm(
            f"GStreamer can't be used from Python ({error}); run `sudo apt-get install "
            "python3-gi gir1.2-gstreamer-1.0`"
        ) from None
    Gst.init(None)
    return Gst, GLib


class _Gpu:
    """The GPU's context that CuPy, PyCUDA and TensorRT use, for any thread.

    Raises:
        NoNvmm: no GPU, or it refuses.
    """

    def __init__(self) -> None:
        self._context, self._driver = c_void_p(), _library(driver.LIBRARY)
        self._ask("cuInit", 0)
        self._ask("cuDevicePrimaryCtxRetain", byref(self._context), 0)

    @contextlib.contextmanager
    def _current(self) -> Iterator[None]:
        self._ask("cuCtxPushCurrent_v2", self._context)
        try:
            yield
        finally:
            self._driver.cuCtxPopCurrent_v2(byref(c_void_p()))

    def _ask(self, name: str, *arguments: Any) -> None:
        if not hasattr(self._driver, name):
            raise NoNvmm(f"this driver has no {name}")
        result = getattr(self._driver, name)(*arguments)
        if result:
            raise NoNvmm(f"{name} fails ({driver.error_text(self._driver, result)})")

    def place_of(
        self, image: c_void_p, chroma_stride: int, size: Tuple[int, int], undo: Any
    ) -> Tuple[int, ...]:
        """The fields of ``OnDevice`` for an EGLImage; ``undo`` takes how to give it back."""
        resource, found = c_void_p(), structs.EglFrame()
        with self._current():
            self._ask("cuGraphicsEGLRegisterImage", byref(resource), image, c_uint(1))  # to read
            undo.callback(self._unregister, resource)
            self._ask("cuGraphicsResourceGetMappedEglFrame", byref(found), resource, 0, 0)
        if found.frame_type != structs.BY_ROWS:
            raise NoNvmm(
                "its pictures are block-linear, where the crop reads rows (nvvidconv "
                "bl-output=false gives rows)"
            )
        kind = found.colour_format, found.sample_format, found.plane_count
        if kind != (structs.NV12, structs.UINT8, 2):
            raise NoNvmm("its pictures are no NV12, but kind {:#x}/{:#x}/{}".format(*kind))
        stride = chroma_stride or found.pitch
        odd = size[0] % 2 or size[1] % 2
        if (found.width, found.height) != size or odd or min(found.pitch, stride) < size[0]:
            sides = found.width, found.height, found.pitch, stride
            raise NoNvmm("the GPU sees {}x{} with rows of {} and {} bytes".format(*sides))
        return size + (found.planes[0], found.pitch, 1, found.planes[1], stride)

    def _unregister(self, resource: c_void_p) -> None:
        with contextlib.suppress(NoNvmm), self._current():  # the program may be at its end
            self._driver.cuGraphicsUnregisterResource(resource)

    def download(self, address: int, rows: int, stride: int, used: int) -> np.ndarray:
        """Rows of that many bytes: uint8 (rows, used)."""
        memory = np.empty(stride * rows, np.uint8)
        count = stride * (rows - 1) + used  # what follows may belong to somebody else
        with self._current():
            to = c_void_p(memory.ctypes.data)
            self._ask("cuMemcpyDtoH_v2", to, c_uint64(address), c_size_t(count))
        return memory.reshape(rows, stride)[:, :used]


def _library(name: str) -> Any:
    try:
        return ctypes.CDLL(name)
    except OSError:
        raise NoNvmm(f"there is no {name}, which comes with L4T") from None


def _image_of(info: structs.MapInfo, undo: Any) -> Tuple[c_void_p, int]:
    """The EGLImage of a mapped buffer, and bytes from row to row of chroma, 0 for those of luma."""
    data, chroma_stride = c_void_p(info.data), 0
    if info.size > structs.LARGEST_SURFACE:
        utils, descriptor = _library("libnvbuf_utils.so.1.0.0"), c_int()
        utils.NvEGLImageFromFd.restype = c_void_p
        if utils.ExtractFdFromNvBuffer(data, byref(descriptor)):
            raise NoNvmm("ExtractFdFromNvBuffer fails")
        image = c_void_p(utils.NvEGLImageFromFd(None, descriptor))
        give_back: Any = (utils.NvDestroyEGLImage, None, image)
    else:
        surfaces = _library("libnvbufsurface.so.1.0.0")
        surface = structs.Surface.from_address(info.data)
        if info.size < ctypes.sizeof(surface) or not (surface.filled and surface.pictures):
            raise NoNvmm(f"a buffer of {info.size} bytes holds no NvBufSurface")
        failed, picture = surfaces.NvBufSurfaceMapEglImage(data, 0), surface.pictures[0]
        image = c_void_p(None if failed else picture.egl_image)
        give_back = (surfaces.NvBufSurfaceUnMapEglImage, data, 0)
        chroma_stride = picture.chroma_pitch
    if not image:
        raise NoNvmm("a picture has no EGLImage (over ssh -X: run `unset DISPLAY`)")
    undo.callback(*give_back)
    return image, chroma_stride
