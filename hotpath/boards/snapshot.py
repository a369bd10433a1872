"""Write the files that describe a board as one text file, so that any board becomes a test case.

Each line is one file: its path below ``/``, a tab, and its content. Backslashes, tabs, line ends
and control characters in the content are escaped. The content ``\\!`` stands for a file that exists
but can't be read. Lines that begin with ``#`` are comments.
"""

import os
import re
from typing import Any, Dict, Optional, Union

from hotpath.base import cache
from hotpath.boards import detect, installed
from hotpath.boards.errors import BadSnapshot
from hotpath.boards.files import RecordingRoot
from hotpath.boards.telemetry import Telemetry

HEADER = "# hotpath board snapshot 1"
UNREADABLE = "\\!"
ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
ESCAPED = re.compile(r"[\\\x00-\x1f\x7f-\xa0\xad]")  # also what can't be printed, below 256

# No file that is read today holds these. They are removed in case a future sensor reads one.
MAC = re.compile(r"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}")
UUID = re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b")
SERIAL = re.compile(r"(?im)^(.*\b(?:serial|s/n|uid|ecid)\b[^:=\n]*[:=][ \t]*)\S.*$")


def write(path: Union[str, "os.PathLike[str]"], root: str = "/") -> int:
    """Write a snapshot of the board under a root.

    Args:
        path: path of the file. An existing file is replaced as a whole.
        root: folder that replaces ``/``.

    Returns:
        The number of files in the snapshot.

    Raises:
        BadSnapshot: the file can't be written.
    """
    text: str = describe(root)["snapshot"]
    replace(path, text)
    return len(text.splitlines()) - 1


def describe(root: str = "/") -> Dict[str, Any]:
    """The present state of the board under a root, as evidence keeps it.

    Returns:
        dict of its ``board`` and ``model`` (a name, or None), ``release`` (of L4T, or None),
        ``libraries`` (name -> version), ``power_mode`` (a name, or None), ``sample`` and ``locked``
        of ``hotpath.boards.telemetry.Telemetry``, and ``snapshot``, the text of all files read.
    """
    recorder = RecordingRoot(root)
    detection = detect.detect(recorder)
    software = installed.find_installed(recorder)
    telemetry = Telemetry(recorder, detection.board)
    sample, locked, mode = telemetry.read(), telemetry.locked(), telemetry.power_mode()
    return {
        "board": detection.board.name if detection.board else None,
        "model": detection.model,
        "release": detection.l4t,
        "libraries": {name: package.version for name, package in software.packages.items()},
        "power_mode": str(mode.name or mode.id) if mode else None,
        "sample": sample,
        "locked": locked,
        "snapshot": dumps(recorder.seen),
    }


def replace(path: Union[str, "os.PathLike[str]"], text: str) -> None:
    """Write a file of a board, whole or not at all.

    Raises:
        BadSnapshot: it can't be written.
    """
    try:
        cache.write_text(path, text)
    except OSError as error:
        raise BadSnapshot(
            f"{path} can't be written: {error.strerror}; name a file in a folder that you may "
            "write to"
        ) from None


def dumps(files: Dict[str, Optional[str]]) -> str:
    """Return a snapshot's text.

    Args:
        files: dict of path -> content, or None for a file that can't be read.
    """
    lines = [HEADER]
    for name in sorted(files):
        content = files[name]
        lines.append(name + "\t" + (UNREADABLE if content is None else _escape(scrub(content))))
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return ESCAPED.sub(lambda match: ESCAPES.get(match[0]) or f"\\x{ord(match[0]):02x}", text)


def scrub(text: str) -> str:
    """Replace serial numbers, addresses and UUIDs."""
    text = MAC.sub("00:00:00:00:00:00", text)
    text = UUID.sub("00000000-0000-0000-0000-000000000000", text)
    return SERIAL.sub(r"\1removed", text)
