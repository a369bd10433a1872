"""The engine's definition agrees with slow, obvious arithmetic and with kernels/golden.py."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fpga_tests import fpga_sizes
from fpga_tests.kernels.benches.machine_bench import PLAIN, WORK, Bench
from hotpath.kernels import golden
from hotpath.kernels.fpga import resize, tables
from hotpath_fpga.model import NumpyMachine, requantised
from tests.support.examples import examples


def machine(lanes=1, tiles=64):
    return NumpyMachine(fpga_sizes.size(lanes, 4096, tiles), fpga_sizes.BYTES)


def word_place(lanes, split, row):
    """(bank, row within the bank) of a map's row, as the design defines it."""
    log = lanes.bit_length() - 1
    return (row >> split) & (lanes - 1), (row >> (split + log) << split) | (row & (1 << split) - 1)


def fill(engine, values, base, row_pitch, block_pitch, split):
    """Write a map (rows, blocks, width, 16) word by word."""
    for row, blocks in enumerate(values):
        bank, place = word_place(engine.size["lanes"], split, row)
        for block, words in enumerate(blocks):
            start = base + place * row_pitch + block * block_pitch
            engine.maps[bank, start : start + len(words)] = words


def naive_conv(values, tiles, bias, shifts, fields, table):
    """The convolution as the design defines it: one output word at a time, in integers."""
    rows, blocks, width, _ = values.shape
    made = np.zeros((fields["out_height"], fields["out_blocks"], fields["out_width"], 16), np.int64)
    for oy, ob, ox in np.ndindex(*made.shape[:3]):
        total = bias[ob].astype(np.int64)
        for ky in range(fields["kernel_height"]):
            for kx in range(fields["kernel_width"]):
                top = fields["pad_top"] - 65536 * (fields["pad_top"] > 32767)  # signed, 16 bits
                y = oy * fields["stride_y"] + ky * fields["dilation"] - top
                x = ox * fields["stride_x"] + kx * fields["dilation"] - fields["pad_left"]
                if not (0 <= y < rows and 0 <= x < width):
                    continue
                for ib in range(blocks):
                    tap = (ob * fields["kernel_height"] + ky) * fields["kernel_width"] + kx
                    tile = tiles[tap * blocks + ib].astype(np.int64)
                    total = total + tile @ values[y, ib, x].astype(np.int64)
        for lane in range(16):
            value = round(Fraction(int(total[lane]), 1 << int(shifts[ob, lane])))  # half to even
            value = max(-128, min(127, value))
            value = max(0, value) if fields["relu"] else value
            made[oy, ob, ox, lane] = table[value & 0xFF] if fields["table"] else value
    return made


@examples(60)
@given(st.data())
def test_a_convolution_is_the_sum_that_the_design_says(data):
    draw = data.draw
    lanes = draw(st.sampled_from((1, 2, 4)))
    stride_y, stride_x = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rows, width, blocks = draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.integers(1, 2))
    fields = {
        "in_split": stride_y - 1 if lanes > 1 else draw(st.integers(0, 1)),
        "in_row_pitch": width * blocks,
        "in_block_pitch": width,
        "in_height": rows,
        "in_width": width,
        "in_blocks": blocks,
        "kernel_height": kernel[0],
        "kernel_width": kernel[1],
        "stride_y": stride_y,
        "stride_x": stride_x,
        "pad_top": draw(st.integers(-7, 2)) & 0xFFFF,
        "dilation": draw(st.integers(1, 2)) if stride_y == 1 else 1,
        "out_base": 1000,
    }
    for name, most in {"out_height": 7, "out_width": 7, "out_blocks": 2}.items():
        fields[name] = draw(st.integers(1, most))
    drawn = {"relu": 1, "table": 1, "out_split": 1, "in_base": 40, "pad_left": 2, "out_row": 5}
    for name, most in dict(drawn, weight_tile=5, param_entry=60).items():
        fields[name] = draw(st.integers(0, most))
    fields["out_block_pitch"] = fields["out_width"]
    fields["out_row_pitch"] = fields["out_width"] * fields["out_blocks"]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    small, out_blocks = draw(st.booleans()), fields["out_blocks"]
    taps, limit = kernel[0] * kernel[1] * blocks, 8 if small else 128
    values = rng.integers(-limit, limit, (rows, blocks, width, 16), np.int8)
    tiles = rng.integers(-limit, limit, (taps * out_blocks, 16, 16), np.int8)
    bias = rng.integers(-5000, 5000, (out_blocks, 16)).astype("<i4")
    shifts = rng.integers(0, 5 if small else 16, (out_blocks, 16)).astype(np.uint8)
    table = rng.integers(-128, 128, 256, np.int8)

    engine = machine(lanes)
    bench = Bench(engine)
    fill(engine, values, fields["in_base"], width * blocks, width, fields["in_split"])
    bench.load("WEIGHTS", tiles, fields["weight_tile"] * 16)
    unused = np.zeros((out_blocks, 48), np.uint8)
    bias_bytes = bias.view(np.uint8).reshape(out_blocks, 64)
    entries = np.concatenate([bias_bytes, shifts, unused], axis=1)
    bench.load("PARAMS", entries, fields["param_entry"] * 8)
    bench.load("TABLE", table)
    bench.add("CONV", **fields)
    assert bench.run() == tables.IS_DONE
    groups = -(-fields["out_height"] // lanes)
    assert engine.trace[-1][2] == groups * fields["out_width"] * out_blocks * taps

    expected = naive_conv(values, tiles, bias, shifts, fields, table)
    for row, made in enumerate(expected):
        bank, place = word_place(lanes, fields["out_split"], fields["out_row"] + row)
        for block, words in enumerate(made):
            at = fields["out_base"] + place * fields["out_row_pitch"]
            at += block * fields["out_block_pitch"]
            np.testing.assert_array_equal(engine.maps[bank, at : at + len(words)], words)


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=50),
    st.integers(0, 31),
)
def test_requantisation_rounds_halves_to_even_and_saturates(sums, shift):
    halves = [value >> shift << shift | 1 << shift >> 1 for value in sums]
    sums = np.array(sums + halves, np.float64)[:, None]
    found = requantised(sums, np.zeros(1, np.int32), np.array([shift], np.uint8))[:, 0]
    exact = [max(-128, min(127, round(Fraction(int(value), 1 << shift)))) for value in sums[:, 0]]
    assert found.tolist() == exact
    if shift:  # the same as whole-number arithmetic in fabric does it
        acc = sums[:, 0].astype(np.int64)
        fabric = (acc + (1 << (shift - 1)) - 1 + (acc >> shift & 1)) >> shift
        assert np.clip(fabric, -128, 127).tolist() == exact


def test_sums_too_long_for_float32_are_exact():
    engine = machine(tiles=256)
    bench = Bench(engine)
    tiles = np.full((9 * 24, 16, 16), 127, np.int8)
    tiles[:, 1] = -127
    values = np.full((3, 24, 3, 16), 127, np.int8)
    values[1, 5, 2, 3] = 126
    fill(engine, values, 0, 72, 3, 0)
    total = 127 * (127 * 9 * 24 * 16 - 1)  # more than 2**24, and odd
    bias = np.zeros(16, "<i4")
    bias[:2] = 2 - total, total
    bench.load("WEIGHTS", tiles)
    bench.load("PARAMS", np.concatenate([bias.view(np.uint8), np.zeros(16, np.uint8)]))
    fields = dict(PLAIN, in_row_pitch=72, in_block_pitch=3, in_height=3, in_width=3, in_blocks=24)
    fields.update(kernel_height=3, kernel_width=3, out_base=2000, out_height=1, out_width=1)
    bench.add("CONV", **fields)
    bench.run()
    assert engine.maps[0, 2000, :2].tolist() == [2, 0]


# -- crop


def expected_words(picture, pixels, overlap, words):
    """The crop's words pixel by pixel."""
    side = picture.shape[1]
    made = np.zeros((len(picture), words, 16), np.int8)
    for row, word in np.ndindex(*made.shape[:2]):
        places = range(4 * word - 1, 4 * word + 4) if overlap else (word,)
        for i, place in enumerate(places):
            if 0 <= place < side:
                for channel in range(3):
                    made[row, word, 3 * i + channel] = pixels[channel, picture[row, place, channel]]
    return made


@examples(60)
@given(st.data())
def test_the_crop_is_the_golden_one_also_beyond_every_edge(data):
    draw = data.draw
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    side = draw(st.integers(1, 40))
    place = st.integers(-80, 80) | st.sampled_from((-90000, -4000, 5000))
    length = st.just(side) | st.integers(1, 90) | st.sampled_from((9000, 80000))
    window = draw(st.tuples(place, place, length, length))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame = rng.integers(0, 256, (height, width, 3), np.uint8)
    border = rng.integers(0, 256, 3, np.uint8)
    overlap, lanes = draw(st.integers(0, 1)), draw(st.sampled_from((1, 2, 4)))
    split = draw(st.integers(0, 1))
    words = (side + 4) // 4 if overlap else side
    first = draw(st.integers(0, side - 1))
    rows = draw(st.integers(1, side - first))
    offset, padding = draw(st.integers(0, 17)), draw(st.integers(0, 9))

    engine = machine(lanes)
    bench = Bench(engine)
    pixels = rng.integers(-128, 128, (3, 256), np.int8)
    bench.load("PIXELS", pixels)
    bench.picture(frame, window, side, border, offset, padding)
    bench.crop(side, words, rows, overlap=overlap, split=split, base=3, first_row=first)
    bench.store(3, words, rows, words, split=split)
    assert bench.run() == tables.IS_DONE

    picture = golden.crop(frame, window, side, border)[first : first + rows]
    np.testing.assert_array_equal(
        bench.result(rows, words), expected_words(picture, pixels, overlap, words)
    )


def test_the_fetched_part_is_what_the_window_has_of_the_frame():
    out = np.zeros(resize.bytes_of(8)[1], np.uint8)
    assert resize.tables_for(100, 50, (-10, 40, 30, 30), 8, out) == (0, 40, 20, 10)
    assert resize.tables_for(100, 50, (200, 40, 30, 30), 8, out) == (0, 0, 0, 0)


def test_a_program_counts_what_it_moved():
    bench = Bench(machine())
    bench.load("TABLE", np.zeros(256, np.uint8))
    bench.store(0, 1, 1, 2)
    bench.run()
    read = {name: bench.machine.read(tables.REGISTERS[name]) for name in ("READ", "WRITTEN")}
    assert read == {"READ": 3 * 8 + 32, "WRITTEN": 4}
    assert not bench.machine.memory[WORK : WORK + 32].any()
