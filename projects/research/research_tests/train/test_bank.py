"""Pictures of every kind, packed into one file."""

import json

import cv2
import numpy as np

from hotpath.calib.errors import BadImages
from hotpath.runtime.errors import BadClips
from hotpath_research.train import training_pictures
from hotpath_research.train.bank import SEQUENCE, STILL, VIDEO, build_bank, clip_group
from research_tests.train.conftest import still
from tests.support.clips import write_boxes, write_clip
from tests.support.errors import refusal
from tests.support.tiny import film, write_video


def test_a_bank_gives_every_picture_and_follows_its_sources(folders, bank):
    np.testing.assert_array_equal(bank.picture(3), still(3))
    (folders / "images" / "0000.png").unlink()
    again = build_bank(folders / "bank", [folders / "images"], [folders / "clips"])
    assert len(again) == 58
    assert len(build_bank(folders / "bank", [folders / "images"], [])) == 49


def test_a_folder_of_broken_pictures_is_named(tmp_path, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    with refusal(BadImages, "no picture"):
        build_bank(tmp_path / "bank", [folder], [])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    with refusal(BadImages, "no picture"):
        build_bank(tmp_path / "bank", [folder], [])
    cv2.imwrite(str(folder / "good.png"), still(0))
    assert len(build_bank(tmp_path / "bank", [folder], [])) == 1
    assert "left out 1 broken" in capsys.readouterr().out
    (tmp_path / "text.mp4").write_text("no video")
    for path, what in (("missing", "not found"), ("text.mp4", "not a video")):
        with refusal(BadImages, what):
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
    with refusal(BadImages, "no picture"):
        build_bank(tmp_path / "none", [tmp_path / "images"], [], licences=["B"])


def test_a_public_set_is_sampled_evenly_and_for_research_only(tmp_path, folders):
    pictures, boxes = film(9)
    lasot = tmp_path / "lasot" / "atv" / "atv-1"
    write_clip(lasot, pictures, boxes)
    (lasot / "boxes.csv").unlink()
    rows = [",".join(map(str, box + np.array([1, 1, 0, 0]))) for box in boxes]
    (lasot / "groundtruth.txt").write_text("\n".join(["0,0,0,0", *rows[1:]]))  # not seen at first
    named = f"lasot_extension={tmp_path / 'lasot'}"
    bank = build_bank(tmp_path / "bank", [folders / "images"], [named, folders / "clips"], (), 3)
    of_set = [i for i in range(len(bank)) if bank.source_names[bank.source[i]] == "lasot_extension"]
    assert bank.sources["lasot_extension"] == len(of_set) == 3 and bank.licences["R"] >= 3
    # frames 1 to 8 have a box: every third of them; a box's middle counts from the pixel's
    for index, frame in zip(of_set, (1, 4, 7)):
        np.testing.assert_array_equal(bank.picture(index), pictures[frame])
        middle = np.array(boxes[frame][:2]) + np.array(boxes[frame][2:]) / 2 - 0.5
        np.testing.assert_allclose(bank.boxes[index][0][:2], middle, atol=1e-3)
    free = build_bank(tmp_path / "free", [folders / "images"], [named], ["R"], 3)
    assert len(free) > len(of_set)
    with refusal(BadImages, "no picture"):
        build_bank(tmp_path / "none", [folders / "images"], [named], ["B"])


def test_clips_of_each_layout_and_videos_are_trained_on(tmp_path, folders):
    pictures, boxes = film(4)
    got = write_clip(folders / "clips" / "train" / "GOT-10k_Train_000001", pictures, boxes)
    (got / "boxes.csv").rename(tmp_path / "kept.csv")
    (got / "groundtruth.txt").write_text("\n".join(",".join(map(str, box)) for box in boxes))
    write_video(folders / "clips" / "one.avi", np.stack([*pictures] * 3))
    found = build_bank(tmp_path / "bank", [folders / "images"], [folders / "clips"]).sources
    assert {"square", "GOT-10k_Train_000001", "one.avi"} < set(found)
    (got / "groundtruth.txt").write_text("1,2,3,4\n")
    with refusal(BadClips, "wrong annotation"):
        build_bank(tmp_path / "other", [folders / "images"], [folders / "clips"])


def test_pictures_of_coco_have_the_boxes_of_their_objects(tmp_path):
    folder = tmp_path / "train2017"
    folder.mkdir()
    (tmp_path / "annotations").mkdir()
    for name in ("1.jpg", "2.jpg"):
        cv2.imwrite(str(folder / name), np.full((80, 100, 3), 90, np.uint8))
    table = {
        "images": [{"id": 5, "file_name": "1.jpg"}, {"id": 6, "file_name": "2.jpg"}],
        "categories": [{"id": 3, "name": "bird"}],
        "annotations": [
            {"image_id": 5, "category_id": 3, "bbox": [10, 20, 30, 40], "iscrowd": 0},
            {"image_id": 6, "category_id": 3, "bbox": [0, 0, 90, 70], "iscrowd": 1},
        ],
    }
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps(table))
    bank = build_bank(tmp_path / "bank", [f"coco={path}"], [])
    assert len(bank) == 1  # a crowd is no object
    np.testing.assert_allclose(bank.boxes[0, 0], [24.5, 39.5, 30, 40])
    assert set(bank.licences) == {"R"}
    path.write_text("[]")
    with refusal(BadImages, "not COCO"):
        build_bank(tmp_path / "other", [f"coco={path}"], [])


def test_got10k_is_a_set_for_research_only(tmp_path):
    write_clip(tmp_path / "train" / "GOT-10k_Train_000001", *film(4, 96, 72, 20))
    (clip,), videos = training_pictures.find_clips([f"got10k={tmp_path / 'train'}"])
    assert clip[1] == "got10k" and not videos
