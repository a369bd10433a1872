"""The first box of every benchmark's sequences is read as 0-based pixels."""

import numpy as np
import pytest

from hotpath.runtime.errors import BadClips, BadSource
from hotpath.video.clips import find_clips
from hotpath.video.sequence import Annotation, find_annotation, read_boxes
from hotpath.video.sources import open_source, reads
from tests.support.errors import refusal
from tests.video.test_sources import write_pictures


def first_box(folder):
    """The first box of a sequence, read as the command line reads it."""
    with open_source(str(folder)) as source:
        return source.first_box


OTB = "groundtruth_rect.txt"


@pytest.mark.parametrize(
    "pictures, files, box",
    [
        ("img", {OTB: "11,21,30,40\n"}, (10, 20, 30, 40)),
        ("img", {OTB: "11\t21\t30\t40\n"}, (10, 20, 30, 40)),
        ("img", {OTB: "11 21 30 40\n"}, (10, 20, 30, 40)),
        ("img", {OTB: " 11, 21, 30, 40 \n"}, (10, 20, 30, 40)),
        ("img", {OTB: "NaN,NaN,NaN,NaN\n5,6,7,8\n"}, None),
        (  # the first target of a double sequence
            "img",
            {"groundtruth_rect.1.txt": "2,3,4,5\n", "groundtruth_rect.2.txt": "9,9,9,9\n"},
            (1, 2, 4, 5),
        ),
        ("color", {"groundtruth.txt": "10,20,30.5,40\n"}, (10, 20, 30.5, 40)),  # VOT
        ("color", {"groundtruth.txt": "10,60,12,20,45,22,40,58\n"}, (10, 20, 35, 40)),
        ("", {"groundtruth.txt": "347.0000,443.0000,429.0000,272.0000\n"}, (347, 443, 429, 272)),
        ("", {"../seq_gt.txt": "11,21,30,40\n"}, (10, 20, 30, 40)),  # DTB70
    ],
)
def test_the_first_box_is_that_of_the_benchmark_s_own_file(tmp_path, pictures, files, box):
    write_pictures(tmp_path / "seq" / pictures, 1)
    for name, text in files.items():
        (tmp_path / "seq" / name).write_text(text)
    assert first_box(tmp_path / "seq") == box
    assert first_box(tmp_path / "seq" / pictures) == box  # the pictures' own folder


def test_vot_masks_and_codes_are_understood(tmp_path):
    (tmp_path / "groundtruth.txt").write_text("m10,20,30,40,0,1200\n1\n0\n")
    assert read_boxes(str(tmp_path)) == [(10, 20, 30, 40), None, None]


MASKS = {  # name -> (the runs of a region of 6x4 at 10,20; the box of its ones)
    "all": ("0,24", (10, 20, 6, 4)),
    "no runs": ("", (10, 20, 6, 4)),
    "the last zeros too": ("8,1,15", (12, 21, 1, 1)),
    "empty runs between": ("7,0,1,1,0,1", (12, 21, 2, 1)),
    "nothing": ("24", None),
    "a run of nothing": ("3,0", None),
}


@pytest.mark.parametrize("runs, box", MASKS.values(), ids=MASKS)
def test_a_mask_is_the_box_of_its_ones(tmp_path, runs, box):
    (tmp_path / "groundtruth.txt").write_text(",".join(filter(None, ["m10,20,6,4", runs])) + "\n")
    assert read_boxes(str(tmp_path)) == [box]


@pytest.mark.parametrize("text", ["m10,20,6", "m10,20,6,4,0,25", "m1,2,3,4,nan", "m1,2,3,4,0,1.5"])
def test_a_mask_that_is_none_is_named(tmp_path, text):
    (tmp_path / "groundtruth.txt").write_text(text + "\n")
    with refusal(BadSource, "wrong line"):
        read_boxes(str(tmp_path))


def test_masks_are_read_as_they_are_painted(tmp_path):
    rng, boxes, lines = np.random.RandomState(5), [], []
    for _ in range(60):
        width, height = rng.randint(1, 12, 2)
        mask = rng.rand(height, width) < rng.choice((0.02, 0.2, 0.9))
        changes = np.flatnonzero(np.diff(np.concatenate([[False], mask.ravel()])))
        runs = np.diff(np.concatenate([[0], changes, [mask.size]]))
        lines.append("m" + ",".join(map(str, [7, 3, width, height, *runs])))
        y, x = np.nonzero(mask)
        size = (np.ptp(x) + 1, np.ptp(y) + 1) if len(x) else ()
        boxes.append((7 + x.min(), 3 + y.min(), *size) if size else None)
    (tmp_path / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    assert read_boxes(str(tmp_path)) == boxes


@pytest.mark.parametrize(
    "anno", ["anno/UAV123/bike1.txt", "anno/bike1.txt", "anno/UAV123/bike1_1.txt"]
)
def test_uav123_finds_its_annotation_in_the_other_tree(tmp_path, anno):
    folder = write_pictures(tmp_path / "data_seq" / "UAV123" / "bike1")
    (tmp_path / anno).parent.mkdir(parents=True)
    (tmp_path / anno).write_text("11,21,30,40\nNaN,NaN,NaN,NaN\n9,9,9,9\n")
    assert first_box(folder) == (10, 20, 30, 40)
    assert read_boxes(str(folder))[1] is None


def test_boxes_csv_goes_before_the_annotation_as_found(tmp_path):
    write_pictures(tmp_path / "img")
    (tmp_path / "groundtruth_rect.txt").write_text("1,1,9,9\n")
    (tmp_path / "boxes.csv").write_text("frame,x,y,w,h\n0,1.5,2,3,4\n1,,,,\n2,5,6,7,8\n")
    assert read_boxes(str(tmp_path)) == [(1.5, 2, 3, 4), None, (5, 6, 7, 8)]


@pytest.mark.parametrize(
    "name, text, fps",
    [
        ("sequence", "name=a\nfps=25\n", 25),
        ("sequence", "fps= 29.97 \n", 29.97),
        ("sequence", "fps=1.2.3", None),
        ("sequence", "fps=.", None),
        ("meta_info.ini", "[METAINFO]\nurl: x\nanno_fps: 10Hz\n", 10),
    ],
)
def test_the_rate_is_that_of_the_benchmark_s_own_file(tmp_path, name, text, fps):
    write_pictures(tmp_path, 1)
    (tmp_path / name).write_text(text)
    with open_source(str(tmp_path)) as source:
        assert source.fps == fps


@pytest.mark.parametrize(
    "name, lines, sentence",
    [
        (OTB, "1,1,9,9\nhello world\n", f"{OTB}: line 2"),
        (OTB, "1,1,9,9\n1,2,3\n", f"{OTB}: line 2"),
        (OTB, "1,1,9,9\n1,2,3,4,5\n", f"{OTB}: line 2"),
        ("boxes.csv", "0,1,2,3,4\n10,1,2,3,4\n20,1,2,3,4\n", "no row of frames 1 to 9, .* 10;"),
        ("boxes.csv", "0,1,2,3,4\n2,1,2,3,4\n", "no row of frame 1, .* each frame from 0 on"),
        ("boxes.csv", "3,1,2,3,4\n0,1,2,3,4\n1,1,2,3,4\n", "no row of frame 2,"),
        ("boxes.csv", "1,1,2,3,4\n2,1,2,3,4\n", "no row of frame 0, and the next is of frame 1"),
        ("boxes.csv", "0,1,2,3,4\n99999999999,1,2,3,4\n", "line 3 is of frame 99999999999"),
        ("boxes.csv", "0,1,2,3,4\n" + "9" * 40 + ",1,2,3,4\n", "line 3 is of frame " + "9" * 30),
        ("boxes.csv", "0,1,2,3,4\n-1,1,2,3,4\n", "line 3 is of frame -1"),
        ("boxes.csv", "0,1,2,3,4\n1,1,2,3,4\n0,5,6,3,4\n", "line 4 is of frame 0, as line 2"),
        pytest.param("boxes.csv", '"' + "1" * 200000, "boxes.csv: can't be read", id="no table"),
    ],
)
def test_an_annotation_that_is_none_is_refused_with_its_line(tmp_path, name, lines, sentence):
    write_pictures(tmp_path / "img")
    (tmp_path / name).write_text(lines if name == OTB else "frame,x,y,w,h\n" + lines)
    with pytest.raises(BadSource, match=sentence) as caught:
        open_source(str(tmp_path))
    assert name in str(caught.value)


@pytest.mark.parametrize("inside, frames", [("img", 3), ("color", 3), ("rgb", 3), ("", 4)])
def test_pictures_beside_their_folder_count_if_it_is_empty(tmp_path, inside, frames):
    write_pictures(tmp_path / inside)
    (tmp_path / "img").mkdir(exist_ok=True)
    (tmp_path / "preview.png").write_bytes((tmp_path / inside / "0001.png").read_bytes())
    with open_source(str(tmp_path)) as source:
        assert source.frames == frames


def test_the_files_that_a_source_reads_are_told(tmp_path):
    write_pictures(tmp_path / "a" / "img")
    (tmp_path / "a" / "boxes.csv").write_text("frame,x,y,w,h\n0,1,2,3,4\n")
    (tmp_path / "b.mp4").write_bytes(b"video")
    folder, video = str(tmp_path / "a"), str(tmp_path / "b.mp4")
    pictures = [f"{folder}/img/000{number}.png" for number in (1, 2, 3)]
    assert reads(folder) == pictures + [folder + "/boxes.csv"]
    assert reads(video) == reads("file://" + video) == [video]
    assert reads("cam0") == reads("rtsp://host/a.mp4") == reads(str(tmp_path / "no")) == []
    (tmp_path / "empty").mkdir()
    assert reads(str(tmp_path / "empty")) == []


def test_own_results_are_no_annotation(tmp_path):
    """``--results clip.txt`` beside the folder, and a CSV inside it."""
    folder = write_pictures(tmp_path / "clip")
    (tmp_path / "clip.txt").write_text(
        "1,1,31,41,40,32,0.9,-1,-1,-1\n2,1,31,41,40,32,0.9,-1,-1,-1\n"
    )
    (folder / "boxes.csv").write_text("frame,time_s,x,y,w,h,score\n0,0,30,40,40,32,0.9\n")
    with open_source(str(folder)) as source:
        assert source.first_box is None and not source.annotated
    with refusal(BadClips, "no annotation"):
        find_clips([folder])
    (tmp_path / "clip.txt").write_text("31,41,40,32\n" * 3)  # DTB70's
    assert first_box(folder) == (30, 40, 40, 32)


def test_fewer_boxes_than_pictures_are_not_put_on_the_first_ones(tmp_path):
    folder = write_pictures(tmp_path / "Clip" / "img", 5).parent
    (folder / OTB).write_text("11,21,30,40\n" * 3)
    messages = []
    with open_source(str(folder), messages.append) as source:
        assert source.first_box is None and not source.annotated
    assert len(messages) == 1 and OTB in messages[0] and "3 boxes" in messages[0]
    with refusal(BadClips, "wrong annotation"):
        find_clips([folder])


@pytest.mark.parametrize("name", ["groundtruth.txt", OTB, "boxes.csv", "../clip_gt.txt", "gt.txt"])
def test_a_mark_at_the_start_of_an_annotation_is_read_over(tmp_path, name):
    folder = write_pictures(tmp_path / "clip")
    is_table, ones = name == "boxes.csv", name not in ("boxes.csv", "groundtruth.txt")
    rows = ["31,41,70,72" if name == "gt.txt" else "31,41,40,32" if ones else "30,40,40,32"] * 3
    if is_table:
        rows = ["frame,x,y,w,h"] + [f"{n},{row}" for n, row in enumerate(rows)]
    (folder / name).write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode() + b"\r\n")
    assert first_box(folder) == (30, 40, 40, 32)
    assert find_clips([folder])[0].boxes.tolist() == [[30, 40, 40, 32]] * 3


def test_track_and_evaluate_read_the_first_box_of_lasot_alike(tmp_path):
    folder = write_pictures(tmp_path / "clip")
    (folder / "groundtruth.txt").write_text("31,41,40,32\n" * 3)
    (folder / "out_of_view.txt").write_text("0,1,0")
    assert first_box(folder) == tuple(find_clips([folder])[0].boxes[0]) == (30, 40, 40, 32)
    assert read_boxes(str(folder))[1] is None


@pytest.mark.parametrize("between", [";", "\t", " ", "; "])
def test_decimal_commas_are_refused(tmp_path, between):
    folder = write_pictures(tmp_path / "clip", 1)
    (folder / OTB).write_text(between.join(["61,5", "105,5", "40,2", "32,7"]) + "\n")
    with refusal(BadSource, "wrong line"):
        open_source(str(folder))
    with refusal(BadClips, "wrong annotation"):
        find_clips([folder])


@pytest.mark.parametrize(
    "name, pictures, rows, first",
    [("David", 770, 471, 300), ("Tiger1", 354, 349, 6), ("Diving", 231, 215, 1)]
    + [("Football1", 79, 74, 1)],
)
def test_a_part_that_otb_takes_is_used_and_said(tmp_path, name, pictures, rows, first):
    folder = write_pictures(tmp_path / name / "img", 1, ".jpg").parent
    data = (folder / "img" / "0001.jpg").read_bytes()
    for number in range(2, pictures + 1):
        (folder / "img" / f"{number:04d}.jpg").write_bytes(data)
    (folder / OTB).write_text("11,21,30,40\n" * rows)
    messages = []
    with open_source(str(folder), messages.append) as source:
        assert source.annotated
        for index in range(pictures):
            source.seek(index)
            is_of_it = first - 1 <= index < first - 1 + rows
            assert source.first_box == ((10, 20, 30, 40) if is_of_it else None)
    assert len(messages) == 1 and f"{first} to {first - 1 + rows} of {pictures}" in messages[0]
    (clip,) = find_clips([folder])
    assert (len(clip), int(clip.paths[0].stem)) == (rows, first)
    (folder / OTB).write_text("11,21,30,40\n" * (rows - 1))
    with open_source(str(folder), messages.append) as source:
        assert not source.annotated
    assert "the toolkit of OTB takes the frames" in messages[-1]


@pytest.mark.parametrize(
    "flags",
    [
        {"full_occlusion.txt": "0,1,0,0", "out_of_view.txt": "0,0,0,1"},
        {"full_occlusion.txt": "0,1,0,1"},
        {"out_of_view.txt": "0\n1\n0\n1\n"},
        {"absence.label": "0\n1\n0\n1\n"},
        {"full_occlusion.txt": "\ufeff0,1,0,1", "absence.label": "0\n0\n0\n0\n"},
    ],
)
def test_every_reader_of_boxes_leaves_absent_frames_out(tmp_path, flags):
    folder = write_pictures(tmp_path / "clip", 4)
    (folder / "groundtruth.txt").write_text("31,41,40,32\n" * 4)
    for name, text in flags.items():
        (folder / name).write_text(text, encoding="utf-8")
    seen = [True, False, True, False]
    for boxes in (
        read_boxes(str(folder)),
        Annotation(str(folder / "groundtruth.txt")).boxes(),
        find_annotation(str(folder)).boxes(),
    ):
        assert [box is not None for box in boxes] == seen
    (clip,) = find_clips([folder])
    assert np.isfinite(clip.boxes[:, 0]).tolist() == seen


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("name", ["groundtruth.txt", "boxes.csv", "../clip.txt"])
def test_an_annotation_in_utf_16_is_named(tmp_path, name, encoding):
    folder = write_pictures(tmp_path / "clip")
    rows = ["30,40,40,32"] * 3
    if name == "boxes.csv":
        rows = ["frame,x,y,w,h"] + [f"{n},{row}" for n, row in enumerate(rows)]
    (folder / name).write_bytes("\r\n".join(rows).encode(encoding))
    with refusal(BadSource, "not read"):
        Annotation(str(folder / name)).boxes()
