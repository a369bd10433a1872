"""Pairs of crops and the boxes in them."""

import numpy as np

from calib.research.train import bank as banks
from calib.research.train import pairs


def test_pictures_held_out_are_never_drawn_for_training(bank):
    held, drawer = set(np.flatnonzero(bank.held)), pairs.Drawer(bank)
    assert held and not held & set(drawer.all.items)
    assert set(pairs.Drawer(bank, held=True).all.items) == held


def test_the_same_numbers_draw_the_same_pair(bank):
    drawer = pairs.Drawer(bank)
    first, again = (drawer.pair(np.random.default_rng([1, 2])) for _ in range(2))
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one, other)


def test_boxes_of_a_clip_lie_on_its_target_whatever_is_done_to_the_crop(bank):
    drawer = pairs.Drawer(bank)
    clip = np.flatnonzero(bank.kind == banks.SEQUENCE)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        first, second = rng.choice(clip, 2)
        crop, box = drawer.search_crop(rng, pairs.TRUE_BOX, first, second, 0, seed % 2 == 0)
        bright = np.argwhere(crop[:, :, 0] > 135)[:, ::-1]
        if not len(bright) or (box < 2).any() or (box > 252).any():
            continue  # partly outside the crop
        np.testing.assert_allclose(box[:2], bright.min(0) - 0.5, atol=1.6)
        np.testing.assert_allclose(box[2:], bright.max(0) + 0.5, atol=1.6)


def test_the_search_picture_of_a_negative_has_nothing_to_do_with_the_exemplar(bank):
    drawer = pairs.Drawer(bank)
    for seed in range(300):
        kind, first, second = drawer.sources(np.random.default_rng(seed))
        if kind == pairs.NEGATIVE:
            assert bank.group[first] != bank.group[second]


def test_every_kind_of_pair_is_drawn_about_as_often_as_it_should(bank):
    drawer = pairs.Drawer(bank)
    kinds = [drawer.sources(np.random.default_rng(seed))[0] for seed in range(2000)]
    shares = np.bincount(kinds, minlength=4) / len(kinds)
    wanted = np.array(pairs.SHARES) * [1, 1, 1, 0]
    np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=0.05)


def test_objects_of_stills_are_true_boxes_and_show_others_of_their_class(folders):
    rows = [f"{i:02d}.png,ship,60,40,50,40" for i in range(40)]
    (folders / "images" / "objects.csv").write_text("\n".join(["picture,class,x,y,w,h", *rows]))
    bank = banks.build_bank(folders / "ships", [folders / "images"], [])
    drawer, ships = pairs.Drawer(bank), np.flatnonzero(bank.located)
    assert len(ships) == 40 and len(set(bank.kin[ships])) == 1
    np.testing.assert_allclose(bank.boxes[ships[0]], np.tile([84.5, 59.5, 50, 40], (12, 1)))
    kinds = {drawer.pair(np.random.default_rng(seed)).kind for seed in range(40)}
    assert {pairs.ONE_PICTURE, pairs.TRUE_BOX} <= kinds
    picture, box = drawer.relative(np.random.default_rng(0), ships[0])
    np.testing.assert_allclose(box, [84.5, 59.5, 50, 40])
    assert picture[60, 85].mean() > picture[10, 10].mean() + 100


def test_some_targets_move_by_more_than_their_size(bank):
    drawer, far = pairs.Drawer(bank), 0
    clip = np.flatnonzero(bank.kind == banks.SEQUENCE)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        _, box = drawer.search_crop(rng, pairs.TRUE_BOX, clip[0], clip[0], 0, False)
        moved = np.hypot(*((box[:2] + box[2:]) / 2 - 127))
        far += moved > 0.95 * np.sqrt(np.prod(box[2:] - box[:2])) and moved > 80
    assert 10 < far < 60
