"""The structures of ``structures.h`` as ctypes, made from the settings that fill them in.

A number of a network is declared once, as a field of ``kernels/settings.py``. Its type says where
it stands: doubles first, then inner structures, then ints (also choices and flags). After a change
run ``python -m hotpath.kernels.header``. Processor and GPU take the same bytes.
"""

import ctypes
from typing import Any, List

from hotpath.kernels import settings as names

STRUCTURES = {  # name in C and C++ -> the settings; inner ones before those that hold them
    "hp_bounds": names.BoxLimits,
    "hp_geometry": names.WindowSettings,
    "hp_points": names.PointsSettings,
    "hp_centre": names.CentreSettings,
    "hp_corners": names.CornersSettings,
}
COUNTS = {"hp_points": ("anchors",)}  # of sequences: boxes a cell; 0 for heads without anchors

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


def structure(name: str, settings: Any, inner: Any) -> Any:
    """The class of a structure; sequences of any length have no place in it.

    Args:
        name: in C.
        settings: the class that has its numbers.
        inner: class of settings -> its structure.
    """
    kinds = settings.__annotations__.items()
    fields: List[Any] = [(field, ctypes.c_double) for field, kind in kinds if kind is float]
    fields += [(field, inner[kind]) for field, kind in kinds if kind in inner]
    fields += [(field, ctypes.c_int) for field, kind in kinds if kind in (int, bool, str)]
    fields += [(field, ctypes.c_int) for field in COUNTS.get(name, ())]
    return type(name, (ctypes.Structure,), {"_fields_": fields})


OF_SETTINGS: Any = {}
for _name, _settings in STRUCTURES.items():
    OF_SETTINGS[_settings] = structure(_name, _settings, OF_SETTINGS)


def record(settings: Any) -> Any:
    """Fill a structure in: each field by the attribute of its name, a sequence by its length."""
    filled = OF_SETTINGS[type(settings)]()
    for name, kind in filled._fields_:
        value = getattr(settings, name)
        if issubclass(kind, ctypes.Structure):
            value = record(value)
        elif isinstance(value, str):
            value = CHOICES[name][value]
        elif not isinstance(value, (int, float)):
            value = len(value)
        setattr(filled, name, value)
    return filled
