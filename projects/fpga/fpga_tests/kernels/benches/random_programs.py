"""Random programs for the FPGA engine: chains of crop, convolutions and store, side by side.

A command waits only for what it needs, so units overlap, and whatever order they end in, the
result is the same.
"""

import numpy as np

from fpga_tests.kernels.benches.machine_bench import WORD, Bench
from hotpath.kernels.fpga import tables
from hotpath_fpga.model import PARAMS_BYTES


class Chains(Bench):
    """A bench whose commands say which earlier ones they wait for."""

    def after(self, waited, name, **fields):
        """Add a command that waits for those; returns what a later command can wait for."""
        for unit in self.ended:
            fields["wait_" + unit] = max([n for u, n in waited if u == unit], default=0)
        self.add(name, **fields)
        unit = name.lower()
        return unit, self.ended.get(unit, 0)

    def load_after(self, waited, target, data, beat=0):
        """As ``load``, waiting for those only."""
        self.load(target, data, beat)
        name, fields = tables.unpack(self.commands.pop())
        self.ended["load"] -= 1
        return self.after(waited, name, **{k: v for k, v in fields.items() if k[:5] != "wait_"})


class Space:
    """Hands out the words of the map banks."""

    def __init__(self, lanes, words):
        self.lanes = lanes
        self.words = words
        self.used = 0

    def map(self, rng, height, width, blocks, split):
        """A place for a map: dict of its geometry, with gaps between rows and blocks."""
        place = dict(base=self.used, split=split, height=height, width=width, blocks=blocks)
        place["block_pitch"] = width + int(rng.integers(0, 3))
        place["row_pitch"] = place["block_pitch"] * blocks + int(rng.integers(0, 3))
        rows = -(-height // (self.lanes << split)) << split
        self.used += rows * place["row_pitch"]
        return place if self.used <= self.words else None


def random_program(bench, rng, chains=2, convolutions=2):
    """Add chains of crop, convolutions and store; returns how many bytes the stores write."""
    lanes, tiles = bench.machine.size["lanes"], bench.machine.size["weight_tiles"]
    space, side = Space(lanes, bench.machine.size["map_words"]), int(rng.integers(6, 28))
    frame = rng.integers(0, 256, (int(rng.integers(8, 70)), int(rng.integers(8, 90)), 3))
    window = tuple(int(v) for v in rng.integers(-40, 60, 2)) + (int(rng.integers(1, 120)),) * 2
    border, offset, padding = rng.integers(0, 256, 3), rng.integers(0, 32), rng.integers(0, 9)
    bench.picture(frame.astype(np.uint8), window, side, border, int(offset), int(padding))
    bench.load("PIXELS", rng.integers(-128, 128, 768).astype(np.int8))
    bench.load("TABLE", rng.integers(-128, 128, 256).astype(np.int8))
    tables_there = [("load", bench.ended["load"])]

    at = {"tile": 0, "entry": 0, "work": 0}
    waiting = []  # steps of each chain, taken in turns
    for _ in range(chains):
        waiting.append(_chain(bench, rng, space, at, tables_there, side, convolutions, tiles))
    while waiting:
        chain = waiting[int(rng.integers(0, len(waiting)))]
        if next(chain, None) is None:
            waiting.remove(chain)
    return at["work"]


def _chain(bench, rng, space, at, before, side, convolutions, tiles):
    """Generator that adds a command a step; yields what it added."""
    lanes = space.lanes
    strides = [int(rng.integers(1, 3)) for _ in range(convolutions)]
    overlap = int(rng.integers(0, 2))
    words = -(-side // 4) if overlap else side
    first = int(rng.integers(0, side))
    rows = int(rng.integers(1, side - first + 1))
    split = _split(rng, lanes, strides[0])
    made = space.map(rng, rows, words, 1, split)
    crop = dict(overlap=overlap, words=words, rows=rows, first_row=first, size=side)
    last = bench.after(before, "CROP", **crop, **_kept(made))
    yield last
    for index, stride in enumerate(strides):
        following = strides[index + 1] if index + 1 < convolutions else int(rng.integers(1, 3))
        fields, out, weights, params = _convolution(rng, space, at, made, stride, following, lanes)
        if out is None or at["tile"] > tiles or at["entry"] > 64:
            break
        loaded = bench.load_after([], "WEIGHTS", weights, fields["weight_tile"] * WORD)
        yield loaded
        loaded = bench.load_after([], "PARAMS", params, fields["param_entry"] * 8)
        yield loaded
        last = bench.after([last, loaded] + before, "CONV", **fields)
        yield last
        made = out
    for block in range(made["blocks"]):
        first = int(rng.integers(0, made["height"]))
        rows = int(rng.integers(1, made["height"] - first + 1))
        store = dict(_kept(made), width=made["width"], rows=rows, first_row=first)
        store.update(region=tables.REGIONS["WORK"], offset=at["work"])
        store["base"] += block * made["block_pitch"]
        yield bench.after([last], "STORE", **store)
        at["work"] += rows * made["width"] * WORD


def _kept(made):
    """Where a map begins and how its rows lie."""
    return {name: made[name] for name in ("base", "row_pitch", "split")}


def _split(rng, lanes, stride):
    """Of a map that a convolution of this stride reads."""
    return stride - 1 if lanes > 1 else int(rng.integers(0, 2))


def _convolution(rng, space, at, made, stride, following, lanes):
    """A random convolution of a map: (fields, the map it makes, weights, params)."""
    kernel = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    dilation = int(rng.integers(1, 3)) if stride == 1 else 1
    blocks = int(rng.integers(1, 3))
    height = max(1, made["height"] // stride + int(rng.integers(-1, 2)))
    width = max(1, made["width"] // stride + int(rng.integers(-1, 2)))
    out = space.map(rng, height, width, blocks, _split(rng, lanes, following))
    if out is None:
        return {}, None, None, None
    tiles = kernel[0] * kernel[1] * made["blocks"] * blocks
    fields = dict(
        relu=int(rng.integers(0, 2)),
        table=int(rng.integers(0, 2)),
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride_y=stride,
        stride_x=stride,
        pad_top=int(rng.integers(-2, 3)) & 0xFFFF,
        pad_left=int(rng.integers(0, 3)),
        dilation=dilation,
        weight_tile=at["tile"],
        param_entry=at["entry"],
        **{f"in_{name}": value for name, value in made.items()},
        **{f"out_{name}": value for name, value in out.items()},
    )
    at["tile"] += tiles
    at["entry"] += blocks
    weights = rng.integers(-128, 128, tiles * 256).astype(np.int8)
    params = np.zeros((blocks, PARAMS_BYTES), np.uint8)
    # one in four channels has any bias of the size of a sum, and any shift
    wide = rng.random((blocks, 16)) < 0.25
    most = np.where(wide, 2**20, 20000)
    params[:, :64] = rng.integers(-most, most).astype("<i4").view(np.uint8)
    params[:, 64:80] = rng.integers(np.where(wide, 0, 5), np.where(wide, 32, 14))
    return fields, out, weights, params
