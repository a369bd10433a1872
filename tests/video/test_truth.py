"""A truth file is read as its author meant it, or refused in a sentence."""

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadClips, BadSource
from hotpath.video.clips import find_clips
from hotpath.video.sequence import Misfit, boxes_of, read_boxes
from hotpath.video.sources import open_source
from tests.support.errors import refusal

FRAMES = 24
SIZE = 200, 150
AT = np.arange(FRAMES)
BOXES = np.stack(
    [30 + 3 * AT + AT % 2, np.round(60 + 20 * np.sin(AT / 4)), 40 + AT % 3, 32 + AT % 5], 1
)
EDGES = np.concatenate([BOXES[:, :2], BOXES[:, :2] + BOXES[:, 2:]], 1)


def text_of(rows, separator=","):
    """Rows as a script writes them."""
    return "\n".join(separator.join(f"{value:g}" for value in row) for row in rows) + "\n"


@pytest.fixture
def folder(tmp_path):
    """A folder of pictures without a truth."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for index in AT:
        cv2.imwrite(str(folder / f"{index:04d}.png"), np.full((*SIZE[::-1], 3), 9, np.uint8))
    return folder


X, Y, W, H = BOXES.T
EVEN = 2.0 * AT  # goes by as much in each frame
POLYGONS = {  # four corners, and the box that they have
    "turned": ([X, Y + 6, X + W - 6, Y, X + W, Y + H - 6, X + 6, Y + H], BOXES),
    "upright, the other way": ([X, Y, X, Y + H, X + W, Y + H, X + W, Y], BOXES),
    "at the left edge": (
        [0 * X, Y, X, Y, X, Y + H, 0 * X, Y + H],
        np.stack([0 * X, Y, X, H], 1),
    ),
    "an even way": (
        [EVEN, AT, EVEN + 9, AT, EVEN + 9, AT + 7, EVEN, AT + 7],
        np.stack([EVEN, AT, 0 * X + 9, 0 * X + 7], 1),
    ),
}


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", ", "])
@pytest.mark.parametrize("name", POLYGONS)
def test_polygons_are_read_as_their_upright_boxes(tmp_path, separator, name):
    columns, boxes = POLYGONS[name]
    (tmp_path / "groundtruth.txt").write_text(text_of(np.stack(columns, 1), separator))
    np.testing.assert_allclose(read_boxes(str(tmp_path)), boxes)


OTHERS = {
    "DarkLabel": ("groundtruth.txt", [[i, 1, 0, *BOXES[i]] for i in AT]),
    "MOTChallenge": ("gt.txt", [[i + 1, 1, *BOXES[i], 1, 1, 1] for i in AT]),
    "a numbered table": ("groundtruth_rect.txt", [[i + 1, *BOXES[i]] for i in AT]),
    "eight numbers": ("groundtruth.txt", [[i + 7, 3, *BOXES[i], 0.9, -1] for i in AT]),
    "flags": ("groundtruth.txt", [[*BOXES[i], i % 2, 0] for i in AT]),
    "flags to eight": ("groundtruth.txt", [[*BOXES[i], 0, 0, 0, 1] for i in AT]),
    "no flag set": ("groundtruth.txt", [[*BOXES[i], 0, 0, 0, 0] for i in AT]),
    "every second frame": ("groundtruth.txt", [[2 * i, 1, *BOXES[i], 1, 1] for i in AT]),
    "seconds": ("groundtruth.txt", [[i / 30, *BOXES[i], 0.5, i % 2, i % 3] for i in AT]),
    "targets, then frames": ("groundtruth.txt", [[1, i, *BOXES[i], 0.9, 1] for i in AT]),
    "eight columns and codes": (
        "groundtruth.txt",
        [[1] if i == 5 else [5 * i, 2, *BOXES[i], 1, 0] for i in AT],
    ),
    "VisDrone-VID by target": (
        "groundtruth.txt",
        [[i + 1, target, *BOXES[i], 0, 0, 0, 0] for target in (0, 1) for i in AT],
    ),
    "results from frame 0": ("groundtruth.txt", [[i, 0, *BOXES[i], 0.9, -1, -1, -1] for i in AT]),
    "MOTChallenge's truth": ("groundtruth.txt", [[i + 1, 2, *BOXES[i], 1] for i in AT]),
    "detections": ("groundtruth.txt", [[i + 1, -1, *BOXES[i], 0.9] for i in AT]),
    "frame and score": ("groundtruth.txt", [[i + 70, *BOXES[i], 0.9] for i in AT]),
    "corners across": (
        "groundtruth.txt",
        [[x, y, x + w, y + h, x, y + h, x + w, y] for x, y, w, h in BOXES],
    ),
}


@pytest.mark.parametrize("beside", ["", "clip.txt", "clip_gt.txt"])
@pytest.mark.parametrize("tool", sorted(OTHERS))
def test_a_file_with_other_columns_is_no_truth_and_is_named_in_the_folder(folder, tool, beside):
    name, rows = OTHERS[tool]
    path = folder.parent / beside if beside else folder / name
    path.write_text(text_of(rows))
    messages = []
    with open_source(str(folder), messages.append) as source:
        assert source.first_box is None and not source.annotated
    with pytest.raises(BadClips) as caught:
        find_clips([folder])
    sentences = [] if beside else [*messages, str(caught.value)]
    for sentence in sentences:
        assert f"{name}: is not used as the truth" in sentence and "x,y,w,h" in sentence
    assert len(messages) == (not beside)


@pytest.mark.parametrize("name", ["absence.label", "out_of_view.txt"])
@pytest.mark.parametrize("form, separator", [("%d", "\n"), ("%d", ","), ("%.18e", "\n")])
def test_flags_of_absence_are_those_of_their_frames(tmp_path, name, form, separator):
    (tmp_path / "groundtruth.txt").write_text(text_of(BOXES))
    (tmp_path / name).write_text(separator.join(form % (i in (4, 5)) for i in AT))
    absent = [index for index, box in enumerate(read_boxes(str(tmp_path))) if box is None]
    assert absent == [4, 5]


@pytest.mark.parametrize(
    "flags, sentence",
    [("0 1 2" + " 0" * (FRAMES - 3), "is not 0 or 1"), ("yes\n" * FRAMES, "is not 0 or 1")]
    + [("0\n" * (FRAMES - 1), "23 flags for 24"), ("", "0 flags")],
)
def test_flags_that_are_none_or_too_few_are_refused(tmp_path, flags, sentence):
    (tmp_path / "groundtruth.txt").write_text(text_of(BOXES))
    (tmp_path / "full_occlusion.txt").write_text(flags)
    with pytest.raises(BadSource, match=sentence):
        read_boxes(str(tmp_path))


def test_a_truth_of_corners_is_refused_by_every_reader(folder):
    (folder / "groundtruth.txt").write_text(text_of(EDGES))
    messages = []
    with open_source(str(folder), messages.append) as source:
        assert source.first_box is None and not source.annotated
    assert "corners" in messages[0] and "groundtruth.txt" in messages[0]
    with refusal(BadClips, "wrong annotation"):
        find_clips([folder])
    with pytest.raises(Misfit, match="boxes leave the frame of 200x150"):
        boxes_of(str(folder), FRAMES, None, lambda: SIZE)
    (folder / "groundtruth.txt").write_text(text_of(BOXES))
    (clip,) = find_clips([folder], messages.append)
    assert len(messages) == 1 and len(clip) == FRAMES


@pytest.mark.parametrize(
    "rows, word",
    [
        (BOXES / (200, 150, 200, 150), "at most 1, as shares of"),
        (BOXES * 3, "leave the frame"),  # of a larger picture
        (BOXES * 1e300, "leave the frame"),
    ],
)
def test_what_looks_like_other_units_is_said(tmp_path, rows, word):
    (tmp_path / "groundtruth.txt").write_text(text_of(rows))
    messages = []
    boxes_of(str(tmp_path), FRAMES, messages.append, lambda: SIZE)
    assert len(messages) == 1 and word in messages[0]
