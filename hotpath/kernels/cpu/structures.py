"""The structures that the compiled functions take, as ctypes; ``check`` holds them to the headers.

A class here is the structure ``hp_NAME`` of a header, with its fields in their order. Those that
the GPU takes too are made by ``hotpath.kernels.records``.
"""

import ctypes
import re
from typing import Any, List, Sequence, Tuple

import numpy as np

from hotpath.kernels import records

I64, F32, F64, AT = ctypes.c_int64, ctypes.c_float, ctypes.c_double, ctypes.c_void_p
Two, Four = F64 * 2, F64 * 4


def fields(kind: Any, names: str) -> List[Tuple[str, Any]]:
    """Fields of one type."""
    return [(name, kind) for name in names.split()]


class FrameView(ctypes.Structure):
    """``hp_frame_view`` of select.h."""

    _fields_ = [("scale", Two), ("frame", Two)]


class SelectJob(ctypes.Structure):
    """``hp_select_job`` of select.h."""

    _fields_ = (
        [("head", AT), ("maps", AT * 3)]
        + fields(AT, "window anchors space state score")
        + [("view", FrameView)]
    )


class Place(ctypes.Structure):
    """``hp_place`` of select.h."""

    _fields_ = [("state", Four), ("score", F64), ("cell", I64)]


class Proposing(ctypes.Structure):
    """``hp_proposing`` of select.h."""

    _fields_ = fields(F64, "share") + fields(ctypes.c_int, "kind side most apart")


class CropJob(ctypes.Structure):
    """``hp_crop_job`` of plan.h."""

    _fields_ = (
        fields(I64, "frame row_stride pixel_stride channel_stride frame_width frame_height")
        + fields(I64, "x y width height")
        + [("border", I64 * 3)]
        + fields(I64, "out out_width out_height as_float swap side_by_side workspace planes")
        + [("mean", F32 * 3), ("scale", F32 * 3)]
    )


class Planes(ctypes.Structure):
    """``hp_planes`` of planes.h."""

    _fields_ = fields(
        I64,
        "luma luma_row luma_step u v colour_row colour_step shift_x shift_y "
        "black grey u_blue u_green v_green v_red",
    )


class Colours(ctypes.Structure):
    """``hp_colours`` of colour.h."""

    _fields_ = fields(I64, "total grey") + fields(AT, "hues levels greys")


class Pooling(ctypes.Structure):
    """``hp_pooling`` of online.h."""

    _fields_ = (
        fields(I64, "side channels parts")
        + fields(F64, "stride least")
        + fields(AT, "mean cells ready shares ranges sums under")
    )


class Samples(ctypes.Structure):
    """``hp_samples`` of online.h."""

    _fields_ = fields(F64, "positive negative step") + fields(I64, "most count") + [("moves", AT)]


class Regression(ctypes.Structure):
    """``hp_regression`` of online.h."""

    _fields_ = (
        fields(I64, "size blocks")
        + fields(F64, "ridge tiny")
        + fields(AT, "square mean weights space samples")
    )


class JpegJob(ctypes.Structure):
    """``hp_jpeg_job`` of jpeg.h."""

    _fields_ = fields(I64, "data segments left top right bottom") + [
        (name, I64 * 3) for name in ("side", "plane", "stride")
    ]


class WindowJob(ctypes.Structure):
    """``hp_window_job`` of fabric.h."""

    _fields_ = fields(
        I64,
        "frame row_stride pixel_stride channel_stride frame_width frame_height x y width height "
        "side tables rows_at pixels capacity line x0 y0 columns rows",
    )


class WordsJob(ctypes.Structure):
    """``hp_words_job`` of fabric.h."""

    _fields_ = fields(I64, "offset cells lane channels values out")


WORDS = re.compile("(?<=[a-z])(?=[A-Z])")  # where a word begins in the name of a class
STRUCTURES = {
    "hp_" + WORDS.sub("_", kind.__name__).lower(): kind
    for kind in ctypes.Structure.__subclasses__()
    if kind.__module__ == __name__
}
RECORDS = {name: records.OF_SETTINGS[kind] for name, kind in records.STRUCTURES.items()}


def check(library: ctypes.CDLL) -> None:
    """Compare all sizes with those of the compiled structures.

    Raises:
        RuntimeError: a structure here is not that of its header.
    """
    for name, kind in {**STRUCTURES, **RECORDS}.items():
        there, size = library.hp_size_of(name.encode()), ctypes.sizeof(kind)
        if there != size:
            raise RuntimeError(f"{name} has {there} bytes in its header, and {size} here")


def addresses(arrays: Sequence[np.ndarray]) -> List[int]:
    """The addresses of arrays, for the fields of a structure. Their owner keeps the arrays."""
    return [array.ctypes.data for array in arrays]
