"""Families of trackers: one file each, which turns a network's maps into a box.

A family is found by its file name, which a network's TOML gives as ``family``. A module has
``create(network, kernels)``, which returns an object with

    select(maps, state, scale, frame_width, frame_height) -> (best, score)

``maps`` is the tuple of arrays that the engine gave; ``state`` is float64 [cx, cy, w, h] in frame
pixels and is updated in place; ``scale`` is (x, y) search pixels per frame pixel; ``best`` is the
index of the winning cell and ``score`` its confidence, 0 to 1.
"""

import importlib
import pathlib

from runtime.errors import BadNetwork


def families():
    """Names of the families there are, sorted."""
    folder = pathlib.Path(__file__).resolve().parent
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def create(network, kernels):
    """The decoder of a network's family.

    Raises:
        BadNetwork: no family of that name.
    """
    if network.family not in families():
        raise BadNetwork(
            "{}: no family is called {!r}; there are: {}".format(
                network.path, network.family, ", ".join(families())
            )
        )
    return importlib.import_module("runtime.decode." + network.family).create(network, kernels)
