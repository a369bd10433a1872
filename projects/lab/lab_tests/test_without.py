"""Rules that are left out one at a time: the same tracker otherwise, and nothing stays changed."""

import numpy as np
import pytest

from hotpath.runtime.options import Options
from hotpath_lab import follow, trackers, without
from tests.support import tiny
from tests.support.clips import write_clip

pytest.importorskip("onnxruntime")


@pytest.fixture
def place(tmp_path):
    """A clip whose rectangle is away for a while, and the network that follows it."""
    pictures, boxes = tiny.film(60)
    for picture in pictures[20:35]:
        picture[:] = 0
    write_clip(tmp_path / "clips" / "it", pictures, boxes)
    tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY))
    return tmp_path


def arguments(place, rules):
    clips, toml = str(place / "clips"), str(place / "tiny.toml")
    return ["--clips", clips, "--networks", toml, "--rules", rules]


def test_each_rule_has_a_row_beside_that_of_all_rules(place, capsys):
    assert without.main(arguments(place, "followed,smooth")) == 0
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["without", "clips"]
    assert [row for row, _ in lines[2:]] == ["all rules", "followed", "smooth"]
    box, wrong, messages, finds = lines[2][1].split("; ")
    assert 0.0 < float(box) < 1.0 and wrong == "1, 1" and (messages, finds) == (".925", "1, 0")


def test_with_all_rules_shared_windows_change_nothing(place):
    from hotpath.video.clips import find_clips

    (clip,) = find_clips([place / "clips"])
    (spec,) = trackers.specs([str(place / "tiny.toml")], Options())
    alone = follow.follow(trackers.build(spec), clip)
    shared = without.follow(without.opened(spec, list(without.RULES)), clip)
    for name in ("boxes", "states", "certainty", "found"):
        assert np.array_equal(shared[without.ALL][name], alone[name]), name
    assert any(shared[rule]["states"] != alone["states"] for rule in without.RULES)


@pytest.mark.parametrize("rule", sorted(without.RULES))
def test_a_rule_is_left_out_in_its_context_alone(rule):
    before = [vars(owner)[name] for owner, name, _ in without.RULES[rule]]
    with pytest.raises(KeyError), without.without(rule):
        assert [vars(owner)[name] for owner, name, _ in without.RULES[rule]] != before
        raise KeyError
    assert [vars(owner)[name] for owner, name, _ in without.RULES[rule]] == before


def test_an_unknown_rule_is_named_with_those_that_there_are(place, capsys):
    assert without.main(arguments(place, "fog")) == 2
    assert "there is no rule fog; there are: swaps" in capsys.readouterr().err
