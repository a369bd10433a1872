"""The report of ``python -m hotpath boards``: what is missing, known traps, the next command."""

from typing import Dict, NamedTuple

from hotpath.boards.detect import Detection
from hotpath.boards.installed import Installed


class Situation(NamedTuple):
    """The facts that advice is based on: a machine and its software."""

    detection: Detection
    installed: Installed
    environ: Dict[str, str]  # of the shell that asks; libraries read it, this program does not
    broken_opencv: str = ""  # why this computer's Python can't load it; "" where it can
