"""What a board measures of itself: one file a thing, all of the same shape, found by file name.

A file has ``find(root, board, notes)``. It looks for its files once, tells ``notes`` what it found
and what it skipped and why, and gives an object whose ``read()`` only reads, or None when there is
nothing to read. ``read()`` gives a dict whose keys end in their unit; a value that can't be read
right now is None. An object may have ``locked()``: True when its clock is held at one frequency,
False when not, None when that can't be told.
"""

import importlib
import pathlib
import re


class Notes:
    """What discovery found and skipped.

    ``found`` maps key -> where it is read; ``skipped`` is a list of (where, why).
    """

    def __init__(self):
        self.found = {}
        self.skipped = []

    def use(self, key, where):
        self.found[key] = where

    def skip(self, where, why):
        self.skipped.append((where, why))


def modules():
    """The files of this folder, sorted by name."""
    here = pathlib.Path(__file__).resolve().parent
    names = sorted(path.stem for path in here.glob("*.py") if path.stem != "__init__")
    return [importlib.import_module("boards.sensors." + name) for name in names]


def key_of(text):
    """A text as part of a key: lower case, words joined by one underscore."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def unique(key, unit, taken):
    """``key + unit``, numbered from the second on when it is taken already."""
    name, count = key + unit, 1
    while name in taken:
        count += 1
        name = "{}_{}{}".format(key, count, unit)
    return name


def scaled(root, name, factor):
    """A file's number times a factor; None without one."""
    number = root.number(name)
    return None if number is None else number * factor
