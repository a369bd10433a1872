"""Calls for several windows: their sizes, and what the next call would overwrite."""

from typing import List

from hotpath.runtime.types import WindowResult


def parts(count: int, most: int) -> List[int]:
    """Split a number of windows into sizes of calls: powers of two, each at most ``most``."""
    sizes = []
    while count:
        size = min(most, 1 << (count.bit_length() - 1))
        sizes.append(size)
        count -= size
    return sizes


def copied(result: WindowResult) -> WindowResult:
    """Return a copy whose features and maps are in its own memory, which no later call changes."""
    features = None if result.features is None else result.features.copy()
    maps = None if result.maps is None else tuple(values.copy() for values in result.maps)
    pooled = None if result.pooled is None else result.pooled.copy()
    return result._replace(features=features, maps=maps, pooled=pooled)
