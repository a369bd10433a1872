"""The camera's own motion between two frames, and what it does for the next window."""

import cv2
import numpy as np
import pytest

from hotpath.runtime import load_targets, load_tracker
from hotpath.runtime.camera_motion import Ahead, CameraMotion, moved
from hotpath.runtime.pictures import JpegFrame, PlanarFrame
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
    assert camera.between(cv2.resize(scene(), (640, 360))) is None  # as small a grey picture
    assert camera.between(np.zeros((1, 1, 3), np.uint8)) is None


JUMPS = (0, 8, 0, 8, 0, 8, 0, 45, 0)  # pixels; the window reaches 24


@pytest.mark.parametrize("load", (load_tracker, load_targets))
def test_the_next_window_goes_with_a_camera_that_shakes(tmp_path, load):
    network, picture, found = tiny.write_network(tmp_path), scene(640, 480) // 4, {}
    picture[100:110, 150:164] = 255
    frames = [seen_by(picture, turned(0, 1, jump, 0, (0, 0))) for jump in JUMPS]
    for steady in (False, True):
        tracker = load(network, steady=steady, recover=False)
        begin = tracker.init if load is load_tracker else tracker.add
        begin(frames[0], (150, 100, 14, 10))
        tracks = [tracker.update(frame) for frame in frames[1:]]
        boxes = [(track if load is load_tracker else track[0]).box for track in tracks]
        tracker.close()
        found[steady] = np.abs([box.x - 150 - jump for box, jump in zip(boxes, JUMPS[1:])]).max()
    assert found[True] < 8 < 30 < found[False]


def test_a_target_that_was_caught_up_with_does_not_move_by_what_it_has_seen(tmp_path):
    network, picture = tiny.write_network(tmp_path), scene(640, 480) // 4
    picture[100:110, 150:164] = 255
    frames = [seen_by(picture, turned(0, 1, x, 0, (0, 0))) for x in (0, 8, 16, 24)]
    with load_targets(network, steady=True, recover=False) as targets:
        number = targets.add(frames[0], (150, 100, 14, 10))
        for frame in frames[1:3]:
            targets.follow(number, frame)
        told = []
        targets._trackers[number].move = told.append
        targets.update(frames[3])
    assert told[0][0, 2] == pytest.approx(8, abs=1)


SHAKE = [turned(0, 1, 24 * np.sin(2.1 * index), 18 * np.cos(1.3 * index)) for index in range(60)]


def predictions(camera, place):
    """Distances of a target from where it was expected, pixels, frame by frame.

    Args:
        camera: of each frame, how it moved since the one before.
        place: the target's next centre, of the last one and the camera's motion.
    """
    ahead, state, errors = Ahead(), np.array([640.0, 360.0, 40.0, 30.0]), []
    for motion in camera:
        expected, state = ahead.of(state, motion, True), place(state, motion)
        errors.append(np.hypot(*(expected - state)[:2]))
    return np.array(errors)


def test_a_target_in_a_shaking_picture_is_expected_where_it_is():
    drifts = predictions(SHAKE, lambda state, motion: moved(state, motion) + (3, -1, 0, 0))
    assert drifts[20:].max() < 0.2


def test_a_target_that_the_camera_follows_is_not_looked_for_where_the_background_goes():
    assert predictions(SHAKE, lambda state, motion: state).max() == 0
    panned = predictions([turned(0, 1, 30, 0)] * 60, lambda state, motion: state)
    assert panned.max() == 0


def test_what_is_seen_of_a_target_that_may_be_gone_does_not_count():
    ahead, state = Ahead(), np.array([640.0, 360.0, 40.0, 30.0])
    for motion in SHAKE:
        assert ahead.of(state, motion, False) is state
        state = moved(state, motion)
    assert ahead.of(state, None, True) is state
