"""The GPU's crop, run on the processor, equals its definition bit for bit."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernels import golden
from kernels.cuda import layout
from kernels.cuda.frames import part_of
from kernels.settings import ROUNDINGS
from runtime import geometry
from runtime.devices.gpu import frame_settings
from tests.fakes.cuda.film import bgr_of
from tests.fakes.cuda.networks import network
from tests.support.examples import examples

BORDER = (1, 2, 3)
DTYPES = ["float16", "float32"]


def picture_of(frame, chroma=None, place=(0, 0), size=None):
    """The record of a frame, or of a part at a place in a frame of a size (width, height).

    The caller must keep the array alive.
    """
    height, width = frame.shape[:2]
    record = np.zeros(1, layout.FRAME)
    record["plane"] = frame.ctypes.data
    record["row_stride"], record["pixel_stride"] = frame.strides[:2]
    (record["x"], record["y"]), record["width"], record["height"] = place, width, height
    record["frame_width"], record["frame_height"] = size or (width, height)
    if chroma is not None:
        record["format"] = layout.NV12
        record["chroma"], record["chroma_stride"] = chroma.ctypes.data, chroma.strides[0]
    return record


def aim(shim, net, state, exemplar=False, widened=1.0):
    """Plan a crop; returns (what its window covers, plan)."""
    pose, monitor = np.zeros(1, layout.POSE), layout.monitor()
    pose["state"], monitor["widened"] = state, widened
    view = layout.view(frame_settings(net).window)
    plan = np.zeros(2 * max(net.exemplar, net.search), layout.LINE)
    shim.launch("hp_aim", 1, 64, view, monitor, int(exemplar), pose, plan)
    return tuple(int(pose[name][0]) for name in ("x", "y", "width", "height")), plan


def run(shim, net, picture, plan, exemplar=False, dtype="float32"):
    """Crop a window; returns its planes."""
    side = net.exemplar if exemplar else net.search
    out = np.zeros((1, 3, side, side), dtype)
    asked = layout.network_input(frame_settings(net).input, side, dtype == "float16", BORDER)
    blocks = ((side + 31) // 32, (side + 63) // 64)
    shim.launch("hp_crop", blocks, (32, 8), picture, plan, asked, out)
    return out


def crop(shim, net, picture, state, exemplar=False, dtype="float32"):
    """Aim and crop; returns (planes, window)."""
    window, plan = aim(shim, net, state, exemplar)
    return run(shim, net, picture, plan, exemplar, dtype), window


def expected_crop(net, frame, window, exemplar=False, dtype="float32"):
    side = net.exemplar if exemplar else net.search
    image = (golden.warp if net.resample == "warp" else golden.crop)(frame, window, side, BORDER)
    return golden.pack(image, net.mean, net.scale, net.channels == "RGB", dtype)


def window_of(net, state, exemplar, widened=1.0):
    """A window of ``geometry``."""
    state = np.array(state, np.float64)
    if exemplar:
        return geometry.exemplar_window(net, state)
    return geometry.search_window(net, state, widened)[0]


def same_bits(found, expected):
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


states = st.tuples(st.floats(-80, 200), st.floats(-80, 200), st.floats(1, 300), st.floats(1, 300))
SHAPES = [
    {},
    {"resample": "warp", "corner": "(s-1)/2"},
    {"crop": "stretched", "exemplar_margin": 0.2, "search_margin": 2.0, "rounding": "cut"},
    {"crop": "stretched", "exemplar_margin": 1.0, "search_margin": 1.0, "resample": "warp"},
    {"crop": "area", "exemplar_factor": 2.0, "search_factor": 4.0, "corner": "s/2"},
    {"crop": "area", "exemplar_factor": 2.0, "search_factor": 5.0, "rounding": "up"},
]


@examples(200)
@given(
    st.tuples(st.integers(1, 160), st.integers(1, 200)),
    st.tuples(states, st.booleans(), st.sampled_from([1.0, 1.21])),
    st.sampled_from(SHAPES),
    st.sampled_from([1, 7, 8, 32, 33, 63]),
    st.sampled_from(DTYPES),
    st.sampled_from(["RGB", "BGR"]),
    st.integers(0, 10**6),
)
# inside of the frame, and so only a part of it is given
@example((200, 300), ((150, 90, 20, 24), False, 1.0), {}, 63, "float32", "BGR", 2)
@example((200, 300), ((150.3, 90.6, 20, 24), True, 1.0), SHAPES[1], 63, "float32", "BGR", 2)
@example((200, 300), ((151.3, 91.6, 20, 24), False, 1.0), SHAPES[3], 33, "float16", "RGB", 3)
def test_crop_equals_its_definition(shim, shape, aimed, looks, side, dtype, channels, seed):
    """The pose says which part of the frame a window needs; the crop is given no more."""
    random, (state, exemplar, widened) = np.random.RandomState(seed), aimed
    frame = random.randint(0, 256, shape + (3,)).astype(np.uint8)
    net = network(
        search=side,
        exemplar=max(1, side // 2),
        channels=channels,
        mean=tuple(random.uniform(0, 130, 3)),
        scale=tuple(random.uniform(0.01, 3, 3)),
        **looks,
    )
    covered, plan = aim(shim, net, state, exemplar, widened)
    x, y, w, h = part_of(covered, shape[1], shape[0])
    padded = np.zeros((h, w + random.randint(3), random.choice([3, 4])), np.uint8)  # or BGRx
    part = padded[:, :w, :3]
    part[:] = frame[y : y + h, x : x + w]
    found = run(shim, net, picture_of(part, None, (x, y), shape[::-1]), plan, exemplar, dtype)
    window = window_of(net, state, exemplar, widened)
    same_bits(found, expected_crop(net, frame, window, exemplar, dtype))


@examples(300)
@given(
    states,
    st.floats(0, 1),
    st.sampled_from(sorted(geometry.FROM_CENTRE)),
    st.sampled_from(sorted(ROUNDINGS)),
    st.booleans(),
)
def test_window_is_that_of_geometry(shim, state, context, corner, rounding, exemplar):
    net = network(context=context, corner=corner, rounding=rounding, search=15, exemplar=7)
    assert aim(shim, net, state, exemplar)[0] == tuple(window_of(net, state, exemplar))


@pytest.mark.parametrize("half", [0.5, 1.5, 2.5, -0.5, -1.5])
@pytest.mark.parametrize("rounding", sorted(ROUNDINGS))
def test_windows_on_half_pixels_round_as_in_geometry(shim, half, rounding):
    net = network(context=0.0, exemplar=8, search=8, corner="s/2", rounding=rounding)
    for state in ((half + 4, half + 4, 8, 8), (50, 50, abs(2 * half), abs(2 * half))):
        net = net._replace(search=8 if state[2] == 8 else 12)  # 1.5, 4.5, 7.5 pixels
        assert aim(shim, net, state)[0] == tuple(window_of(net, state, False))


@examples(60)
@given(st.tuples(st.integers(1, 40), st.integers(1, 60)), states, st.integers(0, 10**6))
def test_crop_of_a_camera_frame_is_that_of_its_bgr(shim, halves, state, seed):
    random = np.random.RandomState(seed)
    height, width = 2 * halves[0], 2 * halves[1]
    memory = random.randint(0, 256, (height, width + 6)).astype(np.uint8)
    chroma = random.randint(0, 256, (height // 2, width + 10)).astype(np.uint8)
    luma, chroma = memory[:, :width], chroma[:, :width]
    net = network(search=31)
    found, window = crop(shim, net, picture_of(luma, chroma), state)
    same_bits(found, expected_crop(net, bgr_of(luma, chroma), window))


def test_half_precision_rounds_as_numpy_at_every_edge(shim):
    """Ties, and numbers on both sides of them, above and below the smallest normal number."""
    frame = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    frame = np.ascontiguousarray(frame)
    for exponent in list(range(-27, -12)) + [0, 5, 9, 10]:
        for nudge in (0.999999, 1.0, 1.000001, 33 / 32.0, 43 / 32.0):
            scale = float(np.float32(2.0**exponent * nudge))
            net = network(search=16, exemplar=16, context=0.0, scale=(scale, -scale, scale))
            picture, state = picture_of(frame), (8.0, 8.0, 16, 16)
            found, window = crop(shim, net, picture, state, dtype="float16")
            with np.errstate(over="ignore"):
                same_bits(found, expected_crop(net, frame, window, dtype="float16"))


@examples(400)
@given(st.one_of(st.integers(1, 3000), st.integers(1, 2**24)), st.integers(1, 1024))
def test_resize_places_in_whole_numbers_are_those_in_doubles(shim, source, target):
    doubles, whole = np.zeros((2, target, 3), np.int32)
    shim.launch("resize_taps", (target + 255) // 256, 256, source, target, doubles, whole)
    np.testing.assert_array_equal(whole, doubles)


def test_an_input_too_large_for_the_plan_is_refused():
    with pytest.raises(ValueError, match="1025"):
        layout.view(frame_settings(network(search=1025)).window)
