"""Frames in a camera's own buffers: they keep their pixels as long as somebody uses them."""

import subprocess
import sys

import numpy as np
import pytest

from tests.support.streams import camera, scene
from tests.support.streams.camera import FakeCamera
from tests.support.streams.process import ROOT

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux's"),
    pytest.mark.skipif(camera.compiler() is None, reason="no C compiler"),
]

OPEN = """
import os, sys, time
import numpy as np
from runtime.video import v4l2
from runtime.video.cameras import Camera

def opened(size=None):
    capture = Camera(7, planes=True, size=size).open()
    assert isinstance(capture, v4l2.V4l2Capture), capture
    return capture

def value(frame):
    luma = frame.planes.planes[0]
    assert (luma == luma[0, 0]).all()  # of one moment
    return int(luma[0, 0])
"""


def run(fake, code):
    """Run code that sees the camera; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN + code],
        cwd=str(ROOT),
        env=fake.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


@pytest.fixture
def numbered(tmp_path):
    """A camera whose pictures are grey; every one has its number as its only value."""
    pictures = [np.full((48, 64, 3), number, np.uint8) for number in range(40, 80)]
    return FakeCamera(tmp_path, pictures, kind="GREY")


def test_frames_that_are_held_keep_their_pixels(numbered):
    code = """
capture = opened()
frames = [capture.read()[1] for _ in range(14)]  # more than there are buffers
values = [value(frame) for frame in frames]
assert all((b - a) % 40 >= 1 for a, b in zip(values, values[1:])), values
places = [frame.planes.planes[0].ctypes.data for frame in frames]
assert len(set(places)) == 14
capture.release()
assert values == [value(frame) for frame in frames]
capture = opened()  # the device was closed although frames are left
assert capture.read()[0]
del frames
assert capture.read()[0]
"""
    run(numbered, code)


def test_frames_lie_in_the_buffers_of_the_driver(numbered):
    code = """
capture, places, frame = opened(), set(), None
for _ in range(20):
    frame = capture.read()[1]
    places.add(frame.planes.planes[0].ctypes.data)
assert len(places) <= v4l2.BUFFERS, len(places)
now_ms = time.monotonic() * 1e3
assert 0 <= now_ms - capture.get(v4l2.cv2.CAP_PROP_POS_MSEC) < 1000
print(capture.get(v4l2.cv2.CAP_PROP_FPS))
"""
    assert run(numbered, code) == "30.0"


def test_a_damaged_frame_is_skipped(tmp_path):
    def damage(number, data):
        return data[: len(data) // 2] if number % 2 else data

    pictures = [scene.picture_at(tick) for tick in range(6)]
    code = """
capture = opened()
for _ in range(8):
    good, frame = capture.read()
    assert good and frame.shape == (240, 320, 3)
    frame.part((0, 0, 100, 100), 1.0)
"""
    run(FakeCamera(tmp_path, pictures, kind="MJPG", damage=damage), code)


def test_a_size_that_the_camera_does_not_have_is_one_sentence(numbered):
    code = """
from runtime.errors import NoCamera
from runtime.video.sources import open_source
opened((64, 48)).release()
for planes in (True, False):
    with open_source("cam7@64x48", planes=planes) as source:
        assert source.read(5.0).shape == (48, 64, 3)
    try:
        open_source("cam7@640x480", planes=planes)
    except NoCamera as error:
        print(error)
"""
    lines = run(numbered, code).splitlines()
    lines = [line for line in lines if "cam7" in line]
    assert len(lines) == 2 and len(set(lines)) == 1
    assert lines[0].startswith("cam7: gives frames of 64x48 where 640x480 are asked for; ask for")
