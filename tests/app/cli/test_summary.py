"""What is said of a run that went wrong without an error."""

import numpy as np
import pytest

from hotpath.app.cli.profile import Profile
from hotpath.app.cli.summary import Summary, lines_of
from hotpath.runtime.types import Box, Track
from hotpath.video.base import Source, TrackedFrame

ENGINE = {"engine": "onnxruntime", "version": "1.10", "precision": "fp32"}


def frame(index, tracks):
    return TrackedFrame(np.zeros((120, 160, 3), np.uint8), index, None, tracks)


@pytest.mark.parametrize(
    "box, lost, told",
    [
        ((-30, 40, 60, 20), False, True),  # its centre sticks to the edge
        ((200, 40, 20, 20), False, True),
        ((200, 40, 20, 20), True, False),  # the state says so already
        ((-29, 40, 60, 20), False, False),
    ],
)
def test_a_target_that_left_the_picture_for_good_is_said_once(box, lost, told):
    messages = []
    summary = Summary("tiny", ENGINE, Profile(), messages.append)
    for index in range(5, 100):
        track = Track(Box(*box) if index > 9 else Box(10, 10, 20, 20), 0.9, lost)
        summary.write(frame(index, {3: track}))
    assert len(messages) == told
    assert not told or ("target 3: " in messages[0] and "since frame 10" in messages[0])
    (target,) = summary.figures(Source("clip"), [], [])["targets"]
    assert target["outside_since"] == (10 if told else None)


def test_a_run_of_one_frame_and_one_gap_is_told_so():
    source = Source("cam0")
    source.gaps = [(1, 2.5)]
    source.dropped = 1
    summary = Summary("tiny", ENGINE, Profile(), print)
    summary.write(frame(0, {}))
    lines = lines_of(summary.figures(source, [], []), live=True)
    assert lines[0].startswith("tiny: 1 frame of cam0 on onnxruntime")
    assert "1 frame dropped" in lines[-1] and "2.5 s" in lines[-1]


def test_damaged_and_skipped_frames_are_counted_at_the_end():
    source = Source("clip.mp4")
    figures = Summary("tiny", ENGINE, Profile(), print).figures(source, [], [])
    assert not any("damaged" in line for line in lines_of(figures, False))
    source.errors, source.skipped = 62, 3
    figures = Summary("tiny", ENGINE, Profile(), print).figures(source, [], [])
    assert "62 of 0 frames damaged, 3 more skipped" in lines_of(figures, False)[-1]


def test_frames_without_a_target_are_counted():
    summary = Summary("tiny", ENGINE, Profile(), print)
    for index in range(5):
        tracks = {0: Track(Box(1, 1, 9, 9), 0.9)} if index > 2 else {}
        summary.write(frame(index, tracks))
    figures = summary.figures(Source("clip"), [], [])
    assert figures["frames_without_target"] == 3
    assert "frames without a target: 3" in lines_of(figures, False)
    summary.write_late(frame(2, {0: Track(Box(1, 1, 9, 9), 0.9)}))  # drawn on an earlier frame
    assert summary.figures(Source("clip"), [], [])["frames_without_target"] == 2


def test_losses_are_counted_over_all_targets():
    summary = Summary("tiny", ENGINE, Profile(), print)
    assert not any("lost" in line for line in lines_of(summary.figures(Source("a"), [], []), False))
    for index, lost in enumerate(((), (1,), (1, 2), (2,), (), (1,))):
        words = {n: "lost" if n in lost else "unsure" if index == 4 else "tracked" for n in (1, 2)}
        back = {1: index == 3}  # the first tracked frame after a loss
        tracks = {
            n: Track(Box(1, 1, 9, 9), 0.9, n in lost, words[n], found=back.get(n, False))
            for n in (1, 2)
        }
        summary.write(frame(index, tracks))
    figures = summary.figures(Source("clip"), [], [])
    assert figures["times_lost"] == 3
    assert figures["frames_of"] == {"tracked": 5, "unsure": 2, "lost": 5}
    assert "frames: 5 tracked, 2 unsure, 5 lost; lost 3 times, re-acquired 1 time" in lines_of(
        figures, False
    )


def test_a_candidate_that_is_given_up_is_no_further_loss():
    summary = Summary("tiny", ENGINE, Profile(), print)
    for index, word in enumerate(("tracked", "lost", "unsure", "lost", "tracked", "lost")):
        track = Track(Box(1, 1, 9, 9), 0.9, word == "lost", word, found=index == 4)
        summary.write(frame(index, {0: track}))
    assert summary.figures(Source("clip"), [], [])["times_lost"] == 2


def test_a_stream_s_latency_is_said_to_begin_at_its_arrival():
    profile = Profile()
    profile.add(1.0, dict(crop=1.0, network=1.0, select=1.0), 4.0)
    profile.note("latency", 20.0, "")
    summary = Summary("tiny", ENGINE, profile, print)
    lines = lines_of(summary.figures(Source("rtsp://h/x"), [], []), True)
    assert any(line.startswith("arrival to box: 20.0 ms") for line in lines)
