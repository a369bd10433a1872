"""The doctor (``python -m hotpath boards``): missing packages, known traps, the next command."""

from typing import Dict, Mapping, NamedTuple

from hotpath.base.broken_libraries import BrokenLibrary
from hotpath.boards.detect import Detection
from hotpath.boards.installed import InstalledSoftware


class Situation(NamedTuple):
    """The facts that advice is based on: a machine and its software."""

    detection: Detection
    installed: InstalledSoftware
    environ: Dict[str, str]  # of the shell that asks; libraries read it, this program does not
    broken: Mapping[str, BrokenLibrary] = {}  # name -> why this Python can't import that library
