"""The compiled code for an FPGA board's processor does what its NumPy definitions say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels import cpu
from hotpath.kernels.cpu import interface
from hotpath.kernels.fpga import native, resize, words
from tests.support.examples import examples
from tests.support.needs import needs_kernels


@pytest.fixture(scope="module")
def compiled():
    needs_kernels()
    return native.native(cpu.load())


LINE = 8192 - 16
spans = st.integers(-400, 400) | st.integers(-20, 60)  # far away, and across the frame
sides = st.sampled_from([8, 15, 127, 255, 256])


@pytest.mark.parametrize("kind", ["plain", "steps", "mirrored", "swapped"])
@examples(50)
@given(data=st.data())
def test_tables_and_pixels_of_a_window(compiled, kind, data):
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 120))
    window = data.draw(st.tuples(spans, spans, st.integers(1, 700), st.integers(1, 700)))
    side = data.draw(sides)
    base = np.random.default_rng(1).integers(0, 256, (2 * height, 2 * width, 3)).astype(np.uint8)
    frame = {
        "plain": base[:height, :width],
        "steps": base[::2, ::2],
        "mirrored": base[:height, :width][:, ::-1],
        "swapped": base[:height, :width, ::-1],
    }[kind]

    wanted = np.full(resize.bytes_of(side)[1], 0x5A, np.uint8)
    got, pixels = wanted.copy(), np.zeros(height * width * 3, np.uint8)
    fetch = resize.tables_for(width, height, window, side, wanted)
    place = (pixels.ctypes.data, pixels.size)
    done, found = compiled.window(frame, window, side, got.ctypes.data, place, LINE)
    assert done == native.DONE and found == fetch
    assert got.tobytes() == wanted.tobytes()
    x0, y0, columns, rows = fetch
    taken = pixels[: rows * columns * 3].reshape(rows, columns, 3)
    assert np.array_equal(taken, frame[y0 : y0 + rows, x0 : x0 + columns])
    assert not pixels[rows * columns * 3 :].any()


def test_what_does_not_fit_is_said_and_not_written(compiled):
    frame, tables = np.zeros((40, 3000, 3), np.uint8), np.full(4096, 7, np.uint8)
    pixels = np.full(1000, 7, np.uint8)
    memory = 255, tables.ctypes.data, (pixels.ctypes.data, pixels.size), LINE
    done, fetch = compiled.window(frame, (0, 0, 2900, 20), *memory)
    assert done == native.LINE_TOO_LONG and fetch.columns == 2900 and fetch.rows == 20
    done, fetch = compiled.window(frame, (0, 0, 100, 20), *memory)
    assert done == native.PIXELS_TOO_MANY and (fetch.columns, fetch.rows) == (100, 20)
    assert np.all(tables == 7) and np.all(pixels == 7)
    with pytest.raises(ValueError):
        compiled.window(frame, (0, 0, 0, 20), *memory)


@pytest.mark.parametrize("lane, channels", [(0, 1), (1, 4), (0, 16), (12, 4), (0, 20), (15, 33)])
def test_floats_of_a_maps_words(lane, channels):
    rng = np.random.default_rng(lane)
    sizes = {"offset": 64, "channels": channels, "height": 5, "width": 7, "lane": lane}
    other = {"offset": 0, "channels": 1, "height": 3, "width": 3, "lane": 2}
    entries = [
        dict(sizes, values=list(rng.normal(size=256))),
        dict(other, values=words.values_of(-2)),
    ]
    memory = rng.integers(0, 256, 64 + 4 * 5 * 7 * 16).astype(np.uint8)

    class Work:
        array, host = memory, memory.ctypes.data

    results = []
    for each in (cpu.load(), interface.CpuKernels()):
        maps = words.Maps(entries, each)
        maps.read(Work)
        results.append([array.copy() for array in maps.arrays])
    for channel in range(channels):
        block, at = divmod(lane + channel, 16)
        there = memory[64 + block * 35 * 16 :][: 35 * 16].reshape(5, 7, 16)
        wanted = np.array(entries[0]["values"], np.float32)[there[:, :, at]]
        assert np.array_equal(results[0][0][0, channel], wanted)
    signed = memory[: 9 * 16].reshape(3, 3, 16)[..., 2].view(np.int8)
    assert np.array_equal(results[0][1][0, 0], signed / np.float32(4))
    for with_compiler, without in zip(*results):
        assert np.array_equal(with_compiler, without)
