"""Hotpath: a visual object tracker; see ``load_tracker``.

Its rooms are the folders beside this file, in a checkout as in a wheel.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

OURS = ("-m", "hotpath", "__main__.py")  # names of a program while it is imported
if os.path.basename((getattr(sys, "argv", None) or [""])[0]) in OURS:
    # Ctrl-C in this second ends it without a traceback
    sys.excepthook = lambda kind, *rest: (
        None if kind is KeyboardInterrupt else sys.__excepthook__(kind, *rest)
    )

from hotpath.runtime import *  # noqa: E402, F403
from hotpath.runtime import __all__, __version__, canonical, interop  # noqa: E402, F401

if TYPE_CHECKING:
    from hotpath.runtime.directions import Bearing as Bearing
    from hotpath.runtime.targets.targets import Targets as Targets
    from hotpath.runtime.tracker import Tracker as Tracker
    from hotpath.runtime.types import Box as Box
    from hotpath.runtime.types import Track as Track


def _make_canonical(*values: Any) -> str:
    """Make a network's canonical files; see ``hotpath.graphs.writing.make``."""
    from hotpath.graphs import writing  # needs onnx

    return writing.make(*values)


canonical.MAKERS.append(_make_canonical)

# Types for the annotations of a user's program. Their files need NumPy, so who asks loads them.
TYPES = {
    "Bearing": "directions",
    "Box": "types",
    "Targets": "targets.targets",
    "Track": "types",
    "Tracker": "tracker",
}


class _Package(type(sys)):  # type: ignore[misc]  # Python 3.6 has no __getattr__ of a module
    def __getattr__(self, name: str) -> Any:
        if name not in TYPES:
            raise AttributeError(f"module 'hotpath' has no attribute {name!r}")
        return getattr(importlib.import_module("hotpath.runtime." + TYPES[name]), name)


sys.modules[__name__].__class__ = _Package
sys.modules["hotpath.interop"] = interop  # a short name, for programs of users
