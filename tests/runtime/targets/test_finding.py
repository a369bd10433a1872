"""Targets that a detector finds keep their numbers; objects come, go, and come back."""

import csv
import json
import math
import threading

import cv2
import numpy as np
import pytest

from hotpath import draw
from hotpath.app.detect import load_detector
from hotpath.app.track_command import main
from hotpath.runtime import load_targets
from hotpath.runtime.errors import BadBox, NotReady
from hotpath.runtime.targets import appearance
from hotpath.runtime.targets.finding import MISSED, TargetFinder
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.types import LOST, UNSURE, Box
from tests.support import tiny, tiny_detector
from tests.support.errors import refusal

pytest.importorskip("onnxruntime")
EVERY = 3


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finding")
    tiny_detector.write_detector(folder)
    tiny.write_network(folder)
    return folder


@pytest.fixture
def targets(place):
    found = load_targets(place / "tiny.toml", engine="onnxruntime")
    yield found
    found.close()


def finder_of(place, targets, colours=("red", "blue"), **values):
    detector = load_detector(place / "tiny_detector.toml", classes=list(colours))
    values = dict({"every": EVERY, "everything": True, "background": False}, **values)
    return TargetFinder(targets, detector.detect, **values)


def run(finder, targets, frames, given=()):
    """The tracks of every frame; ``given``: boxes of the user in the first one."""
    numbers = [targets.add(frames[0], box) for box in given]
    told = [finder.first(frames[0], {n: targets.update_one(n, frames[0]) for n in numbers})]
    for frame in frames[1:]:
        told.append(finder.step(frame, targets.update(frame)))
        if finder._waiting:
            finder._waiting[1].result()  # the detector is done; its answer counts for its frame
    finder.close()
    return told


def moving(count):
    """A red and a blue square that pass each other in different rows."""
    return [
        tiny_detector.frame([("red", 20 + i, 40), ("blue", 180 - i, 150)]) for i in range(count)
    ]


def centre(track):
    return np.array(track.box[:2]) + np.array(track.box[2:]) / 2


def test_every_object_becomes_a_target_and_keeps_its_number(place, targets):
    told = run(finder_of(place, targets), targets, moving(30))
    assert all(set(tracks) == {0, 1} for tracks in told)
    red = min(told[0], key=lambda number: centre(told[0][number])[1])
    for index, tracks in enumerate(told):
        assert np.hypot(*(centre(tracks[red]) - (44 + index, 64))) < 24
        assert np.hypot(*(centre(tracks[1 - red]) - (204 - index, 174))) < 24


def test_the_first_target_is_waited_for(place, targets):
    empty = [tiny_detector.frame([])] * 4
    told = run(finder_of(place, targets, everything=False), targets, empty + moving(8))
    assert told[3] == {} and set(told[-1]) == {0}


def test_a_target_of_the_user_is_kept_and_no_other_is_added(place, targets):
    finder = finder_of(place, targets, everything=False)
    told = run(finder, targets, moving(8), [(20, 40, 48, 48)])
    assert all(set(tracks) == {0} for tracks in told)


def test_a_users_target_never_ends_though_no_detector_knows_it(place, targets):
    frames = [tiny_detector.frame([("red", 20, 40), ("blue", 150, 150)])] * 40
    finder = finder_of(place, targets, colours=["blue"])
    assert set(run(finder, targets, frames, [(20, 40, 48, 48)])[-1]) == {0, 1}


def test_one_target_that_is_not_lost_costs_no_look(place, targets):
    frames = moving(4 * EVERY)
    finder = finder_of(place, targets, everything=False)
    tracks = finder.first(frames[0], {})
    finder._find = None  # it is not asked
    for frame in frames[1:]:
        tracks = finder.step(frame, targets.update(frame))
    assert tracks


class Told(Targets):
    """Targets that keep what their trackers are told."""

    def __init__(self, *given):
        super().__init__(*given)
        self.told = []

    def suggest(self, number, boxes):
        self.told.append((number, boxes))
        super().suggest(number, boxes)


def test_a_lost_target_is_told_where_objects_of_its_class_are(place, targets):
    targets = Told(targets.device)
    frame = tiny_detector.frame([("red", 20, 40), ("blue", 150, 150)])
    finder = finder_of(place, targets, everything=False, every=1)
    (number,) = finder.first(frame, {})
    track = targets.update(frame)[number]
    for state in (LOST, UNSURE):
        seen = {number: track._replace(lost=state == LOST, state=state)}
        assert set(finder.step(frame, seen)) == {number}
        ((told, boxes),) = targets.told
        assert told == number and len(boxes) == 2 and len(targets) == 1
        targets.told.clear()


def test_a_new_object_is_a_target_once_it_was_seen_twice(place, targets):
    still = [("red", 20, 40)]
    frames = [tiny_detector.frame(still)] * 6
    frames += [tiny_detector.frame([*still, ("blue", 150, 150)])] * (2 * EVERY)
    told = run(finder_of(place, targets), targets, frames)
    counts = [len(tracks) for tracks in told]
    assert counts[6 + EVERY - 1] == 1 and counts[-1] == 2
    once = [*frames[:6], frames[-1], *[frames[0]] * 6]  # a false alarm of one look
    assert len(run(finder_of(place, targets), targets, once)[-1]) <= 2


def test_an_object_that_is_gone_ends_its_target(place, targets):
    both = [tiny_detector.frame([("red", 20, 40), ("blue", 150, 150)])] * 4
    alone = [tiny_detector.frame([("blue", 150, 150)])] * (EVERY * (MISSED + 12))
    told = run(finder_of(place, targets), targets, both + alone)
    assert len(told[0]) == 2 and len(told[-1]) == 1
    assert centre(next(iter(told[-1].values())))[0] > 130


def test_a_thread_gives_the_same_targets_a_little_later(place, targets):
    before = threading.active_count()
    told = run(finder_of(place, targets, background=True), targets, moving(40))
    assert all(set(tracks) == {0, 1} for tracks in told)
    assert threading.active_count() <= before
    red = min(told[-1], key=lambda number: centre(told[-1][number])[1])
    assert np.hypot(*(centre(told[-1][red]) - (44 + 39, 64))) < 24


def test_the_command_line_finds_targets_without_a_box(place, tmp_path, capsys):
    tiny.write_pictures(tmp_path, moving(12))
    out = tmp_path / "out.txt"
    options = ["--video", str(tmp_path), "--network", str(place / "tiny.toml"), "--no-show"]
    finding = ["--detector", str(place / "tiny_detector.toml"), "--class", "red,blue"]
    more = ["--all", "--every", "4", "--results", str(out)]
    assert main([*options, *finding, *more]) == 0
    rows = [line.split(",") for line in out.read_text().splitlines()]
    assert {row[1] for row in rows} == {"1", "2"} and len(rows) == 24

    table = tmp_path / "out.csv"
    more = ["--all", "--every", "4", "--results", str(table), "--json"]
    assert main([*options, *finding, *more]) == 0
    with open(str(table), newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = {(row["target"], row["class"], row["class_name"]) for row in rows}
    assert {kind[1:] for kind in kinds} == {("0", "blue"), ("1", "red")} and len(kinds) == 2
    assert [row["file"] for row in rows[::2]] == sorted(p.name for p in tmp_path.glob("*.png"))
    told = json.loads(capsys.readouterr().out)["targets"]
    assert {(str(t["target"]), str(t["class"]), t["class_name"]) for t in told} == kinds


@pytest.mark.parametrize("given", ["list", "array", "with classes"])
def test_any_function_of_a_frame_finds_targets(place, given):
    def find(frame):
        boxes = [cv2.boundingRect(c) for c in contours(frame)]
        if given == "with classes":
            return boxes, [0.5] * len(boxes), [7] * len(boxes), ["other"] * 7 + ["square"]
        return np.array(boxes).reshape(-1, 4) if given == "array" else boxes

    frames = [np.zeros_like(moving(1)[0])] * 2 + moving(12)
    with load_targets(place / "tiny.toml", engine="onnxruntime") as targets:
        targets.find_with(find, every=2)
        told = [targets.update(frame) for frame in frames]
        picture = draw(frames[-1], told[-1])
    assert len(targets) == 0 and (picture != frames[-1]).any()
    with refusal(NotReady, "unknown target"):
        targets.restart(77, frames[0], (1, 2, 30, 40))
    assert told[0] == {} and len(told[-1]) == 2
    kind = (7, "square") if given == "with classes" else (None, "")
    assert {(t.class_id, t.class_name) for t in told[-1].values()} == {kind}
    assert {t.score for t in told[-1].values()} != {0.5}, "they are tracked"


IMPOSSIBLE = [
    (math.nan,) * 4,
    (20, 40, math.inf, 48),
    (20, 40, 48, -1),
    (900, 900, 9, 9),
    (-9000, -9000, 18000, 18000),
]


def test_boxes_that_no_target_can_have_are_left_out(place):
    frame = tiny_detector.frame([("red", 20, 40)])
    looks = []

    def find(frame):
        looks.append(IMPOSSIBLE if len(looks) % 2 else [(20, 40, 48, 48)])
        return looks[-1], np.ones(len(looks[-1])), np.zeros(len(looks[-1])), None

    with load_targets(place / "tiny.toml", engine="onnxruntime") as targets:
        targets.find_with(find, every=1)
        told = [targets.update(frame) for _ in range(6)]
        targets.finder._find = lambda _: (np.array([]), np.array([]))
        told.append(targets.update(frame))
    assert [set(tracks) for tracks in told] == [{0}] * 7 and len(looks) == 6


class Lost(Targets):
    """Targets that are always lost."""

    def update(self, frame):
        return {n: t._replace(lost=True, state="lost") for n, t in super().update(frame).items()}


def test_a_lost_target_begins_anew_with_its_class(targets):
    targets = Lost(targets.device)
    found, grey = ([(20, 40, 48, 48)], [0.5], [1], "ab"), np.full((240, 320, 3), 200, np.uint8)
    finder = TargetFinder(targets, lambda _: found, every=1, everything=True, background=False)
    (number,) = finder.first(grey, {})
    found[0][0] = (30, 40, 48, 48)
    track = finder.step(grey, targets.update(grey))[number]
    assert track.box == found[0][0] and (track.state, track.class_name) == ("tracked", "b")
    found[0][0] = (-9000, -9000, 18000, 18000)  # of the same colours
    assert finder.step(grey, targets.update(grey))[number].lost


def test_an_unsure_target_begins_anew_only_on_its_likeness(targets):
    """It follows a blue object, and the red one that it was is elsewhere."""
    red, blue, frame = (20, 40, 48, 48), (150, 150, 48, 48), tiny_detector.frame([("red", 20, 40)])
    both = tiny_detector.frame([("red", 20, 40), ("blue", 150, 150)])
    found = [red]
    finder = TargetFinder(targets, lambda _: found, every=1, everything=True, background=False)
    (number,) = finder.first(frame, {})
    track = targets.update(frame)[number]
    unsure = track._replace(box=Box(*blue), state=UNSURE, presence=0.3)
    found[:] = [blue]
    assert finder.step(both, {number: unsure}) == {number: unsure}  # the detection keeps it
    look = finder._looks[number]
    found[:] = [red]
    assert finder.step(both, {number: unsure})[number].box == red
    assert appearance.similarity(look, appearance.colour_description(frame, red)) > 0.9


def test_an_unsure_target_is_no_second_target_on_an_object(place, targets):
    finder = finder_of(place, targets, colours=("red",), every=1)
    frame = tiny_detector.frame([("red", 20, 40)])
    older, younger = (targets.add(frame, (20 + i, 40, 48, 48)) for i in range(2))
    finder._missed[younger] = 0  # as if the finder had added it
    tracks = {n: targets.update_one(n, frame) for n in (older, younger)}
    tracks[older] = tracks[older]._replace(state=UNSURE, presence=0.3)
    assert set(finder.first(frame, tracks)) == {older, younger}


def test_a_sure_target_keeps_its_object_from_a_closer_one(targets):
    first, other = (20, 40, 48, 48), (150, 150, 48, 48)
    frame = tiny_detector.frame([("red", 20, 40), ("blue", 150, 150)])
    found = [first, other]
    finder = TargetFinder(targets, lambda _: found, every=1, everything=True, background=False)
    sure, strayed = finder.first(frame, {})
    tracks = targets.update(frame)
    tracks[sure] = tracks[sure]._replace(box=Box(24, 40, 48, 48))
    tracks[strayed] = tracks[strayed]._replace(box=Box(*first), state=UNSURE, presence=0.3)
    found[:] = [first]
    for _ in range(5):
        assert sure in finder.step(frame, dict(tracks))


def contours(frame):
    return cv2.findContours(frame.max(axis=2), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[-2]


@pytest.mark.parametrize("found", [[1, 2, 3, 4], [(1, 2, 3)], None, "boxes", ([(1, 2, 3, 4)], [])])
def test_a_function_that_gives_no_boxes_is_one_sentence(place, found):
    with load_targets(place / "tiny.toml", engine="onnxruntime") as targets:
        targets.find_with(lambda _: found)
        with refusal(BadBox, "not boxes"):
            targets.update(moving(1)[0])


@pytest.mark.parametrize("shape", [(240, 320), (480, 640), (1080, 1920)])
def test_a_function_that_gives_corners_is_told_so(place, shape):
    height, width = shape
    found = [(0.7 * width, 0.6 * height, 0.9 * width, 0.9 * height), (9, 9, 60, 80)]
    with load_targets(place / "tiny.toml", engine="onnxruntime") as targets:
        targets.find_with(lambda _: found)
        with refusal(BadBox, "corners"):
            targets.update(np.zeros((height, width, 3), np.uint8))


def test_a_program_hears_who_is_added_and_who_is_dropped_and_why(place):
    def find(frame):
        boxes = [
            box for box, shown in (((20, 40, 48, 48), True), ((150, 150, 48, 48), both)) if shown
        ]
        return boxes, [0.9] * len(boxes), [0] * len(boxes), ["card"]

    frame = tiny_detector.frame([("red", 20, 40), ("blue", 150, 150)])
    both = True
    heard = []
    with load_targets(place / "tiny.toml", engine="onnxruntime") as targets:
        targets.find_with(find, every=2)
        assert (targets.added, targets.dropped) == ([], {})
        for index in range(30):
            both = index < 8
            targets.update(frame)
            heard.append((list(targets.added), dict(targets.dropped)))
    assert heard[0] == ([0, 1], {})  # both at once in the first frame
    told = [each for each in heard[1:] if each != ([], {})]
    assert len(told) == 1 and told[0][0] == [] and list(told[0][1]) == [1]
    assert str(MISSED) in told[0][1][1]


def test_of_two_targets_on_one_object_the_younger_goes(place, targets):
    finder = finder_of(place, targets, colours=("red",))
    frame = tiny_detector.frame([("red", 20, 40)])
    older = targets.add(frame, (20, 40, 48, 48))
    younger = targets.add(frame, (22, 41, 48, 48))
    finder._missed[younger] = 0  # as if the finder had added it
    tracks = finder.first(frame, {n: targets.update_one(n, frame) for n in (older, younger)})
    assert set(tracks) == {older} and f"target {older}" in targets.dropped[younger]


def test_a_drawn_box_gets_the_class_of_its_detection(place, targets):
    finder, frames = finder_of(place, targets), moving(8)
    number = targets.add(frames[0], (20, 40, 48, 48))
    tracks = finder.first(frames[0], {number: targets.update_one(number, frames[0])})
    assert tracks[number].class_name == "red"
    assert targets.update(frames[1])[number].class_name == "red"
