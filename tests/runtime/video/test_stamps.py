"""Capture times: from a driver's stamp, from a sender's clock, or the arrival where neither is."""

import json
import subprocess
import sys

import numpy as np
import pytest

from runtime.video import cameras
from runtime.video.cameras import Camera, CaptureClock, Stream
from tests.support.streams import camera
from tests.support.streams.process import ROOT


def test_a_driver_s_stamp_is_the_capture_time():
    assert CaptureClock(cameras.MONOTONIC).captured_s(99.95e3, 100.0) == pytest.approx(99.95)


@pytest.mark.parametrize("stamp_ms", [0.0, -1.0, np.nan, np.inf, 100.5e3, 97.0e3, 1.7e12])
def test_a_stamp_that_cannot_be_leaves_the_arrival(stamp_ms):
    assert CaptureClock(cameras.MONOTONIC).captured_s(stamp_ms, 100.0) == 100.0
    assert CaptureClock(cameras.NONE).captured_s(99.95e3, 100.0) == 100.0


def test_a_sender_s_frames_are_as_late_as_they_are_behind_the_fastest_one():
    clock, random = CaptureClock(cameras.SENDER), np.random.RandomState(3)
    late_s = random.uniform(0.0, 0.08, 300)
    late_s[20] = 0.0
    told = []
    for number, late in enumerate(late_s):
        sent_s = 1.0 + number / 30.0
        arrived_s = 5000.0 + sent_s + 0.04 + late
        told.append(arrived_s - clock.captured_s(sent_s * 1e3, arrived_s))
    assert np.allclose(told[20:150], late_s[20:150])
    assert min(told) >= 0.0 and max(told) <= 0.08


def test_a_sender_that_starts_again_is_followed():
    clock = CaptureClock(cameras.SENDER)
    for number in range(50):
        clock.captured_s(60e3 + number * 33.0, 100.0 + number * 0.033)
    assert clock.captured_s(33.0, 103.0) == 103.0
    assert 103.05 - clock.captured_s(66.0, 103.05) == pytest.approx(0.017, abs=1e-6)


def test_which_sources_have_stamps():
    assert Camera(0).stamps == cameras.MONOTONIC
    assert Stream("RTSP://host/x").stamps == cameras.SENDER
    assert Stream("http://host/x").stamps == cameras.NONE  # a frame rate may have made them up


@pytest.mark.skipif(camera.compiler() is None, reason="no C compiler")
def test_a_camera_s_frames_carry_the_time_at_which_the_driver_took_them(tmp_path):
    code = (
        "import json, time\n"
        "from runtime.video.sources import open_source\n"
        "ages, late, decode, times = [], [], [], []\n"
        "with open_source('cam7') as source:\n"
        "    while len(ages) < 12:\n"
        "        frame = source.read(1.0)\n"
        "        if frame is not None and frame is not False and hasattr(frame, 'shape'):\n"
        "            ages.append(source.arrived_s - source.captured_s)\n"
        "            late.append(time.monotonic() - source.captured_s)\n"
        "            decode.append(source.decode_ms)\n"
        "            times.append(source.time_s)\n"
        "print(json.dumps([ages, late, decode, times]))\n"
    )
    environment = camera.FakeCamera(tmp_path, [np.zeros((48, 64, 3), np.uint8)]).environment()
    off = []  # steps of the camera's own clock, from whole frames; a busy computer holds it up
    while len(off) < 5 and not (off and off[-1] < 0.2):
        out = subprocess.check_output([sys.executable, "-c", code], cwd=str(ROOT), env=environment)
        ages, late, decode, times = json.loads(out.decode("utf-8"))
        assert 0 < np.median(ages) <= np.median(late) < 0.5  # not the arrival itself
        assert min(decode) >= 0 and times == sorted(times)
        steps = np.diff(times) * 30
        off.append(np.median(np.abs(steps - np.round(steps))))
    assert off[-1] < 0.2, off
