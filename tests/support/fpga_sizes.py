"""Sizes of the engines that tests simulate: of two boards, and the smallest one."""

import pytest

from kernels.fpga import design
from tests.support.examples import few_of


def size(lanes, words=8192, tiles=512):
    """A size like a board's, with that number of lanes on one clock."""
    return dict(
        design.sizes()["pynq_z2"],
        lanes=lanes,
        pumped=0,
        crop_lanes=lanes,
        map_words=words,
        weight_tiles=tiles,
    )


# One lane; two lanes in pumped multipliers; four lanes on one clock.
SIZES = {
    "one lane": size(1, words=16384),
    "pynq_z2": design.sizes()["pynq_z2"],
    "kv260": design.sizes()["kv260"],
}
WHY = "each size is a simulator of its own, compiled for a minute"
each_size = pytest.mark.parametrize("name", few_of(SIZES, ["pynq_z2"], WHY))
