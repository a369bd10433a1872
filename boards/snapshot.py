"""A board's files as one text file, and back: anybody's board becomes a test case.

One line a file: path below ``/``, a tab, the content with backslashes, tabs, line ends and control
characters escaped. ``\\!`` as the content stands for a file that is there but can't be read; it
comes back as a folder, which can't be read either. Lines that begin with ``#`` are comments.
"""

import os
import re

from boards import detect
from boards.doctor import installed
from boards.errors import BadSnapshot
from boards.files import Recorder
from boards.telemetry import Telemetry

HEADER = "# hotpath board snapshot 1"
UNREADABLE = "\\!"
ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
BACK = {escape[1]: plain for plain, escape in ESCAPES.items()}

# Nothing that is read holds such things; should a future sensor's file do, they stop here.
MAC = re.compile(r"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}")
UUID = re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b")
SERIAL = re.compile(r"(?im)^(.*\b(?:serial|s/n|uid|ecid)\b[^:=\n]*[:=][ \t]*)\S.*$")


def write(path, root="/"):
    """Write a snapshot of the board under a root.

    Args:
        path: of the file; one that exists is replaced as a whole.
        root: folder that stands for ``/``.

    Returns:
        Number of files in the snapshot.

    Raises:
        BadSnapshot: the file can't be written.
    """
    recorder = Recorder(root)
    found = detect.detect(recorder)
    installed.look(recorder)
    telemetry = Telemetry(recorder, found.board)
    telemetry.read()
    telemetry.locked()
    text = dumps(recorder.seen)
    part = str(path) + ".part"
    try:
        with open(part, "wb") as file:
            file.write(text.encode("utf-8"))
        os.replace(part, str(path))
    except OSError as error:
        raise BadSnapshot(
            "the snapshot can't be written to {}: {}; name a file in a folder of yours".format(
                path, error.strerror
            )
        ) from None
    return len(recorder.seen)


def restore(path, folder):
    """Lay a snapshot's files out below a folder, which then serves as a ``root``.

    Raises:
        BadSnapshot: the file can't be read, or is not a snapshot.
    """
    try:
        with open(str(path), "rb") as file:
            text = file.read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSnapshot(
            "{} can't be read: {}; make one with `python -m boards snapshot FILE`".format(
                path, error
            )
        ) from None
    for name, content in loads(text, str(path)).items():
        target = os.path.join(str(folder), name)
        if content is None:
            os.makedirs(target, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(content.encode("utf-8"))


def dumps(files):
    """The snapshot's text of a dict of path -> content, None where it can't be read."""
    lines = [HEADER]
    for name in sorted(files):
        content = files[name]
        lines.append(name + "\t" + (UNREADABLE if content is None else _escape(_scrub(content))))
    return "\n".join(lines) + "\n"


def loads(text, source="the text"):
    """dict of path -> content, None where it can't be read.

    Raises:
        BadSnapshot: a line is not of the form, or a path leads out of the folder.
    """
    files = {}
    if not text.startswith(HEADER):
        raise BadSnapshot(
            "{} is no board snapshot: its first line is not {!r}; make one with "
            "`python -m boards snapshot FILE`".format(source, HEADER)
        )
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        name, tab, content = line.partition("\t")
        parts = name.split("/")
        if not tab or not all(parts) or ".." in parts or "." in parts or "\0" in name:
            raise BadSnapshot(
                "{}, line {}: {!r} is not a path below / and a tab; make the snapshot anew".format(
                    source, number, line[:60]
                )
            )
        files[name] = None if content == UNREADABLE else _unescape(content)
    return files


def _escape(text):
    return "".join(
        ESCAPES.get(letter) or (letter if letter.isprintable() else _code(letter))
        for letter in text
    )


def _code(letter):
    number = ord(letter)
    return "\\x{:02x}".format(number) if number < 256 else letter


def _unescape(text):
    def plain(match):
        code, letter = match.group(1), match.group(2)
        return chr(int(code, 16)) if code else BACK.get(letter, "\\" + letter)

    return re.sub(r"\\(?:x([0-9a-f]{2})|(.))", plain, text)


def _scrub(text):
    text = MAC.sub("00:00:00:00:00:00", text)
    text = UUID.sub("00000000-0000-0000-0000-000000000000", text)
    return SERIAL.sub(r"\1removed", text)
