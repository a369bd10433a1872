"""Requests of the link reach the frame loop, whatever the loop has done so far."""

import numpy as np
import pytest

pytest.importorskip("pymavlink")

from runtime.mavlink.camera import GIVE_UP_S
from runtime.mavlink.loop import ANSWER_S, POINT_S, Loop
from runtime.page.control import Controller, Refused
from tests.support.mavlink_run import HandTurnedRun, Stop


@pytest.fixture
def controller():
    """Of a run that has not tracked a frame yet."""
    run = HandTurnedRun([np.zeros((120, 160, 3), np.uint8)])
    yield Controller(
        run.targets,
        run.controller.source,
        Stop(),
        write_row=lambda *row: None,
        recent_ms=dict,
        columns=("frame",),
        can_record=False,
    )
    run.close()


def test_requests_before_the_first_frame_are_refused_and_end_nothing(controller, tmp_path):
    loop = Loop(controller, str(tmp_path))
    asked = [loop.stop(), loop.capture(), loop.start_box((10.0, 10.0, 20.0, 20.0), 0.0)]
    controller.next_frame_is_due()
    for future in asked:
        with pytest.raises(Refused, match="no frame was tracked yet"):
            future.result(5)  # a thread of its own waits for the picture's frame


def test_a_command_fails_only_after_the_loop_has_stopped_waiting():
    """Else a target would start after its command was answered with FAILED."""
    assert GIVE_UP_S > POINT_S + ANSWER_S
