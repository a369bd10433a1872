"""EAO comes from the VOT toolkit, which runs our trackers in processes of their own."""

import re

import numpy as np
import pytest

pytest.importorskip("vot")
pytest.importorskip("trax")

from hotpath.calib.errors import BadRun
from hotpath.runtime import load_tracker
from hotpath.runtime.boxes import overlaps
from hotpath.video.clips import find_clips
from hotpath_research import vot
from tests.support import tiny
from tests.support.clips import write_clip


def write_blind(folder):
    """The tiny network, which never believes the map and never changes a size."""
    folder.mkdir()
    toml = tiny.write_network(folder)
    toml.write_text(re.sub(r"(?m)^window = .*$", "window = 1.0", toml.read_text()))
    return toml


@pytest.fixture
def clips(tmp_path):
    for number in range(3):
        write_clip(tmp_path / "clips" / f"c{number}", *tiny.film(12 + 6 * number))
    return find_clips([tmp_path / "clips"])


def test_eao_without_failures_is_the_mean_running_overlap(clips, tmp_path):
    toml = tiny.write_network(tmp_path)
    (found,) = vot.eao([toml], clips, tmp_path / "vot")
    running = []
    for clip in clips:
        tracker = load_tracker(str(toml))
        tracker.init(clip[0], clip.boxes[0])
        boxes = np.array([tracker.update(clip[i]).box for i in range(1, len(clip))])
        each = [overlaps(box, truth)[0, 0] for box, truth in zip(boxes, clip.boxes[1:])]
        running.append(np.cumsum(each) / np.arange(1, len(each) + 1))
    low, high = np.percentile([len(clip) - 1 for clip in clips], [25, 75]).astype(int)
    curve = [np.mean([r[n - 1] for r in running if len(r) >= n]) for n in range(low, high + 1)]
    assert found == pytest.approx(np.mean(curve), abs=0.02)  # the toolkit draws boxes as pixels


@pytest.mark.slow("the toolkit runs two trackers in processes of their own")
def test_the_better_tracker_has_the_higher_eao_and_runs_once(clips, tmp_path):
    good, stiff = tiny.write_network(tmp_path), write_blind(tmp_path / "blind")
    first = vot.eao([stiff, good], clips, tmp_path / "vot")
    assert first[0] < first[1]
    results = sorted((tmp_path / "vot").rglob("*_001.bin"))
    before = [path.stat().st_mtime_ns for path in results]
    assert before and vot.eao([stiff, good], clips, tmp_path / "vot") == first
    assert [path.stat().st_mtime_ns for path in results] == before


def test_a_clip_without_its_target_is_left_out(clips, tmp_path):
    toml = tiny.write_network(tmp_path)
    clips[0].boxes[5] = np.nan
    vot.eao([toml], clips, tmp_path / "vot")
    (names,) = (path.read_text().split() for path in (tmp_path / "vot").rglob("list.txt"))
    assert names == ["c1", "c2"]
    for clip in clips:
        clip.boxes[5] = np.nan
    with pytest.raises(BadRun, match="absent"):
        vot.eao([toml], clips, tmp_path / "vot")


def test_a_tracker_that_ends_is_said_with_the_command(clips, tmp_path):
    toml = tiny.write_network(tmp_path)
    toml.write_text(toml.read_text().replace("family", "famly", 1))
    with pytest.raises(BadRun, match="logs"):
        vot.eao([toml], clips, tmp_path / "vot")
