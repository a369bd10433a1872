"""An evaluation writes its tables, does nothing twice, and tells what is broken."""

import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from calib import evaluate
from calib.clips import Clip, find_clips
from calib.follow import follow_late
from runtime.types import Track
from tests.support.clips import write_boxes
from tests.support.tiny import film, write_network

pytest.importorskip("matplotlib", reason="the plots need matplotlib")


@pytest.fixture
def place(tmp_path):
    """A folder with a tiny network and two clips in it."""
    write_network(tmp_path)
    pictures, boxes = film(16)
    for name, part in (("one", slice(0, 12)), ("two", slice(4, 16))):
        folder = tmp_path / "clips" / name
        (folder / "img").mkdir(parents=True)
        for index, picture in enumerate(pictures[part]):
            cv2.imwrite(str(folder / "img" / f"{index:04d}.png"), picture)
        write_boxes(folder / "boxes.csv", np.array(boxes[part]))
    return tmp_path


def run(place, *more):
    return evaluate.main(
        [
            "--clips",
            str(place / "clips"),
            "--networks",
            str(place / "tiny.toml"),
            "--out",
            str(place / "out"),
            *more,
        ]
    )


def test_tables_agree_with_each_other_and_the_page_shows_pictures(place):
    assert run(place) == 0
    table = json.loads((place / "out" / "evaluation.json").read_text())
    entry = table["trackers"]["tiny"]
    assert entry["mean"]["ao"] > 0.6
    assert entry["mean"]["ao"] == pytest.approx(np.mean([c["ao"] for c in entry["clips"].values()]))
    with open(place / "out" / "table.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["clip"] for row in rows] == ["one", "two", "mean"]
    assert float(rows[-1]["ao"]) == pytest.approx(entry["mean"]["ao"])
    page = (place / "out" / "report.html").read_text()
    pictures = sorted((place / "out" / "clips").glob("one-*.jpg"))
    assert pictures and all("clips/" + path.name in page for path in pictures)
    assert cv2.imread(str(pictures[0])) is not None


def test_the_text_shows_what_the_authors_publish(place, capsys):
    with open(place / "tiny.toml", "a") as file:
        file.write("\n[published]\nvot2018_eao = 0.455\nmflops = 75\n")
    assert run(place) == 0
    told = capsys.readouterr().err
    assert "published: vot2018 eao 0.455" in told and "mflops" not in told


def test_what_is_finished_is_not_run_again(place):
    assert run(place, "--only", "one") == 0
    boxes = place / "out" / "boxes"
    before = {path: path.stat().st_mtime_ns for path in boxes.rglob("*.json")}
    assert run(place) == 0
    after = {path: path.stat().st_mtime_ns for path in boxes.rglob("*.json")}
    assert len(before) == 1 and len(after) == 2
    assert all(after[path] == time for path, time in before.items())


def test_another_network_of_the_same_name_is_run_again(place):
    assert run(place) == 0
    first = json.loads((place / "out" / "evaluation.json").read_text())
    toml = place / "tiny.toml"
    toml.write_text(toml.read_text().replace("lr = 0.3", "lr = 0.9"))
    assert run(place) == 0
    second = json.loads((place / "out" / "evaluation.json").read_text())
    assert first["trackers"]["tiny"]["mean"]["ao"] != second["trackers"]["tiny"]["mean"]["ao"]


def test_processes_give_the_same_boxes(place):
    assert run(place) == 0
    assert run(place, "--jobs", "2", "--out", str(place / "two")) == 0
    for path in (place / "out" / "boxes").rglob("*.json"):
        other = place / "two" / path.relative_to(place / "out")
        assert json.loads(path.read_text())["boxes"] == json.loads(other.read_text())["boxes"]


def test_a_broken_picture_costs_its_clip_alone(place, capsys):
    (place / "clips" / "one" / "img" / "0005.png").write_bytes(b"\x89PNG")
    assert run(place) == 2
    assert "one: broke at frame 5 of 12" in capsys.readouterr().err
    table = json.loads((place / "out" / "evaluation.json").read_text())
    assert [clip["name"] for clip in table["clips"]] == ["two"]


def test_the_command_line_says_what_is_missing(place):
    command = [
        sys.executable,
        "-m",
        "calib.evaluate",
        "--clips",
        str(place / "clips"),
        "--networks",
        str(place / "tiny.toml") + ":int8",
        "--int8-dir",
        str(place),
    ]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "no INT8 form" in done.stderr and "python -m calib.int8" in done.stderr
    assert "Traceback" not in done.stderr


class Counting:
    """Answers with the number of the frame it is shown."""

    step_ms = {}

    def init(self, frame, box):
        self.seen = [int(frame[0, 0, 0])]

    def update(self, frame):
        self.seen.append(int(frame[0, 0, 0]))
        return Track((self.seen[-1], 0.0, 5.0, 5.0), 1.0)


class Numbered(Clip):
    """Frame i is all i."""

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        return np.full((8, 8, 3), index, np.uint8)


def test_late_frames_repeat_the_last_box_as_in_the_vot_toolkit():
    count, tracker = 14, Counting()
    clip = Numbered("n", ".", [], np.tile([0.0, 0, 5, 5], (count, 1)))
    ms = [1.0] * count
    ms[1] = ms[2] = ms[3] = 25.0  # forgiven: the grace of three
    ms[5] = 35.0  # 10 ms a frame: misses 6 and 7
    ms[10] = 10.0  # just in time
    found = follow_late(tracker, clip, 100, ms)
    assert tracker.seen == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]
    assert [box[0] for box in found["boxes"]] == [0, 1, 2, 3, 4, 5, 5, 5, 8, 9, 10, 11, 12, 13]
    assert found["skipped"] == 2


def test_late_frames_equal_the_vot_toolkits_own_runtime():
    module = pytest.importorskip("vot.tracker", reason="needs vot-toolkit")
    rng = np.random.default_rng(4)
    count = 80
    ms = rng.gamma(2.0, 6.0, count).tolist()
    tracker = Counting()
    clip = Numbered("n", ".", [], np.tile([0.0, 0, 5, 5], (count, 1)))
    ours = follow_late(tracker, clip, 100, ms)

    class Runtime:
        tracker = None

        def initialize(self, frame, new=None, properties=None):
            return frame, ms[frame] / 1e3

        def update(self, frame, properties=None):
            return frame, ms[frame] / 1e3

    theirs = module.RealtimeTrackerRuntime(Runtime(), grace=3, interval=0.01)
    answers = [theirs.initialize(0)[0]] + [theirs.update(index)[0] for index in range(1, count)]
    assert [box[0] for box in ours["boxes"]] == answers
    assert ours["skipped"] > 5


def test_a_clip_of_another_content_is_another_key(place):
    from calib.trackers import specs
    from runtime.options import Options

    (spec,) = specs([str(place / "tiny.toml")], Options(threads=1))
    one, two = find_clips([place / "clips"])
    assert evaluate._key(spec, one) != evaluate._key(spec, two)
