"""Read and check the TOML of a detector."""

import pathlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

from hotpath.base.toml_keys import Mistake
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network, NetworkFile
from hotpath.runtime.networks import network_schema


def read_file(entries: Any, mistakes: List[Mistake]) -> Optional[NetworkFile]:
    """The one ``[[file]]`` of a TOML; None, and one more mistake if it is wrong."""
    if not (isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict)):
        mistakes.append(Mistake("file", None, "one [[file]] must name the ONNX file"))
        return None
    return network_schema.read_file(("file", 0), entries[0], mistakes, part={})


class Description:
    """The numbers of a detector's TOML.

    Attributes:
        name: name of the TOML, without ``.toml``.
        path: path of the TOML.
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

    def __init__(
        self,
        name: str,
        path: pathlib.Path,
        values: Dict[str, Any],
        file: NetworkFile,
        class_names: List[str],
    ) -> None:
        self.name, self.path, self.file, self.class_names = name, path, file, class_names
        vars(self).update(values)
        self.side = (int(self.side[0]), int(self.side[1]))

    @property
    def network(self) -> Network:
        """Its name and its file, to be located and downloaded as those of any network."""
        return Network(self.name, self.path, {"source": self.source}, [self.file])


def check_shape(description: Description, outputs: Sequence[Any], shape: Tuple[int, ...]) -> None:
    """Raise ``BadNetwork`` unless the first output has the shape."""
    actual: Optional[Tuple[int, ...]] = tuple(outputs[0].shape) if outputs else None
    if actual != shape:
        raise BadNetwork(
            f"{description.path}: the family {description.family} needs an output of the shape "
            f"{shape}, and the network gives {actual}; correct the TOML",
            what="wrong outputs",
        )
