"""Every crop equals its definition bit for bit, and the definition equals OpenCV's resize."""

import math
import platform
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotpath.kernels import golden
from hotpath.kernels.cpu import build, interface
from hotpath.kernels.cpu.interface import PLAIN
from hotpath.kernels.planes import Planes
from tests.support import ROOT, compiled
from tests.support.examples import examples
from tests.support.needs import needs_compiler

on_each_python = pytest.mark.pythons("NumPy's memory by ctypes")

VIEWS = {
    "whole": lambda frame: frame,
    "slice": lambda frame: frame[3:-2, 5:-7],
    "every second row": lambda frame: frame[::2],
    "every second column": lambda frame: frame[:, ::2],
    "flipped": lambda frame: frame[::-1, ::-1],
    "channels reversed": lambda frame: frame[:, :, ::-1],
    "transposed": lambda frame: frame.transpose(1, 0, 2),
    "planes": lambda frame: np.ascontiguousarray(frame.transpose(2, 0, 1)).transpose(1, 2, 0),
}
AVX2 = ("-mavx2", "-mno-avx512f", "-mno-avx512vbmi")
MEAN, SCALE = (123.675, 116.28, 103.53), (0.01712, 0.01751, 0.01743)


@pytest.fixture(scope="module")
def crops():
    """Every implementation that this machine can build, by name."""
    variants = {"default": (), "portable": ("-DHP_PORTABLE",)}
    if platform.machine() in ("x86_64", "AMD64"):
        variants["avx2"] = AVX2
        variants["plain x86"] = ("-march=x86-64",)
        if "avx2" not in build._cpu_flags():
            del variants["avx2"]
    return dict(compiled.variants(variants), numpy=interface.CpuKernels())


def noise(height, width, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


def opencv(frame, window, size, border):
    """The window cut out of a bordered copy of the frame, then resized."""
    x, y, width, height = window
    rows, columns = frame.shape[:2]
    left, top = max(0, -x), max(0, -y)
    right, bottom = max(0, x + width - columns), max(0, y + height - rows)
    value = [int(c) for c in border]
    image = cv2.copyMakeBorder(
        np.ascontiguousarray(frame), top, bottom, left, right, cv2.BORDER_CONSTANT, value=value
    )
    image = image[y + top : y + top + height, x + left : x + left + width]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)


def check_all(crops, frame, window, size, border):
    image = golden.crop(frame, window, size, border)
    for name, kernels in crops.items():
        for dtype, mean, scale, swap in (
            (np.uint8, (0, 0, 0), (1, 1, 1), False),
            (np.float32, (0, 0, 0), (1, 1, 1), False),
            (np.float32, MEAN, SCALE, True),
        ):
            out = np.full((1, 3) + tuple(size), 77, dtype)
            kernels.crop(frame, window, border, out, (mean, scale, swap))
            expected = golden.pack(image, mean, scale, swap, dtype)
            np.testing.assert_array_equal(out, expected, name)
        for swap in (False, True):
            pixels = np.full((1,) + tuple(size) + (3,), 77, np.uint8)  # channels side by side
            kernels.crop(
                frame, window, border, pixels.transpose(0, 3, 1, 2), PLAIN._replace(swap=swap)
            )
            expected = golden.pack(image, (0, 0, 0), (1, 1, 1), swap, np.uint8)
            np.testing.assert_array_equal(pixels.transpose(0, 3, 1, 2), expected, name)


@st.composite
def windows(draw, columns, rows, largest):
    """Windows, square or not: inside the frame, across an edge, around it, or wholly outside."""
    width = draw(st.integers(1, largest))
    height = draw(st.one_of(st.just(width), st.integers(1, largest)))
    x = draw(st.integers(-width - 5, columns + 5))
    y = draw(st.integers(-height - 5, rows + 5))
    return x, y, width, height


@examples(200)
@given(
    st.integers(1, 90),
    st.integers(1, 120),
    st.sampled_from(sorted(VIEWS)),
    st.sampled_from([(255, 255), (127, 127), (1, 1), (15, 16), (33, 70)]),
    st.data(),
)
def test_crop_equals_its_definition_bit_for_bit(crops, rows, columns, view, size, data):
    frame = VIEWS[view](noise(rows, columns))
    if not frame.size:
        return
    window = data.draw(windows(frame.shape[1], frame.shape[0], 400))
    check_all(crops, frame, window, size, (7, 130, 255))


@examples(30)
@given(windows(640, 360, 4000), st.sampled_from([(255, 255), (127, 127)]))
@example((-1680, -1820, 4000, 4000), (255, 255))
@example((-9000, -9000, 20000, 20000), (255, 255))
@example((639, 359, 1, 1), (255, 255))
@example((0, 0, 640, 360), (360, 640))
@example((0, 0, 510, 510), (255, 255))
@example((-80, -60, 800, 480), (256, 256))  # 3.1 and 1.9 source pixels per pixel
@example((10, 20, 600, 330), (127, 255))
def test_windows_of_every_size_equal_their_definition(crops, window, size):
    check_all(crops, noise(360, 640), window, size, (104, 117, 123))


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_a_window_on_each_corner_of_every_kind_of_frame(crops, view):
    frame = VIEWS[view](noise(200, 320))
    rows, columns = frame.shape[:2]
    for side in (20, 120, 250):
        for x in (-side // 2, 0, columns - side, columns - side // 2):
            for y in (-side // 2, 0, rows - side, rows - side // 2):
                check_all(crops, frame, (x, y, side, side), (63, 70), (0, 128, 255))


@pytest.mark.skipif(
    not interface.RESIZE_IS_EXACT, reason="OpenCV's builds for ARM resize with another library"
)
@examples(150)
@given(
    st.integers(1, 200),
    st.integers(1, 300),
    st.sampled_from([(255, 255), (127, 127), (31, 90)]),
    st.data(),
)
def test_the_definition_is_opencvs_bordered_resize(rows, columns, size, data):
    frame = noise(rows, columns)
    window = data.draw(windows(columns, rows, 700))
    border = (9, 99, 199)
    expected = opencv(frame, window, size, border).astype(int)
    assert np.abs(golden.crop(frame, window, size, border) - expected).max() <= 1


def bilinear(frame, window, size, border):
    """A warp in floats, pixel by pixel: (h, w, 3) float64."""
    x, y, width, height = window
    rows, columns = frame.shape[:2]

    def pixel(row, column):
        inside = 0 <= row < rows and 0 <= column < columns
        return np.array(frame[row, column] if inside else border, np.float64)

    out = np.zeros(size + (3,))
    for i, j in np.ndindex(*size):
        at_y = y + height * i / max(size[0] - 1, 1)
        at_x = x + width * j / max(size[1] - 1, 1)
        row, column = math.floor(at_y), math.floor(at_x)
        low, right = at_y - row, at_x - column
        upper = pixel(row, column) * (1 - right) + pixel(row, column + 1) * right
        lower = pixel(row + 1, column) * (1 - right) + pixel(row + 1, column + 1) * right
        out[i, j] = upper * (1 - low) + lower * low
    return out


PLACES = st.tuples(st.floats(-60, 90), st.floats(-60, 90), st.floats(0.5, 200), st.floats(0.5, 200))


@examples(60)
@given(PLACES, st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(0, 99))
def test_a_warp_is_bilinear_to_a_grey_level(window, size, seed):
    frame = noise(40, 50, seed)
    expected = bilinear(frame, window, size, (7, 80, 200))
    assert np.abs(golden.warp(frame, window, size, (7, 80, 200)) - expected).max() <= 1.01


@examples(150)
@given(PLACES, st.tuples(st.integers(1, 70), st.integers(1, 70)), st.sampled_from(sorted(VIEWS)))
@example((0.0, 0.0, 39.0, 29.0), (30, 40), "whole")  # each pixel on its own
def test_a_warp_equals_its_definition(crops, window, size, view):
    frame = VIEWS[view](noise(60, 80))
    image = golden.warp(frame, window, size, (9, 99, 199))
    for name, kernels in crops.items():
        for dtype, swap in ((np.float32, True), (np.uint8, False)):
            out = np.empty((1, 3) + size, dtype)
            kernels.warp(frame, window, (9, 99, 199), out, (MEAN, SCALE, swap))
            expected = golden.pack(image, MEAN, SCALE, swap, dtype)
            if name == "numpy" and int(cv2.__version__.split(".")[0]) >= 5:
                step = 1 if dtype == np.uint8 else max(SCALE)
                difference = np.abs(out.astype(np.float64) - expected).max()
                assert difference <= step * 1.01
            elif name != "numpy":
                np.testing.assert_array_equal(out, expected, name)


def test_a_warp_far_outside_the_frame_shows_its_border(crops):
    for kernels in crops.values():
        for far in (2.0**31 - 600, 2.0**31 + 9, 1e18):  # taps of 32 bits end on the way, or before
            for x in (far, -far):
                out = np.zeros((3, 9, 9), np.uint8)
                kernels.warp(noise(40, 50), (x, 5.0, 4000.0, 20.0), (7, 80, 200), out)
                assert (out == np.array([[[7]], [[80]], [[200]]])).all(), (kernels.name, x)


def test_a_warp_of_planes_is_that_of_the_converted_picture(crops):
    luma, colour = noise(40, 64)[:, :, 0], noise(20, 64, 1)[:, :, 0]
    picture = Planes("NV12", (luma, np.ascontiguousarray(colour)), 64, 40)
    frame = golden.bgr_from_planes(picture)
    for name, kernels in crops.items():
        given, converted = np.zeros((2, 3, 31, 33), np.uint8)
        for source, out in ((picture, given), (frame, converted)):
            kernels.warp(source, (-5.5, 3.25, 80.0, 30.5), (1, 2, 3), out)
        np.testing.assert_array_equal(given, converted, name)


def test_the_same_size_is_a_plain_copy():
    frame = noise(50, 60)
    image = golden.crop(frame, (-3, 20, 40, 40), 40, (1, 2, 3))
    np.testing.assert_array_equal(image[:30, 3:], frame[20:50, :37])
    assert (image[:, :3] == (1, 2, 3)).all() and (image[30:] == (1, 2, 3)).all()


@on_each_python
def test_frames_and_outputs_may_change_from_call_to_call(crops):
    border = np.array((5, 6, 7), np.uint8)
    for kernels in crops.values():
        for rows, columns, side in ((40, 50, 30), (40, 500, 30), (700, 50, 127), (40, 50, 30)):
            image = golden.crop(noise(rows, columns, side), (-2, -3, 45, 45), side, border)
            for shape in ((1, 3, side, side), (3, side, side)):
                out = np.zeros(shape, np.float32)
                kernels.crop(noise(rows, columns, side), (-2, -3, 45, 45), border, out)
                np.testing.assert_array_equal(out, golden.pack(image).reshape(shape))


def test_a_wider_frame_to_the_same_output_gets_more_memory(crops):
    for kernels in [each for each in crops.values() if each.handle]:
        out = np.zeros((1, 3, 30, 30), np.float32)
        for columns in (50, 900):
            kernels.crop(noise(40, columns), (0, 0, 45, 40), (1, 2, 3), out)
            assert kernels._workspace.size >= kernels.handle.hp_crop_workspace(30, columns)


FRAME, WINDOW, OUT = np.zeros((5, 5, 3), np.uint8), (0, 0, 5, 5), np.zeros((1, 3, 4, 4), np.float32)


@on_each_python
@pytest.mark.parametrize(
    "frame, window, out",
    [
        (FRAME.astype(np.float32), WINDOW, OUT),
        (FRAME[..., 0], WINDOW, OUT),
        (FRAME, (0, 0, 0, 5), OUT),
        (FRAME, (0, 0, 5, 1 << 31), OUT),
        (FRAME, WINDOW, OUT.astype(np.float64)),
        (FRAME, WINDOW, np.zeros((2, 3, 4, 4), np.float32)),
        (FRAME, WINDOW, np.zeros((3, 4, 8), np.uint8)[:, :, ::2]),
        (FRAME, WINDOW, np.zeros((4, 8, 3), np.float32).transpose(2, 0, 1)),
    ],
)
def test_what_is_no_frame_or_output_is_refused(crops, frame, window, out):
    for kernels in crops.values():
        with pytest.raises(ValueError):
            kernels.crop(frame, window, (0, 0, 0), out)


GUARDED = """
import sys
import numpy as np
from hotpath.kernels import golden
from hotpath.kernels.cpu import binding
from hotpath.kernels.planes import Planes
from tests.support import compiled
from tests.support.guarded import guarded

def frame_of(rows, columns, at_end):
    frame = guarded((rows, columns, 3), np.uint8, at_end)
    frame[:] = np.random.RandomState(1).randint(0, 256, frame.shape)
    return frame

kernels = binding.CompiledKernels(compiled.library(tuple(sys.argv[1:])))
out = np.zeros((1, 3, 63, 63), np.float32)
for rows, columns in ((1, 1), (1, 2), (1, 3), (2, 5), (17, 31), (90, 160)):
    for frame in (frame_of(rows, columns, False), frame_of(rows, columns, True)):
        for view in (frame, frame[::-1, ::-1], frame[:, ::2], frame[:, :, ::-1]):
            for side in (1, 9, 40, 100, 300):
                for x in (-side // 2, 0, view.shape[1] - side, view.shape[1] - side // 2):
                    window = (x, view.shape[0] - side, side, side)
                    kernels.crop(view, window, (1, 2, 3), out)
                    image = golden.crop(view, window, 63, (1, 2, 3))
                    if not np.array_equal(out, golden.pack(image)):
                        sys.exit("{} {}".format(view.shape, window))
for columns in (32, 34):  # and of planes
    size, colour = (20, columns), (10, columns)
    planes = [guarded(shape, np.uint8, True) for shape in (size, colour)]
    picture = Planes("NV12", planes, columns, 20)
    kernels.crop(picture, (-3, -3, columns + 90, 26), (1, 2, 3), out)
    image = golden.crop(picture, (-3, -3, columns + 90, 26), 63, (1, 2, 3))
    if not np.array_equal(out, golden.pack(image)):
        sys.exit("planes {}".format(columns))
print("read nothing else")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize("flags", [(), ("-DHP_PORTABLE",), AVX2])
def test_crop_reads_nothing_outside_the_frames_memory(crops, flags):
    needs_compiler()
    if flags == AVX2 and "avx2" not in crops:
        pytest.skip("no AVX2 on this machine")
    command = [sys.executable, "-c", GUARDED, *flags]
    assert subprocess.check_output(command, cwd=str(ROOT)) == b"read nothing else\n"
