"""Captures from a V4L2 camera without copying: frames are in the driver's buffers.

A buffer goes back to the driver when no frame uses it any more. ``cameras.py`` opens the device;
what this module does not know (Bayer patterns, planes in several buffers) OpenCV captures.
"""

import contextlib
import ctypes
import errno
import os
import select
import sys
from typing import Any, Dict, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from hotpath.kernels.planes import Planes
from hotpath.runtime.camera_frames import PlanarFrame
from hotpath.runtime.jpeg_frames import JpegDecoders, JpegFrame
from hotpath.video import v4l2_structs as v4l2
from hotpath.video.raw import KINDS, MOTION_JPEG, UNUSED, planes_in

SIZE = (640, 480)  # asked for, as by OpenCV
FPS = 30  # asked for too
BUFFERS = 6
LEAST_QUEUED = 2  # buffers that the driver keeps; a frame is copied where it would get fewer
SELECT_S = 3.0  # without a frame after which the camera counts as lost
MOST_DAMAGED = 8  # frames one after another that are skipped
PREFERRED = ("YU12", "YUYV", "UYVY", "NV12", "MJPG", "JPEG", "GREY")

READ_WRITE, SHARED, PRIVATE_ANONYMOUS, MOVE_THERE = 3, 1, 0x22, 3  # of mmap and mremap


def open_camera(device: int, size: Optional[Tuple[int, int]] = None) -> Optional["V4l2Capture"]:
    """Start capturing.

    Args:
        device: the descriptor of an open device. It is closed where None is returned, and by
            ``V4l2Capture.release``.
        size: (width, height) in pixels; None for OpenCV's.

    Returns:
        the capture; None if the camera gives no format that the kernels read.
    """
    try:
        camera = _Camera(device)
        kind = camera.choose(size or SIZE, size is not None)
        if kind is not None:
            return V4l2Capture(camera, kind)
    except OSError:  # not V4L2, or in use: OpenCV finds out
        pass
    os.close(device)
    return None


class V4l2Capture:
    """Has the methods of ``cv2.VideoCapture`` that live sources use.

    Args:
        camera: with its format set; it starts.
        kind: the four letters of its format.
    """

    def __init__(self, camera: "_Camera", kind: str) -> None:
        self._camera, self._kind = camera, kind
        self._decoders = JpegDecoders()
        self._stamp_ms = 0.0
        self._leases: Dict[int, np.ndarray] = {}  # buffers that the driver does not have
        camera.start()

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) where none came or the camera is gone."""
        for _ in range(MOST_DAMAGED):
            try:
                frame = self._next()
            except OSError:
                return False, None
            if frame is not None:
                return True, frame
        return False, None

    def get(self, what: int) -> float:
        """Frames a second, size, or the last frame's stamp in milliseconds; else 0."""
        picture = self._camera.picture
        properties = {
            cv2.CAP_PROP_FPS: self._camera.fps,
            cv2.CAP_PROP_FRAME_WIDTH: picture.width,
            cv2.CAP_PROP_FRAME_HEIGHT: picture.height,
            cv2.CAP_PROP_POS_MSEC: self._stamp_ms,
        }
        return float(properties.get(what, 0.0))

    def release(self) -> None:
        """Stop the camera. Frames that are still used keep their pixels."""
        held = [index for index in self._leases if self._is_held(index)]
        self._leases = {}
        self._camera.stop(held)

    def _next(self) -> Any:
        """The next frame; None for a damaged one. Raises ``OSError``."""
        for index in [index for index in self._leases if not self._is_held(index)]:
            del self._leases[index]
            self._camera.give(index)
        taken = self._camera.take()
        lease = self._camera.memory[taken.index].pixels
        pixels = lease[: taken.used]  # NumPy lets all views of it refer to the lease
        clock = taken.flags & v4l2.CLOCK_MASK
        stamp_ms = taken.seconds * 1e3 + taken.microseconds / 1e3
        self._stamp_ms = stamp_ms if clock == v4l2.MONOTONIC else 0.0
        if taken.flags & v4l2.IS_DAMAGED:
            self._camera.give(taken.index)
            return None
        if len(self._leases) + 1 > len(self._camera.memory) - LEAST_QUEUED:
            pixels = pixels.copy()
            self._camera.give(taken.index)
        else:
            self._leases[taken.index] = lease
        del lease
        try:
            if self._kind in MOTION_JPEG:
                return JpegFrame(pixels, self._decoders)
            return PlanarFrame(self._planes(pixels))
        except ValueError:  # a picture that is cut off
            return None

    def _is_held(self, index: int) -> bool:
        return sys.getrefcount(self._leases[index]) > UNUSED

    def _planes(self, pixels: np.ndarray) -> Planes:
        picture = self._camera.picture
        return planes_in(
            pixels,
            KINDS[self._kind],
            (picture.width, picture.height),
            picture.row_bytes,
            "709" if picture.encoding == v4l2.BT709 else "601",
            picture.quantization == v4l2.FULL_RANGE,
        )


class _Memory:
    """One of the driver's buffers in our memory.

    Attributes:
        pixels: uint8 (length,). Arrays made of it keep the memory.
    """

    def __init__(self, device: int, length: int, offset: int) -> None:
        self._length = length
        self._address = _map(length, SHARED, device, offset)
        place = {"data": (self._address, False), "shape": (length,), "typestr": "|u1", "version": 3}
        self.__array_interface__ = place

    @property
    def pixels(self) -> np.ndarray:
        """The bytes; the array refers to this object."""
        return np.asarray(self)

    def detach(self) -> None:
        """Put a copy in the same place, which the device does not need to stay open for."""
        copy = _map(self._length, PRIVATE_ANONYMOUS, -1, 0)
        ctypes.memmove(copy, self._address, self._length)
        _libc().mremap(copy, self._length, self._length, MOVE_THERE, self._address)

    def __del__(self) -> None:
        address = getattr(self, "_address", None)
        if address:
            _libc().munmap(address, self._length)


class _Camera:
    """The device: format, buffers, start and stop.

    Attributes:
        picture: ``v4l2_structs.Picture``, as the driver set it.
        fps: frames a second that it states, or 0.
        memory: its buffers.
    """

    def __init__(self, device: int) -> None:
        self._device = device
        self.picture: Any = v4l2.Picture()
        self.fps = 0.0
        self.memory: List[_Memory] = []

    def choose(self, size: Tuple[int, int], exactly: bool) -> Optional[str]:
        """Set size and format: the four letters, or None if the camera has none of ours.

        Args:
            size: (width, height) that is asked for; the driver may set another one.
            exactly: take the format that gives most frames a second at this size.
        """
        capability = v4l2.Capability()
        self._ask(v4l2.QUERY, capability)
        own = (
            capability.device_caps
            if capability.capabilities & v4l2.HAS_DEVICE_CAPS
            else capability.capabilities
        )
        if not (own & v4l2.CAN_CAPTURE and own & v4l2.CAN_STREAM):
            return None
        kinds = [kind for kind in PREFERRED if kind in self._kinds()]
        if exactly:
            kinds.sort(key=lambda kind: -self._most_fps(kind, size))
        for kind in kinds:
            asked = v4l2.Format(type=v4l2.CAPTURE)
            picture = asked.of.picture
            picture.width, picture.height = size
            picture.pixels = _number_of(kind)
            picture.field = v4l2.ANY_FIELD
            self._ask(v4l2.SET_FORMAT, asked)
            if picture.pixels == _number_of(kind):
                self.picture = picture
                self._set_rate()
                return kind
        return None

    def start(self) -> None:
        """Get buffers, and let the driver fill them."""
        request = v4l2.Request(count=BUFFERS, type=v4l2.CAPTURE, memory=v4l2.MMAP)
        self._ask(v4l2.REQUEST_BUFFERS, request)
        if request.count <= LEAST_QUEUED:
            raise OSError(errno.ENOMEM, "too few buffers")
        for index in range(request.count):
            place = self._buffer(index)
            self._ask(v4l2.QUERY_BUFFER, place)
            self.memory.append(_Memory(self._device, place.length, place.at.offset))
        for index in range(request.count):
            self.give(index)
        self._ask(v4l2.START, ctypes.c_int(v4l2.CAPTURE))

    def take(self) -> Any:
        """Wait for a filled buffer: ``v4l2_structs.Buffer``."""
        while True:
            ready, _, _ = select.select([self._device], [], [], SELECT_S)
            if not ready:
                raise OSError(errno.ETIMEDOUT, "no frame")
            taken = self._buffer(0)
            try:
                self._ask(v4l2.DEQUEUE, taken)
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                continue
            if taken.used > self.memory[taken.index].pixels.size:
                raise OSError(errno.EIO, "a buffer that is too long")
            return taken

    def give(self, index: int) -> None:
        """Let the driver fill a buffer."""
        self._ask(v4l2.QUEUE, self._buffer(index))

    def stop(self, held: List[int]) -> None:
        """Close the device; the buffers ``held`` keep their pixels."""
        if self._device < 0:
            return
        with contextlib.suppress(OSError):  # the camera may be gone
            self._ask(v4l2.STOP, ctypes.c_int(v4l2.CAPTURE))
        for index in held:
            self.memory[index].detach()
        self.memory = []
        os.close(self._device)
        self._device = -1

    def _kinds(self) -> List[str]:
        """The four letters of every format that the camera has."""
        formats = self._listed(v4l2.LIST_FORMATS, v4l2.FormatName, v4l2.CAPTURE)
        return [name.pixels.to_bytes(4, "little").decode("latin-1") for name in formats]

    def _most_fps(self, kind: str, size: Tuple[int, int]) -> float:
        """Frames a second that the camera has in a format and size; 0 if it does not say."""
        most = 0.0
        for interval in self._listed(v4l2.LIST_INTERVALS, v4l2.Interval, _number_of(kind), *size):
            if interval.least.numerator:
                most = max(most, interval.least.denominator / interval.least.numerator)
            if interval.type != 1:  # a range, not single intervals
                break
        return min(most, FPS)

    def _listed(self, number: int, kind: Any, *fields: int) -> Iterator[Any]:
        """What the driver lists by an index, up to its first refusal."""
        for index in range(64):
            entry = kind(index, *fields)
            try:
                self._ask(number, entry)
            except OSError:
                return
            yield entry

    def _set_rate(self) -> None:
        """Ask for frames a second, and take what the driver gives."""
        rate = v4l2.Rate(type=v4l2.CAPTURE)
        rate.interval.numerator, rate.interval.denominator = 1, FPS
        with contextlib.suppress(OSError):  # a camera of one rate
            self._ask(v4l2.SET_RATE, rate)
        if rate.interval.numerator:
            self.fps = rate.interval.denominator / rate.interval.numerator

    def _buffer(self, index: int) -> Any:
        return v4l2.Buffer(index=index, type=v4l2.CAPTURE, memory=v4l2.MMAP)

    def _ask(self, number: int, what: Any) -> None:
        import fcntl  # Linux's; this file is imported elsewhere too

        while True:
            try:
                fcntl.ioctl(self._device, number, what, True)
                return
            except InterruptedError:
                continue


def _number_of(kind: str) -> int:
    return int.from_bytes(kind.encode(), "little")


def _libc() -> Any:
    """The C library's functions for memory."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.mmap.argtypes = [pointer, size, number, number, number, ctypes.c_long]
    libc.mmap.restype = pointer
    libc.munmap.argtypes = [pointer, size]
    libc.mremap.argtypes = [pointer, size, size, number, pointer]
    libc.mremap.restype = pointer
    return libc


def _map(length: int, flags: int, device: int, offset: int) -> int:
    address: Optional[int] = _libc().mmap(None, length, READ_WRITE, flags, device, offset)
    if address is None or address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return address
