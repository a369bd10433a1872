"""Tell whether two pictures show the same person, by a re-identification network."""

import pathlib
from typing import Any, List, Optional, Sequence

import cv2
import numpy as np

from runtime.decode.shared.keys import Keys, key
from runtime.detect import tables
from runtime.detect.appearance import Appearance
from runtime.detect.session import Runner, open_session
from runtime.errors import BadNetwork

FOLDER = pathlib.Path(__file__).parent / "reid_files"
TOP: Keys = {
    "licence": key(str, ""),
    "source": key(str, ""),
    "alike": key(float, low=0, high=1),  # cosine of two pictures of the same object
}


class Embedding(Appearance):
    """Compares objects by what a network gives for their pictures; made by ``load_reid``."""

    def __init__(self, values: Any, inputs: List[str], run: Runner, path: pathlib.Path) -> None:
        self.alike = values["alike"]
        self._side = int(values["side"][0]), int(values["side"][1])
        self._swap = values["channels"] == "RGB"
        self._mean = np.array(values["mean"], np.float32)
        self._scale = np.array(values["scale"], np.float32)
        self._input, self._run, self._path = inputs[0], run, path

    def describe(self, frame: np.ndarray, box: Sequence[float]) -> Optional[np.ndarray]:
        """The network's output for the box, with the length 1; see ``Appearance``."""
        x, y, w, h = box
        rows = slice(max(0, int(y)), max(0, int(np.ceil(y + h))))
        columns = slice(max(0, int(x)), max(0, int(np.ceil(x + w))))
        patch = frame[rows, columns]
        if not patch.size:
            return None
        picture: Any = cv2.resize(patch, self._side, interpolation=cv2.INTER_LINEAR)
        picture = picture[:, :, ::-1] if self._swap else picture
        picture = ((picture - self._mean) * self._scale).transpose(2, 0, 1)[None]
        outputs = self._run({self._input: np.ascontiguousarray(picture, np.float32)})
        if len(outputs) != 1 or outputs[0].ndim != 2:
            raise BadNetwork(
                f"{self._path}: the network must give one row of numbers for a picture; name "
                "another "
                "file"
            )
        row: np.ndarray = outputs[0][0].astype(float)
        return row / max(float(np.linalg.norm(row)), 1e-12)

    def likeness(self, one: Optional[np.ndarray], two: Optional[np.ndarray]) -> float:
        """Cosine of two outputs; 0 where one is None."""
        return 0.0 if one is None or two is None else float(one @ two / np.linalg.norm(one))


def load_reid(
    name_or_path: tables.PathLike,
    *,
    networks_dir: Optional[tables.PathLike] = None,
    threads: int = 1,
) -> Embedding:
    """Make an ``Embedding``.

    Args:
        name_or_path: such as "osnet_x0_25", or the path of a TOML.
        networks_dir: folder with its file, sub-folders included.
        threads: of the network's execution.

    Raises:
        UnknownNetwork, BadNetwork, NoEngine: as ``runtime.detect.load_detector``.
    """
    path = tables.find(FOLDER, name_or_path, "re-identification network")
    table = tables.Table(path)
    table.read("", TOP, ("input", "file"))
    table.read("input", tables.INPUT)
    file = table.read_file()
    inputs, run = open_session(tables.locate(path, file, networks_dir), threads)
    return Embedding(table.values, inputs, run, path)
