"""The structures of frame.h as NumPy types, and functions that fill them in."""

import math
from typing import Optional, Sequence, Tuple

import numpy as np

from kernels import records
from kernels.records import fields
from kernels.settings import InputSettings, LossSettings, WindowSettings

FRAME = np.dtype(
    fields("u8", "plane chroma")
    + fields("i4", "row_stride chroma_stride pixel_stride format x y width height")
    + fields("i4", "frame_width frame_height sequence unused")
)
INPUT = np.dtype(
    [("mean", "f4", 3), ("scale", "f4", 3), ("side", "i4"), ("half", "i4"), ("swap", "i4")]
    + [("border", "i4", 3)]
)
VIEW = np.dtype([("geometry", records.GEOMETRY)] + fields("i4", "half unused"))
POSE = np.dtype(
    [("state", "f8", 4), ("score", "f4"), ("certainty", "f4")]
    + fields("i4", "cell x y width height")
    + fields("i2", "flags sequence")
)
LIMITS = np.dtype(fields("f8", "lost_below kept inner cells") + fields("i4", "channels side"))
MONITOR = np.dtype(fields("f8", "certainty widened"))
LINE = np.dtype(("i4", 4))
MOST_OUTPUTS = 1024  # largest side of a network's input, as in hotpath.h

BGR, NV12 = 0, 1  # formats of a frame
# Flags of a pose. The first three are errors.
NO_SCORE, NOT_FINITE, NOT_UPLOADED = 1, 2, 4
LOST = 8


def view(settings: WindowSettings, half: bool = False) -> np.ndarray:
    """Where a tracker looks: one ``VIEW``.

    Args:
        settings: the numbers.
        half: whether the maps and the features are of half precision.

    Raises:
        ValueError: an input is larger than a crop can be.
    """
    if max(settings.exemplar, settings.search) > MOST_OUTPUTS:
        raise ValueError(f"a side of {max(settings.exemplar, settings.search)} pixels")
    record = np.zeros(1, VIEW)
    record["geometry"] = records.record(records.GEOMETRY, settings)
    record["half"] = half
    return record


def limits(settings: LossSettings, features: Optional[Tuple[int, ...]]) -> np.ndarray:
    """When a target is lost: one ``LIMITS``.

    Args:
        settings: the numbers.
        features: (1, channels, cells), shape of the search region's features; None if the network
            gives none.
    """
    _, channels, cells = features or (1, 0, 0)
    side = int(round(math.sqrt(cells)))
    record = records.record(
        LIMITS, settings, channels=channels, side=side, cells=1 / settings.stride
    )
    record["inner"] *= record["cells"]
    return record


def monitor() -> np.ndarray:
    """The loss monitor's memory of a target that was just taken: one ``MONITOR``."""
    return np.ones(1, MONITOR)


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
