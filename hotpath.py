"""Hotpath: a visual object tracker; see ``load_tracker``. Its packages lie beside this file.

In a wheel it is ``hotpath/__init__.py``, and for ``python -m hotpath`` ``__main__.py``.
"""

import os
import sys

OURS = ("-m", "hotpath", "hotpath.py", "__main__.py")  # names of a program while it is imported
if os.path.basename((getattr(sys, "argv", None) or [""])[0]) in OURS:
    # Ctrl-C in this second ends it without a traceback
    sys.excepthook = lambda kind, *rest: (
        None if kind is KeyboardInterrupt else sys.__excepthook__(kind, *rest)
    )

if __name__ == "__main__":
    from hotpath.runtime.track.command import main

    sys.exit(main())

__path__ = [os.path.dirname(os.path.abspath(__file__))]

from hotpath.runtime import *  # noqa: F403
from hotpath.runtime import __all__, __version__, interop  # noqa: F401

sys.modules["hotpath.interop"] = interop  # a short name, for programs of users
