"""The name of the installed package, in a checkout: ``hotpath.runtime`` is ``runtime`` here.

``from hotpath import load_tracker`` and ``python -m hotpath track`` work as with a wheel.
"""

import importlib.abc
import importlib.util
import sys


def _own(name):
    """The name of a module here: ``hotpath.interop`` is ``runtime.interop``, with a short name."""
    name = name.partition(".")[2]
    return "runtime." + name if name.split(".")[0] == "interop" else name


class _Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``hotpath.NAME`` as the module ``NAME``: each module is loaded only once."""

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith("hotpath.") or importlib.util.find_spec(_own(fullname)) is None:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec):
        module = importlib.import_module(_own(spec.name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = module.__spec__.loader_state  # of its own name


if __name__ == "__main__":
    from runtime.command import main

    sys.exit(main())

__path__ = []  # type: ignore[var-annotated]
sys.meta_path.insert(0, _Alias())

from runtime import *  # noqa: E402, F403
from runtime import __all__, __version__  # noqa: E402, F401
