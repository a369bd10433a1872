"""Thresholds of the search are found on long films, with the clips that the films are made from."""

import pytest

from hotpath.runtime.networks import load_network
from hotpath_lab import tune
from lab_tests.longterm.conftest import describe
from tests.support import tiny

pytest.importorskip("onnxruntime")
pytest.importorskip("optuna")


@pytest.fixture
def place(halves, tmp_path):
    tiny.write_network(tmp_path)
    assert describe(halves, tmp_path / "films.json", "--count", "2") == 0
    return tmp_path


def run(place, halves, *more):
    given = ["--network", str(place / "tiny.toml"), "--clips", *map(str, halves)]
    given += ["--films", str(place / "films.json"), "--goal", "overlap,lost"]
    given += ["--parameters", "search_lost_below,look_above,found_above"]
    return tune.run(tune.parser().parse_args([*given, "--out", str(place / "out"), *more]))


@pytest.mark.slow("4,600 frames are tracked")
def test_thresholds_are_found_for_a_network_that_has_none(place, halves):
    assert load_network(place / "tiny.toml").found_above == 0
    found = run(place, halves, "--trials", "3")
    # each part has one clip of the half "development", and the film that is made from it
    assert sorted(found["clips"] + found["held_out"]) == ["one-far", "one-near"]
    for figures in (found["figures"], found["figures_held_out"]):
        assert figures["best"]["overlap"] > 0 and figures["best"]["absent"] > 0
    tuned = load_network(place / "out" / "tiny-tuned.toml")
    assert 0 < tuned.look_above <= tuned.found_above < 1
    assert 0 < tuned.search_lost_below <= tuned.found_above
    best = found["figures"]["best"]
    parts = best["overlap"] + best["f"] + best["found_in_30"] - best["claimed_while_gone"]
    assert best["score"] == pytest.approx(parts) == max(row["score"] for row in found["history"])


def test_films_of_no_clip_are_refused(place, halves, capsys):
    given = ["--network", str(place / "tiny.toml"), "--clips", *map(str, halves), "--goal", "lost"]
    given += ["--films", str(place / "films.json"), "--only", "two-far"]
    assert tune.main([*given, "--out", str(place / "out")]) == 2
    assert "no film" in capsys.readouterr().err
