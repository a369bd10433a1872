"""The TOMLs of detectors and of re-identification networks: how they are read, what they hold."""

import pathlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

from boards import toml
from runtime.decode.shared.keys import LARGEST_SIDE, Keys, key
from runtime.errors import BadNetwork
from runtime.network import File, Network
from runtime.networks.schema import Mistake, read_section, sentence
from runtime.options import PathLike

INPUT: Keys = {
    "side": key(list, low=8, high=LARGEST_SIDE, length=2),  # width and height, pixels
    "channels": key(str, "BGR", ("BGR", "RGB")),
    # (value - mean) * scale, in the order of `channels`, value from 0 to 255
    "mean": key(list, (0.0, 0.0, 0.0), low=-1000, high=1000, length=3),
    "scale": key(list, (1.0, 1.0, 1.0), low=-1000, high=1000, length=3, nonzero=True),
}
FILE: Keys = {"name": key(str), "sha256": key(str, ""), "url": key(str, "")}


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


class Description:
    """The numbers of a detector's TOML.

    Attributes:
        name: of the TOML, without ``.toml``.
        path: of the TOML.
        file: its ONNX file.
        class_names: names of the classes, in the order of their numbers.
        side: (width, height) of the network's input, pixels.
        resize: "stretch": both sides are scaled separately. "letterbox": the frame keeps its shape,
            stands in the top left corner, and the rest is grey.
        channels: "BGR" or "RGB".
        mean, scale: (value - mean) * scale, in the order of ``channels``.
        score: boxes below it are left out.
        overlap: of two boxes of a class that overlap more, the one with the lower score is left
            out.
    """

    family: str
    licence: str
    source: str
    classes: str
    side: Tuple[int, int]
    resize: str
    channels: str
    mean: Tuple[float, ...]
    scale: Tuple[float, ...]
    score: float
    overlap: float
    strides: Tuple[float, ...]
    map_size: int
    object_share: float

    def __init__(
        self,
        name: str,
        path: pathlib.Path,
        values: Dict[str, Any],
        file: File,
        class_names: List[str],
    ) -> None:
        self.name, self.path, self.file, self.class_names = name, path, file, class_names
        vars(self).update(values)
        self.side = (int(self.side[0]), int(self.side[1]))


def check_shape(description: Description, outputs: Sequence[Any], shape: Tuple[int, ...]) -> None:
    """Raise ``BadNetwork`` unless the first output has the shape."""
    found: Optional[Tuple[int, ...]] = tuple(outputs[0].shape) if outputs else None
    if found != shape:
        raise BadNetwork(
            f"{description.path}: the family {description.family} needs an output of the shape "
            f"{shape}, and the network gives {found}; correct the TOML"
        )
