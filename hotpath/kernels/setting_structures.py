"""The settings of a network as the structures of ``header_structures.h``, which C++ and CUDA take.

Each field of a structure has the name of a field of the settings in ``kernels/settings.py``.
Processor and GPU take the same bytes.
"""

import ctypes
from typing import Any

from hotpath.kernels import header_structures
from hotpath.kernels import settings as names

STRUCTURES = header_structures.read("structures.h")
OF_SETTINGS: Any = {
    names.BoxLimits: STRUCTURES["hp_bounds"],
    names.WindowSettings: STRUCTURES["hp_geometry"],
    names.PointsSettings: STRUCTURES["hp_points"],
    names.CentreSettings: STRUCTURES["hp_centre"],
}

# The numbers of named choices, by field.
CHOICES = {
    "shape": names.SHAPES,
    "rounding": names.ROUNDINGS,
    "clip": names.CLIPS,
    "pixels": names.BOX_PIXELS,
    "score": names.SCORES,
    "relative_to": names.RELATIVES,
}


def record(settings: Any) -> Any:
    """Fill a structure in: each field by the attribute of its name."""
    filled = OF_SETTINGS[type(settings)]()
    for name, kind in filled._fields_:
        value = getattr(settings, name)
        if issubclass(kind, ctypes.Structure):
            value = record(value)
        elif isinstance(value, str):
            value = CHOICES[name][value]
        setattr(filled, name, value)
    return filled
