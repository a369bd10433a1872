"""Real films with similar objects: their annotations, what counts as a find, and the command."""

import re

import cv2
import numpy as np
import pytest

from hotpath.calib.errors import BadRun
from hotpath.runtime.networks import sha256_of
from hotpath.runtime.options import Options
from hotpath_lab import trackers
from hotpath_lab.longterm import similar
from tests.support import ROOT, tiny

FREE = {"CC BY 4.0", "CC0 1.0", "Apache-2.0", "MIT"}
HERE = (10.0, 10.0, 20.0, 20.0)
AWAY = (80.0, 80.0, 20.0, 20.0)
GONE = (np.nan,) * 4


MOTORWAYS = "docs/results/motorways"


@pytest.mark.parametrize("folder", [similar.ANNOTATIONS, MOTORWAYS])
def test_the_annotations_name_their_films_and_hold_losses(folder):
    films, targets = similar.read(ROOT / folder)
    if folder == similar.ANNOTATIONS:
        assert len(films) == 7 and {film["licence"] for film in films} <= FREE
    for film in films:
        assert re.fullmatch("[0-9a-f]{64}", film["sha256"]), film
        assert re.fullmatch("[0-9a-f]{40}", film["commit"]), film
    assert {target.film for target in targets} == {film["name"] for film in films}
    for target in targets:
        absent = np.isnan(target.boxes).any(1)
        assert similar._absences(absent, target.sure) >= 1, target.name
        assert (target.boxes[~absent, 2:] >= 1).all() and target.sure[0], target.name


def target_of(*rows, sure=None):
    boxes = np.array(rows)
    sure = np.ones(len(boxes), bool) if sure is None else np.array(sure, bool)
    return similar.Target("it", "film", 0, boxes, sure)


def run_of(boxes, claimed, certainty=0.9):
    return {"boxes": boxes, "claimed": claimed, "certainty": [certainty] * len(boxes)}


def test_a_claim_is_right_on_the_target_and_wrong_elsewhere():
    target = target_of(*[HERE] * 5, *[GONE] * 12, *[HERE] * 5)
    claimed = [True] * 5 + [False] * 4 + [True] * 4 + [False] * 6 + [True] * 3
    finds = similar.judged(run_of([HERE] * 5 + [AWAY] * 12 + [HERE] * 5, claimed), target)
    assert finds == similar.Finds(1, 1, 1, 1, 12, 4, 11, 7)
    assert similar.judged(run_of([HERE] * 22, claimed, 0.7), target).high == 0
    short = target_of(*[HERE] * 5, *[GONE] * 9, *[HERE] * 5)  # too short for a loss
    assert similar.judged(run_of([HERE] * 19, [True] * 19), short).losses == 0


def test_an_absence_is_one_loss_whatever_part_of_it_is_not_sure():
    sure = [1] * 5 + [1] * 12 + [0] * 6 + [1] * 12 + [1] * 5
    target = target_of(*[HERE] * 5, *[GONE] * 30, *[HERE] * 5, sure=sure)
    claimed = [True] * 5 + [False] * 30 + [True] * 5
    for spot in (8, 18, 19, 20, 26):  # claims on another object, some of them not sure
        claimed[spot] = True
    boxes = [HERE] * 5 + [AWAY] * 30 + [HERE] * 5
    finds = similar.judged(run_of(boxes, claimed), target)
    assert finds[:4] == (1, 1, 1, 2)
    rarely = target_of(*[HERE] * 5, *[GONE] * 35, sure=[1] * 5 + [0] * 26 + [1] * 9)
    assert similar.judged(run_of([HERE] * 40, [True] * 40), rarely).losses == 0


@pytest.mark.parametrize(
    "lost, expected",
    [
        ([8], (1, 2, 2, 0)),  # the target is there, and lost for one frame
        ([8, 26], (1, 3, 3, 0)),
        ([8, 10], (1, 2, 2, 1)),  # the wrong find at 9 does not end the loss
        ([12, 13, 24, 25, 26], (1, 1, 1, 0)),  # lost before the absence and after it: once
    ],
)
def test_a_lost_interval_is_a_loss_and_overlapping_ones_are_one(lost, expected):
    target = target_of(*[HERE] * 14, *[GONE] * 10, *[HERE] * 10)
    claimed = np.ones(34, bool)
    claimed[[*lost, *range(14, 24)]] = False
    boxes = [HERE] * 34
    if 10 in lost:
        boxes[9] = AWAY
    assert similar.judged(run_of(boxes, claimed), target)[:4] == expected


def test_a_target_that_is_half_hidden_makes_no_loss():
    target = target_of(*[HERE] * 30, sure=[1] * 10 + [0] * 10 + [1] * 10)
    claimed = np.ones(30, bool)
    claimed[12:20] = False
    assert similar.judged(run_of([HERE] * 30, claimed), target)[:4] == (0, 0, 0, 0)


def test_a_find_of_a_half_hidden_target_is_judged_when_sure():
    sure = [1] * 3 + [1] * 10 + [0] * 3 + [1] * 2
    target = target_of(*[HERE] * 3, *[GONE] * 13, *[HERE] * 2, sure=sure)
    claimed = [True] * 3 + [False] * 11 + [True] * 4
    for boxes, expected in (([HERE] * 18, (1, 0)), ([HERE] * 3 + [AWAY] * 15, (0, 1))):
        finds = similar.judged(run_of(boxes, claimed), target)
        assert (finds.right, finds.wrong, finds.losses) == (*expected, 1)
    ended = claimed[:14] + [True, True, False, False]  # it is lost again before a frame is sure
    assert similar.judged(run_of([AWAY] * 18, ended), target)[2:4] == (0, 0)


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
    lines = [f"{at},{','.join(map(str, boxes[at]))},1" for at in range(2, 20)]
    lines += [f"{at},,,,,1" for at in range(20, 40)]
    (tmp_path / "it.csv").write_text("\n".join(["frame,x,y,w,h,sure", *lines]) + "\n")
    (tmp_path / "films.toml").write_text(
        f'[[film]]\nname = "film"\nsource = "https://example.org"\ncommit = "1"\n'
        f'path = "deep/film.avi"\nsha256 = "{sha256_of(film)}"\n'
        '[[target]]\nname = "it"\nfilm = "film"\n'
    )
    tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY))
    return tmp_path


def arguments(place):
    return [
        *("--films", str(place / "films"), "--annotations", str(place)),
        *("--networks", str(place / "tiny.toml"), "--out", str(place / "out")),
    ]


def test_the_command_prints_a_row_a_target_and_one_for_all(place, capsys):
    pytest.importorskip("onnxruntime")
    command = arguments(place)
    command[command.index("--networks") + 1] += f",{place / 'tiny.toml'}:norecover"
    assert similar.main(command) == 0
    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    rows = {line[0]: line[1:] for line in lines}
    assert rows["it"] == rows["all"] and rows["it"][0] == "1"  # one absence
    tables = [line for line in lines if line[:2] in (["tiny", "37"], ["tiny:norecover", "37"])]
    assert len(tables) == 2  # of the words, without the first frame
    (spec,) = trackers.specs([f"{place / 'tiny.toml'}:norecover"], Options())
    assert spec.options.recover is False
    films, (target,) = similar.read(place)
    frames = list(similar.TargetFilm(target, place / "films/deep/film.avi"))
    assert len(frames) == 38 and target.first == 2


def test_a_film_that_is_not_there_is_named_with_its_source(place, capsys):
    (place / "films/deep/film.avi").write_bytes(b"another film")
    assert similar.main(arguments(place)) == 2
    assert "deep/film.avi of https://example.org" in capsys.readouterr().err


@pytest.mark.parametrize(
    "old, new",
    [("3,", "5,"), ("x,y,", "x,z,"), ("2,", "2,,,,,1\n2,"), (",1", ",maybe")],
)
def test_a_broken_annotation_is_refused(place, old, new):
    path = place / "it.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(BadRun):
        similar.read(place)
