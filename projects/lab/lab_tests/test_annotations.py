"""Targets that were judged by eye: which frames count as right, and where their films are."""

import numpy as np
import pytest

from hotpath.calib.errors import BadRun
from hotpath_lab import annotations, presence, public
from hotpath_lab.longterm import similar


def test_a_frame_is_wrong_where_the_eye_saw_it_and_right_elsewhere(tmp_path):
    boxes = np.full((6, 4), np.nan)
    boxes[0] = 10, 10, 20, 20
    sure = ~annotations.marked(["5-5"], 6)
    target = similar.Target("it", "film", 0, boxes, sure)
    film = annotations.SeenFilm(target, tmp_path / "film.mp4", ~annotations.marked(["2-3"], 6))
    run = {"boxes": [[0, 0, 5, 5]] * 6, "states": ["tracked"] * 6, "certainty": [0.9] * 6}
    frames = presence.frames_of(dict(run, found=[False] * 6), film)
    assert frames.right.tolist() == [True, False, False, True]
    assert np.isnan(presence.area(run, film))


def test_each_target_has_a_film_that_can_be_fetched_and_intervals_within_its_frames():
    known = {row["name"] for row in public.named("films") if row["sha256"]}
    rows = annotations.rows()
    assert len(rows) == len({row["name"] for row in rows}) > 0
    assert {row["lot"] for row in rows} == set(annotations.LOTS)
    for row in rows:
        assert row["film"] in known, row["name"]
        for interval in (row["wrong"] + " " + row["unjudged"]).split():
            first, last = map(int, interval.split("-"))
            assert 0 < first <= last < int(row["frames"]), row["name"]


def test_a_film_that_is_missing_is_named_with_where_it_is_published(tmp_path):
    with pytest.raises(BadRun, match="does not hold .* of https://github.com/.* at commit"):
        annotations.films(tmp_path, "kept aside")
