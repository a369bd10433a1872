"""Clips of every data set's layout give the same boxes, and wrong ones a clear sentence."""

import pickle

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadClips, BadSource
from hotpath.video.clips import find_clips
from hotpath.video.sources import open_source
from tests.support.clips import write_boxes
from tests.support.errors import refusal
from tests.support.tiny import film, write_video

BOXES = [(10.0, 20.0, 30.0, 40.0), (11.0, 21.0, 30.0, 40.0), (12.5, 22.0, 31.0, 41.0)]


def frames_into(folder, truth=None, name="groundtruth.txt"):
    """Write three pictures, and an annotation beside them; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(film(3, 96, 80, 20)[0]):
        cv2.imwrite(str(folder / f"{index + 1:04d}.png"), picture)
    if truth is not None:
        (folder / name).write_text(truth)
    return folder


def lines(boxes, origin=0):
    return "".join(f"{x + origin:g},{y + origin:g},{w:g},{h:g}\n" for x, y, w, h in boxes)


def test_otb_counts_from_one(tmp_path):
    frames_into(tmp_path, lines(BOXES, 1), "groundtruth_rect.txt")
    (clip,) = find_clips([tmp_path])
    assert clip.name == tmp_path.name and len(clip) == 3
    assert np.allclose(clip.boxes, BOXES)
    assert clip[2].shape == (80, 96, 3)
    with pytest.raises(IndexError):
        clip[3]


def test_several_targets_of_otb_are_several_clips(tmp_path):
    for number, boxes in (("1", BOXES), ("2", BOXES[::-1])):
        frames_into(tmp_path, lines(boxes, 1), f"groundtruth_rect.{number}.txt")
    first, second = find_clips([tmp_path])
    assert [first.name, second.name] == [f"{tmp_path.name}.1", f"{tmp_path.name}.2"]
    assert np.allclose(second.boxes, BOXES[::-1])


def test_got10k_and_lasot_mark_absent_frames(tmp_path):
    for name, flags, origin in (("absence.label", "0\n1\n0\n", 0), ("out_of_view.txt", "0,1,0", 1)):
        folder = tmp_path / name[:3]
        frames_into(folder / "img" if origin else folder)
        (folder / "groundtruth.txt").write_text(lines(BOXES, origin))
        (folder / name).write_text(flags)
        (clip,) = find_clips([folder])
        assert np.isnan(clip.boxes[1]).all()
        assert np.allclose(clip.boxes[[0, 2]], [BOXES[0], BOXES[2]])


def test_tld_gives_corners_and_nan(tmp_path):
    frames_into(tmp_path, "11,21,40,60\nNaN,NaN,NaN,NaN\n12,22,41,61\n", "gt.txt")
    (clip,) = find_clips([tmp_path])
    assert np.allclose(clip.boxes[[0, 2]], [(10, 20, 30, 40), (11, 21, 30, 40)])
    assert np.isnan(clip.boxes[1]).all()


def test_a_clip_begins_with_the_first_frame_of_its_target(tmp_path):
    frames_into(tmp_path / "late" / "img")
    write_boxes(tmp_path / "late" / "boxes.csv", np.array([[np.nan] * 4, *BOXES[1:]]))
    (clip,) = find_clips([tmp_path])
    assert np.allclose(clip.boxes, BOXES[1:])
    assert (clip[0] == cv2.imread(str(tmp_path / "late" / "img" / "0002.png"))).all()


def test_a_video_is_read_by_frame_number_also_backwards(tmp_path):
    pictures, boxes = film(12, 96, 80, 20)
    write_video(tmp_path / "a.avi", pictures)
    write_boxes(tmp_path / "boxes.csv", np.array(boxes))
    (clip,) = find_clips([tmp_path])
    assert len(clip) == 12
    late, early = clip[9].copy(), clip[2].copy()
    forward = list(clip)
    assert (late == forward[9]).all() and (early == forward[2]).all()


def test_equal_names_in_two_folders_stay_apart(tmp_path):
    frames_into(tmp_path / "bare")
    for data_set in ("otb", "vot"):
        frames_into(tmp_path / data_set / "Ball", lines(BOXES))
    told = []
    names = [clip.name for clip in find_clips([tmp_path], log=told.append)]
    assert names == ["otb-Ball", "vot-Ball"]
    assert len(told) == 1 and "bare has no annotation" in told[0]


def test_the_hash_changes_with_a_frame_and_with_a_box(tmp_path):
    folder = frames_into(tmp_path / "a", lines(BOXES))
    before = find_clips([tmp_path])[0].sha256
    assert before == find_clips([tmp_path])[0].sha256
    (folder / "groundtruth.txt").write_text(lines(BOXES[:2] + [(1, 2, 3, 4)]))
    other = find_clips([tmp_path])[0].sha256
    cv2.imwrite(str(folder / "0002.png"), np.zeros((80, 96, 3), np.uint8))
    assert len({before, other, find_clips([tmp_path])[0].sha256}) == 3


def test_every_mistake_has_its_sentence(tmp_path):
    with refusal(BadClips, "not a folder"):
        find_clips([tmp_path / "none"])
    with refusal(BadClips, "no frames"):
        find_clips([tmp_path])
    folder = frames_into(tmp_path / "bare")
    with refusal(BadClips, "no annotation"):
        find_clips([folder])
    for boxes, sentence in ((BOXES[:2], "2 boxes for 3 frames"), (BOXES * 2, "6 boxes for 3")):
        (folder / "groundtruth.txt").write_text(lines(boxes))
        with pytest.raises(BadClips, match=sentence):
            find_clips([folder])
    (folder / "groundtruth.txt").write_text("nan,nan,nan,nan\n" * 3)
    with refusal(BadClips, "wrong annotation"):
        find_clips([folder])


def test_a_broken_picture_names_its_frame(tmp_path):
    folder = frames_into(tmp_path / "a", lines(BOXES))
    (folder / "0002.png").write_bytes(b"\x89PNG broken")
    (clip,) = find_clips([tmp_path])
    assert clip[0].shape == clip[2].shape
    with refusal(BadSource, "broke off", where="a"):
        clip[1]


def test_pictures_of_twelve_bits_are_read_as_in_a_run(tmp_path):
    """All tools of ``calib`` read clips so; the high byte alone would be nearly black."""
    rng = np.random.RandomState(1)
    for n in range(6):
        deep = rng.randint(300, 4000, (24, 32)).astype(np.uint16)
        cv2.imwrite(str(tmp_path / f"{n}.png"), deep)
    lines = ["nan,nan,nan,nan"] + ["3,4,9,8"] * 5  # the clip begins with the second picture
    (tmp_path / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    (clip,) = find_clips([tmp_path])
    with open_source(str(tmp_path)) as source:
        wanted = [source.read() for _ in range(6)][1:]
    sent = pickle.loads(pickle.dumps(clip))
    for each in (clip, sent):
        np.testing.assert_array_equal(list(each), wanted)
    assert np.max(wanted) > 250 and np.min(wanted) < 5
