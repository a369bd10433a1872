"""Tracks as the values of other libraries: one file for each of them, loaded when it is named."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotpath.interop import got10k as got10k
    from hotpath.interop import opencv as opencv
    from hotpath.interop import supervision as supervision

NAMES = ("got10k", "opencv", "supervision")


def __getattr__(name: str) -> ModuleType:  # Python 3.6 never calls it: import the module there
    if name not in NAMES:
        raise AttributeError(f"module 'hotpath.interop' has no attribute {name!r}")
    return importlib.import_module("hotpath.interop." + name)
