"""A search resumes, and says what held-out clips say."""

import pytest

from hotpath.calib import tune
from hotpath.calib.errors import BadRun
from hotpath.runtime.networks import load_network
from tests.support.clips import write_clip
from tests.support.tiny import film, watched, write_network

pytest.importorskip("optuna")


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


def test_a_killed_search_goes_on_and_ends_like_a_whole_one(place, monkeypatch):
    whole, calls = run(place, "whole"), []
    assert whole["history"][0]["lr"] == 0.3  # the network's own numbers come first
    assert len({trial["lr"] for trial in whole["history"]}) == whole["trials"] == 8
    assert whole["score"]["best"] >= whole["score"]["start"]
    network = load_network(place / "whole" / "tiny-tuned.toml")
    assert network.lr == pytest.approx(whole["best"]["lr"], abs=1e-4)
    assert whole["clips"] == ["a"] and whole["held_out"] == ["b"]

    def killed_in_the_sixth_trial(self, parameters, clips=()):
        calls.append(parameters)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return score(self, parameters, clips)

    score = tune.Scorer.score
    with monkeypatch.context() as patch:
        patch.setattr(tune.Scorer, "score", killed_in_the_sixth_trial)
        assert tune.main(arguments(place, "killed")) == 130
    parted = run(place, "killed")
    assert parted["trials"] == 8 and parted["history"] == whole["history"]
    for other in (["--seed", "2"], ["--held-out", "a"]):  # another search
        assert run(place, "killed", "--trials", "1", *other)["trials"] == 1


@pytest.mark.parametrize(
    "more, said",
    [
        (["--only", "a"], "can't be parted"),
        (["--parameters", "colour"], "has no number called 'colour'"),
        (["--trials", "0"], "must be 1 or more"),
    ],
)
def test_mistakes_have_a_sentence(place, capsys, more, said):
    assert tune.main(arguments(place, "x", *more)) == 2
    assert said in capsys.readouterr().err


def test_a_network_is_searched_in_the_numbers_that_its_family_has(tmp_path, capsys):
    wanted = {"nanotrack_v2": ["penalty", "window", "lr"], "kestrel": ["window", "lr"]}
    assert {name: tune.tunable(load_network(name)) for name in wanted} == wanted
    with pytest.raises(BadRun, match="kestrel has no number called 'penalty' .* window, lr"):
        tune.range_of(load_network("kestrel"), "penalty")
    assert tune.main(["--network", "stark_s50", "--clips", str(tmp_path)]) == 2
    assert "stark_s50 has none of penalty, window, lr" in capsys.readouterr().err


def test_numbers_of_the_choice_among_peaks_are_tried_with_the_choice(tmp_path):
    """A brighter square is beside the target: the network takes it for the target."""
    write_network(tmp_path, watched(lost_below=0.05, found_above=0.5, peak_share=0.2))
    pictures, boxes = film(20, 160, 120, 24)
    for picture, (x, y, w, h) in list(zip(pictures, boxes))[1:]:
        picture[int(y) : int(y + h), int(x) + 36 : int(x + w) + 36] = 255
    for name in "ab":
        write_clip(tmp_path / "clips" / name, pictures, boxes)
    without = run(tmp_path, "without", "--trials", "1", "--parameters", "lr")
    found = run(tmp_path, "with", "--trials", "2", "--parameters", "peak_share,peak_window")
    assert found["start"] == {"peak_share": 0.2, "peak_window": 0.5}
    for scores in ("score", "score_held_out"):
        assert found[scores]["start"] > without[scores]["start"] + 0.02
    tuned = load_network(tmp_path / "with" / "tiny-tuned.toml")
    assert tuned.peak_window == pytest.approx(found["best"]["peak_window"], abs=1e-4)


def test_a_network_without_the_search_has_no_choice_to_tune(place, capsys):
    assert tune.main(arguments(place, "x", "--parameters", "peak_share")) == 2
    assert "can't choose among peaks: no thresholds" in capsys.readouterr().err


@pytest.mark.parametrize("held, gains", [(0.45, False), (0.55, True)])
def test_the_report_says_when_other_clips_gain_nothing(held, gains):
    report = {"trials": 1, "best": {"lr": 0.5}, "start": {"lr": 0.3}}
    report |= {"score": {"start": 0.5, "best": 0.6}, "score_held_out": {"start": 0.5, "best": held}}
    assert ("fit only the searched clips" in tune.text(report)) != gains
