"""Long films: targets go away for the stated time and come back elsewhere; seeds repeat them."""

import itertools
import json

import numpy as np
import pytest

from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import BadClips
from hotpath.runtime.types import Track
from hotpath.video.clips import find_clips
from hotpath_lab import presence, state_metrics
from hotpath_lab.clip_run import run_clip
from hotpath_lab.longterm import films
from hotpath_lab.longterm.timeline import LONGEST, SHORTEST, visible_share
from lab_tests.longterm.conftest import describe
from tests.support.errors import refusal


@pytest.fixture(scope="module")
def described(halves, tmp_path_factory):
    """(path of a description of three films a half, its clips)."""
    path = tmp_path_factory.mktemp("films") / "films.json"
    assert describe(halves, path, "--count", "3") == 0
    return path, find_clips(halves)


def gone_runs(film):
    """(first, end) of each run of frames without the target."""
    absent = ~np.isfinite(film.boxes).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], absent, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def test_targets_leave_for_the_stated_time_and_return_elsewhere(described):
    path, clips = described
    apart = []
    for film, entry in zip(films.read(path, clips), films.entries(path)):
        assert sorted(kind for kind, _ in entry["events"]) == ["cover", "cut", "edge"]
        assert np.isfinite(film.boxes[0]).all() and film.known[0]
        lengths = [end - first for first, end in gone_runs(film)]
        assert sum(lengths) >= 0.8 * sum(frames for _, frames in entry["events"])
        for kind, frames in entry["events"]:
            assert SHORTEST <= frames <= LONGEST
            if kind == "cut":
                assert frames in lengths
            elif kind == "cover":  # and a few frames in which it is more than half covered
                assert any(frames <= length <= frames + 8 for length in lengths)
        for first, end in gone_runs(film):  # only a look-alike is there meanwhile
            assert np.isfinite(film.alike[first:end]).all(axis=1).mean() > 0.7
            if end < len(film):
                before, after = film.boxes[first - 1], film.boxes[end]
                apart.append(np.hypot(*(after[:2] - before[:2])) / np.sqrt(np.prod(after[2:])))
        own = {"development": "one", "report": "two"}[entry["half"]]
        used = entry["clip"], entry["scene"], entry["alike"]["clip"]
        assert all(name.startswith(own) for name in used)
    assert np.median(apart) > 1.0


def test_the_truth_is_where_the_picture_shows_the_target(described):
    path, clips = described
    film = films.read(path, clips)[0]
    for index, frame in itertools.islice(enumerate(film), 300):
        assert frame.dtype == np.uint8 and frame.shape == (240, 320, 3)
        box, size = film.boxes[index], frame.shape[1::-1]
        if np.isfinite(box).all() and visible_share(box[None], *size) == [1.0]:
            x, y, w, h = box
            centre = frame[int(y + h / 2), int(x + w / 2)]
            assert centre.min() > 100  # the clips' target is bright, all else is black


def test_the_same_seed_gives_the_same_pictures(described, halves, tmp_path):
    path, clips = described
    again = tmp_path / "again.json"
    assert describe(halves, again, "--count", "3") == 0
    assert again.read_text() == path.read_text()
    one, two = (films.read(path, find_clips(halves))[1] for _ in range(2))
    assert one.sha256 == two.sha256
    assert all(np.array_equal(a, b) for a, b in itertools.islice(zip(one, two), 100))
    assert describe(halves, again, "--count", "3", "--seed", "2") == 0
    assert again.read_text() != path.read_text()


def test_halves_share_no_sequence(halves, tmp_path, capsys):
    assert describe(halves[:1] * 2, tmp_path / "films.json") == 2
    assert "share no sequence" in capsys.readouterr().err
    assert not (tmp_path / "films.json").exists()


def test_a_missing_clip_or_a_broken_description_is_one_sentence(described, halves, tmp_path):
    path, _ = described
    with refusal(BadClips, "missing clip"):
        films.read(path, find_clips([halves[0]]))
    (tmp_path / "none.json").write_text(json.dumps({"format": 0}))
    (tmp_path / "deep.json").write_text("[" * 200000)
    with open(tmp_path / "long.json", "wb") as file:
        file.truncate(12 << 30)
    for name in ("none.json", "missing.json", "deep.json", "long.json"):
        with pytest.raises(BadRun, match=r"hotpath_lab\.longterm\.films"):
            films.read(tmp_path / name, [])


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
    run = run_clip(Oracle(film, late), film)
    frames = state_metrics.frames_of(run, film.boxes, film.known)
    table = state_metrics.figures([frames])
    assert table["returns"] == table["tracked_in_time"] >= 3 and table["tracked_wrong"] == 0
    waits = state_metrics.returns(frames, frames.right & (frames.words == "tracked"))
    assert max(waits) <= late
    assert (table["f"] == 1.0) == (late == 0)


def test_the_returns_of_films_are_counted_and_runs_are_kept(place, halves, capsys):
    pytest.importorskip("onnxruntime")
    words = ["--clips", *halves, "--networks", place / "tiny.toml", "--out", place / "out"]
    words = [str(word) for word in (*words, "--films", place / "films.json", "--report")]
    assert presence.main(words) == 0
    shown = capsys.readouterr().out
    (row,) = [line for line in shown.splitlines() if line.startswith("| returns: ")]
    clips, development, report = (cell.strip(" |") for cell in row.split(" | ")[1:])
    assert clips == "0, 0, 0" and int(development.split(",")[0]) >= 3 <= int(report.split(",")[0])
    kept = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*.json")}
    assert len(kept) == 6 and presence.main(words) == 0
    assert capsys.readouterr().out == shown
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
