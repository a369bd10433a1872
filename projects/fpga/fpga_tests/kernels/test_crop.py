"""The crop unit's RTL equals the engine's definition bit for bit, also when the memory stalls.

``test_model.py`` holds the definition to kernels/golden.py; ``test_engine.py`` runs random windows.
"""

import numpy as np
import pytest

from fpga_tests.fpga_sizes import each_size, engines
from fpga_tests.kernels.benches.machine_bench import RESIZE, Bench
from hotpath.kernels.fpga import tables
from hotpath_fpga.sim import build
from tests.support.examples import count

WHY = build.missing()
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))

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


def check(machines, shape, window, side, seed, words=None, overlap=0, change=None):
    """Check that a crop of random pixels is the same on all machines.

    Args:
        shape: of the frame.
        change: function of (bench, rng) that changes or adds something before the crop.
    """
    results = []
    words = words or (-(-side // 4) if overlap else side)
    for machine in machines:
        rng, bench = np.random.default_rng(seed), Bench(machine)
        bench.load("PIXELS", rng.integers(-128, 128, 768).astype(np.int8))
        frame = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        border = rng.integers(0, 256, 3)
        bench.picture(frame, window, side, border, offset=side % 16, padding=side % 16 * 7 % 5)
        if change:
            change(bench, rng)
        bench.crop(side, words, overlap=overlap, base=5, row_pitch=words + 2)
        bench.store(5, words + 2, side, words)
        assert bench.run() == tables.IS_DONE
        results.append(bench.result(side, words))
    assert all(np.array_equal(results[0], result) for result in results), (seed, words)


@each_size
@pytest.mark.parametrize("case", sorted(CASES))
def test_a_crop_in_fabric_is_the_definition(name, case):
    for overlap, stalls in ((1, 0), (0, 30)):
        machines = engines(name, stalls=stalls, seed=CASES[case][2])
        check(machines, *CASES[case], len(case), overlap=overlap)


@each_size
@pytest.mark.parametrize("columns", [50, 2000])
def test_rows_in_any_order_are_blended_as_the_table_says(name, columns):
    """Use tables that no window gives: rows in any order, and arbitrary weights."""
    side = 40
    for seed in range(count(2, 6)):

        def any_order(bench, rng, seed=seed):
            made = np.zeros((2, side, 4), np.uint16)
            made[0, :, 0] = rng.integers(0, columns - 1, side)
            made[0, :, 1] = rng.integers(0, 4, side)
            made[1, :, :2] = rng.integers(0, 4 + 5 * seed, (side, 2))
            made[:, :, 2:] = rng.integers(0, 2049, (2, side, 2))
            made[1, :, 2:] |= (rng.integers(0, 5, (side, 2)) == 0).astype(np.uint16) << 15
            bench.machine.memory[RESIZE : RESIZE + made.nbytes] = made.view(np.uint8).ravel()

        machines, window = engines(name, stalls=10, seed=seed), (0, 0, columns, 30)
        check(machines, (30, columns), window, side, seed, change=any_order)


@each_size
@pytest.mark.parametrize("overlap", [0, 1])
def test_a_crop_of_more_or_fewer_words_pads_with_zeros(name, overlap):
    def empty_ones(bench, rng):
        bench.crop(22, 9, 0, overlap=overlap, base=9)
        bench.crop(22, 0, 22, overlap=overlap, base=9)

    for words in (3, 5, 40):
        check(engines(name), (40, 50), (3, 5, 30, 30), 22, words, words, overlap, empty_ones)


@each_size
def test_memory_does_not_hold_up_the_pixels_of_an_unscaled_crop(name):
    """A crop takes little more than the time of the pixel pipeline: lines are prefetched."""
    side = 255
    machine, model = engines(name)
    check((machine, model), (400, 500), (20, 20, side, side), side, 0, overlap=1)
    crop = next(command for command in machine.trace if command.unit == "CROP")
    own = side * 256 // machine.size["crop_lanes"]
    assert own <= crop.end - crop.start < 1.25 * own
