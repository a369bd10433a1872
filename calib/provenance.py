"""The origin of figures: the commit of the code, and the processor."""

import platform
import subprocess
from pathlib import Path

from hotpath.boards.detect import detect

ROOT = Path(__file__).resolve().parent.parent


def commit() -> str | None:
    """The commit of the code and whether files differ from it; None outside of a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty"],
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """The name of this machine's processor, or of the board."""
    return detect().model or platform.processor() or platform.machine()
