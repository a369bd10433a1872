"""Pictures for the training and the pairs drawn from them."""

import cv2
import numpy as np
import pytest

from calib.train import pairs, pictures
from calib.train.errors import BadImages
from calib.train.overlap import OneStep, overlap, tracker_crop


def still(seed, height=120, width=160):
    noise = np.random.default_rng(seed).integers(0, 60, (height, width, 3), np.uint8)
    noise[40:80, 60:110] += 150
    return noise


@pytest.fixture
def folders(tmp_path):
    """Stills in images/, one clip of a bright square that moves in clips/."""
    images, clip = tmp_path / "images", tmp_path / "clips" / "square"
    images.mkdir()
    clip.mkdir(parents=True)
    for i in range(50):
        cv2.imwrite(str(images / "{:02d}.png".format(i)), still(i))
    rows = ["frame,x,y,w,h"]
    for i in range(8):
        picture = np.full((400, 400, 3), 40, np.uint8)
        picture[150:200, 150 + 10 * i : 220 + 10 * i] = 230
        cv2.imwrite(str(clip / "{:04d}.png".format(i)), picture)
        rows.append("{},{},150,70,50".format(i, 150 + 10 * i))
    (clip / "boxes.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.fixture
def bank(folders):
    return pictures.build_bank(folders / "bank", [folders / "images"], [folders / "clips"])


def test_bank_gives_back_every_picture_as_it_was(bank):
    assert len(bank) == 58
    np.testing.assert_array_equal(bank.picture(3), still(3))


def test_bank_is_read_again_only_when_its_sources_change(folders, bank):
    (folders / "images" / "00.png").unlink()
    again = pictures.build_bank(folders / "bank", [folders / "images"], [folders / "clips"])
    assert len(again) == 58
    assert len(pictures.build_bank(folders / "bank", [folders / "images"], [])) == 49


def test_pictures_held_out_are_never_drawn_for_training(bank):
    held, drawer = set(np.flatnonzero(bank.held)), pairs.Drawer(bank)
    assert held and not held & set(drawer.all)
    assert set(pairs.Drawer(bank, held=True).all) == held


def test_the_same_numbers_draw_the_same_pair(bank):
    drawer = pairs.Drawer(bank)
    first, again = (drawer.pair(np.random.default_rng([1, 2])) for _ in range(2))
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one, other)


def test_boxes_of_a_clip_lie_on_its_target_whatever_is_done_to_the_crop(bank):
    drawer = pairs.Drawer(bank)
    clip = np.flatnonzero(bank.kind == pictures.SEQUENCE)
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


def test_an_empty_folder_of_pictures_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadImages, match="empty.*should hold pictures"):
        pictures.build_bank(tmp_path / "bank", [tmp_path / "empty"], [])


def test_a_folder_of_broken_pictures_is_named_and_one_broken_picture_passed_over(tmp_path, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(BadImages, match="broken.jpg"):
        pictures.build_bank(tmp_path / "bank", [folder], [])
    cv2.imwrite(str(folder / "good.png"), still(0))
    assert len(pictures.build_bank(tmp_path / "bank", [folder], [])) == 1
    assert "passed over 1 broken" in capsys.readouterr().out


def test_clips_that_are_not_there_or_no_videos_are_named(tmp_path):
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "good.png"), still(0))
    (tmp_path / "text.mp4").write_text("no video")
    for path, words in (("missing", "neither a folder nor a video"), ("text.mp4", "as a video")):
        with pytest.raises(BadImages, match=words):
            pictures.build_bank(tmp_path / "bank", [tmp_path / "images"], [tmp_path / path])


def test_targets_of_one_footage_stay_together():
    assert pictures.clip_group("mot16-MOT16-09-id06") == pictures.clip_group("mot16-MOT16-09-id12")
    assert pictures.clip_group("otb-Dog") != pictures.clip_group("otb-Girl")


def test_more_crops_of_every_frame_begin_with_those_of_the_measure(folders):
    one, two = (OneStep(folders / "clips", repeats=repeats) for repeats in (1, 2))
    count = len(one.searches)
    assert len(two.searches) == len(two.boxes) == len(two.clip) == 2 * count > 0
    assert (two.searches[:count] == one.searches).all() and (two.boxes[:count] == one.boxes).all()
    assert (two.boxes[count:] != one.boxes).any(1).all()
    assert len(two.exemplars) == len(one.exemplars) == 1


def test_clips_to_validate_by_are_chosen_by_name(folders):
    assert OneStep(folders / "clips", only=["circle", "squ"]).clips == ["square"]
    with pytest.raises(BadImages, match="no annotated clips"):
        OneStep(folders / "clips", only=["circle"])


def test_overlap_of_a_perfect_answer_is_one_and_of_a_half_answer_a_half():
    probability, distances = np.zeros((16, 16)), np.ones((4, 16, 16))
    probability[9, 7] = 1.0
    distances[:, 9, 7] = [20, 10, 12, 14]  # around (-16, 16)
    box = np.array([-20.0, 18.0, 32.0, 24.0])
    assert overlap(probability, distances, box) == pytest.approx(1.0)
    assert overlap(probability, distances, box * [1, 1, 1, 2]) == pytest.approx(0.5)


def test_crop_of_the_validation_pairs_is_the_runtimes_crop():
    from kernels import cpu

    frame = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    fill, centre, side = np.array([10.0, 20.0, 30.0]), (20.0, 30.0), 77
    out = np.zeros((1, 3, 127, 127), np.float32)
    low = np.floor(np.array(centre) - (side + 1) / 2 + 0.5).astype(int)
    cpu.load().crop(frame, (*low.tolist(), side, side), fill.astype(np.uint8), out,
                    (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)  # fmt: skip
    np.testing.assert_array_equal(
        tracker_crop(frame, centre, side, 127, fill), out[0].transpose(1, 2, 0)
    )
