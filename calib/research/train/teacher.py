"""The networks to learn from, run by ONNX Runtime on one thread.

The maps may come from other networks than the features. Those of several are averaged: the scores,
and the boxes with the scores as weights. A teacher of features must be of the family "points" and
have the parts "backbone" and "head". Any network of that family can teach maps.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import onnx

from calib.errors import NoTeacher
from calib.one_step_overlap import Finder
from calib.ranges import session
from calib.research.train.geometry import CELLS, EXEMPLAR, EXEMPLAR_CELLS, SEARCH, STRIDE
from runtime import engines
from runtime.errors import HotpathError
from runtime.networks import load_network


def for_exemplar(model: onnx.ModelProto) -> onnx.ModelProto:
    """A backbone with the input size of an exemplar crop."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = EXEMPLAR
    for output in model.graph.output:
        for dim in output.type.tensor_type.shape.dim[2:]:
            dim.dim_value = EXEMPLAR_CELLS
    del model.graph.value_info[:]
    return model


class Teacher:
    """One network. ``channels`` is the number of channels of its features."""

    def __init__(self, name: str, networks_dir: str | None = None) -> None:
        try:
            network = load_network(name)
            files = network.locate(networks_dir)
        except HotpathError as error:
            raise NoTeacher(f"the teacher {name} can't be used: {error}") from None
        if network.family != "points" or "head" not in files:
            raise NoTeacher(
                f'{name} can\'t teach: only networks of the family "points" with a backbone and a '
                "head can; name nanotrack_v2 or nanotrack_v3 with --teacher"
            )
        self.name = name
        self._mean = np.array(network.mean, np.float32)[:, None, None]
        self._scale = np.array(network.scale, np.float32)[:, None, None]
        backbone = onnx.load(str(files["backbone"]))
        self._search, self._exemplar = session(backbone), session(for_exemplar(backbone))
        self._head = session(onnx.load(str(files["head"])))
        self._image = self._search.get_inputs()[0].name
        self._features = [value.name for value in self._head.get_inputs()]
        self.channels = self._head.get_inputs()[0].shape[1]

    def exemplar(self, crop: np.ndarray) -> np.ndarray:
        """uint8 (127,127,3) -> float32 (1,channels,8,8)."""
        return np.asarray(self._exemplar.run(None, {self._image: self._input(crop)})[0])

    def search(self, crop: np.ndarray) -> np.ndarray:
        """uint8 (255,255,3) -> float32 (1,channels,16,16)."""
        return np.asarray(self._search.run(None, {self._image: self._input(crop)})[0])

    def maps(self, exemplar: np.ndarray, search: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features -> probability (16,16) and distances (4,16,16); NaN where there is no cell."""
        scores, distances = self._head.run(None, dict(zip(self._features, (exemplar, search))))
        return on_cells(1.0 / (1.0 + np.exp(scores[0, 0] - scores[0, 1])), distances[0])

    def _input(self, crop: np.ndarray) -> np.ndarray:
        image = np.empty((1, 3) + crop.shape[:2], np.float32)
        for channel in range(3):  # four times as fast as astype on a transposed view
            image[0, channel] = crop[:, :, channel]
        if self._mean.any() or (self._scale != 1).any():
            image = (image - self._mean) * self._scale
        return image


def on_cells(probability: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps of any size as maps of 16x16 cells; NaN where there is no cell."""
    maps = np.full((5, CELLS, CELLS), np.nan, np.float32)
    first = CELLS // 2 - len(probability) // 2  # cell 0 of a map of 15 is cell 1 of one of 16
    inside = slice(first, first + len(probability))
    maps[0, inside, inside], maps[1:, inside, inside] = probability, distances
    return maps[0], maps[1:]


class MapsTeacher:
    """A network that teaches maps alone; it may have other crops than the student."""

    def __init__(self, name: str, networks_dir: str | None = None) -> None:
        try:
            network = load_network(name)
            engine = engines.create("onnxruntime", network, network.locate(networks_dir))
        except HotpathError as error:
            raise NoTeacher(f"the teacher {name} can't be used: {error}") from None
        if network.family != "points" or network.crop != "square" or network.stride != STRIDE:
            raise NoTeacher(f"{name} can't teach maps: it is no network of points, 16 pixels apart")
        self._finder = Finder(network, engine)
        self._sides = (network.exemplar,) * 2, (network.search,) * 2

    def learn(self, exemplar: np.ndarray, search: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probability (16,16) and distances (4,16,16) of a pair of uint8 crops."""
        exemplar, search = (
            crop if crop.shape[:2] == side else cv2.resize(crop, side)
            for crop, side in zip((exemplar, search), self._sides)
        )
        probability, distances = self._finder.search(self._finder.exemplar(exemplar), search)
        return on_cells(probability, distances * (SEARCH / len(search)))


class Teachers:
    """One teacher of the features, and one or several of the maps.

    Args:
        name: network of the features, and of the maps if ``of_maps`` names no others.
        networks_dir: folder with their files.
        of_maps: networks of the maps that ``learn`` gives.
    """

    def __init__(
        self, name: str, networks_dir: str | None = None, of_maps: Sequence[str] = ()
    ) -> None:
        self.first = Teacher(name, networks_dir)
        self.channels = self.first.channels
        self._of_maps: list[Callable[[np.ndarray, np.ndarray], Any]] = [
            MapsTeacher(other, networks_dir).learn for other in of_maps if other != name
        ]
        self._first_too = name in (of_maps or [name])

    def learn(
        self, exemplar: np.ndarray, search: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Features and maps of a pair of uint8 crops.

        Returns:
            exemplar features (channels,8,8), search features (channels,16,16), probability (16,16),
            distances (4,16,16) in search pixels, all float32.
        """
        z, x = self.first.exemplar(exemplar), self.first.search(search)
        maps = [self.first.maps(z, x)] if self._first_too else []
        maps += [teach(exemplar, search) for teach in self._of_maps]
        return (z[0], x[0], *mean_maps(maps))


def mean_maps(maps: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """One map of several: the mean score, and boxes with the scores as weights."""
    known = np.stack([~np.isnan(p) for p, _ in maps])
    probability = np.stack([np.nan_to_num(p) for p, _ in maps])
    weights = (probability + 1e-6 * known)[:, None] + 1e-12
    distances = np.stack([np.nan_to_num(d, nan=STRIDE) for _, d in maps])
    probability = probability.sum(0) / np.maximum(known.sum(0), 1)
    return probability, (distances * weights).sum(0) / weights.sum(0)
