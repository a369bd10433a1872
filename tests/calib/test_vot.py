"""The real VOT toolkit runs our tracker in the workspace that calib.vot writes."""

import json

import numpy as np
import pytest

from calib import vot
from tests.support.clips import write_boxes, write_clip
from tests.support.tiny import film, write_network


@pytest.fixture
def place(tmp_path):
    """A folder with a tiny network and a clip in it."""
    write_network(tmp_path)
    pictures, boxes = film(60)
    write_clip(tmp_path / "clips" / "a", pictures, boxes, ".jpg")
    return tmp_path


def arguments(place, *more):
    given = ["--clips", str(place / "clips"), "--networks", str(place / "tiny.toml")]
    return [*given, "--low", "10", "--high", "40", "--out", str(place / "ws"), *more]


@pytest.mark.slow("the whole of the VOT toolkit")
def test_the_toolkit_gives_every_figure(place):
    pytest.importorskip("vot", reason="needs vot-toolkit")
    assert vot.main(arguments(place)) == 0
    found = json.loads((place / "ws" / "analysis" / "own.json").read_text())["results"]
    assert set(found) == {"baseline", "realtime", "supervised", "unsupervised"}
    eao, accuracy = (found[name]["results"][0][0][0] for name in ("baseline", "unsupervised"))
    assert 0.4 < eao <= 1 and 0.4 < accuracy <= 1
    assert (place / "ws" / "reports" / "own" / "report.html").is_file()


def test_the_workspace_is_ready_and_names_the_commands(place, capsys):
    assert vot.main(arguments(place, "--prepare")) == 0
    printed = capsys.readouterr().out
    assert printed.count("vot ") == 3 and "evaluate --workspace" in printed
    ws = place / "ws"
    assert (ws / "sequences" / "list.txt").read_text() == "a\n"
    folder = ws / "sequences" / "a"
    assert len(list((folder / "color").glob("*.jpg"))) == 60
    assert len((folder / "groundtruth.txt").read_text().splitlines()) == 60
    assert "runtime.vot" in (ws / "trackers.ini").read_text()


def test_an_absent_target_is_refused(place, capsys):
    boxes = np.array(film(60)[1])
    boxes[10] = np.nan
    write_boxes(place / "clips" / "a" / "boxes.csv", boxes)
    assert vot.main(arguments(place, "--prepare")) == 2
    assert "a: the target is absent in 1 frames" in capsys.readouterr().err


def test_anchors_start_forward_in_the_first_half_and_backward_in_the_second():
    values = vot.anchors(140)
    assert {i: v for i, v in enumerate(values) if v} == {0: 1, 50: 1, 100: -1, 139: -1}
