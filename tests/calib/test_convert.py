"""Boxes for other tools."""

import json
import math
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest

from hotpath.calib.convert import main
from tests.support import ROOT, tiny

ROWS = """frame,time_s,x,y,w,h,score,target,lost,state
0,0.0,1.5,2,3,4,1.0,0,0,tracked
0,0.0,10,12,13,14,1.0,2,0,tracked
1,0.1,1.5,2,3,4,0.5,0,1,lost
1,0.1,11,12,13,14,0.9,2,0,tracked
3,0.3,2.5,2,3,4,0.8,0,0,found
"""


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "boxes.csv").write_text(ROWS)
    (tmp_path / "cut.csv").write_text(ROWS[:-9])
    for value in ("x", "nan"):
        (tmp_path / f"{value}.csv").write_text(ROWS.replace("2.5,2,3,4", f"2.5,2,{value},4"))
    (tmp_path / "film").mkdir()
    cv2.imwrite(str(tmp_path / "film" / "0.png"), np.zeros((48, 64, 3), np.uint8))
    return tmp_path


def test_coco_holds_the_boxes_that_are_claimed(rows):
    out = rows / "out.json"
    assert main([str(rows / "boxes.csv"), str(out), "--video", str(rows / "film")]) == 0
    found = json.loads(out.read_text())
    assert [image["frame_index"] for image in found["images"]] == [0, 1, 3]
    assert (found["images"][0]["width"], found["videos"][0]["height"]) == (64, 48)
    assert [track["id"] for track in found["tracks"]] == [1, 3]
    claimed = [(a["image_id"], a["track_id"], a["bbox"][0]) for a in found["annotations"]]
    assert found["annotations"][0]["area"] == 12.0
    assert claimed == [(1, 1, 1.5), (1, 3, 10.0), (2, 3, 11.0), (4, 1, 2.5)]


def test_mot_has_the_tracks_that_are_claimed_from_1(rows, capsys):
    out = rows / "out.zip"
    assert main([str(rows / "boxes.csv"), str(out)]) == 0
    assert capsys.readouterr().err == f"wrote {out}\n"
    with zipfile.ZipFile(out) as archive:
        assert archive.read("gt/labels.txt") == b"target\n"
        lines = archive.read("gt/gt.txt").decode().splitlines()
    assert lines[:2] == ["1,1,1.5,2,3,4,1,1,1", "1,3,10,12,13,14,1,1,1"]
    assert lines[2:] == ["2,3,11,12,13,14,1,1,1", "4,1,2.5,2,3,4,1,1,1"]


def test_vot_has_a_region_for_each_frame(rows):
    out = rows / "out.txt"
    assert main([str(rows / "boxes.csv"), str(out), "--target", "0"]) == 0
    lines = out.read_text().splitlines()
    assert lines == ["1.5,2,3,4", "nan,nan,nan,nan", "nan,nan,nan,nan", "2.5,2,3,4"]
    regions = pytest.importorskip("vot.region.io")
    kinds = [regions.parse_region(line).type.name for line in lines]
    assert kinds == ["RECTANGLE", "SPECIAL", "SPECIAL", "RECTANGLE"]
    assert math.isclose(regions.parse_region(lines[3]).x, 2.5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["boxes.csv", "out.txt"], "targets 0 2 with --target"),
        (["boxes.csv", "out.txt", "--target", "1"], "targets 0 2 with --target"),
        (["boxes.csv", "out.json"], "with --video"),
        (["boxes.csv", "out.xml"], "must end with"),
        (["missing.csv", "out.json"], "missing.csv: no such file; name another"),
        (["missing.csv", "out.txt"], "missing.csv: no such file; name another"),
        (["film/0.png", "out.txt"], "is not a text file; name another"),
        (["cut.csv", "out.txt", "--target", "0"], "no whole CSV"),
        (["nan.csv", "out.txt", "--target", "0"], "no whole CSV"),
        (["x.csv", "out.txt", "--target", "0"], "no whole CSV"),
        (["boxes.csv", "no/out.txt", "--target", "0"], "can't be written"),
    ],
)
def test_bad_input_is_told(rows, capsys, monkeypatch, given, said):
    monkeypatch.chdir(rows)
    assert main(given) == 2
    assert said in capsys.readouterr().err


def test_the_help_is_text_and_begins_with_the_file(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = capsys.readouterr().out
    assert told.startswith("usage: hotpath convert FILE.csv OUT [--video SOURCE]")
    assert "|" not in told


def test_the_example_for_supervision_runs(tmp_path):
    pytest.importorskip("supervision")
    film, out = tmp_path / "film.avi", tmp_path / "out.mp4"
    pictures, boxes = tiny.film(10, 96, 72, 20)
    tiny.write_video(film, pictures)
    box = ",".join(map(str, map(int, boxes[0])))
    example = ROOT / "docs" / "examples" / "supervision_boxes.py"
    subprocess.run([sys.executable, example, film, box, out], check=True, cwd=ROOT)
    assert cv2.VideoCapture(str(out)).read()[0]
