"""Calls for several windows: their sizes, and what the next call would overwrite."""

from typing import List

from hotpath.runtime.types import Seen


def parts(count: int, most: int) -> List[int]:
    """Split a number of windows into sizes of calls: powers of two, each at most ``most``."""
    sizes = []
    while count:
        size = min(most, 1 << (count.bit_length() - 1))
        sizes.append(size)
        count -= size
    return sizes


def copied(seen: Seen) -> Seen:
    """Return a copy whose features and maps are in its own memory, which no later call changes."""
    features = None if seen.features is None else seen.features.copy()
    maps = None if seen.maps is None else tuple(values.copy() for values in seen.maps)
    pooled = None if seen.pooled is None else seen.pooled.copy()
    return seen._replace(features=features, maps=maps, pooled=pooled)
