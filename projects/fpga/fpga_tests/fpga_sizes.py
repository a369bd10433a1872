"""Engines that tests simulate: of both boards' sizes, and of what lies between them."""

import pytest

import hotpath_fpga as design
from hotpath_fpga.model import NumpyMachine
from hotpath_fpga.sim.rtl import Rtl
from tests.support.examples import few_of

BYTES = 16 << 20  # of an engine's memory


def size(lanes, words=8192, tiles=512):
    """A size like a board's, with that number of lanes."""
    changed = {"lanes": lanes, "crop_lanes": lanes, "map_words": words, "weight_tiles": tiles}
    return dict(design.sizes()["pynq_z2"], **changed)


# One lane with two crop pixels a cycle; two lanes; four lanes on a wide bus.
SIZES = {
    "pynq_z2": design.sizes()["pynq_z2"],
    "two lanes": size(2),
    "kv260": design.sizes()["kv260"],
}
WHY = "each size is a simulator of its own, compiled for a minute"
each_size = pytest.mark.parametrize("name", few_of(SIZES, ["pynq_z2"], WHY))


def engines(name="pynq_z2", **options):
    """The RTL, with options of its memory, and its definition."""
    return Rtl(SIZES[name], memory_bytes=BYTES, **options), NumpyMachine(SIZES[name], BYTES)
