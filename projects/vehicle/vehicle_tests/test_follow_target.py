"""The example of docs/mavlink.md makes FOLLOW_TARGET of the target's position."""

import contextlib
import os
import subprocess
import sys

import pytest

pytest.importorskip("pymavlink")
os.environ.setdefault("MAVLINK20", "1")
from pymavlink import mavutil

from tests.support import ROOT
from tests.support.ports import free_port

EXAMPLE = ROOT / "docs" / "examples" / "follow_target.py"
NAN = float("nan")


def status(mav, state, lat):
    unknown = [NAN] * 6
    mav.camera_tracking_geo_status_send(
        state, lat, 85000000, 12.5, 5, 5, *unknown[:4], 40, NAN, NAN
    )


def test_a_position_is_a_follow_target_and_a_loss_is_not_sent():
    port = free_port()
    words = [sys.executable, str(EXAMPLE), f"udpin:127.0.0.1:{port}"]
    with subprocess.Popen(words) as program, contextlib.ExitStack() as stack:
        stack.callback(program.kill)
        link = mavutil.mavlink_connection(
            f"udpout:127.0.0.1:{port}", source_system=1, source_component=100, dialect="common"
        )
        stack.callback(link.close)
        asked = None
        for _ in range(300):
            link.mav.heartbeat_send(30, 8, 0, 0, 4)
            asked = link.recv_match(type="COMMAND_LONG", blocking=True, timeout=0.2)
            if asked:
                break
        assert (asked.command, asked.param1, asked.target_component) == (511, 276, 100)
        status(link.mav, 2, 470000000)  # lost
        status(link.mav, 1, 471000000)
        told = link.recv_match(type="FOLLOW_TARGET", blocking=True, timeout=60)
        assert (told.lat, told.lon, told.alt) == (471000000, 85000000, 12.5)
        assert told.est_capabilities == 1 and told.get_srcSystem() == 200
