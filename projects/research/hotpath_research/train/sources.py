"""Licence classes of training pictures: which files a run may see.

``sources.toml`` beside this file lists every source with its licence. A file that it does not list
has class R, so that a picture of unknown origin never counts as free.
"""

import collections
import fnmatch
from collections.abc import Iterable
from pathlib import Path

from hotpath.base import toml
from hotpath.calib.errors import BadImages

TABLE = Path(__file__).with_name("sources.toml")
CLASSES = ("A", "B", "SA", "S", "R")  # the table says what they mean

Source = collections.namedtuple("Source", "name licence_class licence patterns")


class Sources:
    """The sources of ``sources.toml``, restricted to some licence classes.

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
            Source(entry["name"], entry["class"], entry["licence"], tuple(entry["files"]))
            for entry in toml.read(TABLE, BadImages)["source"]
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
