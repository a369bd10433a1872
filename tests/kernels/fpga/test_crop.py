"""The crop unit's RTL equals kernels/golden.py bit for bit, also when the memory stalls."""

import numpy as np
import pytest

from kernels import golden
from kernels.fpga import tables
from kernels.fpga.design.model import Machine
from kernels.fpga.design.sim import build
from tests.kernels.fpga.benches.machine_bench import RESIZE, WORK, Bench
from tests.support.fpga_sizes import SIZES, each_size

WHY = build.missing()
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))

BYTES = 16 << 20
# frame's sides, window, side of the crop
CASES = {
    "inside": ((60, 80), (11, 7, 40, 33), 24),
    "as it is": ((60, 80), (13, 9, 31, 31), 31),
    "enlarged": ((60, 80), (20, 20, 9, 11), 40),
    "enlarged from one pixel": ((60, 80), (20, 20, 1, 1), 16),
    "much smaller": ((200, 300), (3, 2, 290, 190), 17),
    "over the left side": ((60, 80), (-17, 10, 40, 40), 24),
    "over the right side": ((60, 80), (60, 10, 40, 40), 24),
    "over the top": ((60, 80), (20, -22, 40, 40), 24),
    "over the bottom": ((60, 80), (20, 41, 40, 40), 24),
    "over all sides": ((30, 20), (-25, -15, 90, 70), 48),
    "outside": ((60, 80), (200, 10, 40, 40), 24),
    "outside, above": ((60, 80), (10, -90, 40, 40), 24),
    "lines that take a whole place": ((20, 1500), (-5, -3, 1505, 24), 26),
    "the longest lines": ((6, 2725), (0, 0, 2725, 6), 20),
    "one pixel wide frame": ((40, 1), (-8, -8, 40, 50), 20),
}


def rtl(name, **options):
    from kernels.fpga.design.sim.rtl import Rtl

    return Rtl(SIZES[name], memory_bytes=BYTES, **options)


def crop_on(machine, frame, window, side, border, pixels, overlap, first=0, rows=None, offset=0):
    """Rows of a crop from the engine: (rows, words, 16) int8."""
    bench, rows = Bench(machine), side - first if rows is None else rows
    words = -(-side // 4) if overlap else side
    bench.load("PIXELS", pixels)
    bench.picture(frame, window, side, border, offset=offset, padding=offset * 7 % 5)
    bench.add(
        "CROP",
        overlap=overlap,
        base=5,
        row_pitch=words + 2,
        words=words,
        rows=rows,
        first_row=first,
        size=side,
    )
    bench.store(5, words + 2, rows, words)
    assert bench.run() == tables.IS_DONE
    return bench.result(rows, words)


def words_of(picture, pixels, overlap):
    """The words that the map must hold for a picture (rows, side, 3) uint8."""
    values = pixels.reshape(3, 256)[np.arange(3), picture]
    rows, side = picture.shape[:2]
    if not overlap:
        return np.pad(values, ((0, 0), (0, 0), (0, 13)), mode="constant")
    words = -(-side // 4)
    wide = np.zeros((rows, 4 * words + 1, 3), np.int8)
    wide[:, 1 : side + 1] = values
    made = np.zeros((rows, words, 16), np.int8)
    for place in range(5):
        made[:, :, 3 * place : 3 * place + 3] = wide[:, place : place + 4 * words : 4][:, :words]
    return made


@each_size
@pytest.mark.parametrize("case", sorted(CASES))
def test_a_crop_in_fabric_is_the_definition(name, case):
    (height, width), window, side = CASES[case]
    rng = np.random.default_rng(len(case))
    frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    border, pixels = rng.integers(0, 256, 3), rng.integers(-128, 128, 768).astype(np.int8)
    expected = golden.crop(frame, window, side, border)
    for overlap, stalls in ((1, 0), (0, 30)):
        machine = rtl(name, stalls=stalls, seed=side)
        made = crop_on(machine, frame, window, side, border, pixels, overlap, offset=side % 16)
        assert np.array_equal(made, words_of(expected, pixels, overlap))


@each_size
def test_a_band_of_a_random_window_is_the_definition(name):
    rng = np.random.default_rng(3)
    for turn in range(12):
        frame = rng.integers(0, 256, tuple(rng.integers(4, 90, 2)) + (3,), dtype=np.uint8)
        window = tuple(int(v) for v in rng.integers(-40, 70, 2)) + tuple(rng.integers(1, 130, 2))
        side, overlap, border = int(rng.integers(3, 60)), turn % 2, rng.integers(0, 256, 3)
        pixels = rng.integers(-128, 128, 768).astype(np.int8)
        first = int(rng.integers(0, side))
        rows = int(rng.integers(1, side - first + 1))
        expected = golden.crop(frame, window, side, border)[first : first + rows]
        machine = rtl(name, stalls=30 * (turn // 2 % 2), seed=turn)
        made = crop_on(
            machine,
            frame,
            window,
            side,
            border,
            pixels,
            overlap,
            first,
            rows,
            offset=int(rng.integers(0, 16)),
        )
        assert np.array_equal(made, words_of(expected, pixels, overlap)), turn


@each_size
@pytest.mark.parametrize("columns", [50, 2000])
def test_rows_in_any_order_are_blended_as_the_table_says(name, columns):
    """Use tables that no window gives: rows in any order, and arbitrary weights."""
    size, side = SIZES[name], 40
    for seed in range(6):
        results = []
        for machine in (rtl(name, stalls=10, seed=seed), Machine(size, BYTES)):
            rng = np.random.default_rng(seed)
            bench = Bench(machine)
            frame = rng.integers(0, 256, (30, columns, 3), dtype=np.uint8)
            bench.load("PIXELS", rng.integers(-128, 128, 768).astype(np.int8))
            bench.picture(frame, (0, 0, columns, 30), side, (1, 2, 3), offset=5, padding=3)
            made = np.zeros((2, side, 4), np.uint16)
            made[0, :, 0] = rng.integers(0, columns - 1, side)
            made[0, :, 1] = rng.integers(0, 4, side)
            made[1, :, :2] = rng.integers(0, 4 + 5 * seed, (side, 2))
            made[:, :, 2:] = rng.integers(0, 2049, (2, side, 2))
            made[1, :, 2:] |= (rng.integers(0, 5, (side, 2)) == 0).astype(np.uint16) << 15
            machine.memory[RESIZE : RESIZE + made.nbytes] = made.view(np.uint8).ravel()
            bench.add("CROP", base=0, row_pitch=side, words=side, rows=side, size=side)
            bench.store(0, side, side, side)
            assert bench.run(100_000) == tables.IS_DONE
            results.append(bench.result(side, side))
        assert np.array_equal(*results), seed


@each_size
@pytest.mark.parametrize("overlap", [0, 1])
def test_a_crop_of_more_or_fewer_words_than_pixels_pads_with_zeros(name, overlap):
    size, side = SIZES[name], 22
    for words in (3, 5, 40):
        results = []
        for machine in (rtl(name), Machine(size, BYTES)):
            rng = np.random.default_rng(words)
            bench = Bench(machine)
            frame = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            bench.load("PIXELS", rng.integers(-128, 128, 768).astype(np.int8))
            bench.picture(frame, (3, 5, 30, 30), side, (9, 8, 7))
            bench.add(
                "CROP", overlap=overlap, base=7, row_pitch=words, words=words, rows=side, size=side
            )
            bench.add("CROP", overlap=overlap, base=9, row_pitch=words, words=words, rows=0)
            bench.add("CROP", overlap=overlap, base=9, row_pitch=words, words=0, rows=side)
            bench.store(7, words, side, words)
            assert bench.run() == tables.IS_DONE
            results.append(bench.result(side, words))
        assert np.array_equal(*results)


@each_size
def test_memory_does_not_hold_up_the_pixels_of_an_unscaled_crop(name):
    """A crop takes little more than the time of the pixel pipeline: lines are prefetched."""
    side = 255
    machine = rtl(name)
    frame = np.zeros((400, 500, 3), np.uint8)
    crop_on(machine, frame, (20, 20, side, side), side, (0, 0, 0), np.zeros(768, np.int8), 1)
    crop = next(command for command in machine.trace if command.unit == "CROP")
    own = side * 256 // machine.size["crop_lanes"]
    assert own <= crop.end - crop.start < 1.25 * own


def test_what_a_stopped_crop_left_over_does_not_reach_the_next():
    rng = np.random.default_rng(8)
    frame = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    pixels = rng.integers(-128, 128, 768).astype(np.int8)
    machine = rtl("pynq_z2", stalls=20)
    for cycles in (900, 1300, 2100):
        bench = Bench(machine)
        bench.load("PIXELS", pixels)
        bench.picture(frame, (5, 5, 50, 50), 40, (1, 2, 3))
        bench.add("CROP", base=0, row_pitch=40, words=40, rows=40, size=40)
        bench.start()
        assert not machine.run(cycles)
        bench.register("CONTROL", tables.STOP)
        assert machine.run(2000)
        other = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        made = crop_on(machine, other, (5, 5, 50, 50), 40, (1, 2, 3), pixels, 0, offset=3)
        expected = golden.crop(other, (5, 5, 50, 50), 40, (1, 2, 3))
        assert np.array_equal(made, words_of(expected, pixels, 0))
        assert not machine.memory[WORK - 16 : WORK].any()
