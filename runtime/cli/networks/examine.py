"""Examine the content of a network's files, and what they compute, for ``networks check``.

The weights are read, and the network runs on two pictures. A damaged file, or a TOML with the wrong
mean and scale, shows in numbers that no tracker could use.
"""

import pathlib
from typing import Any, List, Mapping, Optional, Tuple

import cv2
import numpy as np
from onnx import numpy_helper

from kernels.golden import pack
from runtime import engines
from runtime.graphs import models
from runtime.network import Network

LARGEST = 1e6  # of a map's numbers; the largest in use are distances of some hundred pixels
_WEIGHTED = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1}  # operator -> which input is the weights

Paths = Mapping[str, pathlib.Path]


def weights(paths: Paths) -> List[str]:
    """Find weights that can't be right.

    Args:
        paths: dict of part -> path of an ONNX file.

    Returns:
        one sentence for each mistake.

    Raises:
        BadNetwork: a file is no ONNX, or holds NaN (``graphs.models.read``).
    """
    mistakes = []
    for part, path in paths.items():
        model = models.read(path)
        tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:
            place = _WEIGHTED.get(node.op_type)
            if place is None or len(node.input) <= place or node.input[place] not in tensors:
                continue
            values = numpy_helper.to_array(tensors[node.input[place]])
            name = f"the weights {node.input[place]} of {part} ({path.name})"
            if not np.isfinite(values.astype(np.float32)).all():
                mistakes.append(f"{name} are not finite; fetch the file again")
            elif not values.any():
                mistakes.append(f"{name} are all zero; fetch the file again")
    return mistakes


def pictures(side: int) -> List[np.ndarray]:
    """Two pictures of one scene: the object moves and grows.

    Args:
        side: pixels.

    Returns:
        list of BGR float32 (side, side, 3), values from 0 to 255.
    """
    noise = np.random.RandomState(1)
    scene = np.zeros((side, side, 3), np.float32)
    for cells in (2, 4, 8, 16, 32):  # coarse structure is strong and fine structure weak
        patch = noise.rand(cells, cells, 3).astype(np.float32)
        scene += cv2.resize(patch, (side, side), interpolation=cv2.INTER_CUBIC) * (220.0 / cells)
    results = []
    for x, y, w, h in ((0.35, 0.35, 0.25, 0.3), (0.45, 0.5, 0.35, 0.2)):
        picture = scene.copy()
        x1, y1, x2, y2 = (int(side * v) for v in (x, y, x + w, y + h))
        picture[y1:y2, x1:x2] = (40, 200, 240)
        picture[y1 : (y1 + y2) // 2, x1 : (x1 + x2) // 2] = (200, 60, 30)
        results.append(np.clip(picture, 0, 255))
    return results


def maps(network: Network, paths: Paths) -> Tuple[List[str], List[str]]:
    """Run a network on two pictures and look at its maps.

    Args:
        network: the ``Network``.
        paths: dict of part -> path.

    Returns:
        (report, mistakes): lines that describe the run, and one sentence for each mistake.

    Raises:
        HotpathError: no engine is installed, or none can load the files.
    """
    engine = engines.create("auto", network, dict(paths))
    try:
        _put(engine.exemplar_crop, network, pictures(network.exemplar)[0])
        features: Any = engine.exemplar()
        results = []
        for picture in pictures(network.search):
            _put(engine.search_crop, network, picture)
            results.append([np.array(item) for item in engine.search(features)])
        report = ["runs       on {engine} {version}".format(**engine.describe())]
    finally:
        engine.close()
    mistakes = []
    for index, (first, second) in enumerate(zip(*results)):
        shape = "x".join(map(str, first.shape))
        report.append(f"map        {shape} from {first.min():.4g} to {first.max():.4g}")
        problem = _problem(first, second)
        if problem:
            mistakes.append(f"map {index + 1} {problem}")
    if not mistakes and getattr(network, "score", "") == "none":
        score = results[0][0]
        if score.min() < -0.01 or score.max() > 1.01:
            mistakes.append(
                f"map 1 has scores from {score.min():.3g} to {score.max():.3g}, which are no "
                "probabilities; score must be "
                '"sigmoid" or "softmax"'
            )
    return report, mistakes


def _put(crop: np.ndarray, network: Network, picture: np.ndarray) -> None:
    """Write a BGR picture into an engine's input as a tracker would."""
    is_rgb = network.channels == "RGB"
    crop[...] = pack(picture, network.mean, network.scale, is_rgb, crop.dtype)


def _problem(first: np.ndarray, second: np.ndarray) -> Optional[str]:
    """What is wrong with a map that was computed for two pictures; None where nothing is."""
    both = np.concatenate([first.ravel(), second.ravel()])
    if not np.isfinite(both).all():
        return "is not finite; the file is damaged, or mean and scale are wrong"
    if not both.any():
        return "is zero everywhere; the file is damaged, or mean and scale are wrong"
    if np.array_equal(first, second):
        return (
            "is the same for different pictures; the file is damaged, or mean and scale are wrong"
        )
    if np.abs(both).max() > LARGEST:
        return (
            f"has numbers up to {np.abs(both).max():.1e}; the file is damaged, or mean and scale "
            "are "
            "wrong"
        )
    return None
