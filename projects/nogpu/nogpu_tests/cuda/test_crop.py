"""The GPU's crop, run on the processor, equals its definition bit for bit."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from hotpath.base.errors import GpuFailed
from hotpath.kernels import golden
from hotpath.kernels.cuda import frame_structures
from hotpath.kernels.cuda.cuda_windows import around
from hotpath.kernels.cuda.frame_uploads import part_of
from hotpath.kernels.cuda.kernels import crop_grid
from hotpath.kernels.planes import Planes
from hotpath.runtime.devices.gpu import frame_settings
from hotpath.runtime.frames import geometry
from tests.support.errors import refusal
from tests.support.examples import examples
from tests.support.kernel_networks import network

BORDER = (1, 2, 3)
DTYPES = ["float16", "float32"]


def picture_of(frame, chroma=None, place=(0, 0), size=None):
    """The record of a frame, or of a part at a place in a frame of a size (width, height).

    The caller must keep the array alive.
    """
    height, width = frame.shape[:2]
    record = frame_structures.Frame(x=place[0], y=place[1], width=width, height=height)
    record.plane, record.row_stride, record.pixel_stride = frame.ctypes.data, *frame.strides[:2]
    record.frame_width, record.frame_height = size or (width, height)
    if chroma is not None:
        record.format = frame_structures.NV12
        record.chroma, record.chroma_stride = chroma.ctypes.data, chroma.strides[0]
    return record


def crop(shim, net, picture, windows, exemplar=False, dtype="float32", gap=0):
    """Crop windows; returns the planes of each, and the numbers between them."""
    side = net.exemplar if exemplar else net.search
    asked = frame_settings(net)
    given = frame_structures.Input(asked.input.mean, asked.input.scale, side)
    given.half, given.swap, given.warp = dtype == "float16", asked.input.swap, asked.warp
    requests = (frame_structures.WindowRequest * len(windows))()
    for request, window in zip(requests, windows):
        request.window[:], request.border[:] = window, BORDER
    out = np.full((len(windows), 3 * side * side + gap), 77, dtype)
    bytes_of = [frame_structures.array_of(record) for record in (picture, requests, given)]
    grid = crop_grid(side, len(windows))
    shim.launch("hp_crop", grid, (32, 8), *bytes_of, out.shape[1], out)
    used = 3 * side * side
    assert (out[:, used:] == 77).all()
    return out[:, :used].reshape(-1, 1, 3, side, side)


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
    {"crop": "stretched", "exemplar_margin": 0.2, "search_margin": 2.0},
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
@example((200, 300), ((151.3, 91.6, 20, 24), False, 1.0), SHAPES[4], 33, "float16", "RGB", 3)
def test_crop_equals_its_definition(shim, shape, aimed, requests, side, dtype, channels, seed):
    """The crop is given no more of the frame than is uploaded for two windows."""
    random, (state, exemplar, widened) = np.random.RandomState(seed), aimed
    frame = random.randint(0, 256, shape + (3,)).astype(np.uint8)
    net = network(
        search=side,
        exemplar=max(1, side // 2),
        channels=channels,
        mean=tuple(random.uniform(0, 130, 3)),
        scale=tuple(random.uniform(0.01, 3, 3)),
        **requests,
    )
    other = np.array(state) + random.uniform(-9, 9, 4).clip(-0.5 * min(state[2:]))
    windows = [window_of(net, each, exemplar, widened) for each in (state, other)]
    covered = around([(None, (0.0,) * 4 + tuple(each), None) for each in windows])
    x, y, w, h = part_of(covered, shape[1], shape[0])
    padded = np.zeros((h, w + random.randint(3), random.choice([3, 4])), np.uint8)  # or BGRx
    part = padded[:, :w, :3]
    part[:] = frame[y : y + h, x : x + w]
    picture = picture_of(part, None, (x, y), shape[::-1])
    found = crop(shim, net, picture, windows, exemplar, dtype, random.choice([0, 13]))
    for planes, window in zip(found, windows):
        same_bits(planes, expected_crop(net, frame, window, exemplar, dtype))


@examples(60)
@given(st.tuples(st.integers(1, 40), st.integers(1, 60)), states, st.integers(0, 10**6))
def test_crop_of_a_camera_frame_is_that_of_its_bgr(shim, halves, state, seed):
    random = np.random.RandomState(seed)
    height, width = 2 * halves[0], 2 * halves[1]
    memory = random.randint(0, 256, (height, width + 6)).astype(np.uint8)
    chroma = random.randint(0, 256, (height // 2, width + 10)).astype(np.uint8)
    luma, chroma = memory[:, :width], chroma[:, :width]
    net = network(search=31)
    window = window_of(net, state, False)
    (found,) = crop(shim, net, picture_of(luma, chroma), [window])
    bgr = golden.bgr_from_planes(Planes("NV12", (luma, chroma), width, height))
    same_bits(found, expected_crop(net, bgr, window))


def test_half_precision_rounds_as_numpy_at_every_edge(shim):
    """Ties, and numbers on both sides of them, above and below the smallest normal number."""
    frame = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    frame = np.ascontiguousarray(frame)
    for exponent in list(range(-27, -12)) + [0, 5, 9, 10]:
        for nudge in (0.999999, 1.0, 1.000001, 33 / 32.0, 43 / 32.0):
            scale = float(np.float32(2.0**exponent * nudge))
            net = network(search=16, exemplar=16, context=0.0, scale=(scale, -scale, scale))
            window = window_of(net, (8.0, 8.0, 16, 16), False)
            (found,) = crop(shim, net, picture_of(frame), [window], dtype="float16")
            with np.errstate(over="ignore"):
                same_bits(found, expected_crop(net, frame, window, dtype="float16"))


@examples(400)
@given(st.one_of(st.integers(1, 3000), st.integers(1, 2**24)), st.integers(1, 1024))
def test_resize_places_in_whole_numbers_are_those_in_doubles(shim, source, target):
    doubles, whole = np.zeros((2, target, 3), np.int32)
    shim.launch("resize_taps", (target + 255) // 256, 256, source, target, doubles, whole)
    np.testing.assert_array_equal(whole, doubles)


def test_each_windows_features_are_those_of_its_target(shim):
    random = np.random.RandomState(1)
    targets = [random.randint(0, 99, 333).astype(np.float16) for _ in range(3)]
    requests, out = (frame_structures.WindowRequest * 5)(), np.zeros((5, 512), np.float16)
    for request, owner in zip(requests, (2, 0, 0, 1, 2)):
        request.features[3] = targets[owner].ctypes.data
    shim.launch("hp_gather", (2, 5), 256, frame_structures.array_of(requests), 3, 666, 1024, out)
    for row, owner in zip(out, (2, 0, 0, 1, 2)):
        np.testing.assert_array_equal(row[:333], targets[owner])
        assert not row[333:].any()


def test_the_kernels_records_are_those_of_python(shim):
    out = np.zeros(len(frame_structures.layout()), np.int32)
    shim.launch("hp_layout", 1, 1, out)
    frame_structures.check(out.tolist())
    for index in range(len(out)):
        wrong = out.tolist()
        wrong[index] += 8
        with refusal(GpuFailed, "other version"):
            frame_structures.check(wrong)
