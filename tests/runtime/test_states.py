"""A target is tracked, unsure, lost or found, and the results say which."""

import csv
import json

import cv2
import numpy as np
import pytest

from calib.vanishing import Vanishing
from runtime import load_tracker, track
from runtime.networks import load_network
from runtime.states import FOUND, LOST, TRACKED, UNSURE, StateMachine
from tests.support import tiny
from tests.support.clips import tracks_of


@pytest.fixture
def machine(tmp_path):
    toml = tiny.watched(lost_below=0.4, unsure_below=0.6)
    return StateMachine(load_network(tiny.write_network(tmp_path, toml)).unsure_below)


def test_the_certainty_leads_from_tracked_over_unsure_to_lost_and_back(machine):
    given = [(False, 0.9), (False, 0.5), (True, 0.3), (True, 0.2), (False, 0.7), (False, 0.7)]
    states = [machine.step(lost, certainty) for lost, certainty in given]
    assert states == [TRACKED, UNSURE, LOST, LOST, FOUND, TRACKED]


def test_found_is_said_in_one_frame_even_if_the_certainty_is_low(machine):
    machine.step(True, 0.1)
    assert [machine.step(False, 0.5), machine.step(False, 0.5)] == [FOUND, UNSURE]


def test_a_target_that_nothing_watches_is_tracked(machine):
    assert machine.step(False, None) == TRACKED


def test_a_new_target_begins_as_tracked(machine):
    machine.step(True, 0.1)
    machine.begin()
    assert machine.step(False, 0.9) == TRACKED


def test_the_state_lost_is_what_track_lost_says(tmp_path):
    clip = Vanishing(tiny.Film(100), "cover")
    tracker = load_tracker(tiny.write_network(tmp_path, tiny.watched(lost_below=0.5)))
    tracks = tracks_of(tracker, clip)
    assert [t.lost for t in tracks] == [t.state == LOST for t in tracks]
    assert [t.state for t in tracks].count(FOUND) == clip.gone.any() == 1


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_results_carry_the_state(tmp_path, ending):
    toml = tiny.write_network(tmp_path, tiny.watched(lost_below=0.5))
    clip = Vanishing(tiny.Film(80), "cover")
    folder, results = tmp_path / "film", tmp_path / ("out." + ending)
    folder.mkdir()
    for index, frame in enumerate(clip):
        cv2.imwrite(str(folder / f"{index:04d}.png"), frame)
    box = ",".join(map(str, clip.boxes[0]))
    arguments = ["--video", str(folder), "--network", str(toml), "--box", box, "--no-show"]
    assert track.main(arguments + ["--results", str(results)]) == 0
    with open(results) as file:
        rows = list(csv.DictReader(file)) if ending == "csv" else [json.loads(r) for r in file]
    states = np.array([row["state"] for row in rows])
    assert states[0] == TRACKED and (states == LOST).any()
    assert [bool(int(row["lost"])) for row in rows] == (states == LOST).tolist()
