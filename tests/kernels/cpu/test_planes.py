"""Pictures in planes: crops equal their definition, which equals OpenCV's conversion or ITU's."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels import golden
from hotpath.kernels.cpu import interface
from hotpath.kernels.planes import KINDS, MATRICES, Planes
from tests.support import compiled
from tests.support.examples import examples
from tests.support.pictures_in_planes import noise_in, padded

RANGES = sorted(MATRICES)


@pytest.fixture(scope="module")
def crops():
    """The implementations that this machine can build."""
    built = compiled.variants({"default": (), "portable": ("-DHP_PORTABLE",)})
    return [interface.CpuKernels()] + list(built.values())


@examples(150)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(RANGES),
    st.integers(1, 150),
    st.integers(1, 90),
    st.integers(0, 9),
    st.data(),
)
def test_a_crop_equals_that_of_the_converted_picture(crops, kind, how, width, height, gap, data):
    picture = padded(noise_in(kind, width, height, how, seed=width + height), gap)
    side = data.draw(st.integers(1, 300))
    x = data.draw(st.integers(-side - 3, width + 3))
    y = data.draw(st.integers(-side - 3, height + 3))
    tall = data.draw(st.sampled_from([side, 1, 3 * side]))
    size = data.draw(st.sampled_from([(33, 33), (8, 21), (127, 127), (1, 1)]))
    border, packing = (7, 130, 255), ((3, 2, 1), (0.1, 0.2, 0.3), True)
    for window in ((x, y, side, tall), (1, 1, 40, 40)):  # and between two colour samples
        expected = golden.crop(golden.bgr_from_planes(picture), window, size, border)
        np.testing.assert_array_equal(golden.crop(picture, window, size, border), expected)
        for kernels in crops:
            out = np.full((1, 3) + size, 77, np.float32)
            kernels.crop(picture, window, border, out, packing)
            np.testing.assert_array_equal(out, golden.pack(expected, *packing), kernels.name)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("size", [(1, 1), (63, 5), (64, 4), (65, 3), (641, 7)])
def test_the_whole_picture_is_converted_as_defined(crops, kind, size):
    for how in RANGES:
        picture = padded(noise_in(kind, size[0], size[1], how), 5)
        for kernels in crops:
            np.testing.assert_array_equal(
                kernels.to_bgr(picture), golden.bgr_from_planes(picture), kernels.name
            )


@pytest.mark.parametrize(
    "kind, code",
    [
        ("I420", cv2.COLOR_YUV2BGR_I420),
        ("NV12", cv2.COLOR_YUV2BGR_NV12),
        ("YUYV", cv2.COLOR_YUV2BGR_YUY2),
        ("UYVY", cv2.COLOR_YUV2BGR_UYVY),
    ],
)
def test_bt601_is_the_conversion_of_opencv(kind, code):
    picture = noise_in(kind, 126, 64)
    if kind in ("YUYV", "UYVY"):
        packed = picture.planes[0].reshape(64, 126, 2)
    else:
        packed = np.concatenate([plane.ravel() for plane in picture.planes]).reshape(96, 126)
    np.testing.assert_array_equal(golden.bgr_from_planes(picture), cv2.cvtColor(packed, code))


def test_grey_and_bgrx_keep_their_values():
    grey = noise_in("GREY", 31, 20, ("601", True))
    np.testing.assert_array_equal(
        golden.bgr_from_planes(grey), cv2.cvtColor(grey.planes[0], cv2.COLOR_GRAY2BGR)
    )
    bgrx = noise_in("BGRx", 31, 20)
    np.testing.assert_array_equal(golden.bgr_from_planes(bgrx), bgrx.planes[0][:, :, :3])


@pytest.mark.parametrize("how", RANGES)
def test_every_matrix_is_within_one_of_the_standard(how):
    red, blue = {"601": (0.299, 0.114), "709": (0.2126, 0.0722)}[how[0]]
    picture = noise_in("I444", 300, 200, how)
    y, u, v = (plane.astype(np.float64) for plane in picture.planes)
    y, chroma = (y, 255.0) if how[1] else ((np.maximum(y, 16) - 16) * 255 / 219, 224.0)
    u, v = (u - 128) * 255 / chroma, (v - 128) * 255 / chroma
    b, r = y + 2 * (1 - blue) * u, y + 2 * (1 - red) * v
    g = (y - red * r - blue * b) / (1 - red - blue)
    exact = np.clip(np.stack([b, g, r], axis=2), 0, 255)
    assert np.abs(golden.bgr_from_planes(picture) - exact).max() < 1.0


@examples(30)
@given(st.sampled_from(sorted(KINDS)), st.sampled_from(RANGES), st.integers(0, 99))
def test_the_mean_is_that_of_the_converted_pixels(kind, how, seed):
    picture = noise_in(kind, 64, 48, how, seed, low=90, high=160)  # inside BGR's range
    mean = golden.bgr_from_planes(picture).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(picture.mean(), mean, atol=0.6)


@pytest.mark.parametrize(
    "kind, shapes, matrix",
    [
        ("I420", [(4, 6), (2, 3), (2, 4)], "601"),
        ("NV12", [(5, 6), (2, 6)], "601"),
        ("YUYV", [(4, 10)], "601"),
        ("GREY", [(4, 6)], "240"),
        ("RGB", [(4, 6)], "601"),
    ],
)
def test_planes_that_do_not_fit_are_refused(kind, shapes, matrix):
    with pytest.raises(ValueError, match=kind):
        Planes(kind, [np.zeros(shape, np.uint8) for shape in shapes], 6, shapes[0][0], matrix)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_part_has_the_colours_of_the_whole(kind):
    picture, random = noise_in(kind, 37, 23), np.random.RandomState(4)
    whole = golden.bgr_from_planes(picture)
    for _ in range(30):
        x, y = random.randint(0, 37), random.randint(0, 23)
        width, height = random.randint(1, 38 - x), random.randint(1, 24 - y)
        part, left, top = picture.part(x, y, width, height)
        assert x - 1 <= left <= x and y - 1 <= top <= y
        assert part.shape == (y + height - top, x + width - left, 3)
        got = golden.bgr_from_planes(part)
        assert np.array_equal(got, whole[top : y + height, left : x + width])
