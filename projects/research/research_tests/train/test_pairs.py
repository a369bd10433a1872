"""Pairs of crops and the boxes in them."""

from types import SimpleNamespace

import numpy as np

from hotpath_research.train import bank as banks
from hotpath_research.train import pairs


def test_pictures_held_out_are_never_drawn_for_training(bank):
    held, drawer = set(np.flatnonzero(bank.held)), pairs.Drawer(bank)
    assert held and not held & set(drawer.all.items)
    assert set(pairs.Drawer(bank, held=True).all.items) == held


def test_the_same_numbers_draw_the_same_pair(bank):
    drawer = pairs.Drawer(bank)
    first, again = (drawer.pair(np.random.default_rng([1, 2])) for _ in range(2))
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one, other)


def test_boxes_of_a_clip_lie_on_a_target_that_may_move_far(bank):
    drawer = pairs.Drawer(bank)
    far = 0
    clip = np.flatnonzero(bank.kind == banks.SEQUENCE)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        picture = rng.choice(clip)
        box = bank.boxes[picture][0]
        crop, box, _ = drawer.search_crop(rng, pairs.CLIP, picture, box, seed % 2 == 0)
        moved = np.hypot(*((box[:2] + box[2:]) / 2 - 127.5))
        far += moved > 0.95 * np.sqrt(np.prod(box[2:] - box[:2])) and moved > 64
        bright = np.argwhere(crop[:, :, 0] > 135)[:, ::-1]
        if seed < 40 and len(bright) and box.min() >= 2 and box.max() <= 253:  # all in the crop
            np.testing.assert_allclose(box[:2], bright.min(0) - 0.5, atol=1.6)
            np.testing.assert_allclose(box[2:], bright.max(0) + 0.5, atol=1.6)
    assert 20 < far < 90


def test_kinds_are_drawn_as_often_as_they_should(bank):
    drawer = pairs.Drawer(bank)
    drawn = [drawer.sources(np.random.default_rng(seed)) for seed in range(2000)]
    for kind, ((first, _), (second, _)) in drawn:
        assert kind != pairs.NEGATIVE or bank.group[first] != bank.group[second]
    shares = np.bincount([kind for kind, _ in drawn], minlength=4) / len(drawn)
    wanted = np.array(pairs.SHARES) * [1, 1, 1, 0]
    np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=0.05)


def test_a_track_gives_pairs_of_two_moments(bank):
    rows = np.array([[i, 60 + 5 * i, 50, 30, 20] for i in range(8)], np.float32)
    drawer = pairs.Drawer(bank, SimpleNamespace(tracks=[rows]))
    later, found = 0, 0
    for seed in range(400):
        kind, ((first, box), (second, other)) = drawer.sources(np.random.default_rng(seed))
        if kind == pairs.TRACK:
            assert box[0] == 60 + 5 * first and other[0] == 60 + 5 * second
            later, found = later + (second > first), found + (second != first)
    assert found > 80 and later > 0.8 * found


def test_things_of_one_class_stand_in_for_one_another(folders):
    rows = [f"{i:04d}.png,ship,60,40,50,40" for i in range(40)]
    (folders / "images" / "objects.csv").write_text("\n".join(["picture,class,x,y,w,h", *rows]))
    bank = banks.build_bank(folders / "ships", [folders / "images"], [])
    drawer, ships = pairs.Drawer(bank), np.flatnonzero(bank.located)
    assert len(ships) == 40 and len(set(bank.kin[ships])) == 1
    np.testing.assert_allclose(bank.boxes[ships[0]], np.tile([84.5, 59.5, 50, 40], (12, 1)))
    picture, box = drawer.relative(np.random.default_rng(0), ships[0])
    np.testing.assert_allclose(box, [84.5, 59.5, 50, 40])
    assert picture[60, 85].mean() > picture[10, 10].mean() + 100


def test_a_pair_has_its_crops_before_the_camera_took_anything(bank):
    drawer = pairs.Drawer(bank)
    same, contrast = [], []
    for seed in range(120):
        pair = drawer.pair(np.random.default_rng(seed))
        assert pair.clear_search.shape == pair.search.shape
        same.append(
            [
                np.array_equal(pair.search, pair.clear_search),
                np.array_equal(pair.exemplar, pair.clear_exemplar),
            ]
        )
        if not same[-1][0]:
            detail = [
                np.abs(np.diff(crop.astype(int), axis=1)).mean()
                for crop in (pair.search, pair.clear_search)
            ]
            contrast.append(detail[0] < detail[1])
    search, exemplar = np.mean(same, 0)
    assert 0.2 < search < 0.6 and search < exemplar < 0.85
    assert np.mean([a != b for a, b in same]) > 0.2  # each has a camera of its own
    assert np.mean(contrast) > 0.6
