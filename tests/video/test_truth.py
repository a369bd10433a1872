"""A truth file means what its author meant, by all of its rows; or it is refused in a sentence."""

import csv
import io
import json

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadClips, BadSource
from hotpath.video.clips import find_clips
from hotpath.video.sequence import Misfit, boxes_of, read_boxes
from hotpath.video.sources import open_source
from tests.support.errors import refusal

FRAMES = 24
AT = np.arange(FRAMES)
BOXES = np.stack(
    [30 + 3 * AT + AT % 2, np.round(60 + 20 * np.sin(AT / 4)), 40 + AT % 3, 32 + AT % 5], 1
)


def saved(rows, form="%.18e", delimiter=" "):
    """Rows as NumPy writes them."""
    text = io.StringIO()
    np.savetxt(text, rows, fmt=form, delimiter=delimiter)
    return text.getvalue()


def table(rows):
    """Rows as a spreadsheet writes them."""
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def listed(rows):
    """Rows as a script writes lists: in brackets, which it removes."""
    return "\n".join(json.dumps([float(v) for v in row]).strip("[]") for row in rows)


def with_columns(before, after):
    return [[*b, *box, *a] for b, box, a in zip(before, BOXES.tolist(), after)]


NOTHING = [[]] * FRAMES
NOT_POLYGONS = {
    "every tenth frame and a class": saved(
        with_columns([[10 * i + 40, 3] for i in AT], NOTHING), "%g"
    ),
    "truncated, occluded": table(with_columns(NOTHING, [[i % 2, 0] for i in AT])),
    "milliseconds and a score": listed(
        with_columns([[40 * i] for i in AT], [[0.5 + i / 99] for i in AT])
    ),
    "one of two targets in a frame": saved(
        with_columns([[i // 2 * 5, i % 2 + 4] for i in AT], NOTHING), "%g"
    ),
    "a box and its centre": table([[x, y, w, h, x + w / 2, y + h / 2] for x, y, w, h in BOXES]),
    "a box and where it was predicted": listed(
        with_columns(NOTHING, (BOXES + np.random.RandomState(4).normal(0, 1, BOXES.shape)).tolist())
    ),
    "every third frame and its time, of boxes of many sizes": table(
        [
            [x, y, 40 + i * i / 50, 30 + i * i / 70, 100 + 3 * i, 4 + i / 10]
            for i, (x, y, _, _) in enumerate(BOXES.tolist())
        ]
    ),
    "a box and its two other edges": listed([[x, y, w, h, x + w, y + h] for x, y, w, h in BOXES]),
}


@pytest.mark.parametrize("name", sorted(NOT_POLYGONS))
def test_rows_of_six_and_more_numbers_are_not_taken_for_polygons(tmp_path, name):
    (tmp_path / "groundtruth.txt").write_text(NOT_POLYGONS[name])
    with pytest.raises(BadSource, match=r"groundtruth.txt: its .*; line 1 is .*; write x,y,w,h"):
        read_boxes(str(tmp_path))


def corners(turn, clip=None):
    """Polygons around the boxes: rectangles that are turned, or quadrilaterals."""
    rows = []
    for x, y, w, h in BOXES.tolist():
        points = np.array(
            [[x, y + turn], [x + w - turn, y], [x + w, y + h - turn], [x + turn, y + h]]
        )
        if clip is not None:
            points[:, 0] = np.maximum(points[:, 0], clip)
        rows.append(points.reshape(-1).tolist())
    return rows


def beyond():
    """Quadrilaterals whose left side is beyond the border at first."""
    return [[max(0, v - 36) if k % 2 == 0 else v for k, v in enumerate(row)] for row in corners(9)]


def poles():
    """Thin ones that stand askew."""
    return [[x, y, x + 3, y, x + 63, y + 60, x + 60, y + 60] for x, y, _, _ in BOXES.tolist()]


POLYGONS = {
    "upright": corners(0),
    "turned": corners(6),
    "cut off by the left border": [[0, row[1], *row[2:6], 0, row[7]] for row in corners(6)],
    "irregular": [[v + (i % 3) for i, v in enumerate(row)] for row in corners(9)],
    "at first beyond the border": beyond(),
    "a thin pole": poles(),
    "a triangle": [row[:6] for row in corners(3)],
    "of five corners": [[*row, row[0] - 4, (row[1] + row[7]) / 2] for row in corners(4)],
}


@pytest.mark.parametrize("write", [saved, table, listed])
@pytest.mark.parametrize("name", sorted(POLYGONS))
def test_polygons_are_read_as_their_upright_boxes(tmp_path, name, write):
    (tmp_path / "groundtruth.txt").write_text(write(POLYGONS[name]))
    rows = np.array(POLYGONS[name]).reshape(FRAMES, -1, 2)
    wanted = np.concatenate([rows.min(axis=1), np.ptp(rows, axis=1)], 1)
    np.testing.assert_allclose(read_boxes(str(tmp_path)), wanted)


@pytest.mark.parametrize(
    "rows",
    [
        # one corner moves evenly, in three lines by chance
        [[10, 10, 50, 12, 48, 40, 9, 38], [13, 11, 40, 19, 60, 44, 1, 31]]
        + [[16, 19, 70, 15, 30, 41, 20, 39]],
        # one moves evenly, and the others nearly with it
        [
            [10 + 3 * i, 9 + i * i / 20, 50 + 3 * i + i % 2, 15 + i * i / 25]
            + [48 + 3 * i + i // 2 % 2, 40 + i * i / 30, 9 + 3 * i + i // 3 % 2, 31 + i * i / 35]
            for i in AT
        ],
        # one that hardly moves, in many lines
        [
            [10 + i // 4 % 16, 9 + i, 50 + i, 12 + i, 48 + i, 60 + i, 5 + i, 38 + i]
            for i in range(99)
        ],
    ],
)
def test_a_corner_that_moves_evenly_or_hardly_is_one(tmp_path, rows):
    (tmp_path / "groundtruth.txt").write_text(table(rows))
    assert len(read_boxes(str(tmp_path))) == len(rows)


@pytest.mark.parametrize(
    "flags",
    [
        saved([[float(i in (4, 5))] for i in AT]),
        table([["FALSE", "TRUE"][i in (4, 5)] for i in AT] for _ in "1"),
        listed([[i in (4, 5) for i in AT]]),
    ],
)
@pytest.mark.parametrize("name", ["absence.label", "out_of_view.txt"])
def test_flags_of_absence_are_those_of_their_frames(tmp_path, name, flags):
    (tmp_path / "groundtruth.txt").write_text(saved(BOXES))
    (tmp_path / name).write_text(flags)
    absent = [index for index, box in enumerate(read_boxes(str(tmp_path))) if box is None]
    assert absent == [4, 5]


@pytest.mark.parametrize(
    "flags, sentence",
    [("0 1 2" + " 0" * (FRAMES - 3), "line 1 is not 0 or 1"), ("0\n0.5\n", "line 2 is not 0 or 1")]
    + [("-1\n" * FRAMES, "line 1"), ("0\n" * (FRAMES - 1), "23 flags for 24"), ("", "0 flags")],
)
def test_flags_that_are_none_or_too_few_are_refused(tmp_path, flags, sentence):
    (tmp_path / "groundtruth.txt").write_text(saved(BOXES))
    (tmp_path / "full_occlusion.txt").write_text(flags)
    with pytest.raises(BadSource, match=sentence):
        read_boxes(str(tmp_path))


def test_a_frame_that_is_twice_in_boxes_csv_is_refused_with_both_lines(tmp_path):
    (tmp_path / "boxes.csv").write_text("frame,x,y,w,h\n0,1,2,3,4\n1,1,2,3,4\n0,50,60,3,4\n")
    with pytest.raises(BadSource, match="line 4 is of frame 0, as line 2"):
        read_boxes(str(tmp_path))


SIZE = 200, 150
EDGES = np.concatenate([BOXES[:, :2], BOXES[:, :2] + BOXES[:, 2:]], 1)


@pytest.mark.parametrize("write", [saved, table, listed])
@pytest.mark.parametrize("shift", [0, -20])
def test_a_truth_of_corners_is_refused_by_every_reader(tmp_path, write, shift):
    """Also where no box leaves the frame: the width follows the left edge."""
    folder = tmp_path / "clip"
    folder.mkdir()
    picture = np.full(
        (SIZE[1] * 2, SIZE[0] * 2, 3) if shift else (SIZE[1], SIZE[0], 3), 9, np.uint8
    )
    for index in AT:
        cv2.imwrite(str(folder / f"{index:04d}.png"), picture)
    (folder / "groundtruth.txt").write_text(write(EDGES + shift))
    said = []
    with open_source(str(folder), said.append) as source:
        assert source.first_box is None and not source.annotated
    assert "corners" in said[0] and "groundtruth.txt" in said[0]
    with refusal(BadClips, "wrong annotation"):
        find_clips([folder])
    with pytest.raises(Misfit):
        boxes_of(str(folder), FRAMES, None, lambda: picture.shape[1::-1])
    (folder / "groundtruth.txt").write_text(write(BOXES + (shift, shift, 0, 0)))
    (clip,) = find_clips([folder], said.append)
    assert len(said) == 1 and len(clip) == FRAMES


def test_corners_of_a_target_whose_size_changes_leave_the_frame(tmp_path):
    sides = np.array([(20, 90), (90, 20)])[AT % 2]
    rows = np.concatenate([BOXES[:, :2], np.minimum(BOXES[:, :2] + sides, SIZE)], 1)
    (tmp_path / "groundtruth.txt").write_text(saved(rows))
    with pytest.raises(Misfit, match="boxes leave the frame of 200x150"):
        boxes_of(str(tmp_path), FRAMES, None, lambda: SIZE)


@pytest.mark.parametrize(
    "rows, size, word",
    [
        (BOXES * (100 / 400, 100 / 300, 100 / 400, 100 / 300), (400, 300), "per cent"),
        (BOXES * 1000 / 250, SIZE, "leave the frame"),  # shares of a thousand
        (BOXES / (200, 150, 200, 150), SIZE, "at most 1, as shares of"),
        (BOXES * 1e300, SIZE, "leave the frame"),
        (BOXES * 3, SIZE, "leave the frame"),  # of a larger picture
    ],
)
def test_what_looks_like_other_units_is_said(tmp_path, rows, size, word):
    (tmp_path / "groundtruth.txt").write_text(saved(rows))
    said = []
    boxes_of(str(tmp_path), FRAMES, said.append, lambda: size)
    assert len(said) == 1 and word in said[0]


def test_a_truth_without_an_end_is_refused(tmp_path):
    with open(str(tmp_path / "groundtruth.txt"), "wb") as file:
        file.truncate(12 << 30)
    with refusal(BadSource, "too large"):
        read_boxes(str(tmp_path))
    (tmp_path / "groundtruth.txt").write_text("\n" * 1000001)
    with refusal(BadSource, "too large"):
        read_boxes(str(tmp_path))


COUNTED = {
    "DarkLabel": (
        "groundtruth.txt",
        saved(with_columns([[i, 1, 0] for i in AT], NOTHING), "%g", ","),
    ),
    "MOTChallenge": (
        "gt.txt",
        saved(with_columns([[i + 1, 1] for i in AT], [[1, 1, 1]] * FRAMES), "%g", ","),
    ),
    "a numbered table": (
        "groundtruth_rect.txt",
        table(with_columns([[i + 1] for i in AT], NOTHING)),
    ),
    "our own results": (
        "boxes.csv",
        "frame,target,x,y,w,h,score\n"
        + saved(with_columns([[i, 0] for i in AT], [[0.5]] * FRAMES), "%g", ","),
    ),
}


@pytest.mark.parametrize("tool", sorted(COUNTED))
def test_a_file_that_is_passed_over_is_named_with_the_reason(tmp_path, tool):
    """Not "has no ground truth", and not without a word."""
    name, text = COUNTED[tool]
    for index in AT:
        cv2.imwrite(str(tmp_path / f"{index:04d}.png"), np.full((150, 200, 3), 9, np.uint8))
    (tmp_path / name).write_text(text)
    said = []
    with open_source(str(tmp_path), said.append) as source:
        assert source.first_box is None and not source.annotated
    with pytest.raises(BadClips) as caught:
        find_clips([tmp_path])
    for sentence in (*said, str(caught.value)):
        assert f"{name}: is not used as the truth" in sentence and "x,y,w,h" in sentence
    assert len(said) == 1


def test_the_results_of_a_tracker_beside_a_folder_are_not_spoken_of(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), np.full((150, 200, 3), 9, np.uint8))
    (tmp_path / "frames.txt").write_text(COUNTED["MOTChallenge"][1])
    said = []
    with open_source(str(folder), said.append) as source:
        assert not source.annotated and not said
