"""The end of a recording: the run ends, or stays for who watches and is played again."""

from types import SimpleNamespace
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from runtime.links.control import Controller, Refused
from runtime.types import Box, Track, TrackedFrame


@pytest.fixture
def control():
    source = Mock(live=False, period_s=0.0)
    stop = SimpleNamespace(requested=False)
    made = Controller(MagicMock(), source, stop, Mock(), dict, ["x"], True)
    tracks = {3: Track(Box(1, 2, 3, 4), 0.5)}
    made.publish(TrackedFrame(np.zeros((8, 8, 3), np.uint8), 7, None, tracks))
    return made


def test_a_run_that_nobody_watches_ends_with_its_recording(control):
    assert not control.finish()
    control.is_watched = lambda: True
    control.source.live = True
    assert not control.finish()


def test_a_run_stays_until_the_last_one_who_watches_has_left(control):
    watched = [True]
    control.is_watched = lambda: bool(watched)
    assert control.finish() and not control.next_frame_is_due()
    assert not control.recording and not control.can_record
    watched.clear()
    assert control.next_frame_is_due()


def test_a_recording_goes_to_another_place_and_waits_there(control):
    control.source.frames = 50
    with pytest.raises(Refused, match="the last frame is 49"):
        control.seek(50)
    control.seek(12)
    control.source.seek.assert_called_once_with(12)
    control.targets.drop.assert_called_once_with(3)
    assert control.next_frame_is_due()
    control.publish(TrackedFrame(np.zeros((8, 8, 3), np.uint8), 12, None, {}))
    assert control.paused and not control.next_frame_is_due()
    control.source.live = True
    with pytest.raises(Refused, match="a live source"):
        control.seek(0)


def test_a_recording_is_played_again_without_its_targets_where_it_can_be(control):
    control.is_watched = lambda: True
    control.finish()
    control.source.seek.return_value = False
    control.source.frames = None
    with pytest.raises(Refused, match="start a new run"):
        control.pause(False)
    control.source.seek.return_value = True
    control.pause(False)
    control.source.seek.assert_called_with(7)  # where the run began
    control.targets.drop.assert_called_once_with(3)
    assert control.newest.tracks == {} and control.buffer.since(7) == []
    assert not control.paused and control.next_frame_is_due()
