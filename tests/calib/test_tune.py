"""A search resumes, does not depend on who computes it, and says what held-out clips say."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from calib import tune
from runtime.networks import load_network
from tests.support.clips import write_boxes
from tests.support.tiny import film, write_network

pytest.importorskip("optuna", reason="the search needs optuna")


@pytest.fixture
def place(tmp_path):
    """A folder with a tiny network and two clips in it."""
    write_network(tmp_path)
    pictures, boxes = film(20, 160, 120, 24)
    for name, part in (("a", slice(0, 12)), ("b", slice(8, 20))):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for index, picture in enumerate(pictures[part]):
            cv2.imwrite(str(tmp_path / "clips" / name / f"{index:03d}.png"), picture)
        write_boxes(tmp_path / "clips" / name / "boxes.csv", np.array(boxes[part]))
    return tmp_path


def arguments(place, out, *more):
    return [
        "--network",
        str(place / "tiny.toml"),
        "--clips",
        str(place / "clips"),
        "--trials",
        "8",
        "--out",
        str(place / out),
        *more,
    ]


def run(place, out, *more):
    return tune.run(tune.parser().parse_args(arguments(place, out, *more)))


def test_the_best_is_no_worse_than_the_start_and_its_toml_runs(place):
    report = run(place, "out")
    assert report["trials"] == 8
    assert report["history"][0]["lr"] == 0.3  # the network's own numbers come first
    assert report["score"]["best"] >= report["score"]["start"]
    network = load_network(place / "out" / "tiny-tuned.toml")
    assert network.lr == pytest.approx(report["best"]["lr"], abs=1e-4)
    assert report["clips"] == ["a"] and report["held_out"] == ["b"]


def test_processes_find_what_one_finds(place):
    one, two = run(place, "one"), run(place, "two", "--workers", "2")
    assert one["history"] == two["history"]


def test_a_search_cut_short_ends_like_a_whole_one(place):
    whole = run(place, "whole")
    assert run(place, "parted", "--trials", "4")["trials"] == 4
    parted = run(place, "parted")
    assert parted["trials"] == 8
    assert parted["history"] == whole["history"]


def test_a_killed_search_goes_on(place):
    command = [sys.executable, "-m", "calib.tune", *arguments(place, "killed", "--trials", "400")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    journal = place / "killed" / "tiny.journal"
    while process.poll() is None:
        if journal.exists() and journal.read_text().count('"values"') >= 3:
            process.kill()
    process.wait()
    done = journal.read_text().count('"values"')
    assert 3 <= done < 400
    total = done + 5
    report = run(place, "killed", "--trials", str(total))
    assert report["trials"] == total


def test_eao_can_be_the_goal(place):
    report = run(place, "out", "--goal", "eao", "--trials", "2")
    assert report["goal"] == "eao" and 0 <= report["score"]["best"] <= 1


def test_mistakes_have_a_sentence(place, capsys):
    run(place, "out", "--trials", "1")
    assert tune.main(arguments(place, "out", "--seed", "2")) == 2
    assert "journal of another search (seed changed)" in capsys.readouterr().err
    assert tune.main(arguments(place, "x", "--only", "a")) == 2
    assert "can't be parted" in capsys.readouterr().err
    assert tune.main(arguments(place, "x", "--parameters", "colour")) == 2
    assert "has no number called 'colour'" in capsys.readouterr().err
    assert tune.main(arguments(place, "x", "--trials", "0")) == 2
    assert "must be 1 or more" in capsys.readouterr().err


def test_the_report_says_when_other_clips_gain_nothing():
    report = {
        "trials": 1,
        "goal": "ao",
        "best": {"lr": 0.5},
        "start": {"lr": 0.3},
        "score": {"start": 0.5, "best": 0.6},
        "score_held_out": {"start": 0.5, "best": 0.45},
    }
    assert "fit the searched clips alone" in tune.text(report)
    report["score_held_out"]["best"] = 0.55
    assert "fit the searched clips alone" not in tune.text(report)
    assert json.dumps(report)
