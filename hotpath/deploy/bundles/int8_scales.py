"""Compute the scales of an INT8 build from a table of ranges."""

import pathlib
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

from hotpath.base.toml_keys import Table
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.graphs import calibration_cache, table
from hotpath.runtime.networks import sha256_of


class Int8(NamedTuple):
    """What an INT8 build takes from a table of ranges.

    Attributes:
        scales: dict of tensor -> 8 hexadecimal digits, a big-endian float32, as TensorRT's cache
            writes them. It has every tensor of the table.
        float_tensors: names of the tensors whose layers stay in floating point.
        digest: sha256 of the table.
    """

    scales: Dict[str, str]
    float_tensors: List[str]
    digest: str


def of_order(order: Order, paths: Dict[str, pathlib.Path]) -> Int8:
    """Return what TensorRT's builder needs of the order's table, or of the one that ships.

    Args:
        order: what is to be built.
        paths: dict of part -> path of the network's files.

    Raises:
        BuildFailed, BadTable: see ``read``.
    """
    values, digest = read(order, paths, order.table())
    scales = calibration_cache.scales(table.amax(values))
    return Int8(scales, float_tensors(order, paths, values), digest)


def float_tensors(order: Order, paths: Dict[str, pathlib.Path], values: Table) -> List[str]:
    """Names of the tensors whose layers the report of ``hotpath int8`` kept in floating point.

    Args:
        order: what is to be built.
        paths: dict of part -> path of the network's files.
        values: the table of ranges; its ``keep`` and ``last`` name layers.
    """
    from hotpath.graphs import quantisable

    names: Set[str] = set()
    for part, model in quantisable.parts(order.network, paths).items():
        keep = set(values["keep"]) | (set(values["last"]) if part == "search" else set())
        floating = quantisable.floating(model, keep)
        names.update(node.output[0] for node in model.graph.node if node.name in floating)
    return sorted(names)


def read(
    order: Order, paths: Dict[str, pathlib.Path], path: Optional[pathlib.Path]
) -> Tuple[Table, str]:
    """Read a table of ranges, and check that it is of the order's network.

    Args:
        order: what is to be built.
        paths: dict of part -> path of the network's files.
        path: path of the table; None if there is none.

    Returns:
        (the table as ``hotpath.graphs.table`` reads it, its sha256).

    Raises:
        BuildFailed: there is no table, or it was measured on other files.
        BadTable: the file is no table.
    """
    name = order.network.name
    if path is None:
        raise BuildFailed(
            f"INT8 needs the ranges of {name}, and there is no table of them; run `hotpath "
            f"int8 --network {order.network.given} --clips DIR` with a folder of annotated "
            "clips, or name a table with --calibration"
        )
    ranges = table.read(path)
    if ranges["files"] != {part: sha256_of(file) for part, file in paths.items()}:
        raise BuildFailed(
            f"{path} was measured on {ranges['network']} with other files; run `hotpath "
            f"int8 --network {order.network.given} --clips DIR` again"
        )
    return ranges, sha256_of(path)
