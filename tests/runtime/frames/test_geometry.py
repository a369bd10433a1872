"""Windows and boxes: the numbers of the original trackers, rewritten here one by one."""

import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hotpath.kernels import cpu
from hotpath.runtime.frames import geometry
from tests.support.described import load_network
from tests.support.needs import needs_kernels

PLACES = st.floats(-50, 700)
SIZES = st.floats(3, 400)
BOXES = st.tuples(PLACES, PLACES, SIZES, SIZES)


def state_of(box):
    x, y, w, h = box
    return np.array([x + w / 2, y + h / 2, w, h])


@given(BOXES)
def test_siamban_looks_where_pysot_looks(box):
    network, state = load_network("siamban"), state_of(box)
    side = math.sqrt((box[2] + (box[2] + box[3]) / 2) * (box[3] + (box[2] + box[3]) / 2))
    (x0, y0, w, h), scale = geometry.search_window(network, state)
    assert w == h == round(side * 255 / 127)
    assert (x0, y0) == tuple(math.floor(c - (w + 1) / 2 + 0.5) for c in state[:2])
    assert scale == (127 / side, 127 / side)
    assert geometry.exemplar_window(network, state)[2] == round(side)


@given(BOXES)
def test_siamfc_looks_a_pixel_further_right_and_rounds_to_even(box):
    network, state = load_network("siamfc_015"), state_of(box)
    side = math.sqrt((box[2] + (box[2] + box[3]) / 2) * (box[3] + (box[2] + box[3]) / 2))
    (x0, y0, w, _), _ = geometry.search_window(network, state, 1.0375)
    assert w == round(side * 255 / 127 * 1.0375)
    assert (x0, y0) == tuple(round(float(c - (w - 1) / 2)) for c in state[:2])


@given(st.tuples(*[st.integers(0, 500)] * 2, *[st.integers(3, 300)] * 2))
def test_fear_looks_at_the_box_with_its_margin_stretched(box):
    network = load_network("fear_xs")
    x, y, w, h = box
    state = geometry.state_of(network, box, 2000, 2000)
    window, scale = geometry.search_window(network, state)
    assert window == (x - 2 * w, y - 2 * h, 5 * w, 5 * h)
    assert scale == (256 / (5 * w), 256 / (5 * h))
    # the exemplar's margin is a fraction: cut towards zero, as astype(int) cuts
    expected = [int(v) for v in np.array([x - w * 0.2, y - h * 0.2, w * 1.4, h * 1.4])]
    assert np.abs(np.subtract(geometry.exemplar_window(network, state), expected)).max() <= 1


@given(BOXES)
def test_stark_requests_at_a_square_of_the_boxs_area(box):
    network, state = load_network("stark_s50"), state_of(box)
    side = math.ceil(math.sqrt(box[2] * box[3]) * 5)
    window, scale = geometry.search_window(network, state)
    assert window == tuple(round(float(c - side / 2)) for c in state[:2]) + (side, side)
    assert scale == (320 / side, 320 / side)


@given(st.tuples(*[st.integers(-20, 500)] * 2, *[st.integers(3, 300)] * 2))
def test_vittrack_halves_whole_pixels_as_opencv_does(box):
    network, (x, y, w, h) = load_network("vittrack"), box
    side = math.ceil(math.sqrt(w * h) * 4)
    assume(side >= max(w, h))  # a box 16 times as long as wide is rounded the other way
    window, _ = geometry.search_window(network, state_of(box))
    # C++ divides towards zero
    assert window == (x + int((w - side) / 2), y + int((h - side) / 2), side, side)


@given(BOXES, st.sampled_from(["nanotrack_v2", "siamfc_015", "stark_s50"]))
def test_a_first_box_comes_back_as_it_was_or_half_a_pixel_off(box, name):
    network = load_network(name)
    state = geometry.state_of(network, box, 640, 480)
    same = (network.box_centre, network.box_corner) in ((("w/2",) * 2), (("(w-1)/2",) * 2))
    # PySOT takes (w-1)/2 to the centre and w/2 back
    shift = 0 if same else 0.5
    expected = (box[0] - shift, box[1] - shift) + box[2:]
    np.testing.assert_allclose(geometry.box_of(network, state), expected, atol=1e-9)


def limits(clip, least=10.0, pixels="exact"):
    return SimpleNamespace(clip=clip, min_size=least, box_pixels=pixels)


@given(BOXES)
def test_corners_stay_inside_as_stark_clips_them(box):
    state = state_of(box)
    geometry.clamp_state(limits("corners"), state, 640, 480)
    for low, size, axis, limit in ((box[0], box[2], 0, 640), (box[1], box[3], 1, 480)):
        first = min(max(0, low), limit - 10)
        last = min(max(10, low + size), limit)
        assert state[axis + 2] == pytest.approx(max(10, last - first), abs=1e-9)
        assert state[axis] - state[axis + 2] / 2 == pytest.approx(first, abs=1e-9)


@given(st.tuples(*[st.integers(-80, 700)] * 2, *[st.integers(0, 300)] * 2))
def test_boxes_move_inside_as_fear_clamps_them(box):
    x, y, w, h = box
    expected = []
    for low, size, limit in ((x, max(3, w), 640), (y, max(3, h), 480)):
        first = min(max(0, low), limit)
        size = min(max(0, first + size), limit) - first
        if size < 3:
            size = 3
            first -= max(0, first + size - limit)
        expected.append((first, size))
    state = state_of(box)
    geometry.clamp_state(limits("inside", 3.0, "round"), state, 640, 480)
    got = [(state[a] - state[a + 2] / 2, state[a + 2]) for a in (0, 1)]
    assert got == expected


@given(BOXES)
def test_the_centre_stays_inside_and_the_size_within_the_frame(box):
    state = state_of(box)
    x, y = state[:2]
    geometry.clamp_state(limits("centre"), state, 640, 480)
    assert tuple(state) == (
        min(max(x, 0), 640),
        min(max(y, 0), 480),
        max(10, min(box[2], 640)),
        max(10, min(box[3], 480)),
    )


@pytest.mark.parametrize("border, expected", [("mean", 100), ("mean_rounded", 101), ("zero", 0)])
def test_the_border_is_the_mean_cut_or_rounded_or_black(border, expected):
    frame = np.full((10, 10, 3), 100, np.uint8)
    frame[:6] = 101
    assert cv2.mean(frame)[0] == pytest.approx(100.6)
    colour = geometry.border_colour(SimpleNamespace(border=border), frame)
    assert colour.dtype == np.uint8
    assert colour.tolist() == [expected] * 3


@pytest.mark.parametrize("name", ["kestrel", "fear_xs", "vittrack", "siamfc_015", "stark_s50"])
def test_window_and_crop_in_one_call_are_those_of_two(name):
    needs_kernels()
    network, kernels = load_network(name), cpu.load()
    noise = np.random.RandomState(3)
    whole = noise.randint(0, 256, (120, 200, 3)).astype(np.uint8)
    parts = [whole[:, 20:180], np.ascontiguousarray(whole[:, 40:])]  # one size, two row strides
    one, two = np.zeros((2, 1, 3, network.search, network.search), np.float32)
    write = geometry.KernelCrops(network, kernels, one).around
    crop = geometry.KernelCrops(network, cpu.load(), two).window
    borders = np.array([3, 2, 1], np.uint8), np.array([9, 8, 7], np.uint8)
    for number in range(20):
        frame, border = parts[number // 2 % 2], borders[number // 3 % 2]
        state = np.concatenate([noise.uniform(-10, 170, 2), noise.uniform(2, 90, 2)])
        window, scale = geometry.search_window(network, state, 1.5)
        crop(frame, window, border)
        assert write(frame, state, 1.5, border) == scale
        np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="no window"):
        write(frame, np.full(4, np.nan), 1.0, border)
