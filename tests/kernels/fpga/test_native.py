"""The compiled code for an FPGA board's processor does what its NumPy definitions say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import cpu, golden
from kernels.cpu import interface
from kernels.fpga import fabric, native, resize, tables
from kernels.fpga.features import FeatureKernels, SearchFeatures, cosine_of_words
from runtime.engines import overlay
from tests.support.examples import examples


@pytest.fixture(scope="module")
def kernels():
    loaded = cpu.load()
    if not loaded.handle:
        pytest.skip("no C++ compiler")
    return loaded


LINE = 8192 - 16
spans = st.integers(-400, 400) | st.integers(-20, 60)  # far away, and across the frame
sides = st.sampled_from([8, 15, 127, 255, 256])


@pytest.mark.parametrize("kind", ["plain", "steps", "mirrored", "swapped"])
@examples(50)
@given(data=st.data())
def test_tables_and_pixels_of_a_window(kernels, kind, data):
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
    done, found = native.Window(kernels, LINE).take(frame, window, side, got.ctypes.data, place)
    assert done == native.DONE and found == fetch
    assert got.tobytes() == wanted.tobytes()
    x0, y0, columns, rows = fetch
    taken = pixels[: rows * columns * 3].reshape(rows, columns, 3)
    assert np.array_equal(taken, frame[y0 : y0 + rows, x0 : x0 + columns])
    assert not pixels[rows * columns * 3 :].any()


def test_what_does_not_fit_is_said_and_not_written(kernels):
    frame, tables = np.zeros((40, 3000, 3), np.uint8), np.full(4096, 7, np.uint8)
    pixels = np.full(1000, 7, np.uint8)
    taker, place = native.Window(kernels, LINE), (pixels.ctypes.data, pixels.size)
    done, fetch = taker.take(frame, (0, 0, 2900, 20), 255, tables.ctypes.data, place)
    assert done == native.LINE_TOO_LONG and fetch.columns == 2900 and fetch.rows == 20
    done, fetch = taker.take(frame, (0, 0, 100, 20), 255, tables.ctypes.data, place)
    assert done == native.PIXELS_TOO_MANY and (fetch.columns, fetch.rows) == (100, 20)
    assert np.all(tables == 7) and np.all(pixels == 7)
    with pytest.raises(ValueError):
        taker.take(frame, (0, 0, 0, 20), 255, tables.ctypes.data, place)


@pytest.mark.parametrize("lane, channels", [(0, 1), (1, 4), (0, 16), (12, 4), (0, 20), (15, 33)])
def test_floats_of_a_maps_words(kernels, lane, channels):
    rng = np.random.default_rng(lane)
    sizes = {"offset": 64, "channels": channels, "height": 5, "width": 7, "lane": lane}
    other = {"offset": 0, "channels": 1, "height": 3, "width": 3, "lane": 2}
    entries = [dict(sizes, values=list(rng.normal(size=256))), dict(other, values=list(range(256)))]
    memory = rng.integers(0, 256, 64 + 4 * 5 * 7 * 16).astype(np.uint8)

    class Work:
        array, host = memory, memory.ctypes.data

    results = []
    for each in (kernels, interface.Kernels()):
        maps, _, read = overlay._reader(entries, each)
        read(Work)
        results.append([array.copy() for array in maps])
    for channel in range(channels):
        block, at = divmod(lane + channel, 16)
        words = memory[64 + block * 35 * 16 :][: 35 * 16].reshape(5, 7, 16)
        wanted = np.array(entries[0]["values"], np.float32)[words[:, :, at]]
        assert np.array_equal(results[0][0][0, channel], wanted)
    for compiled, plain in zip(*results):
        assert np.array_equal(compiled, plain)


@pytest.mark.parametrize("channels", [1, 16, 40, 48])
def test_the_cosine_of_words(kernels, channels):
    rng, side = np.random.default_rng(channels), 16
    values = rng.integers(-128, 128, (channels, side, side)).astype(np.int8)
    words = np.zeros((-(-channels // 16), side, side, 16), np.int8)
    for channel in range(channels):
        words[channel // 16, :, :, channel % 16] = values[channel]
    flat = words.view(np.uint8).reshape(-1)
    seen, plain = SearchFeatures(channels, side), values.reshape(1, channels, -1).astype(np.float32)
    seen.lie_in(flat, flat.ctypes.data)
    numbers = np.empty(plain.shape, np.float32)
    seen.values(numbers)
    assert np.array_equal(numbers, plain)
    seen.step = 0.25
    seen.values(numbers)
    assert np.array_equal(numbers, plain / 4)
    wanted = np.zeros(channels, np.float32)
    golden.cosine_similarity(plain, (3, 9), (2, 5), None, wanted)
    alike = golden.cosine_similarity(plain, (4, 6), (0, 16), wanted)
    for cosine in (
        FeatureKernels(kernels).cosine_similarity,
        FeatureKernels(interface.Kernels()).cosine_similarity,
        cosine_of_words,
    ):
        reference = np.zeros(channels, np.float32)
        cosine(seen, (3, 9), (2, 5), None, reference)
        assert np.allclose(reference, wanted, rtol=1e-6)
        assert cosine(seen, (4, 6), (0, 16), reference) == pytest.approx(alike, rel=1e-6)
    float_seen = FeatureKernels(kernels).cosine_similarity(plain, (4, 6), (0, 16), wanted)
    assert float_seen == pytest.approx(alike, rel=1e-6)


def test_registers_in_memory_are_written_in_one_call(kernels):
    words = np.zeros(16, np.uint32)
    registers = native.Registers(kernels, words)
    values = [0x10000 + index for index in range(len(fabric.GIVEN))]
    registers.start(values)
    written = dict(zip(fabric.GIVEN, values), CONTROL=tables.START)
    found = {4 * index: word for index, word in enumerate(words.tolist()) if word}
    assert found == {tables.REGISTERS[name]: value for name, value in written.items()}
    words[tables.REGISTERS["STATUS"] // 4] = 0x80000102
    assert registers.status == 0x80000102
