"""The compiled colours are those of the definition."""

import platform

import numpy as np
import pytest

from hotpath.runtime.frames import colour

# OpenCV's builds for ARM convert with other libraries; a value may differ by one there
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="OpenCV's own tables")


def test_every_colour_tells_what_the_definition_says(kernels):
    compiled = colour.compiled(kernels)
    target = np.random.RandomState(1).dirichlet(np.ones(colour.BINS))  # no two bins tell the same
    levels = np.arange(256, dtype=np.uint8)
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[..., 1], picture[..., 2] = levels[:, None], levels
    for blue in range(0, 256, 3):
        picture[..., 0] = blue
        found = compiled.project(picture, target)
        np.testing.assert_array_equal(found, colour.project(picture, target))


def test_a_sparse_picture_is_projected_as_the_definition_does(kernels):
    compiled = colour.compiled(kernels)
    random = np.random.RandomState(3)
    for _ in range(20):
        target = random.dirichlet(np.full(colour.BINS, 0.1)) * (random.rand(colour.BINS) > 0.5)
        large = random.randint(0, 1 << random.randint(2, 9), (90, 130, 3)).astype(np.uint8)
        sparse = large[3::7, 2::5]
        found = compiled.project(sparse, target)
        np.testing.assert_array_equal(found, colour.project(sparse, target))


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
        compiled.project(np.zeros((4, 4, 3), np.float32), np.zeros(colour.BINS))
    with pytest.raises(ValueError, match="target"):
        compiled.project(np.zeros((4, 4, 3), np.uint8), np.zeros(3))
    with pytest.raises(ValueError, match="weights"):
        compiled.histogram(np.zeros((4, 4, 3), np.uint8), colour.MIDDLE)
