"""Pictures of every kind, packed into one file."""

import cv2
import numpy as np
import pytest

from hotpath.calib.errors import BadImages
from hotpath.calib.research.train.bank import SEQUENCE, STILL, VIDEO, build_bank, clip_group
from tests.calib.research.train.conftest import still
from tests.support.clips import write_boxes
from tests.support.tiny import write_video


def test_bank_gives_back_every_picture_and_is_read_again_only_when_its_sources_change(
    folders, bank
):
    np.testing.assert_array_equal(bank.picture(3), still(3))
    (folders / "images" / "0000.png").unlink()
    again = build_bank(folders / "bank", [folders / "images"], [folders / "clips"])
    assert len(again) == 58
    assert len(build_bank(folders / "bank", [folders / "images"], [])) == 49


def test_a_folder_of_broken_pictures_is_named_and_one_broken_picture_left_out(tmp_path, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(BadImages, match="images should hold pictures"):
        build_bank(tmp_path / "bank", [folder], [])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(BadImages, match="broken.jpg"):
        build_bank(tmp_path / "bank", [folder], [])
    cv2.imwrite(str(folder / "good.png"), still(0))
    assert len(build_bank(tmp_path / "bank", [folder], [])) == 1
    assert "left out 1 broken" in capsys.readouterr().out
    (tmp_path / "text.mp4").write_text("no video")
    for path, words in (("missing", "neither a folder nor a video"), ("text.mp4", "text.mp4")):
        with pytest.raises(BadImages, match=words):
            build_bank(tmp_path / "bank", [folder], [tmp_path / path])


def test_targets_of_one_footage_stay_together():
    assert clip_group("mot16-MOT16-09-id06") == clip_group("mot16-MOT16-09-id12")
    assert clip_group("otb-Dog") != clip_group("otb-Girl")


def test_a_rough_box_beside_a_video_says_where_its_target_is(tmp_path, folders):
    clips = tmp_path / "videos"
    clips.mkdir()
    pictures = np.full((90, 64, 96, 3), 30, np.uint8)
    for i, picture in enumerate(pictures):
        picture[20:40, i % 60 : i % 60 + 20] = 220
    for name in ("boxed.avi", "bare.avi"):
        write_video(clips / name, pictures)
    rows = [f"{i},{i % 60},20,20,20" if i < 50 else f"{i},,,," for i in range(90)]
    (clips / "boxed.boxes.csv").write_text("\n".join(["frame,x,y,w,h", *rows]))
    bank = build_bank(tmp_path / "bank", [folders / "images"], [clips])
    boxed, bare = (
        [i for i in np.flatnonzero(bank.kind == VIDEO) if bank.group[i] == group]
        for group in sorted(set(bank.group[bank.kind == VIDEO]), reverse=True)
    )
    assert 30 <= len(boxed) <= 60 and not bank.located[bare].any()
    assert bank.located[boxed[:20]].all() and not bank.located[boxed[-5:]].any()
    for index in boxed[:20]:
        x, y, w, h = bank.boxes[index][0]
        bright = np.argwhere(bank.picture(index)[:, :, 1] > 128)[:, ::-1]
        np.testing.assert_allclose([x, y], bright.mean(0), atol=1.5)
        assert (w, h) == (20, 20)


def test_a_large_picture_is_shrunk_with_its_box(tmp_path, folders):
    clip = tmp_path / "large" / "clip"
    clip.mkdir(parents=True)
    picture = np.zeros((600, 1024, 3), np.uint8)
    cv2.imwrite(str(clip / "0.png"), picture)
    write_boxes(clip / "boxes.csv", np.array([[400, 200, 200, 100]]))
    bank = build_bank(tmp_path / "bank", [folders / "images"], [tmp_path / "large"])
    index = np.flatnonzero(bank.kind == SEQUENCE)[0]
    assert bank.picture(index).shape == (300, 512, 3)
    np.testing.assert_allclose(bank.boxes[index][0], [249.5, 124.5, 100, 50])


def test_only_pictures_of_the_named_licences_are_seen(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("cal_a.webp", "cal_b.png", "in_a.png", "unknown.png"):
        cv2.imwrite(str(tmp_path / "images" / name), still(0))
    free = build_bank(tmp_path / "free", [tmp_path / "images"], [], licences=["A"])
    everything = build_bank(tmp_path / "all", [tmp_path / "images"], [])
    assert free.licences == {"A": 2} and free.source_names == ["Caltech-101"]
    assert everything.licences == {"A": 2, "R": 2} and (everything.kind == STILL).all()
    with pytest.raises(BadImages, match="no picture has a licence of class B"):
        build_bank(tmp_path / "none", [tmp_path / "images"], [], licences=["B"])
