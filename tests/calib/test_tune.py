"""A search resumes, and says what held-out clips say."""

import json

import pytest

from calib import tune
from calib.trial import Trial
from runtime.networks import load_network
from tests.support.clips import write_clip
from tests.support.tiny import film, write_network

pytest.importorskip("optuna", reason="the search needs optuna")


@pytest.fixture
def place(tmp_path):
    """A folder with a tiny network and two clips in it."""
    write_network(tmp_path)
    pictures, boxes = film(20, 160, 120, 24)
    for name, part in (("a", slice(0, 12)), ("b", slice(8, 20))):
        write_clip(tmp_path / "clips" / name, pictures[part], boxes[part])
    return tmp_path


def arguments(place, out, *more):
    given = ["--network", str(place / "tiny.toml"), "--clips", str(place / "clips")]
    return [*given, "--trials", "8", "--out", str(place / out), *more]


def run(place, out, *more):
    return tune.run(tune.parser().parse_args(arguments(place, out, *more)))


def test_the_best_is_no_worse_than_the_start_and_its_toml_runs(place):
    report = run(place, "out")
    assert report["trials"] == 8
    assert report["history"][0]["lr"] == 0.3  # the network's own numbers come first
    assert len({trial["lr"] for trial in report["history"]}) == 8
    assert report["score"]["best"] >= report["score"]["start"]
    network = load_network(place / "out" / "tiny-tuned.toml")
    assert network.lr == pytest.approx(report["best"]["lr"], abs=1e-4)
    assert report["clips"] == ["a"] and report["held_out"] == ["b"]


def test_a_killed_search_goes_on_and_ends_like_a_whole_one(place, monkeypatch):
    whole, calls = run(place, "whole"), []

    def killed_in_the_sixth_trial(self, parameters, clips=()):
        calls.append(parameters)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return score(self, parameters, clips)

    score = Trial.score
    with monkeypatch.context() as patch:
        patch.setattr(Trial, "score", killed_in_the_sixth_trial)
        assert tune.main(arguments(place, "killed")) == 130
    parted = run(place, "killed")
    assert parted["trials"] == 8 and parted["history"] == whole["history"]


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
        "best": {"lr": 0.5},
        "start": {"lr": 0.3},
        "score": {"start": 0.5, "best": 0.6},
        "score_held_out": {"start": 0.5, "best": 0.45},
    }
    assert "fit the searched clips alone" in tune.text(report)
    report["score_held_out"]["best"] = 0.55
    assert "fit the searched clips alone" not in tune.text(report)
    assert json.dumps(report)
