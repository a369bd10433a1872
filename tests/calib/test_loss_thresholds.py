"""Thresholds of lost targets: fitted on clips in a folder, told as JSON."""

import json

import cv2
import numpy as np
import pytest

from calib import loss_thresholds
from calib.vanishing import LENGTH
from tests.support import tiny
from tests.support.clips import write_boxes

pytest.importorskip("onnxruntime")


@pytest.fixture
def world(tmp_path):
    """A folder with one clip of the tiny network's film, in clips/, and the network's TOML."""
    toml = tiny.write_network(tmp_path)
    pictures, boxes = tiny.film(100)
    folder = tmp_path / "clips" / "film"
    (folder / "img").mkdir(parents=True)
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "img" / "{:04d}.png".format(index)), picture)
    write_boxes(folder / "boxes.csv", np.array(boxes))
    return tmp_path, toml


def test_lost_targets_are_counted_where_they_were_made_to_go(world, capsys):
    folder, toml = world
    out = folder / "out.json"
    arguments = ["--clips", str(folder / "clips"), "--networks", str(toml), "--json", str(out)]
    assert loss_thresholds.main(arguments) == 0
    (report,) = json.loads(out.read_text())
    # in each of both made clips for so many frames, and at least while it is gone
    assert report["knowing"]["all"]["frames"] >= 2 * LENGTH
    assert report["acting"]["nothing"]["reappearances"] == 2
    assert report["acting"]["nothing"]["falsely_lost"] == 0
    assert "certainty" in capsys.readouterr().out


def test_a_folder_without_clips_is_one_sentence(tmp_path, capsys):
    assert loss_thresholds.main(["--clips", str(tmp_path)]) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("calib.loss_thresholds: ") and "\n" not in told
