"""Boards for tests: snapshots of boards, laid out below a folder and changed there."""

import pathlib

from boards import detect, snapshot
from boards.telemetry import Telemetry

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "boards" / "snapshots"
NAMES = sorted(path.stem for path in FOLDER.glob("*.snapshot"))


class BoardRoot:
    """A board that stands below a folder."""

    def __init__(self, name, folder):
        self.folder = folder
        snapshot.restore(FOLDER / (name + ".snapshot"), folder)

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(content), encoding="utf-8")

    def path(self, name):
        return self.folder / name

    def detect(self):
        return detect.detect(self.folder)

    def telemetry(self):
        return Telemetry(self.folder, self.detect().board)
