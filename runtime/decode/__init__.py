"""Families of trackers: one file each, which turns a network's maps into a box.

A family is found by its file name, which a network's TOML gives as ``family``. A module has

    KEYS                 its keys of ``[head]`` and ``[tracking]`` (see ``runtime.networks.schema``)
    shapes(network)      shapes of the maps it takes, in its own order
    create(network, kernels) -> a ``Family``

Files whose name begins with an underscore are what families share.
"""

import importlib
import pathlib

from runtime.errors import BadNetwork


class Family:
    """A family's part of a frame; most say only how to ``select``.

    Attributes:
        factors: sizes of the windows that are looked at in a frame, relative to the search region.
        learns: whether the target is learnt again in every frame, where it was found.
        compares: whether ``certain`` compares with the first frame, which ``first`` is shown.
    """

    factors = (1.0,)
    learns = False
    compares = False

    def remember(self, features, state):
        """What to keep of a new target.

        Args:
            features: tuple of arrays, from the engine's ``exemplar``.
            state: float64 [cx, cy, w, h] of the first box, frame pixels.

        Returns:
            (features, memory): those that the engine's ``search`` takes, and what this family wants
            to see again.
        """
        return features, None

    def first(self, maps):
        """Where ``compares``: take in the maps of the search region around the first box."""

    def certain(self, score):
        """How certain it is that what ``select`` found is the target, 0 to 1 (``runtime.loss``)."""
        return score

    def look(self, index, maps, memory):
        """Take in the maps of window ``index``; they are overwritten by the next one's.

        Returns:
            What ``select`` takes as ``maps``.
        """
        return maps

    def select(self, maps, state, scale, frame_width, frame_height):
        """Find the target in the maps and move it there.

        Args:
            maps: tuple of float32 arrays in the order of ``shapes``.
            state: float64 [cx, cy, w, h], centre and size in frame pixels; updated in place.
            scale: (x, y), search pixels per frame pixel.
            frame_width, frame_height: frame pixels.

        Returns:
            (best, score): index of the winning cell in row-major order, its confidence, 0 to 1.

        Raises:
            NetworkFailed: the maps hold nothing finite.
        """
        raise NotImplementedError

    def learn(self, maps, memory):
        """Where ``learns``: take in the maps of the window around the target just found."""


def families():
    """Names of the families there are, sorted."""
    folder = pathlib.Path(__file__).resolve().parent
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def load(family):
    """The module of a family that is there."""
    return importlib.import_module("runtime.decode." + family)


def shapes(network):
    """Shapes of the maps that a network's family takes, in its order: tuples of ints."""
    return tuple(load(network.family).shapes(network))


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
    return load(network.family).create(network, kernels)
