"""Tracks as the values of other libraries: one file for each of them, loaded when it is named."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotpath.runtime.interop import got10k as got10k
    from hotpath.runtime.interop import opencv as opencv
    from hotpath.runtime.interop import supervision as supervision

NAMES = ("got10k", "opencv", "supervision")


class _Interop(type(sys)):  # type: ignore[misc]  # Python 3.6 has no __getattr__ of a module
    def __getattr__(self, name: str) -> Any:
        if name not in NAMES:
            raise AttributeError(f"module 'hotpath.interop' has no attribute {name!r}")
        return importlib.import_module("hotpath.interop." + name)  # as in a program's imports


sys.modules[__name__].__class__ = _Interop
