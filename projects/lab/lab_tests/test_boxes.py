"""Boxes of any tracker as text: what is read, what is refused, and what a saved file gives back."""

import json

import numpy as np
import pytest

from hotpath.runtime.errors import BadClips
from hotpath.video.clips import AnnotatedClip
from hotpath_lab import box_files, evaluate, figures
from tests.support.clips import write_clip
from tests.support.errors import refusal
from tests.support.tiny import film, write_network

pytest.importorskip("matplotlib")

BOXES = np.array([[10.0 + i, 20.0, 8.0, 6.5] for i in range(6)])
NAMES = ["Car1", "Jogging.1", "Absent"]


def clips(names=NAMES[:2]):
    frames = [f"{i + 1:04d}.jpg" for i in range(len(BOXES))]
    return [AnnotatedClip(name, ".", frames, BOXES) for name in names]


def text(rows):
    return "".join(",".join(f"{v:g}" for v in row) + "\n" for row in rows)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path.parent


FROM_1 = BOXES + [1, 1, 0, 0]


@pytest.mark.parametrize("inside, tracker", [("GOT-10k", "Ours"), ("VOT2018", "a-b"), ("", "x y")])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_the_folders_of_a_toolkit_are_read(tmp_path, inside, tracker, delimiter, capsys):
    """NumPy writes them, as the toolkits do; the times of frames beside them are no boxes."""
    root = tmp_path / "results" / inside
    for name in NAMES[:2]:
        for run in (1, 2):
            (root / tracker / name).mkdir(parents=True, exist_ok=True)
            path = root / tracker / name / f"{name}_{run:03d}.txt"
            np.savetxt(str(path), BOXES + run - 1, fmt="%.3f", delimiter=delimiter)
        np.savetxt(str(path.with_name(f"{name}_time.txt")), np.ones(len(BOXES)), fmt="%.8f")
    for folder in (root, root / tracker):
        (found,) = box_files.read(folder, clips(), NAMES, 0).values()
        assert sorted(found) == sorted(NAMES[:2])
        for rows in found.values():
            np.testing.assert_allclose(rows, BOXES)
    told = capsys.readouterr()
    assert "several runs of 2 sequences" in told.out + told.err


@pytest.mark.parametrize(
    "name, content, origin",
    [
        ("Car1.txt", text(BOXES), 0),
        ("Car1.txt", text(FROM_1), 1),
        ("car1.txt", "\ufeff" + text(FROM_1).replace(",", "\t").replace("\n", "\r\n") + "\r\n", 1),
        ("Car1.txt", text(FROM_1).replace(",", " , "), 1),
        ("Car1.txt", "1,1,0,0\n" + text(FROM_1[1:]), 1),  # some mark the first frame
    ],
)
def test_numbers_are_read_however_they_are_divided(tmp_path, name, content, origin):
    write(tmp_path / "T" / name, content)
    found = box_files.read(tmp_path, clips(), NAMES, origin)
    assert list(found) == ["T"] and list(found["T"]) == ["Car1"]
    np.testing.assert_allclose(found["T"]["Car1"], BOXES)


def test_files_of_one_tracker_need_no_other_folder(tmp_path, capsys):
    write(tmp_path / "T" / "jogging-1.txt", text(BOXES))
    write(tmp_path / "T" / "Absent.txt", text(BOXES))  # of the data set, and not there
    write(tmp_path / "T" / "Car1_time.txt", "0.1\n")
    assert list(box_files.read(tmp_path / "T", clips(), NAMES, 0)["T"]) == ["Jogging.1"]
    told = capsys.readouterr().err
    assert "Car1_time.txt" in told and "Absent" not in told


@pytest.mark.parametrize(
    "content, named",
    [
        (text(BOXES[:-1]), ("5 boxes for 6 frames", "Car1")),
        (text(BOXES) + "1,2,3,4\n", ("7 boxes for 6 frames",)),
        ("", ("0 boxes for 6 frames",)),
        ("frame,x,y,w,h\n" + text(BOXES), ("line 1", "frame,x,y,w,h")),
        (text(BOXES[:2]) + "7\n" + text(BOXES[3:]), ("line 3", "'7'")),
        ("1,2,3,4,5,6,7,8\n" * 6, ("line 1",)),
    ],
)
def test_a_file_that_is_not_one_box_a_frame_is_refused(tmp_path, content, named):
    path = tmp_path / "T" / "Car1.txt"
    write(path, content)
    with pytest.raises(BadClips) as told:
        box_files.read(tmp_path, clips(), NAMES, 0)
    assert all(each in str(told.value) for each in (str(path), *named))


X, Y, W, H = BOXES.T
RIGHT = X + W
FORMS = {  # rows -> what they are, and what says so; None: they are x,y,w,h
    "corners": ([X, Y, RIGHT, Y + H], "x1,y1,x2,y2", "given box"),
    "halves": ([X - 0.5, Y - 0.5, RIGHT - 0.5, Y + H - 0.5], "x1,y1,x2,y2", "given box"),
    "inclusive corners": ([X, Y, RIGHT - 1, Y + H - 1], "x1,y1,x2,y2", "given box"),
    "rows before columns": ([Y, X, Y + H, RIGHT], "y1,x1,y2,x2", "given box"),
    "y,x,h,w": ([Y, X, H, W], "y,x,h,w", "given box"),
    "centres": ([X + W / 2, Y + H / 2, W, H], "centre", "given box"),
    "a first answer, then corners": ([X, Y, RIGHT, Y + H], "x1,y1,x2,y2", "the truth"),
    "near": ([X + 1, Y, W, H + 1], None, None),
    "a first answer": ([X, Y, W, H], None, None),
    "another size of picture": ([3 * X, 3 * Y, 3 * W, 3 * H], None, "not the given box"),
}


@pytest.mark.parametrize("name", FORMS)
def test_rows_of_another_form_are_refused(tmp_path, capsys, name):
    columns, form, sentence = FORMS[name]
    rows = np.stack(columns, 1)
    if "first answer" in name:
        rows[0] += W[0] / 3
    path = write(tmp_path / "T" / "Car1.txt", text(rows)).parent
    if form is None:
        box_files.read(path, clips(), NAMES, 0)
        said = "".join(capsys.readouterr())
        assert sentence in said if sentence else not said
        return
    with refusal(BadClips, "another form", where="Car1") as caught:
        box_files.read(path, clips(), NAMES, 0)
    assert form in str(caught.value) and sentence in str(caught.value)


def test_a_file_of_boxes_without_an_end_is_refused(tmp_path):
    path = tmp_path / "T" / "Car1.txt"
    write(path, "")
    with open(path, "wb") as file:
        file.truncate(12 << 30)
    with pytest.raises(BadClips, match="Car1.txt: can't be read .it has over 16777216 bytes"):
        box_files.read(tmp_path, clips(), NAMES, 0)


def test_a_folder_without_boxes_is_refused(tmp_path):
    write(tmp_path / "T" / "Car2.txt", text(BOXES))
    for folder, what in ((tmp_path, "no sequence"), (tmp_path / "no", "not a folder")):
        with refusal(BadClips, what):
            box_files.read(folder, clips(), NAMES, 0)
    (tmp_path / "empty").mkdir()
    with refusal(BadClips, "empty", where=tmp_path):
        box_files.read(tmp_path / "empty", clips(), NAMES, 0)


def test_a_frame_without_a_box_counts_as_missed(tmp_path):
    rows = BOXES.copy()
    rows[2:4] = np.nan
    rows[4] = np.inf
    write(tmp_path / "T" / "Car1.txt", text(rows))
    found = box_files.read(tmp_path, clips(), NAMES, 0)["T"]["Car1"]
    assert evaluate.figures.metrics.figures(found, BOXES)["ao"] == pytest.approx(2 / 5)


@pytest.mark.parametrize("origin", (0, 1))
def test_what_is_written_is_read_again_with_one_decimal(tmp_path, origin):
    rows = BOXES + [0, 0.37, 0, 0.16]
    box_files.write(tmp_path / "new", {"T": {"Car1": rows}}, origin)
    lines = (tmp_path / "new" / "T" / "Car1.txt").read_text().splitlines()
    assert lines[1] == f"{11 + origin},{20.4 + origin},8,6.7" and len(lines) == len(BOXES)
    found = box_files.read(tmp_path / "new", clips(), NAMES, origin)["T"]["Car1"]
    np.testing.assert_allclose(found[1:], rows[1:], rtol=0, atol=0.05)


def test_saved_boxes_are_judged_as_the_network_was(tmp_path, capsys):
    pictures, truth = film(16)
    for name, part in (("one", slice(0, 12)), ("two", slice(4, 16))):
        write_clip(tmp_path / "clips" / name, pictures[part], truth[part])
    given = ["--clips", str(tmp_path / "clips"), "--out"]
    network = ["--networks", str(write_network(tmp_path)), "--save-boxes", str(tmp_path / "boxes")]
    assert evaluate.main([*given, str(tmp_path / "a"), *network]) == 0
    assert evaluate.main([*given, str(tmp_path / "b"), "--boxes", str(tmp_path / "boxes")]) == 0
    ours, theirs = (
        json.loads((tmp_path / out / "evaluation.json").read_text())["trackers"]["tiny"]
        for out in "ab"
    )
    assert ours["mean"]["clips"] == theirs["mean"]["clips"] == 2
    assert (
        theirs["mean"]["ao"] == pytest.approx(ours["mean"]["ao"], abs=2e-3) and ours["mean"]["ao"]
    )
    assert evaluate.main([*given, str(tmp_path / "c")]) == 2
    assert "--networks" in capsys.readouterr().err


def test_a_tracker_is_compared_on_the_clips_that_it_has():
    good, bad = {"boxes": BOXES}, {"boxes": BOXES + [2, 0, 0, 0]}
    names = "abcdefg"
    followed = clips(names)
    for clip in followed:
        clip._sha256 = clip.name  # there are no pictures
    ours = figures.TrackerResults({"a": good, **dict.fromkeys(names[1:], bad)})
    theirs = figures.TrackerResults(dict.fromkeys(names[1:], good))
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
