"""Conventions in which exports of one family differ. Each is a factor for each channel of a map.

``hotpath.graphs.assemble`` multiplies the maps of the search graph by these factors. So the
decoders and the kernels of all boards need only one convention: the target is the second half of
the channels of a softmax, and distances are search pixels that count outward.
"""

import typing

from hotpath.base.toml_keys import Key, Keys

if typing.TYPE_CHECKING:
    from hotpath.runtime.network import Network

Factors = typing.Tuple[float, ...]  # one for each channel of a map, or one for all

# which half of the score's channels is the target; the other one is the background
TARGET: Keys = {
    "target": Key(str, "second", ("second", "first"), when=("score", ("softmax",))),
}
KEYS: Keys = dict(
    TARGET,
    # what a distance of 1 is: a search pixel, a cell (stride), or the side of the search region
    unit=Key(str, "pixels", ("pixels", "cells", "region")),
    # "outward": left, top, right and bottom are positive inside the box; "axes": they are
    # x1, y1, x2, y2 less the cell's point, so that left and top are negative
    signs=Key(str, "outward", ("outward", "axes")),
)


def factors(network: "Network") -> "typing.Dict[int, Factors]":
    """Return the factors for the maps of a network.

    Args:
        network: its values of the keys above are used, if its family has them.

    Returns:
        dict of a map's index in the family's order -> its factors. No entry if all are 1.
    """
    factors_of: typing.Dict[int, Factors] = {}
    if getattr(network, "target", "second") == "first":
        factors_of[0] = (-1.0,)  # 1 / (1 + exp(a - b)) becomes 1 / (1 + exp(b - a))
    unit, signs = getattr(network, "unit", "pixels"), getattr(network, "signs", "outward")
    if (unit, signs) != ("pixels", "outward"):
        unit_px = {"pixels": 1, "cells": getattr(network, "stride", 1), "region": network.search}[
            unit
        ]
        near = -unit_px if signs == "axes" else unit_px
        factors_of[1] = (float(near), float(near), float(unit_px), float(unit_px))
    return factors_of
