"""``hotpath track --point`` and ``--snug`` on a film of one thing."""

import csv
import sys

import pytest

from hotpath.runtime.frames.boxes import overlap
from tests.support import ROOT, object_scene, run

pytest.importorskip("openvino")


def track(folder, *options):
    words = [sys.executable, "-m", "hotpath", "track", str(folder / "film"), "--no-show"]
    words += ["--results", str(folder / "out.csv"), *options]
    return run(words, cwd=str(ROOT))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("points")
    object_scene.write_film(path / "film", 3)
    return path


def first_boxes(folder):
    with open(folder / "out.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["frame"] == "0"]
    return [[float(row[key]) for key in "xywh"] for row in rows]


def test_a_point_in_per_cent_becomes_a_box_and_on_nothing_it_ends_the_run(folder):
    x, y = 100 * object_scene.CENTRE[0] / 320, 100 * object_scene.CENTRE[1] / 240
    done = track(folder, "--point", f"{x}%,{y}%")
    assert done.returncode == 0, done.stderr
    (box,) = first_boxes(folder)
    assert overlap(box, object_scene.OBJECT) > 0.6
    done = track(folder, "--point", "20,20")
    assert done.returncode == 2 and "looks like an object" in done.stderr


def test_a_loose_box_is_tightened_only_on_request(folder):
    x, y, w, h = object_scene.OBJECT
    loose = f"{x - w / 2},{y - h / 2},{2 * w},{2 * h}"
    for options in ([], ["--snug"]):
        assert track(folder, "--box", loose, *options).returncode == 0
        assert (overlap(first_boxes(folder)[0], object_scene.OBJECT) > 0.5) == bool(options)
