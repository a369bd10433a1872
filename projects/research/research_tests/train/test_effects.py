"""Light, cameras and codecs on a crop."""

import numpy as np
import pytest

from hotpath_research.train import effects

CROP = np.random.default_rng(4).integers(0, 256, (255, 255, 3), np.uint8)
FLAT = np.full((127, 127, 3), 128, np.uint8)


def test_every_effect_depends_on_the_generator_alone():
    def every(rng):
        yield effects.Light(rng, 1.0)(CROP)
        yield effects.Night(rng)(CROP, rng)
        yield effects.Thermal(rng)(CROP, rng)
        yield effects.motion_blur(CROP, 9, 0.7)
        yield effects.enlarged(CROP, 0.3, area=True)
        yield effects.noisy(CROP, rng, 0.3)
        yield effects.jpeg(CROP, 30)
        yield effects.defocused(CROP, 3.2)
        yield effects.sheared(CROP, 4.0)
        yield effects.CameraEffects(rng, 9.0)(CROP, rng)

    before = CROP.copy()
    first, again = (list(every(np.random.default_rng(1))) for _ in range(2))
    for one, other in zip(first, again):
        assert one.shape == CROP.shape and one.dtype == np.uint8
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(CROP, before)


@pytest.mark.parametrize("seed", range(20))
def test_night_is_dark_and_noisy_and_thermal_has_no_colour(seed):
    rng = np.random.default_rng(seed)
    dark = effects.Night(rng)(FLAT, rng)
    assert dark.mean() < 128 and dark.std() > 1
    thermal = effects.Thermal(rng)(CROP, rng)
    assert (thermal == thermal[:, :, :1]).all()


def test_noise_is_as_strong_as_asked():
    rng = np.random.default_rng(0)
    assert effects.noisy(FLAT, rng, 0.5).std() == pytest.approx(12, rel=0.1)
    grain = effects.noisy(FLAT, rng, 0.5, same=True)
    assert (grain == grain[:, :, :1]).all()
    found = effects.enlarged(CROP, 0.2, area=True)
    assert found.std() < 0.3 * CROP.std() and found.mean() == pytest.approx(CROP.mean(), abs=2)


def test_defocus_spreads_a_point_over_a_disc_and_keeps_the_light():
    point = np.zeros((31, 31, 3), np.uint8)
    point[15, 15] = 255
    lit = effects.defocused(point, 3.0)[:, :, 0]
    rows, columns = np.nonzero(lit)
    assert np.hypot(rows - 15, columns - 15).max() == pytest.approx(3, abs=0.6)
    assert lit.sum() == pytest.approx(255, rel=0.15) and lit.max() < 12


def test_a_rolling_shutter_shifts_first_and_last_row_apart():
    line = np.zeros((101, 101, 3), np.uint8)
    line[:, 50] = 255
    columns = effects.sheared(line, 5.0)[[0, 50, 100], :, 0].argmax(1)
    assert columns.tolist() == [45, 50, 55]


def test_a_camera_leaves_about_half_of_the_crops_as_they_are():
    cameras = [effects.CameraEffects(np.random.default_rng(seed), 1.0) for seed in range(300)]
    changed = [(cam(CROP, np.random.default_rng(0)) != CROP).any() for cam in cameras]
    assert 0.4 < np.mean(changed) < 0.6
    assert not any(
        effects.CameraEffects(np.random.default_rng(s), 0.0).quality < 100 for s in range(50)
    )


def test_a_camera_blurs_along_the_motion_of_the_target():
    rows = np.repeat(np.random.default_rng(1).integers(0, 256, (255, 1, 1), np.uint8), 255, 1)
    stripes = np.repeat(rows, 3, 2)  # they run across: blur along them changes nothing
    along, against = (
        effects.CameraEffects(np.random.default_rng(0), 0.0, (15.0, angle))
        for angle in (0.0, np.pi / 2)
    )
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(along(stripes, rng), stripes)
    assert against(stripes, rng).std() < 0.5 * stripes.std()
