"""The scales of an INT8 build, from a table of ranges; a prepared folder already holds them."""

import pathlib
import struct
from typing import Any, Dict, Optional, Tuple

import numpy as np

from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.graphs import table
from hotpath.runtime.networks import sha256_of


def scales(order: Order, paths: Dict[str, pathlib.Path]) -> Tuple[Dict[str, str], str]:
    """Return the scales of the order's table of ranges, as TensorRT's cache writes them.

    Args:
        order: what is to be built.
        paths: dict of part -> path of the network's files.

    Returns:
        (dict of tensor -> 8 hexadecimal digits, a big-endian float32; sha256 of the table).

    Raises:
        BuildFailed, BadTable: see ``read``.
    """
    values, digest = read(order, paths, order.table())
    scale_of = {
        tensor: struct.pack(">f", np.float32(magnitude) / np.float32(127)).hex()
        for tensor, magnitude in table.amax(values).items()
    }
    return scale_of, digest


def read(
    order: Order, paths: Dict[str, pathlib.Path], path: Optional[pathlib.Path]
) -> Tuple[Dict[str, Any], str]:
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
