"""The sensors of a board. Each file measures one thing and is found by its file name.

A file has a function ``find(root, board, found)``. It looks for its files once, and adds to
``found`` where each key is read. It returns a ``Sensor``, or None when there is nothing to read. To
add a sensor, add a file.
"""

import importlib
import pkgutil
import re
from types import ModuleType
from typing import Callable, Container, Dict, List, Mapping, Optional, Tuple, Union

from hotpath.boards.files import Root

HWMON = "sys/class/hwmon"
# None stands for a value that can't be read now.
Value = Union[int, float, str, None]
Reader = Callable[[], Value]
Sample = Dict[str, Value]  # keys end in their unit
Found = Dict[str, str]  # key -> where it is read


class Sensor:
    """One thing that is measured. Its files are already known.

    Args:
        readers: dict of key -> function that reads the present value.
        limits: pairs of functions that read the lowest and the highest clock, one for each clock.
    """

    def __init__(
        self, readers: Mapping[str, Reader], limits: Tuple[Tuple[Reader, Reader], ...] = ()
    ) -> None:
        self.readers, self.limits = readers, limits

    def read(self) -> Sample:
        """Read the present values."""
        return {key: read() for key, read in self.readers.items()}

    def locked(self) -> Optional[bool]:
        """Whether every clock is held at one frequency. None when that is not known."""
        both = [(low(), high()) for low, high in self.limits]
        fixed = [low == high for low, high in both if low is not None and high is not None]
        return all(fixed) if fixed else None


def modules() -> List[ModuleType]:
    """Import the files of this folder and return them sorted by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module("hotpath.boards.sensors." + name) for name in names]


def reader(
    root: Root, path: str, factor: float = 1, offset: float = 0, digits: Optional[int] = None
) -> Reader:
    """Return a function that reads (number in a file + offset) * factor, perhaps rounded."""

    def read() -> Value:
        number = root.number(path)
        if number is None:
            return None
        scaled = (number + offset) * factor
        return scaled if digits is None else round(scaled, digits)

    return read


def key_of(text: str) -> str:
    """Turn a text into a part of a key: lower case, words joined by one underscore."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def unique(key: str, unit: str, taken: Container[str]) -> str:
    """Return ``key + unit``, with a number from 2 on when that key is taken already."""
    name = key + unit
    count = 1
    while name in taken:
        count += 1
        name = f"{key}_{count}{unit}"
    return name
