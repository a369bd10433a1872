"""The structures of frame.h and hotpath.h as NumPy types, and a network's numbers in them."""

import math

import numpy as np

from kernels.cuda.errors import NotOnGpu
from kernels.golden import hanning_window
from runtime import loss

PICTURE = np.dtype(
    [("plane", "u8"), ("chroma", "u8"), ("row_stride", "i4"), ("chroma_stride", "i4")]
    + [("pixel_stride", "i4"), ("format", "i4"), ("x", "i4"), ("y", "i4"), ("width", "i4")]
    + [("height", "i4"), ("frame_width", "i4"), ("frame_height", "i4")]
    + [("sequence", "i4"), ("unused", "i4")]
)
INPUT = np.dtype(
    [("mean", "f4", 3), ("scale", "f4", 3), ("step", "f4"), ("side", "i4"), ("format", "i4")]
    + [("swap", "i4"), ("border", "i4", 3)]
)
VIEW = np.dtype(
    [("context", "f8"), ("exemplar", "i4"), ("search", "i4"), ("corner", "i4"), ("rounding", "i4")]
)
POSE = np.dtype(
    [("state", "f8", 4), ("score", "f8"), ("cell", "i4"), ("certainty", "f4")]
    + [("x", "i4"), ("y", "i4"), ("side", "i4"), ("flags", "i2"), ("sequence", "i2")]
)
LIMITS = np.dtype(
    [("lost_below", "f8"), ("hold_below", "f8"), ("hold_widen", "f8"), ("hold_limit", "f8")]
    + [("kept", "f8"), ("inner", "f8"), ("stride", "f8"), ("channels", "i4"), ("side", "i4")]
)
WATCH = np.dtype([("certainty", "f8"), ("widened", "f8"), ("held", "f8", 4), ("before", "f8", 4)])
POINTS = np.dtype(
    [("stride", "f8"), ("penalty", "f8"), ("influence", "f8"), ("rate", "f8"), ("min_size", "f8")]
    + [("size", "i4"), ("score", "i4")]
)
SITE = np.dtype(("i4", 8))

BGR, NV12 = 0, 1  # a picture's format
FORMATS = {"float32": 0, "float16": 1, "int8": 2, "uint8": 3}  # what a network takes
# flags of a pose: errors, and what is none
NO_SCORE, NOT_FINITE, NOT_UPLOADED = 1, 2, 4
LOST, HELD = 8, 16

SCORES = {"softmax": 0, "sigmoid": 1, "none": 2}
CORNERS = {"(s+1)/2": 1, "s/2": 0, "(s-1)/2": -1}
ROUNDINGS = {"half_up": 0, "half_even": 1, "up": 2, "cut": 3}

# What the kernels have of a network's many ways: key of the TOML -> the value they can do.
PLAIN = {
    "family": "points",
    "crop": "square",
    "resample": "resize",
    "quality": "none",
    "inclusive": False,
    "lr_power": 1,
    "clip": "centre",
    "box_pixels": "exact",
}


def check(network):
    """Raise ``NotOnGpu`` for a network that crop or select can't do on the GPU."""
    for key, value in PLAIN.items():
        if getattr(network, key, value) != value:
            raise NotOnGpu(
                "{}: the GPU's crop and select have no {} = {!r}, only {!r}; run it with "
                "--engine onnxruntime".format(network.name, key, getattr(network, key), value)
            )


def view(network):
    """Where a network looks: one ``VIEW``."""
    record = np.zeros(1, VIEW)
    record["context"] = network.context
    record["exemplar"], record["search"] = network.exemplar, network.search
    record["corner"] = CORNERS[network.corner]
    record["rounding"] = ROUNDINGS[network.rounding]
    return record


def points(network):
    """A network's select: one ``POINTS``, and its cosine window, (cells,) float64."""
    record = np.zeros(1, POINTS)
    record["stride"], record["size"] = network.stride, network.map_size
    record["penalty"], record["influence"] = network.penalty, network.window
    record["rate"], record["min_size"] = network.lr, network.min_size
    record["score"] = SCORES[network.score]
    return record, np.ascontiguousarray(hanning_window(network.map_size).ravel())


def limits(network, seen):
    """When a network's target is lost: one ``LIMITS``.

    Args:
        network: uses ``lost_below``, ``hold_below``, ``hold_widen``, ``hold_limit``, ``stride``.
        seen: (1, channels, cells), shape of the search region's features; None for none.
    """
    record = np.zeros(1, LIMITS)
    for name in ("lost_below", "hold_below", "hold_widen", "hold_limit", "stride"):
        record[name] = getattr(network, name)
    record["kept"], record["inner"] = loss.KEPT, loss.INNER
    if seen is not None:
        record["channels"], record["side"] = seen[1], int(round(math.sqrt(seen[2])))
    return record


def watch(state):
    """A target that was just taken: one ``WATCH``."""
    record = np.ones(1, WATCH)
    record["held"] = record["before"] = state
    return record


def network_input(network, side, dtype, step, border):
    """How a network takes a crop: one ``INPUT``.

    Args:
        network: uses ``mean``, ``scale`` and ``channels``.
        side: pixels.
        dtype: name of ``FORMATS``.
        step: of int8.
        border: 3 uint8 values outside the frame, BGR.
    """
    record = np.zeros(1, INPUT)
    record["mean"], record["scale"], record["step"] = network.mean, network.scale, step
    record["side"], record["format"] = side, FORMATS[dtype]
    record["swap"] = network.channels == "RGB"
    record["border"] = border
    return record
