"""Compare an engine's outputs with those of the network in fp32, for one pair of crops.

    python -m hotpath.deploy.doctor.bringup.reference NETWORK [FOLDER]

writes ``reference-NETWORK.npz`` with the maps of a network, by ONNX Runtime on the processor. Three
ship, of the networks that boards use by default. Run it again after a network's files have changed.
"""

import pathlib
import sys
from typing import Any, Dict, List

import numpy as np

from hotpath.deploy.film import HEIGHT, WIDTH, film
from hotpath.kernels import golden
from hotpath.runtime import DEFAULT_NETWORK, engines
from hotpath.runtime.engines.base import Engine
from hotpath.runtime.frames import geometry
from hotpath.runtime.network import Network
from hotpath.runtime.networks import load_network
from hotpath.runtime.networks.bundle import network_entry

FOLDER = pathlib.Path(__file__).parent
NETWORKS = (DEFAULT_NETWORK, "kestrel", "kestrel_fast")
FRAME = 6  # of the film, whose target has moved by then
# How far a map may be off, in shares of its range. The numbers of fp32 are those of TF32, in which
# TensorRT computes them; our own kernels of ONNX Runtime in FP16 are off by .002, in INT8 by .08.
BOUNDS = {"fp32": 0.01, "fp16": 0.02, "int8": 0.2}


def make(name: str, folder: pathlib.Path = FOLDER) -> None:
    """Write the pictures and the maps of a network, given by its name or TOML."""
    network = load_network(name)
    frames, boxes = film(FRAME + 1)
    state = geometry.state_of(network, boxes[0, 0], WIDTH, HEIGHT)
    border: Any = geometry.border_colour(network, frames[0])
    window: Any = geometry.exemplar_window(network, state)
    exemplar = golden.crop(frames[0], window, network.exemplar, border)
    window, _ = geometry.search_window(network, state)
    search = golden.crop(frames[FRAME], window, network.search, border)
    engine = engines.create("onnxruntime", network, network.locate())
    kept: Dict[str, Any] = {"exemplar": exemplar, "search": search}
    kept.update((f"map{n}", values) for n, values in enumerate(run(engine, exemplar, search)))
    path = str(folder / f"reference-{network.name}.npz")
    np.savez_compressed(path, network=network_entry(network)["sha256"], **kept)


def run(engine: Engine, exemplar: np.ndarray, search: np.ndarray) -> List[np.ndarray]:
    """The maps that an engine gives for two crops, uint8 (side, side, 3) BGR."""
    _show(engine.exemplar_crop, exemplar, engine.network)
    features = engine.exemplar()
    _show(engine.search_crop, search, engine.network)
    return [np.array(values, np.float32) for values in engine.search(features)]


def _show(place: np.ndarray, crop: np.ndarray, network: Network) -> None:
    swap = network.channels == "RGB"
    place[...] = golden.pack(crop, network.mean, network.scale, swap, place.dtype)


def read_reference(network: Network, folder: pathlib.Path = FOLDER) -> Dict[str, np.ndarray]:
    """What ``make`` wrote of this network; an empty dict where it wrote nothing."""
    path = folder / f"reference-{network.name}.npz"
    if not path.is_file():
        return {}
    with np.load(str(path)) as file:
        same = str(file["network"]) == network_entry(network)["sha256"]
        return {name: file[name] for name in file.files} if same else {}


def errors(engine: Engine, expected: Dict[str, np.ndarray]) -> List[float]:
    """How far each map of an engine is off, in shares of its range; infinite where it has NaN.

    Args:
        engine: engine of the network that ``expected`` is of.
        expected: from ``read_reference``.
    """
    outputs = run(engine, expected["exemplar"], expected["search"])
    worst = []
    for number, values in enumerate(outputs):
        target = expected[f"map{number}"]
        error = np.abs(values - target).max() / (target.max() - target.min())
        worst.append(float(error) if np.isfinite(error) else float("inf"))
    return worst


if __name__ == "__main__":
    make(sys.argv[1], *map(pathlib.Path, sys.argv[2:]))
