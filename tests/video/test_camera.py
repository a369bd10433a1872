"""A V4L2 camera, emulated by a C library that is preloaded into a process of its own."""

import json
import sys

import numpy as np
import pytest

from hotpath.video.sources import camera_of
from tests.support import ROOT, run
from tests.support.streams import camera, scene
from tests.support.streams.camera import FakeCamera
from tests.support.streams.watch import Watcher

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux's"),
    pytest.mark.skipif(camera.compiler() is None, reason="no C compiler"),
]

IMPORTS = """
import json, time
import cv2
import numpy as np
from hotpath.runtime.errors import NoCamera
from hotpath.runtime.frames.pictures import Picture, bgr_of
from hotpath.video import raw
from hotpath.video.cameras import V4l2Camera
from hotpath.video.sources import open_source
from tests.support.streams import scene

def opened(size=None):
    capture = V4l2Camera("/dev/video7", planes=True, size=size).open()
    assert isinstance(capture, raw.RawCapture), capture
    return capture

def value(frame):
    luma = frame.planes.planes[0]
    assert (luma == luma[0, 0]).all()  # of one moment
    return int(luma[0, 0])
"""


def told(fake, code):
    """What code prints that sees the camera."""
    environment = fake.environment()
    done = run([sys.executable, "-c", IMPORTS + code], cwd=str(ROOT), env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def numbered(tmp_path):
    """A camera whose pictures are grey; every one has its number as its only value."""
    pictures = [np.full((48, 64, 3), number, np.uint8) for number in range(40, 80)]
    return FakeCamera(tmp_path, pictures, kind="GREY")


@pytest.mark.parametrize(
    "spec, broken, planes",
    [("cam7", "unplug", False), ("cam7", "unplug", True), ("/dev/video7", "freeze", False)],
)
def test_a_camera_that_is_unplugged_or_hangs_goes_on_afterwards(tmp_path, spec, broken, planes):
    fake = FakeCamera(tmp_path, [scene.picture_at(0)] * 2)
    environment = dict(fake.environment(), OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT="1")
    with Watcher(spec, environment, planes) as watcher:
        watcher.wait_for("open")
        getattr(fake, broken)()
        watcher.wait_for("no frames after frame")
        fake.plug()
        watcher.wait_for("back at frame")
        end = watcher.interrupt()
    assert end["exit_code"] == 0 and end["exit_s"] < 15.0
    assert len(end["gaps"]) == 1 and 1.0 < end["gaps"][0][1] < 60.0
    assert end["waits"] > 1, "a read waits for the loss"
    assert end["shape"] == [scene.HEIGHT, scene.WIDTH, 3]


def test_a_camera_is_found_again_by_its_link_under_another_number(tmp_path, numbered):
    (tmp_path / "front").symlink_to("/dev/video6")
    code = f"""
import os
from hotpath.video.sources import check_camera, is_recorded
link = {str(tmp_path / "front")!r}
for spec in (link, link + "@64x48"):
    assert not is_recorded(spec)
    try:
        check_camera(spec)
    except NoCamera as error:
        print(error)
camera = V4l2Camera(link)
os.unlink(link)
os.symlink("/dev/video7", link)
assert camera.open().read()[0]
with open_source(link + "@64x48") as source:
    assert source.read(20.0).shape == (48, 64, 3) and source.name == link
"""
    lines = told(numbered, code).splitlines()
    assert len(lines) == 2 and all("front: no camera at /dev/video6" in line for line in lines)


@pytest.mark.parametrize(
    "spec, names",
    [
        ("cam0", True),
        ("cam0@640x480", True),
        ("/dev/v4l/by-id/usb-046d_C920-video-index0", True),
        ("/dev/v4l/by-path/platform-3610000.usb-usb-0:2.1:1.0-video-index0@640x480", True),
        ("/dev/front", True),  # a link of udev, unplugged
        ("/dev/null", False),
        ("/dev/shm/film.mp4", False),
        ("film\0.mp4", False),
        ("rtsp://user@10.0.0.9/live@640x480", False),
        ("front", False),
    ],
)
def test_a_device_or_a_link_to_it_names_a_camera(spec, names):
    assert bool(camera_of(spec)) == names


@pytest.mark.parametrize("kind", ["YUYV", "UYVY", "GREY", "MJPG", "BGR3"])
@pytest.mark.parametrize("planes", [False, True], ids=["converted", "raw"])
def test_the_pictures_arrive_as_the_camera_shows_them(tmp_path, kind, planes):
    fake = FakeCamera(tmp_path, [scene.picture_at(tick) for tick in range(4)], kind=kind)
    code = f"""
with open_source('cam7', planes={planes}) as source:
    frame = source.read(20.0)
    assert isinstance(frame, Picture) == ({planes} and {kind!r} != 'BGR3')
    assert source.fps == 30 and source.name == 'cam7', (source.fps, source.name)
    assert source.captured_at == 'camera'
truth = scene.picture_at(scene.tick_of(frame))
if {kind!r} == 'GREY':
    truth = cv2.cvtColor(cv2.cvtColor(truth, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
print(cv2.absdiff(bgr_of(frame), truth).mean())
"""
    assert float(told(fake, code)) < 4.0  # grey levels; colour has half the resolution


def test_held_frames_keep_their_pixels(numbered):
    code = """
capture, places = opened(), set()
for _ in range(20):
    frame = capture.read()[1]
    places.add(frame.planes.planes[0].ctypes.data)
assert len(places) <= raw.MOST_BUFFERS, len(places)
assert 0 <= time.monotonic() * 1e3 - capture.get(cv2.CAP_PROP_POS_MSEC) < 10000
assert capture.get(cv2.CAP_PROP_FPS) == 30.0
frames = [capture.read()[1] for _ in range(14)]  # more than are kept
values = [value(frame) for frame in frames]
assert all((b - a) % 40 >= 1 for a, b in zip(values, values[1:])), values
assert len({frame.planes.planes[0].ctypes.data for frame in frames}) == 14
capture.release()
assert values == [value(frame) for frame in frames]
assert opened().read()[0]  # the device was closed although frames are left
"""
    told(numbered, code)


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
    told(FakeCamera(tmp_path, pictures, kind="MJPG", damage=damage), code)


def test_a_size_that_the_camera_does_not_have_is_one_sentence(numbered):
    code = """
opened((64, 48)).release()
for planes in (True, False):
    with open_source("cam7@64x48", planes=planes) as source:
        assert source.read(20.0).shape == (48, 64, 3)
    try:
        open_source("cam7@640x480", planes=planes)
    except NoCamera as error:
        print(error)
"""
    lines = told(numbered, code).splitlines()
    assert len(lines) == 2 and len(set(lines)) == 1
    assert lines[0].startswith("cam7: gives frames of 64x48 where 640x480 are asked for; ask for")


def test_a_cameras_frames_carry_the_drivers_time(numbered):
    code = """
told = []
with open_source('cam7') as source:
    while len(told) < 12:
        if hasattr(source.read(1.0), 'shape'):
            ages = source.arrived_s - source.captured_s, time.monotonic() - source.captured_s
            told.append([*ages, source.decode_ms, source.time_s])
print(json.dumps(told))
"""
    off = []  # steps of the camera's own clock, from whole frames; a busy computer holds it up
    while len(off) < 5 and not (off and off[-1] < 0.2):
        ages, late, decode, times = zip(*json.loads(told(numbered, code)))
        assert 0 < np.median(ages) <= np.median(late) < 5.0  # not the arrival itself
        assert min(decode) >= 0 and times == tuple(sorted(times))
        steps = np.diff(times) * 30
        off.append(np.median(np.abs(steps - np.round(steps))))
    assert off[-1] < 0.2, off
