"""Structures, request numbers and constants of Linux's ``videodev2.h`` that a capture needs."""

import ctypes
from typing import Any, List, Tuple

_u32, _long = ctypes.c_uint32, ctypes.c_long

CAPTURE, MMAP, ANY_FIELD = 1, 1, 0  # kind of buffers, of memory; frames or fields
CAN_CAPTURE, CAN_STREAM, HAS_DEVICE_CAPS = 0x1, 0x04000000, 0x80000000
IS_DAMAGED, CLOCK_MASK, MONOTONIC = 0x40, 0xE000, 0x2000  # flags of a buffer
FULL_RANGE, BT709 = 1, 2  # of Format.quantization and .encoding


def numbers_of(names: str) -> List[Tuple[str, Any]]:
    """Fields of 32 bits."""
    return [(name, _u32) for name in names.split()]


class Capability(ctypes.Structure):
    """``v4l2_capability``."""

    _fields_ = (
        [("driver", ctypes.c_char * 16), ("card", ctypes.c_char * 32), ("bus", ctypes.c_char * 32)]
        + numbers_of("version capabilities device_caps")
        + [("reserved", _u32 * 3)]
    )


class FormatName(ctypes.Structure):
    """``v4l2_fmtdesc``."""

    _fields_ = (
        numbers_of("index type flags")
        + [("description", ctypes.c_char * 32)]
        + [("pixels", _u32), ("code", _u32), ("reserved", _u32 * 3)]
    )


class Picture(ctypes.Structure):
    """``v4l2_pix_format``."""

    _fields_ = numbers_of("width height pixels field row_bytes bytes colorspace private flags")
    _fields_ += numbers_of("encoding quantization transfer")


class _FormatOf(ctypes.Union):
    _fields_ = [("picture", Picture), ("bytes", ctypes.c_ubyte * 200), ("align", ctypes.c_void_p)]


class Format(ctypes.Structure):
    """``v4l2_format``."""

    _fields_ = [("type", _u32), ("of", _FormatOf)]


class Fraction(ctypes.Structure):
    """``v4l2_fract``: seconds."""

    _fields_ = [("numerator", _u32), ("denominator", _u32)]


class Rate(ctypes.Structure):
    """``v4l2_streamparm`` of a capture."""

    _fields_ = numbers_of("type capability mode") + [("interval", Fraction), ("rest", _u32 * 46)]


class Interval(ctypes.Structure):
    """``v4l2_frmivalenum``; of a range, ``least`` is the shortest interval."""

    _fields_ = numbers_of("index pixels width height type") + [
        ("least", Fraction),
        ("rest", _u32 * 4),
        ("reserved", _u32 * 2),
    ]


class Request(ctypes.Structure):
    """``v4l2_requestbuffers``."""

    _fields_ = [("count", _u32), ("type", _u32), ("memory", _u32), ("rest", _u32 * 2)]


class _Place(ctypes.Union):
    _fields_ = [("offset", _u32), ("address", ctypes.c_ulong)]


class Buffer(ctypes.Structure):
    """``v4l2_buffer``."""

    _fields_ = (
        numbers_of("index type used flags field")
        + [("seconds", _long), ("microseconds", _long), ("timecode", _u32 * 4)]
        + [("sequence", _u32), ("memory", _u32), ("at", _Place)]
        + numbers_of("length reserved request")
    )


def _number(direction: int, code: int, structure: Any) -> int:
    """A request's number: 1 writes to the driver, 2 reads, 3 both."""
    return direction << 30 | ctypes.sizeof(structure) << 16 | ord("V") << 8 | code


QUERY = _number(2, 0, Capability)
LIST_FORMATS = _number(3, 2, FormatName)
SET_FORMAT = _number(3, 5, Format)
REQUEST_BUFFERS = _number(3, 8, Request)
QUERY_BUFFER, QUEUE, DEQUEUE = (_number(3, code, Buffer) for code in (9, 15, 17))
START, STOP = (_number(1, code, ctypes.c_int) for code in (18, 19))
SET_RATE = _number(3, 22, Rate)
LIST_INTERVALS = _number(3, 75, Interval)
