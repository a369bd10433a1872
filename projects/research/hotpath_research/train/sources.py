"""Licence classes of training pictures: which files a run may see.

``sources.csv`` beside this file lists every source with its licence, and its repository on GitHub
with the commit if it has one. ``files`` are patterns of FOLDER/NAME, where FOLDER holds the file or
the clip; the first one that matches counts. A file that none matches has class R, so that a picture
of unknown origin never counts as free. Of a JSON file of COCO, only pictures of free licences
count.
"""

import collections
import csv
import fnmatch
from collections.abc import Iterable
from pathlib import Path

from hotpath.calib.errors import BadImages

TABLE = Path(__file__).with_name("sources.csv")
CLASSES = {
    "A": "free; the licence is stated for the pictures themselves",
    "B": "free; the licence of the repository covers the files, and no origin of each is stated",
    "SA": "free, but share-alike; whether that reaches trained weights is not settled",
    "S": "free stock; the terms of the site may restrict training",
    "R": "research or non-commercial use only, or not stated",
}

Source = collections.namedtuple("Source", "name licence_class licence patterns")


class Sources:
    """The sources of ``sources.csv``, restricted to some licence classes.

    Args:
        licences: classes that may be seen, of ``CLASSES``; empty: all of them.
    """

    def __init__(self, licences: Iterable[str] = ()) -> None:
        unknown = sorted(set(licences) - set(CLASSES))
        if unknown:
            classes = ", ".join(CLASSES)
            raise BadImages(
                f"there is no licence class {unknown[0]}; --licences takes {classes}",
                what="unknown class",
            )
        self.licences = set(licences or CLASSES)
        self._sources = [
            Source(row["name"], row["class"], row["licence"], tuple(row["files"].split()))
            for row in rows()
        ]

    def of(self, path: str | Path) -> Source:
        """The ``Source`` of a file or clip folder; of class R if the table does not list it."""
        path = Path(path)
        name = f"{path.resolve().parent.name}/{path.name}"
        for source in self._sources:
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in source.patterns):
                return source
        return Source(path.resolve().parent.name, "R", "not stated", ())

    def allow(self, path: str | Path) -> bool:
        """Whether the run may see this file or clip folder."""
        return self.of(path).licence_class in self.licences


def rows() -> list[dict[str, str]]:
    """The rows of the table."""
    with open(TABLE, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
