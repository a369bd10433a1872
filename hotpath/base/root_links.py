"""One package under two names.

The root of a clone has links to some folders of the package, such as ``runtime`` to
``hotpath/runtime``. What is imported by such a name is the package's own module, so that its
classes are the same ones: an error that the one name raises is caught by the other.

``import runtime.errors`` in a clone goes these ways:

1. Python imports ``runtime`` by the link. Its ``__init__.py`` calls ``share_package_modules``,
which
   puts ``hotpath.runtime`` under that name and a ``_LinkFinder`` before Python's own finders.
2. Python asks the finder for ``runtime.errors``. ``find_spec`` names the place of
   ``hotpath.runtime.errors``, and itself as the loader.
3. ``create_module`` imports ``hotpath.runtime.errors`` and returns it, instead of a second module.
   ``exec_module`` has nothing left to run.

``python -m runtime.track`` asks for ``get_code`` instead of 3.
"""

import importlib
import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any, Optional


class _LinkFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads ``NAME.*`` as ``hotpath.NAME.*``."""

    def __init__(self, name: str) -> None:
        self._start = name + "."

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Optional[ModuleSpec]:
        """The module's place and this loader; None for modules of others."""
        own = importlib.util.find_spec("hotpath." + fullname) if self._knows(fullname) else None
        if own is None:
            return None
        spec = ModuleSpec(fullname, self, origin=own.origin)
        spec.submodule_search_locations = own.submodule_search_locations
        spec.loader_state = own
        return spec

    def _knows(self, fullname: str) -> bool:
        return fullname.startswith(self._start)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The package's own module."""
        module = importlib.import_module("hotpath." + spec.name)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do, but to name the module's own place again."""
        module.__spec__ = getattr(module.__spec__, "loader_state", module.__spec__)

    def get_code(self, fullname: str) -> Optional[CodeType]:
        """The code of a module, for ``python -m``."""
        own: Any = importlib.util.find_spec("hotpath." + fullname)
        code: Optional[CodeType] = own.loader.get_code("hotpath." + fullname)
        return code

    def get_source(self, fullname: str) -> Optional[str]:
        """The text of a module, for tracebacks."""
        own: Any = importlib.util.find_spec("hotpath." + fullname)
        text: Optional[str] = own.loader.get_source("hotpath." + fullname)
        return text


def share_package_modules(name: str) -> None:
    """Let a folder that is imported by the name of its link be the package's own module."""
    sys.meta_path.insert(0, _LinkFinder(name))
    sys.modules[name] = importlib.import_module("hotpath." + name)
