"""A video is encoded in its own thread: recordings lose no frame, errors and drops are reported."""

import threading
import time

import numpy as np
import pytest

from runtime.errors import BadOutput
from runtime.video.save import WAITING_FRAMES, BackgroundVideo, Video
from tests.runtime.video.test_save import ticks
from tests.support.streams import scene


class Slow:
    """A video whose encoder waits for ``go``, and may fail at a frame."""

    def __init__(self, fails_at=None):
        self.go, self.frames, self.closed, self.fails_at = threading.Event(), [], 0, fails_at

    def write(self, frame, time_s=None):
        self.go.wait(20)
        if len(self.frames) == self.fails_at:
            raise BadOutput("the disk is full")
        self.frames.append(int(frame[0, 0, 0]))

    def close(self):
        self.closed += 1


def frame(index):
    return np.full((4, 4, 3), index, np.uint8)


def test_every_frame_of_a_recording_is_saved_in_order(tmp_path):
    pytest.importorskip("av")
    path, times = str(tmp_path / "a.mp4"), []
    video = BackgroundVideo(Video(path, 25), False, times.append)
    for tick in range(40):
        video.write(scene.picture_at(tick))
    video.close()
    video.close()
    assert ticks(path) == list(range(40))
    assert len(times) == 40 and video.dropped == 0 and min(times) > 0


def test_the_loop_of_a_live_source_never_waits_and_drops_are_counted():
    slow = Slow()
    video = BackgroundVideo(slow, True, lambda ms: None)
    started = time.monotonic()
    for index in range(50):
        video.write(frame(index))
    assert time.monotonic() - started < 5
    assert 50 - WAITING_FRAMES - 1 <= video.dropped <= 50 - WAITING_FRAMES
    slow.go.set()
    video.close()
    assert len(slow.frames) == 50 - video.dropped and slow.frames == sorted(slow.frames)


def test_an_error_of_the_encoder_reaches_the_loop_and_the_file_is_closed():
    slow = Slow(fails_at=2)
    slow.go.set()
    video = BackgroundVideo(slow, False, lambda ms: None)
    with pytest.raises(BadOutput, match="the disk is full"):
        for index in range(100):
            video.write(frame(index))
            time.sleep(0.005)
    with pytest.raises(BadOutput, match="the disk is full"):
        video.close()
    assert slow.frames == [0, 1] and slow.closed == 1


def test_an_error_at_the_last_frame_is_raised_by_close():
    slow = Slow(fails_at=0)
    video = BackgroundVideo(slow, False, lambda ms: None)
    video.write(frame(0))
    slow.go.set()
    with pytest.raises(BadOutput, match="the disk is full"):
        video.close()
    assert slow.closed == 1
