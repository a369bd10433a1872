"""A V4L2 camera that is unplugged, plugged in again and hangs, seen by the real OpenCV.

The camera is a C library preloaded into a process of its own; its plug is a file.
"""

import subprocess
import sys

import pytest

from tests.support.streams import camera, scene
from tests.support.streams.camera import FakeCamera
from tests.support.streams.process import ROOT
from tests.support.streams.watch import Watcher

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux's"),
    pytest.mark.skipif(camera.compiler() is None, reason="no C compiler"),
]


@pytest.fixture
def fake(tmp_path):
    """A plugged-in camera 7; OpenCV gives up on a hanging camera after a second."""
    made = FakeCamera(tmp_path, [scene.picture_at(0)] * 2)
    made.env = dict(made.environment(), OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT="1")
    return made


@pytest.mark.parametrize(
    "spec, broken, planes",
    [("cam7", "unplug", False), ("cam7", "unplug", True), ("/dev/video7", "freeze", False)],
)
def test_a_camera_that_is_unplugged_or_hangs_goes_on_afterwards(fake, spec, broken, planes):
    with Watcher(spec, fake.env, planes) as watcher:
        watcher.wait_for("open")
        getattr(fake, broken)()
        watcher.wait_for("lost after frame")
        fake.plug()
        watcher.wait_for("back at frame")
        end = watcher.interrupt()
    assert end["exit_code"] == 0 and end["exit_s"] < 4.0
    assert len(end["gaps"]) == 1 and 1.0 < end["gaps"][0][1] < 12.0
    assert end["longest_read_s"] < 0.5 + 0.5
    assert end["shape"] == [scene.HEIGHT, scene.WIDTH, 3]


@pytest.mark.parametrize("kind", ["YUYV", "UYVY", "GREY", "MJPG", "BGR3"])
@pytest.mark.parametrize("planes", [False, True], ids=["converted", "raw"])
def test_the_pictures_arrive_as_the_camera_shows_them(tmp_path, kind, planes):
    pictures = [scene.picture_at(tick) for tick in range(4)]
    fake = FakeCamera(tmp_path, pictures, kind=kind)
    code = (
        "import sys, cv2\n"
        "from runtime.pictures import Picture, bgr_of\n"
        "from runtime.video.sources import open_source\n"
        "from tests.support.streams import scene\n"
        f"with open_source('cam7', planes={planes}) as source:\n"
        "    frame = source.read(5.0)\n"
        f"    assert isinstance(frame, Picture) == ({planes} and {kind!r} != 'BGR3')\n"
        "    assert source.fps == 30 and source.name == 'cam7', (source.fps, source.name)\n"
        "truth = scene.picture_at(scene.tick_of(frame))\n"
        f"if {kind!r} == 'GREY':\n"
        "    truth = cv2.cvtColor(cv2.cvtColor(truth, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)\n"
        "print(cv2.absdiff(bgr_of(frame), truth).mean())\n"
    )
    out = subprocess.check_output(
        [sys.executable, "-c", code], cwd=str(ROOT), env=fake.environment()
    )
    assert float(out.decode("utf-8")) < 4.0  # grey levels; colour has half the resolution
