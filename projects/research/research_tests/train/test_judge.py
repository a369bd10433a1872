"""The command that decides between two networks."""

import numpy as np
import pytest

from hotpath.calib import one_step_overlap
from hotpath.video.clips import find_clips
from hotpath_research.train import judge, judging
from research_tests.train.conftest import write_wider
from tests.support import tiny
from tests.support.clips import write_clip

pytest.importorskip("onnxruntime")


@pytest.fixture
def world(tmp_path):
    """Two clips of a bright square, a network that finds it and one whose boxes are too large."""
    for name, seed in (("one", 0), ("two", 1)):
        frames, boxes = tiny.film(6)
        moved = np.array(boxes) + (seed, 0, 0, 0)
        write_clip(tmp_path / "clips" / name, [np.roll(f, seed, 1) for f in frames], moved)
    large = write_wider(tmp_path / "large", 1.5)
    return tmp_path / "clips", tiny.write_network(tmp_path), large


def test_an_equal_network_is_not_better(world, tmp_path, capsys):
    clips, good, _ = world
    (tmp_path / "same").mkdir()
    same = tiny.write_network(tmp_path / "same")
    given = [str(same), "--against", str(good), "--validation", str(clips), "--repeats", "1"]
    assert judge.main([*given, "--report", str(clips / "missing")]) == 1
    messages = capsys.readouterr()
    assert "is not better than" in messages.out and "missing" not in messages.err


@pytest.mark.slow("two networks are judged both ways")
def test_better_boxes_win_on_both_sets_and_worse_ones_do_not(world, capsys):
    clips, good, large = (str(path) for path in world)
    sets = ["--validation", clips, "--report", clips, "--repeats", "1"]
    assert judge.main([good, "--against", large, *sets]) == 0
    assert capsys.readouterr().out.count("is better than") == 2
    assert judge.main([large, "--against", good, *sets]) == 1
    assert "is not a gain of more than one standard error" in capsys.readouterr().out


def test_the_folders_that_hold_clips_are_the_sources(world):
    folder = world[0]
    (folder / "cars").mkdir()
    (folder / "one").rename(folder / "cars" / "one")
    found = judge.by_source(find_clips([folder]))
    names = {name: [clip.name for clip in clips] for name, clips in found.items()}
    assert names == {"cars": ["one"], "clips": ["two"]}


def test_error_is_that_of_a_mean_of_clips_and_one_clip_has_none():
    rng = np.random.default_rng(0)
    of_clip = rng.normal(0.7, 0.1, 200)
    clip = np.repeat(np.arange(200), 30)
    found = one_step_overlap.estimate(of_clip[clip], clip)
    assert found.mean == pytest.approx(of_clip.mean())
    assert found.error == pytest.approx(of_clip.std() / np.sqrt(200), rel=0.1)
    assert np.isnan(one_step_overlap.estimate([0.5, 0.6], [3, 3]).error)


def test_figures_name_the_set_and_count_what_was_lost():
    found = judging.figures("away", [0.1, 0.9, 0.8, 0.2], [0, 0, 1, 1])
    assert found["os_away"] == pytest.approx(0.5) and found["lost_away"] == 0.5
    assert found["se_away"] == pytest.approx(0.0, abs=1e-9)


def source(gain, clips=10, seed=0):
    """Overlaps of two networks on clips of twenty pairs, with noise between the clips."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(clips), 20)
    shipped = rng.uniform(0.5, 0.9, len(clip))
    return shipped + gain + rng.normal(0, 0.005, clips)[clip], shipped, clip


def test_every_source_weighs_the_same_however_many_clips_it_has():
    few, many = source(0.03, 2), source(0.0, 40)
    assert judging.change([few, many]).gain == pytest.approx(0.015, abs=0.004)


def test_a_gain_below_one_standard_error_is_no_gain():
    assert not judging.against(judging.Change(0.011, 0.010, 0.0))
    messages = judging.against(judging.Change(0.009, 0.010, 0.0))
    assert "not a gain of more than one standard error" in messages[0]


def test_more_lost_targets_rule_a_gain_out():
    clip = np.repeat(np.arange(10), 20)
    candidate = np.where(np.arange(200) % 20 == 0, 0.1, 0.7)
    found = judging.change([(candidate, np.full(200, 0.6), clip)])
    assert found.lost == pytest.approx(0.05) and "lost more often" in judging.against(found)[0]
