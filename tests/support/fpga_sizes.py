"""Engines that tests simulate: of two boards' sizes, and of the smallest one."""

import pytest

from kernels.fpga import design
from kernels.fpga.design.model import Machine
from kernels.fpga.design.sim.rtl import Rtl
from tests.support.examples import few_of

BYTES = 16 << 20  # of an engine's memory


def size(lanes, words=8192, tiles=512):
    """A size like a board's, with that number of lanes on one clock."""
    changed = {"lanes": lanes, "crop_lanes": lanes, "map_words": words, "weight_tiles": tiles}
    return dict(design.sizes()["pynq_z2"], pumped=0, **changed)


# One lane; two lanes in pumped multipliers; four lanes on one clock.
SIZES = {
    "one lane": size(1, words=16384),
    "pynq_z2": design.sizes()["pynq_z2"],
    "kv260": design.sizes()["kv260"],
}
WHY = "each size is a simulator of its own, compiled for a minute"
each_size = pytest.mark.parametrize("name", few_of(SIZES, ["pynq_z2"], WHY))


def engines(name="pynq_z2", **options):
    """The RTL, with options of its memory, and its definition."""
    return Rtl(SIZES[name], memory_bytes=BYTES, **options), Machine(SIZES[name], BYTES)
