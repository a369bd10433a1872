"""The first box of every benchmark's sequences is read as 0-based pixels."""

import pytest

from runtime.errors import BadSource
from runtime.video.sequence import read_boxes
from runtime.video.sources import open_source, reads
from tests.runtime.video.test_sources import write_pictures


def first_box(folder):
    """The first box of a sequence, read as the command line reads it."""
    with open_source(str(folder)) as source:
        return source.first_box


@pytest.mark.parametrize(
    "line", ["11,21,30,40", "11\t21\t30\t40", "11 21 30 40", " 11, 21, 30, 40 "]
)
def test_otb_is_counted_from_one_with_any_divider(tmp_path, line):
    write_pictures(tmp_path / "seq" / "img")
    (tmp_path / "seq" / "groundtruth_rect.txt").write_text((line + "\n") * 3)
    assert first_box(tmp_path / "seq") == (10, 20, 30, 40)
    assert first_box(tmp_path / "seq" / "img") == (10, 20, 30, 40)  # the pictures' own folder


def test_the_first_target_of_a_double_otb_sequence_is_taken(tmp_path):
    write_pictures(tmp_path / "img")
    (tmp_path / "groundtruth_rect.1.txt").write_text("2,3,4,5\n")
    (tmp_path / "groundtruth_rect.2.txt").write_text("9,9,9,9\n")
    assert first_box(tmp_path) == (1, 2, 4, 5)


def test_vot_rectangles_and_polygons_are_kept_as_found(tmp_path):
    write_pictures(tmp_path / "color")
    (tmp_path / "sequence").write_text("channels.color=color/%08d.jpg\nfps=25\n")
    (tmp_path / "groundtruth.txt").write_text("10,20,30.5,40\n")
    with open_source(str(tmp_path)) as source:
        assert source.first_box == (10, 20, 30.5, 40)
        assert source.fps == 25
    (tmp_path / "groundtruth.txt").write_text("10,60,12,20,45,22,40,58\n")
    assert first_box(tmp_path) == (10, 20, 35, 40)


def test_vot_masks_and_codes_are_understood(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "groundtruth.txt").write_text("m10,20,30,40,0,5,7,9\n1\n0\n")
    assert read_boxes(str(tmp_path)) == [(10, 20, 30, 40), None, None]


def test_got10k_is_kept_as_found(tmp_path):
    write_pictures(tmp_path, ending=".jpg")
    (tmp_path / "groundtruth.txt").write_text("347.0000,443.0000,429.0000,272.0000\n" * 3)
    (tmp_path / "meta_info.ini").write_text("[METAINFO]\nurl: x\nanno_fps: 10Hz\n")
    with open_source(str(tmp_path)) as source:
        assert source.first_box == (347, 443, 429, 272)
        assert (source.frames, source.fps) == (3, 10)


@pytest.mark.parametrize(
    "anno", ["anno/UAV123/bike1.txt", "anno/bike1.txt", "anno/UAV123/bike1_1.txt"]
)
def test_uav123_finds_its_annotation_in_the_other_tree(tmp_path, anno):
    folder = write_pictures(tmp_path / "data_seq" / "UAV123" / "bike1")
    (tmp_path / anno).parent.mkdir(parents=True)
    (tmp_path / anno).write_text("11,21,30,40\nNaN,NaN,NaN,NaN\n")
    assert first_box(folder) == (10, 20, 30, 40)
    assert read_boxes(str(folder))[1] is None


def test_an_annotation_beside_the_folder_is_found(tmp_path):
    folder = write_pictures(tmp_path / "wakeboard7")
    (tmp_path / "wakeboard7_gt.txt").write_text("11,21,30,40\n")
    assert first_box(folder) == (10, 20, 30, 40)


def test_boxes_csv_goes_before_the_annotation_as_found(tmp_path):
    write_pictures(tmp_path / "img")
    (tmp_path / "groundtruth_rect.txt").write_text("1,1,9,9\n")
    (tmp_path / "boxes.csv").write_text("frame,x,y,w,h\n0,1.5,2,3,4\n1,,,,\n2,5,6,7,8\n")
    assert read_boxes(str(tmp_path)) == [(1.5, 2, 3, 4), None, (5, 6, 7, 8)]


def test_a_target_absent_in_the_first_frame_gives_no_first_box(tmp_path):
    write_pictures(tmp_path / "img")
    (tmp_path / "groundtruth_rect.txt").write_text("NaN,NaN,NaN,NaN\n5,6,7,8\n")
    assert first_box(tmp_path) is None


@pytest.mark.parametrize("text", ["hello world\n", "1,2,3\n", "1,2,3,4,5\n"])
def test_an_annotation_that_is_none_is_refused_with_its_line(tmp_path, text):
    write_pictures(tmp_path / "img")
    (tmp_path / "groundtruth_rect.txt").write_text("1,1,9,9\n" + text)
    with pytest.raises(BadSource, match="groundtruth_rect.txt: line 2"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    "text, fps", [("1.2.3", None), ("25", 25), (" 29.97 ", 29.97), (".", None)]
)
def test_a_rate_that_is_no_number_is_no_rate(tmp_path, text, fps):
    write_pictures(tmp_path)
    (tmp_path / "sequence").write_text(f"name=a\nfps={text}\n")
    with open_source(str(tmp_path)) as source:
        assert source.fps == fps


@pytest.mark.parametrize("frame", ["99999999999", "9" * 40, "-1"])
def test_a_frame_number_that_no_video_has_is_refused_with_its_line(tmp_path, frame):
    write_pictures(tmp_path / "img")
    (tmp_path / "boxes.csv").write_text(f"frame,x,y,w,h\n0,1,2,3,4\n{frame},1,2,3,4\n")
    with pytest.raises(BadSource, match=f"boxes.csv: line 3 is of frame {frame[:30]}"):
        open_source(str(tmp_path))


def test_a_table_that_is_none_is_refused(tmp_path):
    write_pictures(tmp_path / "img")
    (tmp_path / "boxes.csv").write_text('frame,x,y,w,h\n"' + "1" * 200000)
    with pytest.raises(BadSource, match="boxes.csv: can't be read"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("inside", ["img", "color", "rgb"])
def test_a_preview_beside_the_pictures_folder_is_no_frame(tmp_path, inside):
    write_pictures(tmp_path / inside)
    (tmp_path / "preview.png").write_bytes((tmp_path / inside / "0001.png").read_bytes())
    with open_source(str(tmp_path)) as source:
        assert source.frames == 3


def test_an_empty_folder_inside_leaves_the_pictures_beside_it(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "img").mkdir()
    with open_source(str(tmp_path)) as source:
        assert source.frames == 3


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
