"""Families of trackers: one file each, which turns a network's maps into a box.

A network's TOML names its family, which is the name of a file here. The module has

    KEYS                 the keys of ``[head]`` and ``[tracking]`` (see ``decode.shared.keys``)
    shapes(network)      shapes of the maps that it takes, in its own order
    create(network, kernels) -> a ``Family``

What families share stands in ``shared/``.
"""

import importlib
import pathlib
import typing

from runtime.decode.shared.family import Family
from runtime.errors import BadNetwork

if typing.TYPE_CHECKING:
    from types import ModuleType

    from kernels.cpu.interface import Kernels
    from runtime.network import Network

Shape = typing.Tuple[int, ...]


def families() -> "typing.List[str]":
    """Names of all families, sorted."""
    folder = pathlib.Path(__file__).resolve().parent
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def module_of(family: str) -> "ModuleType":
    """The module of a family that exists."""
    return importlib.import_module("runtime.decode." + family)


def shapes(network: "Network") -> "typing.Tuple[Shape, ...]":
    """Shapes of the maps that a network's family takes, in the family's order."""
    return tuple(module_of(network.family).shapes(network))


def create(network: "Network", kernels: "Kernels") -> Family:
    """Make the decoder of a network's family.

    Args:
        network: the ``Network``.
        kernels: from ``kernels.cpu.load``.

    Raises:
        BadNetwork: no family has that name.
    """
    if network.family not in families():
        raise BadNetwork(
            f"{network.path}: no family is called {network.family!r}; there are: "
            f"{', '.join(families())}"
        )
    decoder: Family = module_of(network.family).create(network, kernels)
    return decoder
