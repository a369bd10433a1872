"""The structures of frame.h and families.h as NumPy types, and functions that fill them in."""

import math
from typing import Optional, Sequence, Tuple

import numpy as np

from kernels.settings import (
    BOX_PIXELS,
    CLIPS,
    ROUNDINGS,
    SHAPES,
    BoxLimits,
    InputSettings,
    LossSettings,
    WindowSettings,
)

FRAME = np.dtype(
    [("plane", "u8"), ("chroma", "u8"), ("row_stride", "i4"), ("chroma_stride", "i4")]
    + [("pixel_stride", "i4"), ("format", "i4"), ("x", "i4"), ("y", "i4"), ("width", "i4")]
    + [("height", "i4"), ("frame_width", "i4"), ("frame_height", "i4")]
    + [("sequence", "i4"), ("unused", "i4")]
)
INPUT = np.dtype(
    [("mean", "f4", 3), ("scale", "f4", 3), ("side", "i4"), ("half", "i4"), ("swap", "i4")]
    + [("border", "i4", 3)]
)
GEOMETRY = np.dtype(
    [("context", "f8"), ("exemplar_margin", "f8"), ("search_margin", "f8")]
    + [("exemplar_factor", "f8"), ("search_factor", "f8"), ("exemplar", "i4"), ("search", "i4")]
    + [("crop", "i4"), ("corner", "i4"), ("rounding", "i4"), ("warp", "i4")]
)
MOST_WINDOWS = 15  # that a frame is searched in, as in frame.h
VIEW = np.dtype(
    [("geometry", GEOMETRY), ("factors", "f8", MOST_WINDOWS), ("windows", "i4"), ("half", "i4")]
)
POSE = np.dtype(
    [("state", "f8", 4), ("score", "f4"), ("certainty", "f4"), ("cell", "i4"), ("x", "i4")]
    + [("y", "i4"), ("width", "i4"), ("height", "i4"), ("flags", "i2"), ("sequence", "i2")]
)
LIMITS = np.dtype(
    [("lost_below", "f8"), ("hold_below", "f8"), ("hold_widen", "f8"), ("hold_limit", "f8")]
    + [("kept", "f8"), ("inner", "f8"), ("stride", "f8"), ("channels", "i4"), ("side", "i4")]
)
MONITOR = np.dtype([("certainty", "f8"), ("widened", "f8"), ("held", "f8", 4)])
BOUNDS = np.dtype([("min_size", "f8"), ("clip", "i4"), ("pixels", "i4")])
POINTS = np.dtype(
    [("stride", "f8"), ("penalty", "f8"), ("influence", "f8"), ("rate", "f8")]
    + [("quality_share", "f8"), ("bounds", BOUNDS)]
    + [("size", "i4"), ("score", "i4"), ("power", "i4"), ("quality", "i4")]
    + [("inclusive", "i4"), ("anchors", "i4")]
)
CENTRE = np.dtype(
    [("min_score", "f8"), ("bounds", BOUNDS), ("geometry", GEOMETRY)]
    + [("size", "i4"), ("score", "i4"), ("relative", "i4"), ("unused", "i4")]
)
CORNERS = np.dtype(
    [("cell_centre", "f8"), ("bounds", BOUNDS)]
    + [("size", "i4"), ("search", "i4"), ("output", "i4"), ("apart", "i4")]
)
RESPONSE = np.dtype(
    [("influence", "f8"), ("stride", "f8"), ("scale_lr", "f8"), ("min_size", "f8")]
    + [("size", "i4"), ("upsample", "i4"), ("scales", "i4"), ("unused", "i4")]
)
CUBIC = np.dtype([("first", "i4"), ("weight", "f4", 4)])
LINE = np.dtype(("i4", 4))
MOST_OUTPUTS = 1024  # largest side of a network's input, as in hotpath.h

BGR, NV12 = 0, 1  # formats of a frame
# Flags of a pose. The first three are errors.
NO_SCORE, NOT_FINITE, NOT_UPLOADED = 1, 2, 4
LOST, HELD = 8, 16


def view(settings: WindowSettings, factors: Sequence[float] = (1.0,)) -> np.ndarray:
    """Where a tracker looks: one ``VIEW``.

    Args:
        settings: the numbers.
        factors: sizes of the windows that are searched in a frame.

    Raises:
        ValueError: an input is larger than a crop can be, or there are too many windows.
    """
    if max(settings.exemplar, settings.search) > MOST_OUTPUTS:
        raise ValueError(f"a side of {max(settings.exemplar, settings.search)} pixels")
    if len(factors) > MOST_WINDOWS:
        raise ValueError(f"{len(factors)} windows")
    record = np.zeros(1, VIEW)
    record["geometry"] = geometry(settings)
    record["factors"][0, : len(factors)] = factors
    record["windows"] = len(factors)
    return record


def geometry(settings: WindowSettings) -> np.ndarray:
    """The shapes of windows: one ``GEOMETRY``."""
    record = np.zeros(1, GEOMETRY)
    for name in ("context", "exemplar", "search", "corner", "warp"):
        record[name] = getattr(settings, name)
    for name in ("exemplar_margin", "search_margin", "exemplar_factor", "search_factor"):
        record[name] = getattr(settings, name)
    record["crop"], record["rounding"] = SHAPES[settings.shape], ROUNDINGS[settings.rounding]
    return record


def bounds(limits: BoxLimits) -> np.ndarray:
    """The limits of a box: one ``BOUNDS``."""
    record = np.zeros(1, BOUNDS)
    record["min_size"], record["clip"] = limits.min_size, CLIPS[limits.clip]
    record["pixels"] = BOX_PIXELS[limits.pixels]
    return record


def limits(settings: LossSettings, features: Optional[Tuple[int, ...]]) -> np.ndarray:
    """When a target is lost: one ``LIMITS``.

    Args:
        settings: the numbers.
        features: (1, channels, cells), shape of the search region's features; None if the network
            gives none.
    """
    record = np.zeros(1, LIMITS)
    for name in LossSettings._fields:
        record[name] = getattr(settings, name)
    if features is not None:
        record["channels"], record["side"] = features[1], int(round(math.sqrt(features[2])))
    return record


def monitor(state: Sequence[float], widened: float = 1.0) -> np.ndarray:
    """The loss monitor's memory of a target that was just taken: one ``MONITOR``."""
    record = np.ones(1, MONITOR)
    record["held"], record["widened"] = state, widened
    return record


def network_input(
    settings: InputSettings, side: int, half: bool, border: Sequence[int]
) -> np.ndarray:
    """How a network takes a crop: one ``INPUT``.

    Args:
        settings: mean, scale and order of the channels.
        side: of the input, in pixels.
        half: whether it takes half precision.
        border: 3 uint8 values for the pixels outside the frame, BGR.
    """
    record = np.zeros(1, INPUT)
    record["mean"], record["scale"] = settings.mean, settings.scale
    record["side"], record["half"] = side, half
    record["swap"], record["border"] = settings.swap, border
    return record
