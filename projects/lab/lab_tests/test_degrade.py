"""Degraded copies are the same in every run, and do to a picture what their name says."""

import json

import cv2
import numpy as np
import pytest

from hotpath.calib.errors import BadRun
from hotpath.video.clips import find_clips
from hotpath_lab import degrade, evaluate, robustness
from tests.support.clips import write_clip
from tests.support.tiny import film, write_network


@pytest.fixture
def place(tmp_path):
    """A folder with a tiny network and six clips in it."""
    write_network(tmp_path)
    pictures, boxes = film(24)
    for index in range(6):
        part = slice(2 * index, 2 * index + 12)
        write_clip(tmp_path / "clips" / f"clip{index}", pictures[part], boxes[part])
    return tmp_path


def copy_of(place, text):
    (kind,) = degrade.parse(text)
    clip = find_clips([place / "clips"])[0]
    return clip, degrade.Degraded(clip, kind)


def run(place, *more):
    arguments = ["--clips", str(place / "clips"), "--networks", str(place / "tiny.toml")]
    return evaluate.main([*arguments, "--out", str(place / "out"), *more])


@pytest.mark.parametrize("text", ["half", "blur:5", "jpeg:20", "noise:15", "box:20"])
def test_a_copy_is_the_same_in_every_run_and_order(place, text):
    _, first = copy_of(place, text)
    clip, again = copy_of(place, text)
    for index in (7, 3, 7):
        assert np.array_equal(first[index], again[index])
    assert np.array_equal(first.boxes, again.boxes) and first.sha256 == again.sha256
    held = again.in_memory(1 << 30)
    assert np.array_equal(held[3], first[3]) and held.sha256 == first.sha256
    assert first.sha256 != clip.sha256


def test_half_has_half_the_pixels_a_side_and_so_have_its_boxes(place):
    clip, copy = copy_of(place, "half")
    height, width = clip[0].shape[:2]
    assert copy[0].shape[:2] == (round(height / 2), round(width / 2))
    assert np.allclose(copy.boxes, clip.boxes / 2, rtol=0.02)


@pytest.mark.parametrize(
    "text, absent, numbers",
    [
        ("from:0", [], range(12)),
        ("from:50", [], range(6, 12)),
        ("from:50", [6, 7, 9], range(8, 12)),  # it begins where there is a box
        ("back:0", [], range(11, -1, -1)),
        ("back:25", [8], range(7, -1, -1)),
    ],
)
def test_a_copy_begins_elsewhere_or_runs_backwards(place, text, absent, numbers):
    (kind,) = degrade.parse(text)
    clip = find_clips([place / "clips"])[0]
    clip.boxes[absent] = np.nan
    copy = degrade.Degraded(clip, kind)
    assert len(copy) == len(numbers)
    for index, number in enumerate(numbers):
        assert np.array_equal(copy[index], clip[number])
        assert np.array_equal(copy.boxes[index], clip.boxes[number], equal_nan=True)


def test_every_keeps_frames_and_boxes_together(place):
    clip, copy = copy_of(place, "every:3")
    assert len(copy) == 4
    for index in range(4):
        assert np.array_equal(copy[index], clip[3 * index])
        assert np.array_equal(copy.boxes[index], clip.boxes[3 * index])


def test_box_changes_only_the_first_box_and_no_more_than_it_says(place):
    clip, copy = copy_of(place, "box:20")
    assert np.array_equal(copy.boxes[1:], clip.boxes[1:]) and np.array_equal(copy[0], clip[0])
    before, after = clip.boxes[0], copy.boxes[0]
    edges = np.array([after[:2] - before[:2], after[:2] + after[2:] - before[:2] - before[2:]])
    assert 0 < np.abs(edges / before[2:]).max() <= 0.2


def test_blur_spreads_a_point_along_a_line_of_its_length():
    picture = np.zeros((41, 41, 3), np.uint8)
    picture[20, 20] = 255
    lit = np.argwhere(degrade.motion_blur(picture, 9, 0.0)[:, :, 0])
    assert set(lit[:, 0]) == {20} and sorted(lit[:, 1]) == list(range(16, 25))


def test_noise_and_jpeg_are_as_strong_as_they_say():
    grey = np.full((64, 64, 3), 128, np.uint8)
    noise = degrade.noisy(grey, np.random.default_rng(0), 15.0).astype(float) - 128
    assert noise.std() == pytest.approx(15, abs=0.5) and abs(noise.mean()) < 0.5
    sharp = cv2.resize(np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8), (64, 64))
    errors = [np.abs(degrade.jpeg(sharp, q).astype(int) - sharp).mean() for q in (90, 30, 5)]
    assert errors == sorted(errors) and errors[0] < errors[2]


def test_directions_differ_between_frames_and_clips(place):
    clips = find_clips([place / "clips"])
    (kind,) = degrade.parse("blur:9")
    copies = [degrade.Degraded(clip, kind) for clip in clips[:2]]
    draws = [copy.rng(index).uniform() for copy in copies for index in range(3)]
    assert len(set(draws)) == 6


@pytest.mark.parametrize(
    "text, word",
    [
        ("fog:3", "there is no 'fog:3'"),
        ("blur", "blur:N"),
        ("blur:2.5", "a whole number"),
        ("jpeg:0", "from 1 to 100"),
        ("scale:3", "from 0.1 to 1"),
        ("half:0.3", "there is no 'half:0.3'; there are half, scale"),
        ("noise:x", "noise:N"),
        ("half,half", "twice"),
        ("", "there is no ''"),
    ],
)
def test_what_can_not_be_done_is_said(text, word):
    with pytest.raises(BadRun, match=word):
        degrade.parse(text)


def test_the_report_compares_equal_frames_with_intervals(place, capsys):
    assert run(place, "--degrade", "half,every:2,noise:90") == 0
    report = json.loads((place / "out" / "robustness.json").read_text())
    rows = {row["degradation"]: row for row in report["rows"]}
    assert list(rows) == ["half", "every:2", "noise:90"]
    for row in rows.values():
        pairs = np.array(list(row["of_clips"].values()))
        assert row["clips"] == len(pairs) == 6
        assert row["change"] == pytest.approx((pairs[:, 1] - pairs[:, 0]).mean())
        assert row["low"] <= row["change"] <= row["high"]
    shown = capsys.readouterr().err
    assert "AUC, and its change" in shown and "every:2" in shown
    # every second frame is compared with the same frames of the whole clip
    clip = find_clips([place / "clips"])[0]
    (path,) = (place / "out" / "boxes").rglob("clip0.json")
    boxes = json.loads(path.read_text())["boxes"]
    before = robustness.auc(boxes[::2], clip.boxes[::2])
    assert rows["every:2"]["of_clips"]["clip0"][0] == pytest.approx(before)


def test_a_finished_copy_is_not_tracked_again(place):
    run(place, "--degrade", "noise:20", "--only", "clip1")
    stamps = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("boxes/*/*.json")}
    assert len(stamps) == 2
    run(place, "--degrade", "noise:20,noise:30", "--only", "clip1")
    after = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("boxes/*/*.json")}
    assert len(after) == 3 and stamps.items() <= after.items()


def test_the_first_frames_alone_are_used_where_asked(place, capsys):
    assert run(place, "--degrade", "half", "--frames", "5") == 0
    (path,) = (place / "out" / "degraded").rglob("clip0.json")
    assert len(json.loads(path.read_text())["boxes"]) == 5
    assert run(place, "--frames", "1") == 2 and "give 2 or more" in capsys.readouterr().err


def test_a_copy_without_enough_frames_names_its_clip(place, capsys):
    assert run(place, "--degrade", "every:9") == 2
    assert "clip0: every:9 leaves 2 of its 12 frames" in capsys.readouterr().err
