"""The structures of ``structures.h`` as NumPy types, made from the settings that fill them in.

A number of a network is declared once, as a field of ``kernels/settings.py``. Its type says where
it stands: doubles first, then inner structures, then ints (also choices and flags). After a change
run ``python -m hotpath.kernels.header``. Processor and GPU take the same bytes.
"""

from typing import Any, Dict, Tuple

import numpy as np

from hotpath.kernels import settings as names

# What is counted from sequences of the settings, or set for one call, by the settings' class.
COUNTS: Dict[Any, Tuple[str, ...]] = {
    names.PointsSettings: ("anchors",),  # boxes a cell; 0 for heads without anchors
}


def structure(settings: Any) -> np.dtype:
    """The NumPy type of a class of settings; sequences of any length have no place in it."""
    kinds = settings.__annotations__
    inner = [(name, INNER[kind]) for name, kind in kinds.items() if kind in INNER]
    doubles = [(name, "f8") for name, kind in kinds.items() if kind is float]
    whole = [(name, "i4") for name, kind in kinds.items() if kind in (int, bool, str)]
    whole += [(name, "i4") for name in COUNTS.get(settings, ())]
    whole += [("unused", "i4")] * (len(whole) % 2)  # the size is a multiple of 8 bytes
    return np.dtype(doubles + inner + whole)


INNER: Dict[Any, np.dtype] = {}  # class of settings -> its structure in another one
BOUNDS = INNER[names.BoxLimits] = structure(names.BoxLimits)
GEOMETRY = INNER[names.WindowSettings] = structure(names.WindowSettings)
POINTS = structure(names.PointsSettings)
CENTRE = structure(names.CentreSettings)
CORNERS = structure(names.CornersSettings)
PLACE = np.dtype([("state", "f8", 4), ("score", "f8"), ("cell", "i8")])  # hp_place of select.h

# The numbers of named choices, by field.
CHOICES = {
    "shape": names.SHAPES,
    "rounding": names.ROUNDINGS,
    "clip": names.CLIPS,
    "pixels": names.BOX_PIXELS,
    "score": names.SCORES,
    "quality": names.QUALITIES,
    "relative_to": names.RELATIVES,
    "output": names.OUTPUTS,
}


def record(kind: np.dtype, settings: Any, **extra: float) -> np.ndarray:
    """One structure.

    Args:
        kind: its type.
        settings: object with an attribute for each field. A field without one stays 0.
        extra: values of further fields.
    """
    filled = np.zeros(1, kind)
    for name in kind.names or ():
        value = extra[name] if name in extra else getattr(settings, name, 0)
        if isinstance(value, str):
            value = CHOICES[name][value]
        inner = kind[name]
        filled[name] = record(inner, value) if inner.names else value
    return filled
