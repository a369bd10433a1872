"""Light, cameras and codecs on a crop."""

import numpy as np
import pytest

from hotpath.research.train import effects

CROP = np.random.default_rng(4).integers(0, 256, (255, 255, 3), np.uint8)
FLAT = np.full((127, 127, 3), 128, np.uint8)


def test_every_effect_keeps_shape_and_type_and_depends_on_the_generator_alone():
    def every(rng):
        yield effects.Light(rng, 1.0)(CROP)
        yield effects.Night(rng)(CROP, rng)
        yield effects.Thermal(rng)(CROP, rng)
        yield effects.motion_blur(CROP, 9, 0.7)
        yield effects.enlarged(CROP, 0.3, area=True)
        yield effects.noisy(CROP, rng, 0.3)
        yield effects.jpeg(CROP, 30)
        yield effects.degraded(CROP, rng, 4.0)

    before = CROP.copy()
    first, again = (list(every(np.random.default_rng(1))) for _ in range(2))
    for one, other in zip(first, again):
        assert one.shape == CROP.shape and one.dtype == np.uint8
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(CROP, before)


@pytest.mark.parametrize("seed", range(20))
def test_night_is_darker_and_noisier_and_a_thermal_picture_has_no_colour(seed):
    rng = np.random.default_rng(seed)
    dark = effects.Night(rng)(FLAT, rng)
    assert dark.mean() < 128 and dark.std() > 1
    thermal = effects.Thermal(rng)(CROP, rng)
    assert (thermal == thermal[:, :, :1]).all()


def test_motion_blur_smears_along_its_line_alone():
    point = np.zeros((31, 31, 3), np.uint8)
    point[15, 15] = 255
    found = effects.motion_blur(point, 9, 0.0)[:, :, 0]
    assert (found[15, 11:20] > 20).all() and found.sum() == found[15].sum()


def test_noise_is_as_strong_as_asked_and_low_resolution_loses_detail():
    rng = np.random.default_rng(0)
    assert effects.noisy(FLAT, rng, 0.5).std() == pytest.approx(12, rel=0.1)
    grain = effects.noisy(FLAT, rng, 0.5, same=True)
    assert (grain == grain[:, :, :1]).all()
    found = effects.enlarged(CROP, 0.2, area=True)
    assert found.std() < 0.3 * CROP.std() and found.mean() == pytest.approx(CROP.mean(), abs=2)
