"""How much two objects look alike: by their colours, or by a re-identification network."""

import pathlib
from typing import Any, List, Optional, Sequence

import cv2
import numpy as np

from runtime import networks
from runtime.decode.shared.keys import Keys, key
from runtime.detect.description import INPUT, Table, locate
from runtime.detect.session import Runner, open_session
from runtime.errors import BadNetwork
from runtime.options import PathLike

FOLDER = pathlib.Path(__file__).parent / "reid_files"
TOP: Keys = {
    "licence": key(str, ""),
    "source": key(str, ""),
    "alike": key(float, low=0, high=1),  # cosine of two pictures of the same object
}

INNER = 0.7  # share of the box's sides whose pixels count: its corners are background
BINS = (12, 8, 4)  # of hue, saturation and value
KEPT = 0.9  # share of what was seen before in what is remembered
ALIKE = 0.8  # of two histograms of the same object


class Appearance:
    """Compares objects.

    Attributes:
        alike: similarity from which on two pictures may show the same object.
    """

    alike: float

    def describe(self, frame: np.ndarray, box: Sequence[float]) -> Optional[np.ndarray]:
        """What an object looks like: (n,) float; None where the box has no pixel in the frame.

        Args:
            frame: BGR uint8 (H, W, 3).
            box: (x, y, w, h), pixels.
        """
        raise NotImplementedError

    def similarity(self, one: Optional[np.ndarray], two: Optional[np.ndarray]) -> float:
        """How much two objects look alike, at most 1; 0 where one is None."""
        raise NotImplementedError


class Colours(Appearance):
    """Compares objects by the histograms of their colours."""

    alike = ALIKE

    def describe(self, frame: np.ndarray, box: Sequence[float]) -> Optional[np.ndarray]:
        """Hue, saturation and value in the middle of the box: counts that sum to 1."""
        patch = _patch(frame, box, INNER)
        if not patch.size:
            return None
        hsv = cv2.cvtColor(np.ascontiguousarray(patch), cv2.COLOR_BGR2HSV)
        counts: Any = cv2.calcHist([hsv], [0, 1, 2], None, list(BINS), [0, 180, 0, 256, 0, 256])
        return (counts / counts.sum()).ravel()

    def similarity(self, one: Optional[np.ndarray], two: Optional[np.ndarray]) -> float:
        """Bhattacharyya coefficient of two histograms."""
        return 0.0 if one is None or two is None else float(np.sqrt(one * two).sum())


def remembered(old: Optional[np.ndarray], new: Optional[np.ndarray]) -> Optional[np.ndarray]:
    """What is known of an object after it was seen again."""
    if old is None or new is None:
        return new if old is None else old
    return KEPT * old + (1 - KEPT) * new


def _patch(frame: np.ndarray, box: Sequence[float], share: float = 1.0) -> np.ndarray:
    """The pixels in the middle of a box, of that share of its sides; it may be empty."""
    x, y, w, h = box
    left, top = x + w * (1 - share) / 2, y + h * (1 - share) / 2
    rows = slice(max(0, int(top)), max(0, int(np.ceil(top + h * share))))
    columns = slice(max(0, int(left)), max(0, int(np.ceil(left + w * share))))
    return frame[rows, columns]


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
        patch = _patch(frame, box)
        if not patch.size:
            return None
        picture: Any = cv2.resize(patch, self._side, interpolation=cv2.INTER_LINEAR)
        picture = picture[:, :, ::-1] if self._swap else picture
        picture = ((picture - self._mean) * self._scale).transpose(2, 0, 1)[None]
        outputs = self._run({self._input: np.ascontiguousarray(picture, np.float32)})
        if len(outputs) != 1 or outputs[0].ndim != 2:
            raise BadNetwork(
                f"{self._path}: the network must give one row of numbers for a picture; name "
                "another file"
            )
        row: np.ndarray = outputs[0][0].astype(float)
        return row / max(float(np.linalg.norm(row)), 1e-12)

    def similarity(self, one: Optional[np.ndarray], two: Optional[np.ndarray]) -> float:
        """Cosine of two outputs; 0 where one is None."""
        return 0.0 if one is None or two is None else float(one @ two / np.linalg.norm(one))


def load_reid(
    name_or_path: PathLike,
    *,
    networks_dir: Optional[PathLike] = None,
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
    path = networks.find_toml(name_or_path, FOLDER, "re-identification network")
    table = Table(path)
    table.read("", TOP, ("input", "file"))
    table.read("input", INPUT)
    file = table.read_file()
    inputs, run = open_session(locate(path, file, networks_dir), threads)
    return Embedding(table.values, inputs, run, path)
