"""Taps on a small annotated clip, and on points where no object is."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip("openvino")

from hotpath.runtime import load_tracker
from hotpath_research.tap import judge as taps
from tests.support import thing


@pytest.fixture
def clip(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    thing.write_film(folder / "img", 4)
    rows = "".join(f"{n},{','.join(map(str, thing.THING))}\n" for n in range(4))
    (folder / "boxes.csv").write_text("frame,x,y,w,h\n" + rows)
    return folder


def test_a_clip_is_tapped_and_tracked_and_each_row_is_written(clip, tmp_path, capsys):
    out = tmp_path / "taps.json"
    assert taps.main(["--clips", str(clip), "--frames", "3", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    summary = result["summary"]
    assert summary["true"]["overlap"] == 1 and summary["middle"]["overlap"] > 0.6
    assert summary["random"]["rows"] == taps.RANDOM and summary["middle"]["tracked"] > 0.5
    assert summary["loose 2"]["before"] < 0.3 < 0.6 < summary["loose 2"]["overlap"]
    assert "| middle |" in capsys.readouterr().out
    assert result["engine"] and len(result["rows"]) == 2 + taps.RANDOM + len(taps.ENLARGED)


def test_a_tap_that_finds_nothing_counts_as_no_overlap(clip, monkeypatch):
    from hotpath.video.clips import find_clips

    with load_tracker() as tracker:
        entry = tracker.network.tap
        monkeypatch.setattr(tracker.network, "tap", entry._replace(object_above=1.0))
        rows = list(taps.rows_of(find_clips([clip])[0], tracker, 2, 1))
    (middle,) = [row for row in rows if row.kind == "middle"]
    assert np.isnan(middle.w) and middle.overlap == middle.best_of_two == middle.tracked == 0


def test_points_on_background_are_counted_by_what_they_show(clip, tmp_path):
    table = tmp_path / "points.csv"
    rows = [("clip/img/0000.jpg", *thing.CENTRE, "thing"), ("clip/img/0000.jpg", 20, 20, "table")]
    with open(table, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "x", "y", "shows"), *rows])
    with load_tracker() as tracker:
        summary = taps.background(tracker, [tmp_path], table)["summary"]
    assert summary["thing"]["targets"] == 1 and summary["table"]["targets"] == 0
    assert summary["all"] == {"points": 2, "targets": 0.5}


def test_the_points_that_ship_are_two_hundred():
    with open(taps.POINTS, encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 200
