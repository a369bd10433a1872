"""What the projects beside Hotpath add to it: the entry points that they declare.

A project is a package of its own in the folder ``projects`` of a clone. Nothing in Hotpath imports
one by its name. Its ``pyproject.toml`` declares each ``PROJECT.THING`` in the group
``hotpath.projects``.
"""

import sys
from typing import Any, Optional

from hotpath.kernels.commands import make
from hotpath.kernels.errors import NoProject

GROUP = "hotpath.projects"


def find(name: str) -> Optional[Any]:
    """Return an entry point, or None where its project is not installed.

    Args:
        name: ``PROJECT.THING``, such as fpga.survey. ``load()`` of the result imports the
            thing, and ``value`` names it.

    Example:
        >>> find("fpga.nothing") is None
        True
    """
    if sys.version_info < (3, 10):  # which the projects need
        return None
    from importlib.metadata import entry_points

    return next(iter(entry_points(group=GROUP, name=name)), None)


def need(name: str, what: str) -> Any:
    """Return an entry point.

    Args:
        name: as of ``find``.
        what: the beginning of the sentence: what needs it.

    Raises:
        NoProject: its project is not installed.
    """
    entry = find(name)
    if entry is None:
        project = name.split(".")[0]
        raise NoProject(
            f"{what} needs projects/{project} of a clone of Hotpath, on a computer with Python "
            f"3.10 or newer; run `{make('setup', ALSO=project)}` there"
        )
    return entry
