"""The profile of the whole program: every step with its thread."""

import itertools

import pytest

from hotpath.app.cli.profile import Profile
from hotpath.app.cli.summary import Summary, lines_of
from hotpath.video.base import Source
from tests.app.cli.test_summary import ENGINE

STEP_MS = {"crop": 1.0, "network": 2.0, "select": 0.5}


def profiled(seconds, wait_ms=1.0, total_ms=4.0, frames=50, **notes):
    """A profile of a run of that duration; notes are (milliseconds a frame, thread)."""
    first_s = (wait_ms + total_ms) / 1e3
    profile = Profile(itertools.count(0, (seconds - first_s) / max(1, frames - 1)).__next__)
    for _ in range(frames):
        profile.add(wait_ms, STEP_MS, total_ms)
        for step, (ms, thread) in notes.items():
            profile.note(step, ms, thread)
    return profile


def test_frames_a_second_are_those_of_wall_time_without_pauses():
    profile = profiled(2.0)
    assert profile.fps() == pytest.approx(25.0) and profile.frames == 50
    assert profile.recent_fps() == pytest.approx(25.0, rel=0.03)
    times = iter([0.0, 0.1, 60.1, 60.2])  # a minute's pause
    profile = Profile(times.__next__)
    assert profile.fps() is None and profile.recent_fps() is None
    for _ in range(4):
        profile.add(60.0, STEP_MS, 40.0)
    assert profile.fps() == profile.recent_fps() == pytest.approx(10.0)
    slow = iter([0.0, 3.0])  # which is work, and no pause
    profile = Profile(slow.__next__)
    for _ in range(2):
        profile.add(0.0, STEP_MS, 3000.0)
    assert profile.fps() == pytest.approx(1 / 3)


def test_every_step_stands_in_the_table_with_its_thread():
    profile = profiled(1, drawing=(3.0, "loop"), encoding=(9.0, "encoder"), latency=(40.0, ""))
    rows = {line.split()[0]: line.split() for line in profile.table().splitlines()}
    assert rows["drawing"][1:] == ["3.000", "3.000", "3.000", "loop"]
    assert rows["encoding"][1:] == ["9.000", "9.000", "9.000", "encoder"]
    assert rows["latency"][1:] == ["40.000", "40.000", "40.000"]
    assert rows["decode"][1] == "1.000" and rows["tracking"][4] == "loop"
    assert "wait" in profile.table(live=True) and "decode" not in profile.table(live=True)


def test_a_frame_without_a_target_changes_no_time_of_tracking():
    profile, nothing = Profile(), dict.fromkeys(STEP_MS, 0.0)
    for tracked in (False, True, False):
        profile.add(1.0, STEP_MS if tracked else nothing, 4.0 * tracked, tracked)
    assert profile.frames == 3 and profile.figures("total")["median"] == 4.0
    assert profile.figures("network")["median"] == profile.recent_ms()["network"] == 2.0
    empty = Profile()
    empty.add(1.0, nothing, 0.0, False)
    assert "decode" in empty.table() and "tracking" not in empty.table()
    assert empty.recent_ms() == {}
    lines = lines_of(Summary("tiny", ENGINE, empty, print).figures(Source("clip"), [], []), False)
    assert lines[-1] == "no target was tracked"


def test_the_page_may_ask_while_a_frame_is_added():
    for frames in (0, 1, 3):
        profile = profiled(1, frames=frames)
        profile.frames += 1
        profile._ms["crop"].append(9.0)  # the other steps follow
        found = profile.recent_ms()
        assert found.pop("crop", 1.0) in (1.0, 9.0)
        others = {"wait": 1.0, "network": 2.0, "select": 0.5, "total": 4.0}
        assert found == (others if frames else {})


def test_the_latency_is_of_the_last_frames():
    profile = Profile()
    assert profile.figures("latency") == {}
    for ms in (100.0, 10.0, 20.0, 30.0):
        profile.note("latency", ms, "")
    assert profile.figures("latency", 3)["median"] == 20.0
    assert profile.figures("latency")["median"] == 25.0
    assert profile.figures("latency")["p99"] > 90.0
