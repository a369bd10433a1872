"""The judge: its figures for known trackers, kept runs, sentences."""

import json

import numpy as np
import pytest

from hotpath.runtime.types import Track
from hotpath.video.clips import find_clips
from hotpath_lab.follow import follow
from hotpath_lab.longterm import __main__ as command
from hotpath_lab.longterm import films
from hotpath_lab.longterm.metrics import Judged

pytest.importorskip("onnxruntime")


def run(place, halves):
    toml = str(place / "tiny.toml")
    arguments = ["--clips", *map(str, halves), "--networks", f"{toml},{toml}:norecover"]
    arguments += ["--films", str(place / "films.json"), "--half", "report"]
    assert command.main([*arguments, "--out", str(place / "out")]) == 0
    return json.loads((place / "out" / "longterm.json").read_text())


def test_films_are_judged_once_and_reported(place, halves, capsys):
    report = run(place, halves)
    assert set(report) == {"tiny", "tiny:norecover"}
    assert report["tiny"]["all"]["returns"] >= 3 and 0 < report["tiny"]["all"]["recall"] < 1
    assert "found/30" in capsys.readouterr().err
    kept = {path: path.stat().st_mtime_ns for path in (place / "out" / "boxes").rglob("*.json")}
    assert len(kept) == 2
    assert run(place, halves) == report
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


class Oracle:
    """Knows the truth; claims it with a delay of ``late`` frames after each return."""

    step_ms = {}

    def __init__(self, film, late):
        self._film, self._late = film, late

    def init(self, frame, box):
        self._index = 0
        self._since = self._late

    def update(self, frame):
        self._index += 1
        box = self._film.boxes[self._index]
        seen = bool(np.isfinite(box).all())
        self._since = self._since + 1 if seen else 0
        shown = seen and self._since > self._late
        word = "tracked" if shown else "lost"
        return Track(tuple(box) if seen else (0.0, 0.0, 5.0, 5.0), 0.9, not shown, word)


@pytest.mark.parametrize("late", [0, 5])
def test_a_tracker_that_knows_the_truth_gets_it_back(place, halves, late):
    clips = find_clips(halves)
    (film,) = films.read(place / "films.json", clips, "development")
    run = follow(Oracle(film, late), film)
    found = command.figures([Judged(run["boxes"], run["claimed"], film.boxes, film.known)])
    assert found["precision"] == 1.0 and found["false_returns"] == 0.0
    assert found["found_in_30"] == 1.0 and found["frames_to_find"] <= late
    assert (found["recall"] == 1.0) == (late == 0)
