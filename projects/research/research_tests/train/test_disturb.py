"""What stands around, beside and before the target."""

import numpy as np
import pytest

from hotpath_research.train import disturb

BOX = np.array([100.0, 90.0, 150.0, 160.0], np.float32)


def scene():
    """A grey crop with a checked target."""
    search = np.full((256, 256, 3), 100, np.uint8)
    search[90:160, 100:150] = 200
    search[100:120, 110:130] = (0, 60, 250)
    return search


def inside(search, box):
    x1, y1, x2, y2 = box.astype(int)
    return search[max(y1, 0) : y2, max(x1, 0) : x2]


def test_another_background_leaves_the_target_alone():
    search = scene()
    disturb.swap_background(search, np.zeros_like(search), BOX)
    np.testing.assert_array_equal(search[110:140, 110:140], scene()[110:140, 110:140])
    assert (search[:40] == 0).all() and (search[:, :40] == 0).all()


def test_kin_is_close_to_the_target_and_hides_a_part_at_most():
    other, box = np.zeros((80, 80, 3), np.uint8), np.array([40.0, 40.0, 30.0, 40.0])
    hidden = []
    for seed in range(60):
        search = scene()
        disturb.add_kin(search, BOX, other, box, np.random.default_rng(seed))
        changed = (search != scene()).any(2)
        at = np.argwhere(changed)[:, ::-1]
        assert (abs(at - (BOX[:2] + BOX[2:]) / 2).max(0) < 160).all()
        hidden.append(inside(changed, BOX).mean())
    assert max(hidden) < 0.7 and 5 < np.count_nonzero(np.array(hidden) > 0.1) < 40


@pytest.mark.parametrize("seed", range(30))
def test_distractors_and_occluders_cover_a_part_of_the_target(seed):
    rng, search = np.random.default_rng(seed), scene()
    box = np.array([40.0, 40.0, 30.0, 40.0])
    disturb.add_distractor(search, BOX, np.zeros((80, 80, 3), np.uint8), box, rng)
    core = np.array([113, 108, 137, 142])
    assert (inside(search, core) != inside(scene(), core)).any(2).mean() < 0.75
    search = scene()
    disturb.add_occluder(search, BOX, rng)
    changed = (search != scene()).any(2)
    assert inside(changed, BOX).mean() < 0.5
    assert not changed[:80].any() and not changed[:, :90].any()


def test_what_lies_outside_of_the_crop_is_not_pasted():
    search = scene()
    patch = np.zeros((20, 20, 3), np.uint8)
    disturb.paste(search, patch, np.array([-30.0, 50.0]))
    np.testing.assert_array_equal(search, scene())
    disturb.paste(search, patch, np.array([0.0, 50.0]))
    assert (search[40:60, :10] == 0).all() and (search[:, 10:] == scene()[:, 10:]).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_picture_ends_across_the_target(seed):
    search = scene()
    disturb.cut_off(search, BOX, (7, 7, 7), np.random.default_rng(seed))
    beyond = (search == 7).all(2)
    rows, columns = beyond.all(1).sum(), beyond.all(0).sum()
    assert (rows > 0) != (columns > 0) and beyond.sum() == max(rows, columns) * 256
    assert 0.1 < inside(beyond, BOX).mean() < 0.65
