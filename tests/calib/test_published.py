"""Result files of other trackers, in the layouts in which their authors publish them."""

import io
import json
import zipfile

import numpy as np
import pytest

from hotpath.calib import figures, published
from hotpath.runtime.errors import BadClips
from hotpath.runtime.track.video.clips import Clip
from tests.calib.collect import write

BOXES = np.array([[10.0 + i, 20.0, 8.0, 6.0] for i in range(6)])


def clips(first=1, names=("Car1", "Jogging.1")):
    frames = [f"{first + i:04d}.jpg" for i in range(len(BOXES))]
    return [Clip(name, ".", frames, BOXES) for name in names]


def text(boxes):
    """1-based rows, as the benchmarks count."""
    return "".join(",".join(f"{v:g}" for v in row) + "\n" for row in boxes + [1, 1, 0, 0])


def matlab(boxes):
    io_module = pytest.importorskip("scipy.io")
    cell = np.empty((1, 1), object)
    cell[0, 0] = {"type": "rect", "res": boxes + [1, 1, 0, 0]}
    file = io.BytesIO()
    io_module.savemat(file, {"results": cell})
    return file.getvalue()


@pytest.mark.parametrize(
    "name, content",
    [
        ("car1.txt", text(BOXES)),
        ("CAR1.TXT", "\ufeff" + text(BOXES).replace(",", "\t")),
        ("sub/Car1/Car1_001.txt", text(BOXES)),
        ("car1_Some_tracker.mat", matlab),
        ("Car1.json", json.dumps([{"res": (BOXES + [1, 1, 0, 0]).tolist()}])),
        ("Car1.txt", "1\n" + text(BOXES)[text(BOXES).index("\n") + 1 :]),  # VOT marks the start
    ],
)
def test_each_layout_gives_the_boxes_in_pixels_from_0(tmp_path, name, content):
    write(tmp_path / "T" / name, content(BOXES) if callable(content) else content)
    write(tmp_path / "T" / "car1_s.txt", text(BOXES + 50))  # another sequence
    write(tmp_path / "T" / "times" / "Car1_time.txt", "0.1\n")
    found = published.read(tmp_path, clips(), ["Car1", "Car1_s", "Jogging.1"])
    np.testing.assert_allclose(found["T"]["Car1"], BOXES, atol=1e-6)
    assert set(found["T"]) == {"Car1"}


def test_zip_files_and_names_divided_otherwise_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "T.zip", "w") as packed:
        packed.writestr("a\\b\\OTB100\\T\\jogging-1.txt", text(BOXES))
    assert set(published.read(tmp_path, clips(), ["Car1", "Jogging.1"])["T"]) == {"Jogging.1"}


@pytest.mark.parametrize(
    "rows, first, wanted",
    [
        (np.concatenate([BOXES[:1] - 5] * 3 + [BOXES]), 4, BOXES),  # from the film's first frame
        (np.concatenate([BOXES, BOXES[:2]]), 1, BOXES),
        (BOXES[:-1], 1, np.concatenate([BOXES[:-1], BOXES[-2:-1]])),  # the last row is missing
    ],
)
def test_rows_of_a_longer_or_shorter_sequence_are_fitted(rows, first, wanted):
    np.testing.assert_allclose(published.fitted(rows + [1, 1, 0, 0], clips(first)[0]), wanted)


def test_another_number_of_rows_is_refused():
    with pytest.raises(BadClips, match="4 rows for 6 frames"):
        published.fitted(BOXES[:4], clips()[0])


def test_a_damaged_file_costs_one_sequence_and_is_named(tmp_path, capsys):
    pytest.importorskip("scipy")
    write(tmp_path / "T" / "Car1.txt", text(BOXES))
    write(tmp_path / "T" / "Jogging_1.mat", b"no file of MATLAB")
    write(tmp_path / "T" / "other" / "Car1.txt", text(BOXES + 3))
    write(tmp_path / "Polygons" / "Car1.txt", "1\n" + "1,2,3,4,5,6,7,8\n" * 5)
    write(tmp_path / "Readme.txt", "none")
    write(tmp_path / "Z.zip", b"no ZIP")
    with zipfile.ZipFile(tmp_path / "Y.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("Car1.txt", text(BOXES))
    whole = (tmp_path / "Y.zip").read_bytes()
    write(tmp_path / "Y.zip", whole[:38] + b"\xff" * 8 + whole[46:])  # after the header
    assert set(published.read(tmp_path, clips(), ["Car1", "Jogging.1"])["T"]) == {"Car1"}
    told = capsys.readouterr().err
    assert "T: left out Jogging.1 (can't be read" in told
    assert "a second Car1; give each tracker its own folder" in told
    assert "Polygons: left out Car1 (can't be read: a line is not x, y, w, h)" in told
    for name in ("Y.zip", "Z.zip"):
        assert f"{name}: left out the rest: it can't be read" in told
    assert "no boxes of these 2 sequences: Readme.txt" in told


def test_a_tracker_is_compared_on_the_clips_that_it_has():
    good, bad = {"boxes": BOXES}, {"boxes": BOXES + [2, 0, 0, 0]}
    names = "abcdefg"
    followed = clips(names=names)
    for clip in followed:
        clip._sha256 = clip.name  # there are no pictures
    ours = figures.Tracked({"a": good, **dict.fromkeys(names[1:], bad)})
    theirs = figures.Tracked(dict.fromkeys(names[1:], good))
    table = figures.evaluation(followed, {"ours": ours, "theirs": theirs}, {"part": ["a", "b"]})
    mean, own = table["trackers"]["theirs"]["mean"], table["trackers"]["ours"]
    assert mean["clips"] == 6 and mean["verdict"] == "better"
    gain = own["clips"]["a"]["success"] - own["clips"]["b"]["success"]
    assert mean["difference"] == pytest.approx(gain)
    assert own["mean"]["success_low"] < own["clips"]["a"]["success"]
    part = table["trackers"]["theirs"]["groups"]["part"]
    assert part["clips"] == 1 and "verdict" not in part  # one clip shows nothing


def test_the_interval_of_a_mean_is_that_of_the_bootstrap():
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(3).random(30)
    rng = np.random.default_rng(1)
    other = stats.bootstrap((values,), np.mean, method="percentile", rng=rng).confidence_interval
    np.testing.assert_allclose(figures.interval(values), other, atol=0.01)
