"""The compiled colours are those of the definition."""

import platform

import numpy as np
import pytest

from runtime.recovery import colour

# OpenCV's builds for ARM convert with other libraries; a value may differ by one there
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="OpenCV's own tables")


def test_every_colour_has_the_bin_of_the_definition(kernels):
    compiled = colour.compiled(kernels)
    levels = np.arange(256, dtype=np.uint8)
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[..., 1], picture[..., 2] = levels[:, None], levels
    for blue in range(0, 256, 3):
        picture[..., 0] = blue
        np.testing.assert_array_equal(compiled.bins(picture), colour.bins(picture))


def test_a_histogram_is_that_of_the_definition_with_any_strides(kernels):
    compiled = colour.compiled(kernels)
    random = np.random.RandomState(2)
    for _ in range(20):
        planes = random.randint(0, 256, (3, colour.PATCH, colour.PATCH)).astype(np.uint8)
        large = random.randint(0, 256, (60, 80, 4)).astype(np.uint8)
        sparse = large[3 : 3 + 2 * colour.PATCH : 2, ::3][:, : colour.PATCH, :3]
        for picture in (planes.transpose(1, 2, 0), sparse):
            found = compiled.histogram(picture, colour.MIDDLE)
            np.testing.assert_allclose(found, colour.histogram(picture), rtol=0, atol=1e-14)


def test_other_pictures_are_refused(kernels):
    compiled = colour.compiled(kernels)
    with pytest.raises(ValueError, match="picture"):
        compiled.bins(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ValueError, match="weights"):
        compiled.histogram(np.zeros((4, 4, 3), np.uint8), colour.MIDDLE)
