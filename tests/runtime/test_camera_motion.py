"""The camera's own motion between two frames, and what it does for the next window."""

import cv2
import numpy as np
import pytest

from runtime import load_targets, load_tracker
from runtime.camera_motion import Ahead, CameraMotion
from runtime.pictures import JpegFrame, PlanarFrame
from tests.support import tiny
from tests.support.pictures_in_planes import planes_of


def scene(width=1280, height=720, seed=0):
    """Blurred noise with structure of several sizes."""
    random, picture = np.random.default_rng(seed), np.zeros((height, width, 3))
    for cell in (8, 24, 64):
        noise = random.uniform(0, 255, (height // cell + 2, width // cell + 2, 3))
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / 3
    return picture.clip(0, 255).astype(np.uint8)


def turned(degrees, scale, x, y, centre=(640, 360)):
    motion = cv2.getRotationMatrix2D(centre, degrees, scale)
    motion[:, 2] += x, y
    return motion


def seen_by(picture, motion):
    return cv2.warpAffine(picture, motion, picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT)


def error_px(found, motion):
    """The largest distance in the inner part of a picture, frame pixels."""
    places = np.array([[x, y, 1] for x in (200, 640, 1080) for y in (100, 360, 620)]).T
    return np.hypot(*((found - motion) @ places)).max()


MOTIONS = [
    turned(0, 1, 0, 0),
    turned(0, 1, 61.5, -33),
    turned(3, 1, 10, 20),
    turned(-1, 1.04, 0, 9),
]


@pytest.mark.parametrize("motion", MOTIONS)
def test_shifts_turns_and_zoom_are_found_within_a_pixel_and_the_same_each_time(motion):
    before = scene()
    after, found = seen_by(before, motion), []
    for _ in range(2):
        camera = CameraMotion()
        camera.begin(before)
        found.append(camera.between(after))
    assert error_px(found[0], motion) < 1.0
    assert np.array_equal(*found)


def test_what_moves_by_itself_does_not_count():
    before, motion = scene(), turned(0, 1, 24, 8)
    after, object_ = seen_by(before, motion), scene(seed=1)
    for picture, x in ((before, 500), (after, 460)):  # a quarter of the picture, against the camera
        picture[180:540, x : x + 640] = object_[:360, :640]
    camera = CameraMotion()
    camera.begin(before)
    assert error_px(camera.between(after), motion) < 1.0


KINDS = {
    "NV12": lambda frame: PlanarFrame(planes_of(frame, "NV12")),
    "BGRx": lambda frame: PlanarFrame(planes_of(frame, "BGRx")),
    "JPEG": lambda frame: JpegFrame(cv2.imencode(".jpg", frame)[1].ravel()),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_frames_of_every_kind_are_compared(kind):
    before, motion = scene(), turned(0, 1, 40, -16)
    camera = CameraMotion()
    camera.begin(kind(before))
    assert error_px(camera.between(kind(seen_by(before, motion))), motion) < 2.0


def test_nothing_is_claimed_of_a_cut_a_flat_picture_and_another_size():
    camera = CameraMotion()
    assert camera.between(scene()) is None  # the first frame
    assert camera.between(scene(seed=5)) is None
    assert camera.between(np.full((720, 1280, 3), 90, np.uint8)) is None
    assert camera.between(scene()) is None
    assert camera.between(scene(640, 360)) is None
    assert camera.between(np.zeros((1, 1, 3), np.uint8)) is None


def film(jump):
    """A white rectangle that stands in a scene which the camera leaves by jumps."""
    picture = scene(640, 480) // 4
    picture[100:110, 150:164] = 255
    return [seen_by(picture, turned(0, 1, jump * (index % 2), 0, (0, 0))) for index in range(6)]


@pytest.mark.parametrize("load", (load_tracker, load_targets))
def test_the_next_window_goes_with_the_camera(tmp_path, load):
    network, frames = tiny.write_network(tmp_path), film(45)
    found = {}
    for steady in (False, True):
        tracker = load(network, steady=steady, recover=False)
        begin = tracker.init if load is load_tracker else tracker.add
        begin(frames[0], (150, 100, 14, 10))
        tracks = [tracker.update(frame) for frame in frames[1:]]
        boxes = [(track if load is load_tracker else track[0]).box for track in tracks]
        tracker.close()
        wanted = [150 + 45 * (index % 2) for index in range(1, 6)]
        found[steady] = np.abs(np.array([box.x for box in boxes]) - wanted).max()
    assert found[True] < 8 < 30 < found[False]


def test_a_target_that_the_camera_follows_is_not_looked_for_where_the_background_goes():
    ahead, state = Ahead(), np.array([640.0, 360.0, 40.0, 30.0])
    for _ in range(25):
        expected = ahead.of(
            state, turned(0, 1, 30, 0), True
        )  # and the target stands in the picture
    assert np.abs(expected - state).max() < 0.5
    assert ahead.of(state, None, True) is state
