"""What the projects beside Hotpath add to it: the entry points that they declare.

A project is a package of its own in the folder ``projects`` of a clone. Nothing in Hotpath imports
one by its name. Its ``pyproject.toml`` declares each ``PROJECT.THING`` in the group
``hotpath.projects``.
"""

import configparser
import contextlib
import functools
import glob
import importlib
import os
import re
import sys
from typing import Any, List, Optional, Tuple

from hotpath.base.errors import NoProject
from hotpath.base.messages import HERE, make_command

GROUP, LINKS = "hotpath.projects", "hotpath.links"
PLUG = re.compile(r"hotpath_\w+(\.\w+)*:\w+$")


def find_entry_point(name: str) -> Optional[Any]:
    """Return an entry point, or None where its project is not installed.

    Args:
        name: ``PROJECT.THING``, such as fpga.survey. ``load()`` of the result imports the
            thing, and ``value`` names it.

    Example:
        >>> find_entry_point("fpga.nothing") is None
        True
    """
    if sys.version_info < (3, 10):  # which the projects need
        return None
    from importlib.metadata import entry_points

    return next(iter(entry_points(group=GROUP, name=name)), None)


def require_entry_point(name: str, what: str) -> Any:
    """Return an entry point.

    Args:
        name: as of ``find_entry_point``.
        what: the beginning of the sentence: what needs it.

    Raises:
        NoProject: its project is not installed.
    """
    entry = find_entry_point(name)
    if entry is None:
        project = name.split(".")[0]
        raise NoProject(
            f"{what} needs projects/{project} of a clone of Hotpath, on a computer with Python "
            f"3.10 or newer; run `{make_command('setup', ALSO=project)}` there"
        )
    return entry


@functools.lru_cache(maxsize=1)
def load_plugs() -> Tuple[Any, ...]:
    """Return the ``hotpath.app.option_records.Plug`` of each project that brings links.

    Such projects run on boards too, where a clone is copied and nothing is installed. So those of a
    clone are found in its folder. Others are installed, as packages that are called hotpath_NAME.
    Both have ``NAME = hotpath_NAME.plug:PLUG`` in the group ``hotpath.links``.
    """
    values = _plugs_of_the_clone() + _installed_plugs()
    loaded = [_load_plug(value) for value in dict.fromkeys(values)]  # each of them once
    return tuple(plug for plug in loaded if plug is not None)


def _plugs_of_the_clone() -> List[str]:
    """The entry points of the projects in the folder ``projects``, which can then be imported."""
    values = []
    for path in sorted(glob.glob(os.path.join(HERE, "projects", "*", "hotpath_*", "plug.py"))):
        folder, package = os.path.split(os.path.dirname(path))
        sys.path.append(folder)
        values.append(package + ".plug:PLUG")
    return values


def _installed_plugs() -> List[str]:
    """The entry points of installed projects.

    ``importlib.metadata`` would read the metadata of every package, and Python 3.6 lacks it.
    """
    values: List[str] = []
    for folder in sys.path:
        for path in glob.glob(os.path.join(folder, "hotpath_*-info", "entry_points.txt")):
            groups = configparser.ConfigParser(delimiters="=", interpolation=None)
            with contextlib.suppress(configparser.Error, UnicodeDecodeError):
                groups.read(path, encoding="utf-8")
                if groups.has_section(LINKS):
                    values += groups[LINKS].values()
    return values


def import_source(kind: str, what: str) -> Any:
    """Import the module of a kind of source that a project brings.

    Args:
        kind: a key of ``Plug.sources``.
        what: the beginning of the sentence: what needs it.

    Raises:
        NoProject: no project brings it.
    """
    for plug in load_plugs():
        if kind in plug.sources:
            return importlib.import_module(plug.sources[kind])
    raise NoProject(
        f"{what} needs projects/bridges; run `pip install ./projects/bridges` in a clone of Hotpath"
    )


def _load_plug(value: str) -> Optional[Any]:
    """The plug of an entry point; None, with a sentence, where it can't be loaded."""
    module, _, name = value.partition(":")
    try:
        if not PLUG.match(value):
            raise ImportError("it is not hotpath_NAME.MODULE:THING")
        plug = getattr(importlib.import_module(module), name)
        if not hasattr(plug, "links"):
            raise ImportError(f"{name} is no Plug")
        return plug
    except Exception as error:  # of whatever stands there; no run ends for it
        why = " ".join(str(error).split())
        print(f"hotpath: {module} can't be loaded ({why}); install it anew", file=sys.stderr)
        return None
