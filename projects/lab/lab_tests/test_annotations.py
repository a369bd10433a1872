"""Targets in films of others: their annotations, which frames count, and where the films are."""

import gzip
import re

import cv2
import numpy as np
import pytest

from hotpath.calib.errors import BadRun
from hotpath.runtime.networks import sha256_of
from hotpath_lab import annotations, presence, public, state_metrics
from tests.support import ROOT, tiny

FREE = {"CC BY 4.0", "CC0 1.0", "Apache-2.0", "MIT"}
REAL, MOTORWAYS = presence.ANNOTATED


@pytest.mark.parametrize("folder", [REAL, MOTORWAYS])
def test_the_annotations_name_their_films_and_hold_losses(folder):
    films, targets = annotations.read(ROOT / folder)
    if folder == REAL:
        assert len(films) == 7 and {film["licence"] for film in films} <= FREE
    for film in films:
        assert re.fullmatch("[0-9a-f]{64}", film["sha256"]), film
        assert re.fullmatch("[0-9a-f]{40}", film["commit"]), film
    assert {target.film for target in targets} == {film["name"] for film in films}
    for target in targets:
        absent = np.isnan(target.boxes).any(1)
        assert (absent & target.sure).sum() >= state_metrics.GONE, target.name
        assert (target.boxes[~absent, 2:] >= 1).all() and target.sure[0], target.name


def test_a_frame_is_wrong_where_the_eye_saw_it_and_right_elsewhere(tmp_path):
    boxes = np.full((6, 4), np.nan)
    boxes[0] = 10, 10, 20, 20
    sure = ~annotations.marked(["5-5"], 6)
    target = annotations.AnnotatedTarget("it", "film", 0, boxes, sure)
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


def _write(folder, text):
    (folder / annotations.BOXES).write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def place(tmp_path):
    """A film of the tiny network's rectangle, with its annotation from frame 2 on."""
    pictures, boxes = tiny.film(40)
    height, width = pictures[0].shape[:2]
    film = tmp_path / "films" / "deep" / "film.avi"
    film.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter_fourcc(*"MJPG"), 30, (width, height))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    lines = [f"it,{at},{','.join(map(str, boxes[at]))},1" for at in range(2, 20)]
    lines += [f"it,{at},,,,,1" for at in range(20, 40)]
    _write(tmp_path, "\n".join(["target,frame,x,y,w,h,sure", *lines]) + "\n")
    (tmp_path / "films.toml").write_text(
        f'[[film]]\nname = "film"\nsource = "https://example.org"\ncommit = "1"\n'
        f'path = "deep/film.avi"\nsha256 = "{sha256_of(film)}"\n'
        '[[target]]\nname = "it"\nfilm = "film"\n'
    )
    return tmp_path


def test_the_frames_of_a_target_begin_with_its_first(place):
    films, (target,) = annotations.read(place)
    places = annotations.located(films, place / "films")
    frames = list(annotations.TargetFilm(target, places["film"]))
    assert len(frames) == 38 and target.first == 2
    assert np.isfinite(target.boxes[:18]).all() and np.isnan(target.boxes[18:]).all()


def test_a_film_that_is_not_there_is_named_with_its_source(place):
    films, _ = annotations.read(place)
    (place / "films/deep/film.avi").write_bytes(b"another film")
    with pytest.raises(BadRun, match="deep/film.avi of https://example.org"):
        annotations.located(films, place / "films")


@pytest.mark.parametrize(
    "old, new",
    [("it,3,", "it,5,"), ("x,y,", "x,z,"), ("it,2,", "it,2,,,,,1\nit,2,"), (",1", ",maybe")],
)
def test_a_broken_annotation_is_refused(place, old, new):
    text = gzip.decompress((place / annotations.BOXES).read_bytes()).decode()
    _write(place, text.replace(old, new, 1))
    with pytest.raises(BadRun, match="boxes.csv.gz"):
        annotations.read(place)


def test_a_packed_file_that_is_cut_off_is_refused(place):
    path = place / annotations.BOXES
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BadRun, match="can't be read"):
        annotations.read(place)
