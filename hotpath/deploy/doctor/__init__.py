"""The report of ``python -m hotpath boards``: what is missing, known traps, the next command."""

from typing import Dict, Mapping, NamedTuple

from hotpath.base.broken import Broken
from hotpath.boards.detect import Detection
from hotpath.boards.installed import Installed


class Situation(NamedTuple):
    """The facts that advice is based on: a machine and its software."""

    detection: Detection
    installed: Installed
    environ: Dict[str, str]  # of the shell that asks; libraries read it, this program does not
    broken: Mapping[str, Broken] = {}  # name -> why this Python can't import that library
