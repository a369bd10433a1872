"""A search resumes, and says what held-out clips say."""

import json

import cv2
import pytest

from hotpath.app.track_command import main
from hotpath.base import toml
from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import FOLDER
from hotpath_lab import tune
from tests.support.clips import write_clip
from tests.support.described import load_network, toml_of
from tests.support.errors import refusal
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
    whole = run(place, "whole")
    calls = []
    assert whole["history"][0]["size_lr"] == 0.3  # the network's own numbers come first
    assert len({trial["size_lr"] for trial in whole["history"]}) == whole["trials"] == 8
    assert whole["score"]["best"] >= whole["score"]["start"]
    network = load_network(place / "whole" / "tiny-tuned.toml")
    assert network.size_lr == pytest.approx(whole["best"]["size_lr"], abs=1e-4)
    assert whole["clips"] == ["a"] and whole["held_out"] == ["b"]

    def killed_in_the_sixth_trial(self, numbers, clips):
        calls.append(numbers)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return score(self, numbers, clips)

    score = tune.Scorer.score
    with monkeypatch.context() as patch:
        patch.setattr(tune.Scorer, "score", killed_in_the_sixth_trial)
        assert tune.main(arguments(place, "killed")) == 130
    parted = run(place, "killed")
    assert parted["trials"] == 8 and parted["history"] == whole["history"]
    for other in (["--seed", "2"], ["--held-out", "a"]):  # another search
        assert run(place, "killed", "--trials", "1", *other)["trials"] == 1


@pytest.mark.parametrize(
    "more, messages",
    [
        (["--only", "a"], "can't be parted"),
        (["--parameters", "colour"], "has no number called 'colour'"),
        (["--trials", "0"], "must be 1 or more"),
        (["--storage", "a.journal"], "--storage is gone: one process searches"),
        (["--parameters", "found_above"], "no thresholds for it in the TOML"),
        (["--parameters", "peak_share"], "tiny can't search"),
    ],
)
def test_mistakes_have_a_sentence(place, capsys, more, messages):
    assert tune.main(arguments(place, "x", *more)) == 2
    assert messages in capsys.readouterr().err


def test_a_network_is_searched_in_the_numbers_of_its_family(tmp_path, capsys):
    wanted = {
        "nanotrack_v2": ["penalty", "window_influence", "size_lr"],
        "kestrel": ["window_influence", "size_lr"],
    }
    assert {name: tune.tunable(load_network(name)) for name in wanted} == wanted
    with refusal(BadRun, "unknown number"):
        tune.range_of(load_network("kestrel"), "penalty")
    assert tune.main(["--network", str(toml_of("stark_s50")), "--clips", str(tmp_path)]) == 2
    assert "stark_s50 has none of" in capsys.readouterr().err


def test_numbers_of_choosing_peaks_are_tried_with_the_choice(tmp_path):
    """A brighter square is beside the target: the network takes it for the target."""
    write_network(tmp_path, watched(search_lost_below=0.05, found_above=0.5, peak_share=0.2))
    pictures, boxes = film(20, 160, 120, 24)
    for picture, (x, y, w, h) in list(zip(pictures, boxes))[1:]:
        picture[int(y) : int(y + h), int(x) + 36 : int(x + w) + 36] = 255
    for name in "ab":
        write_clip(tmp_path / "clips" / name, pictures, boxes)
    without = run(tmp_path, "without", "--trials", "1", "--parameters", "size_lr")
    found = run(tmp_path, "with", "--trials", "2", "--parameters", "peak_share")
    assert found["start"] == {"peak_share": 0.2}
    for scores in ("score", "score_held_out"):
        assert found[scores]["start"] > without[scores]["start"] + 0.02
    tuned = load_network(tmp_path / "with" / "tiny-tuned.toml")
    assert tuned.peak_share == pytest.approx(found["best"]["peak_share"], abs=1e-4)


@pytest.mark.parametrize(
    "best, held, told",
    [(0.5, 0.45, tune.NO_GAIN), (0.5, 0.55, ""), (0.3, 0.5, tune.OWN_ARE_BEST)],
)
def test_the_report_says_when_other_clips_gain_nothing(best, held, told):
    scores = {"start": 0.5, "best": held}
    report = {"trials": 1, "best": {"size_lr": best}, "start": {"size_lr": 0.3}}
    report |= {"score": scores, "score_held_out": scores}
    text = tune.text(report)
    assert text.endswith(told)
    assert [each in text for each in (tune.NO_GAIN, tune.OWN_ARE_BEST)].count(True) == bool(told)


@pytest.fixture
def long_place(tmp_path):
    """The tiny network with an INT8 form, and two clips."""
    toml = watched(search_lost_below=1e-6, look_above=1e-6, found_above=1e-5)
    write_network(tmp_path, toml)
    pictures, boxes = film(100, 160, 120, 24)
    for name, part in (("a", slice(0, 70)), ("b", slice(30, 100))):
        write_clip(tmp_path / "clips" / name, pictures[part], boxes[part])
    (tmp_path / "int8").mkdir()
    write_network(tmp_path / "int8", "# a comment\n" + toml + MADE_FROM.format(**hashes(tmp_path)))
    (tmp_path / "int8" / "tiny.toml").rename(tmp_path / "int8" / "tiny-int8.toml")
    return tmp_path


MADE_FROM = '\n[made_from]\nbackbone = "{backbone}"\nhead = "{head}"\n'


def hashes(folder):
    return load_network(folder / "tiny.toml").hashes()


def test_a_gain_is_written_into_the_network_and_its_int8_form(long_place):
    report, network = (
        run(long_place, "out", "--trials", "1"),
        load_network(long_place / "tiny.toml"),
    )
    report["best"]["size_lr"], report["score_held_out"] = 0.5, {"start": 0.4, "best": 0.6}
    options = tune.parser().parse_args(arguments(long_place, "out", "--write"))
    none = tune.Conventions(network, network.locate(), [])
    tune.write(options, network, report, long_place / "out", none)
    for name in (
        "tiny.toml",
        "int8/tiny-int8.toml",
        "out/tiny-tuned.toml",
        "out/tiny-tuned-int8.toml",
    ):
        assert toml.read(long_place / name, BadNetwork)["tracking"]["size_lr"] == 0.5
    assert (long_place / "int8" / "tiny-int8.toml").read_text().startswith("# a comment\n")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_file_that_a_search_writes_can_be_tracked_with(long_place, tmp_path, precision, capsys):
    """From another folder than the network's, with no other option."""
    out = tmp_path / "elsewhere" / "out"
    run(long_place, out, "--trials", "1")
    for name in ("tiny_backbone.onnx", "tiny_head.onnx"):
        (long_place / name).unlink()
    given = ["--video", str(long_place / "clips" / "a"), "--precision", precision, "--json"]
    code = main([*given, "--network", str(out / "tiny-tuned.toml")])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert json.loads(told.out)["frames"] == 70
    assert main([*given, "--network", str(long_place / "tiny.toml")]) == 2


def test_an_int8_form_is_not_carried_over_to_other_conventions(long_place, capsys):
    folder, network = long_place / "out", load_network("kestrel")
    report = run(long_place, "out", "--trials", "1", "--parameters", "size_lr")
    options = tune.parser().parse_args(arguments(long_place, "out"))
    conventions = tune.Conventions(network, network.locate(), ["border"])
    other = next(each for each in conventions.choices["border"] if each != tune.OWN)
    for answer, is_kept in ((tune.OWN, True), (other, False)):
        report["best"]["border"] = report["start"]["border"] = answer
        capsys.readouterr()
        tune.write(options, network, report, folder, conventions)
        told = capsys.readouterr().err
        assert is_kept != ("runs in fp32" in told and "hotpath int8 --network" in told)
        assert (folder / "kestrel-tuned-int8.toml").exists() == is_kept
        assert not list(folder.glob("kestrel*.onnx"))  # those that come with Hotpath are found
        tuned = load_network(folder / "kestrel-tuned.toml")
        assert {path.parent for path in tuned.locate().values()} == {FOLDER}


def test_nothing_is_written_where_other_clips_gain_nothing(long_place, capsys):
    before = (long_place / "tiny.toml").read_text()
    run(long_place, "out", "--trials", "1", "--write")
    assert (long_place / "tiny.toml").read_text() == before
    assert "stays as it was" in capsys.readouterr().err


def test_a_clip_of_one_frame_is_named(tmp_path, capsys):
    write_network(tmp_path)
    for name, frames in (("moves", 4), ("still", 1)):
        write_clip(tmp_path / "clips" / name, *film(frames))
    assert tune.main(arguments(tmp_path, "x", "--held-out", "moves")) == 2
    assert "still: has one frame" in capsys.readouterr().err


def test_only_the_numbers_of_a_toml_change(tmp_path):
    for name in ("kestrel.toml", "int8/kestrel-int8.toml"):
        numbers = {"search_lost_below": 0.11, "look_above": 0.225, "found_above": 0.3333}
        old = (FOLDER / name).read_text().splitlines()
        new = tune.changed(FOLDER / name, {"tracking": numbers}).splitlines()
        differ = [(a, b) for a, b in zip(old, new) if a != b]
        assert len(old) == len(new) and len(differ) == len(numbers)
        for before, after in differ:
            assert before.split("=")[0] == after.split("=")[0]
            assert before.partition("#")[2] == after.partition("#")[2]
    added = tune.changed(FOLDER / "lightfc.toml", {"tracking": {"peak_share": 0.25}})
    (tmp_path / "added.toml").write_text(added)
    assert toml.read(tmp_path / "added.toml", BadNetwork)["tracking"]["peak_share"] == 0.25


def test_no_place_is_looked_at_only_above_where_it_is_found():
    drawn = {"look_above": 0.7, "found_above": 0.5, "search_lost_below": 0.30001}
    wanted = {"look_above": 0.5, "found_above": 0.5, "search_lost_below": 0.3}
    assert tune.sensible(load_network("kestrel"), drawn) == wanted


def test_the_picture_shows_each_trial_and_the_held_out_values(tmp_path):
    pytest.importorskip("matplotlib")
    history = [{"score": value} for value in (0.4, 0.6, 0.5)]
    held = {"start": 0.45, "best": 0.55}
    report = {"history": history, "score_held_out": held}
    drawn = cv2.imread(str(tune.picture(report, tmp_path / "x.png")))
    assert drawn.shape[0] > 300
    orange = (drawn[..., 2] > 180) & (drawn[..., 1] < 130) & (drawn[..., 0] < 60)
    assert orange.sum() > 200, "the lines of the held-out clips"
