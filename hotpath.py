"""Hotpath: a visual object tracker; see ``load_tracker``. Its packages lie beside this file.

In a wheel it is ``hotpath/__init__.py``, and for ``python -m hotpath`` ``__main__.py``.
"""

import os
import sys

if __name__ == "__main__":
    from hotpath.runtime.track.command import main

    sys.exit(main())

__path__ = [os.path.dirname(os.path.abspath(__file__))]

from hotpath.runtime import *  # noqa: F403
from hotpath.runtime import __all__, __version__, interop  # noqa: F401

sys.modules["hotpath.interop"] = interop  # a short name, for programs of users
