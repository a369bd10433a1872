"""Families of networks: each file turns the maps of one family into a box.

A network's TOML names its family, which is the name of a file here. The module has

    KEYS                 the keys of ``[head]`` and ``[tracking]`` (see ``decode.shared.keys``)
    shapes(network)      shapes of the maps that it takes, in its own order
    create(network, kernels) -> a ``Family``
    scales(network)      where the family searches several sizes only: see ``scales`` below

``shared/`` has what families share.
"""

import importlib
import pkgutil
import typing

from hotpath.runtime.decode.shared.family import Family
from hotpath.runtime.errors import BadNetwork

if typing.TYPE_CHECKING:
    from types import ModuleType

    from hotpath.kernels.cpu.interface import CpuKernels
    from hotpath.runtime.network import Network

Shape = typing.Tuple[int, ...]


def families(folders: "typing.Sequence[str]" = __path__) -> "typing.List[str]":
    """Names of all families of a package, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(folders) if not module.ispkg)


def module_of(family: str, package: str = __name__) -> "ModuleType":
    """The module of a family that exists."""
    return importlib.import_module(f"{package}.{family}")


def shapes(network: "Network") -> "typing.Tuple[Shape, ...]":
    """Shapes of the maps that a network's family takes, in the family's order."""
    return tuple(module_of(network.family).shapes(network))


def scales(network: "Network") -> "typing.Tuple[float, ...]":
    """Sizes of the windows that a family searches in each frame, relative to the search region.

    Empty for families whose ``select`` takes the maps of one window as they are.
    """
    module = module_of(network.family)
    return tuple(module.scales(network)) if hasattr(module, "scales") else ()


def nearest_family(family: str, there: "typing.Sequence[str]") -> "typing.Optional[str]":
    """The family that a misspelt name resembles; None if it resembles none."""
    import difflib

    from hotpath.base.messages import ALIKE

    near = difflib.get_close_matches(family, there, n=1, cutoff=ALIKE)
    return near[0] if near else None


def unknown_family_text(family: str, there: "typing.Sequence[str]") -> str:
    """What is wrong with the name of a family that is not there."""
    from hotpath.base.messages import did_you_mean

    hint = did_you_mean(family, there) or "there are: " + ", ".join(there)
    return f"{family!r} is not known; {hint}"


def create(network: "Network", kernels: "CpuKernels") -> Family:
    """Make the decoder of a network's family.

    Args:
        network: the ``Network``.
        kernels: from ``hotpath.kernels.cpu.load``.

    Raises:
        BadNetwork: no family has that name.
    """
    if network.family not in families():
        raise BadNetwork(
            f"{network.path}: family {unknown_family_text(network.family, families())}"
        )
    decoder: Family = module_of(network.family).create(network, kernels)
    return decoder
