"""The structures of ``geometry.h`` and ``families.h`` as NumPy types, filled in from settings.

The fields have the structures' order. Processor and GPU take the same bytes.
"""

from typing import Any, List, Tuple

import numpy as np

from hotpath.kernels import settings as names


def fields(code: str, words: str) -> List[Tuple[str, Any]]:
    """Fields of one type: "f8" doubles, "i4" ints."""
    return [(word, code) for word in words.split()]


BOUNDS = np.dtype(fields("f8", "min_size") + fields("i4", "clip pixels"))
GEOMETRY = np.dtype(
    fields("f8", "context exemplar_margin search_margin exemplar_factor search_factor")
    + fields("i4", "exemplar search shape corner rounding warp")
)
POINTS = np.dtype(
    fields("f8", "stride penalty window_influence learning_rate quality_share")
    + [("limits", BOUNDS)]
    + fields("i4", "size score power quality inclusive anchors")
)
CENTRE = np.dtype(
    fields("f8", "min_score learning_rate influence")
    + [("limits", BOUNDS), ("window", GEOMETRY)]
    + fields("i4", "size score relative_to power")
)
CORNERS = np.dtype(
    [("cell_centre", "f8"), ("limits", BOUNDS)]
    + fields("i4", "size search output apart score unused")
)
RESPONSE = np.dtype(
    fields("f8", "window_influence stride scale_lr min_size")
    + fields("i4", "size upsample scales unused")
)

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
