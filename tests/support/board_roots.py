"""Boards for tests: snapshots of boards, restored below a folder, where tests change files."""

import os
import pathlib
import re
import shutil

from hotpath.boards import detect, installed, snapshot
from hotpath.boards.files import Root
from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.doctor import Situation

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "boards" / "snapshots"
NAMES = sorted(path.stem for path in FOLDER.glob("*.snapshot"))
PLAIN = {escape[1]: plain for plain, escape in snapshot.ESCAPES.items()}


class BoardRoot:
    def __init__(self, name, folder):
        self.folder = folder
        if name:
            restore(FOLDER / (name + ".snapshot"), folder)

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(content), encoding="utf-8")

    def path(self, name):
        return self.folder / name

    def put_package(self, name, python, where="usr/local/lib"):
        """Add a Python package, such as "numpy-1.19.5"."""
        self.put(f"{where}/python{python}/dist-packages/{name}.dist-info/METADATA", "")

    def drop_packages(self, pattern):
        """Remove the Python packages whose name and version match."""
        for path in self.folder.glob("usr/**/" + pattern + ".dist-info"):
            shutil.rmtree(str(path))

    def detect(self):
        return detect.detect(self.folder)

    def telemetry(self):
        return Telemetry(self.folder, self.detect().board)


def situation(board, **environ):
    """Return what the doctor knows of a ``BoardRoot``."""
    return Situation(board.detect(), installed.find_installed(Root(board.folder)), environ)


def restore(path, folder):
    """Write a snapshot's files below a folder, which then serves as a ``root``."""
    for name, content in loads(pathlib.Path(str(path)).read_bytes().decode("utf-8")).items():
        target = os.path.join(str(folder), name)
        if content is None:
            os.makedirs(target, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(content.encode("utf-8"))


def loads(text):
    """Read a snapshot's text: dict of path -> content, or None for a file that can't be read."""
    files = {}
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            name, _, content = line.partition("\t")
            files[name] = None if content == snapshot.UNREADABLE else _unescape(content)
    return files


def _unescape(text):
    def plain(match):
        code, letter = match.groups()
        return chr(int(code, 16)) if code else PLAIN.get(letter, "\\" + letter)

    return re.sub(r"\\(?:x([0-9a-f]{2})|(.))", plain, text)
