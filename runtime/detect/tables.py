"""What the TOMLs of detectors and of re-identification networks have in common."""

import pathlib
from typing import Any, Dict, List, Optional, Union

from boards import toml
from runtime.decode.shared.keys import LARGEST_SIDE, Keys, key
from runtime.errors import BadNetwork, UnknownNetwork
from runtime.network import File, Network
from runtime.networks.schema import Mistake, read_section, sentence

PathLike = Union[str, pathlib.Path]

INPUT: Keys = {
    "side": key(list, low=8, high=LARGEST_SIDE, length=2),  # width and height, pixels
    "channels": key(str, "BGR", ("BGR", "RGB")),
    # (value - mean) * scale, in the order of `channels`, value from 0 to 255
    "mean": key(list, (0.0, 0.0, 0.0), low=-1000, high=1000, length=3),
    "scale": key(list, (1.0, 1.0, 1.0), low=-1000, high=1000, length=3, nonzero=True),
}
FILE: Keys = {"name": key(str), "sha256": key(str, ""), "url": key(str, "")}


def names(folder: pathlib.Path) -> List[str]:
    """The names of the TOMLs of a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def find(folder: pathlib.Path, name_or_path: PathLike, what: str) -> pathlib.Path:
    """The path of a TOML, from a name or a path; ``UnknownNetwork`` where there is none."""
    text = str(name_or_path)
    path = pathlib.Path(text) if text.endswith(".toml") else folder / (text + ".toml")
    if not path.is_file():
        known = "no {} is called {!r}; name a TOML of your own, or one of: {}"
        raise UnknownNetwork(known.format(what, text, ", ".join(names(folder))))
    return path


class Table:
    """A TOML that is being read.

    Args:
        path: of the TOML.

    Attributes:
        values: what was read by now.
        mistakes: what is wrong in it.

    Raises:
        BadNetwork: it can't be read.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.values: Dict[str, Any] = {}
        self.mistakes: List[Mistake] = []
        self._table = toml.read(path, BadNetwork)

    def read(self, section: str, keys: Optional[Keys], also: Any = ()) -> None:
        """Read a section, or ("") what stands above the first; ``also`` may stand there too."""
        given = self._table if not section else self._table.get(section, {})
        if not isinstance(given, dict):
            self.mistakes.append(Mistake(section, None, f"must be a section, [{section}]"))
            given = {}
        self.values.update(read_section(section, keys, given, self.mistakes, also))

    def read_file(self) -> File:
        """Read the one ``[[file]]``, then check everything.

        Raises:
            BadNetwork: something is wrong in the TOML.
        """
        entries = self._table.get("file")
        values: Dict[str, Any] = {}
        if isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict):
            values = read_section(("file", 0), FILE, entries[0], self.mistakes)
        else:
            self.mistakes.append(Mistake("file", None, "one [[file]] must name the ONNX file"))
        if self.mistakes:
            raise BadNetwork(f"{self.path}: {sentence(self.mistakes[0])}")
        sha256, url = values["sha256"] or None, values["url"] or None
        return File("network", values["name"], sha256, url, None, None)


def locate(path: pathlib.Path, file: File, networks_dir: Optional[PathLike]) -> pathlib.Path:
    """The path of the ONNX file of a TOML; ``BadNetwork`` where it is missing."""
    return Network(path.stem, path, {}, [file]).locate_file(file, networks_dir)
