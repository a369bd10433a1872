"""The command that decides between two networks."""

import numpy as np
import pytest

from calib.clips import find_clips
from calib.research.train import judge
from tests.calib.research.train.conftest import write_wider
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


def test_an_equal_network_is_not_better_and_the_report_stays_unmeasured(world, tmp_path, capsys):
    clips, good, _ = world
    (tmp_path / "same").mkdir()
    same = tiny.write_network(tmp_path / "same")
    given = [str(same), "--against", str(good), "--validation", str(clips), "--repeats", "1"]
    assert judge.main([*given, "--report", str(clips / "missing")]) == 1
    said = capsys.readouterr()
    assert "is not better than" in said.out and "missing" not in said.err


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
    assert {name: [clip.name for clip in clips] for name, clips in found.items()} == {
        "cars": ["one"],
        "clips": ["two"],
    }
