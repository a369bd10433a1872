"""16-bit pictures of thermal cameras become visible 8-bit ones, and the user is told how."""

import re
import threading

import cv2
import numpy as np
import pytest

from hotpath.video.cameras import V4l2Camera
from hotpath.video.depth import DepthReduction, range_of, reduce_to_8_bits, scale_to_8_bits
from hotpath.video.live import LiveSource
from hotpath.video.sources import open_source

ROWS, COLUMNS = np.mgrid[:120, :160]
SCENE = (29000 + 6 * ROWS + 300 * np.sin(COLUMNS / 9)).astype(np.uint16)


NO_DATA = {"mode": "constant", "constant_values": -9999}
NOISE = np.random.default_rng(2).integers(1, 9, (9, 160)).astype(np.uint16)


def ramp(low, high):
    return np.linspace(low, high, 64 * 48).reshape(48, 64).astype(np.uint16)


def counts(index, colour=False):
    """A warm disc of 14-bit counts over a scene of few of them: uint16 (48, 64), or BGR."""
    y, x = np.mgrid[:48, :64]
    picture = (7300 + 4 * y).astype(np.uint16)
    picture[(x - 12 - 6 * index) ** 2 + (y - 24) ** 2 < 60] = 7900
    return np.dstack([picture, picture + 9, picture - 5]) if colour else picture


def folder(path, pictures):
    path.mkdir(exist_ok=True)
    for index, picture in enumerate(pictures):
        assert cv2.imwrite(str(path / f"{index}.png"), picture)
    return str(path)


def film(path, codec, form, pictures):
    films = pytest.importorskip("tests.support.streams.films")
    times_s = films.even(len(pictures))
    return films.write(path, times_s, codec, pictures=pictures, pix_fmt=form)


def frames_and_words(path, **more):
    messages = []
    with open_source(path, messages.append, **more) as source:
        return list(source), " ".join(messages)


@pytest.mark.parametrize("low, high", [(0, 4095), (7000, 9000), (51240, 52180), (0, 65535)])
def test_the_own_values_of_a_picture_fill_eight_bits(tmp_path, low, high):
    frames, words = frames_and_words(folder(tmp_path, [ramp(low, high)]))
    assert frames[0].min() < 5 and frames[0].max() > 250 and len(np.unique(frames[0])) > 240
    first = re.search("by its own values, first ([0-9]+) to ([0-9]+); --depth N", words)
    assert [int(end) for end in first.groups()] == pytest.approx([low, high], abs=high - low >> 6)


@pytest.mark.parametrize("low, high", [(0, 4095), (7000, 9000), (5, 5)])
def test_the_scale_is_linear_clipped_and_rounded(low, high):
    values = np.arange(65536, dtype=np.uint16)
    exact = np.clip((values - float(low)) * 255 / max(high - low, 1), 0, 255 * (high > low))
    assert np.abs(scale_to_8_bits(values, low, high) - exact).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    "top, depth, words, excess",
    [
        (3000, 12, "the values 0 to 4095 become 0 to 255", ""),
        (23008, 12, "the values 0 to 4095", "do not fit in 12 bits .* --depth out, or give 15"),
        (23008, 15, "the values 0 to 32767", ""),
    ],
)
def test_depth_states_the_bits_that_are_in_use(tmp_path, top, depth, words, excess):
    path = folder(tmp_path, [ramp(1000, top)] * 3)
    frames, told = frames_and_words(path, depth=depth)
    most = (1 << depth) - 1
    assert frames[0].min() == round(1000 * 255 / most)
    assert frames[2].max() == min(255, round(top * 255 / most))
    assert words in told and told.count("do not fit") == bool(excess) and re.search(excess, told)


def with_(scene, rows, columns, value):
    changed = scene.copy()
    changed[rows, columns] = value
    return changed


def letterboxed(scene):
    return np.pad(scene, 30)  # most of it is border then


def labelled(scene):
    text = np.zeros(scene.shape, np.uint8)
    cv2.putText(text, "24.3 C", (3, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    return np.where(text, scene.dtype.type(65535), scene)


def rectified(scene):
    """Turned a little, with GDAL's value for no data in the corners."""
    turned = scene.astype(np.float32) / 100 - 273.15
    turned[(ROWS + COLUMNS < 24) | (ROWS + COLUMNS > 252)] = np.finfo(np.float32).min
    return turned


def with_dead_pixels(scene):
    random = np.random.default_rng(1)
    return np.where(random.random(scene.shape) < 0.02, scene.dtype.type(60000), scene)


def bordered(*sides, share=0.05):
    """Degrees, as floats, with one value at each of so many sides of the picture."""

    def change(scene):
        picture = scene.astype(np.float32) / 100 - 273.15
        width = int(share * picture.shape[1])
        for turns, value in enumerate(sides):
            np.rot90(picture, turns)[:width] = value
        return picture

    return change


def shifted(scene):
    """Moved by OpenCV, which mixes the values of the border with those of the scene."""
    degrees = scene.astype(np.float32) / 100 - 273.15
    move = np.array([[1, 0, 5.5], [0, 1, 0]])
    return cv2.warpAffine(degrees, move, degrees.shape[::-1], borderValue=-9999)


LIES = {
    "-9999 above": bordered(-9999),
    "-9999 above and 9999 beside": bordered(-9999, 9999),
    "-32768 on all sides": bordered(-32768, -32768, -32768, -32768),
    "1e20 above": bordered(1e20),
    "-3.4e38, which is not quite the least": bordered(-3.4e38),
    "-9999 in two thirds of it": lambda scene: np.pad(bordered()(scene), 60, **NO_DATA),
    "-9999, moved by OpenCV": shifted,
    "0 kelvin": lambda scene: bordered(-273.15)(scene) + 273.15,
    "0 above, with noise": lambda scene: with_(scene, slice(0, 9), slice(None), NOISE),
    "a fourteenth bit": lambda scene: with_(scene // 10, slice(0, 9), slice(None), 16383),
    "letterboxed": letterboxed,
    "labelled": labelled,
    "rectified": rectified,
    "dead pixels": with_dead_pixels,
    "a dead cluster": lambda scene: with_(scene, slice(9, 13), slice(5, 10), 52000),
    "the sun": lambda scene: with_(scene, slice(0, 9), slice(0, 9), 60000),
    "cold pixels": lambda scene: with_(scene, -1, slice(0, 90), 3),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_is_no_scene_takes_no_contrast_away(lie):
    contrasts = []
    for picture in (SCENE, lie(SCENE)):
        margin = (picture.shape[0] - SCENE.shape[0]) // 2
        frame = reduce_to_8_bits(picture)[margin + 40 : margin + 90, margin + 40 : margin + 120]
        contrasts.append(np.median(np.abs(frame - np.median(frame))))
    assert contrasts[1] > 0.75 * contrasts[0] > 10


@pytest.mark.parametrize(
    "value, spread", [(33000, 600), (60000, 0), (60000, 3000)], ids=["warm", "one value", "hot"]
)
def test_a_large_target_is_brighter_than_the_scene_and_keeps_it(value, spread):
    texture = np.random.default_rng(3).integers(-spread, spread + 1, (30, 40))
    target = cv2.blur((value + texture).astype(np.float32), (3, 3)).astype(np.uint16)
    frame = reduce_to_8_bits(with_(SCENE, slice(50, 80), slice(60, 100), target))
    assert frame[52:78, 62:98].min() > frame[:40].max() > frame[:40].min()
    assert value > 33000 or np.ptp(frame[52:78, 62:98]) > 20


def test_a_hot_target_is_brighter_than_all_and_the_scene_is_seen():
    hot = with_(SCENE, slice(50, 58), slice(60, 70), 60000)
    frame = reduce_to_8_bits(hot)
    assert (frame[51:57, 61:69] == 255).all() and 100 < frame[:40].max() < 245


def test_one_odd_picture_changes_no_other(tmp_path):
    shutter = np.full((48, 64), 65535, np.uint16)
    frames, _ = frames_and_words(folder(tmp_path, [counts(0), shutter, counts(0)]))
    assert np.array_equal(frames[0], frames[2]) and np.ptp(frames[0]) > 200


KINDS = {  # what the film of such pictures is
    "FFV1": ("a.mkv", "ffv1", "gray16le", False),
    "PNG": ("a.mov", "png", "gray16be", False),
    "PNG in colour": ("a.mov", "png", "rgb48be", True),
    "FFV1 in colour": ("a.mkv", "ffv1", "gbrp16le", True),
    "PNG in a bag": ("bag",),
}


def bag(path, pictures):
    rosbag2 = pytest.importorskip("rosbags.rosbag2")
    from bridges_tests.test_ros import STORE, header, ros, theirs

    with rosbag2.Writer(path, version=9) as writer:
        place = writer.add_connection("/a", ros.COMPRESSED, typestore=STORE)
        for index, picture in enumerate(pictures):
            data = cv2.imencode(".png", picture)[1].ravel()
            fields = dict(header=header(5 + index / 10), format="16UC1; png", data=data)
            message = STORE.serialize_cdr(theirs(ros.COMPRESSED, **fields), ros.COMPRESSED)
            writer.write(place, 10**9 + index * 10**8, bytes(message))
    return str(path)


@pytest.mark.parametrize("depth", [None, 14])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_source_of_16_bits_is_read_as_a_folder_of_its_pictures(tmp_path, kind, depth):
    name, *more = KINDS[kind]
    pictures = [counts(index, more[-1] if more else False) for index in range(6)]
    right, words = frames_and_words(folder(tmp_path / "folder", pictures), depth=depth)
    if more:
        path = film(tmp_path / name, more[0], more[1], pictures)
    else:
        path = bag(tmp_path / name, pictures)
    found, messages = frames_and_words(path, depth=depth, planes=bool(more))
    assert len(found) == 6 and len(np.unique(right[0])) > (3 if depth else 10)
    assert all(np.array_equal(one, other) for one, other in zip(found, right))
    assert messages.partition(": ")[2] == words.partition(": ")[2] != ""


class Deep:
    """A camera or topic whose pictures have 16 bits."""

    name = "deep"

    def __init__(self):
        self.asked, self.index = threading.Semaphore(0), 0

    def open(self):
        return self

    def read(self):
        self.asked.acquire()
        self.index += 1
        return self.index < 6, counts(self.index - 1)

    def get(self, _):
        return 0.0

    def release(self):
        pass


def test_a_live_source_says_its_range_once():
    device, messages = Deep(), []
    device.asked.release()
    with LiveSource(device, messages.append) as source:
        frames = []
        for _ in range(5):
            frames.append(source.read())
            device.asked.release()
    assert len(messages) == 1 and "first 7300 to 7900" in messages[0]
    assert np.array_equal(frames[0][..., 0], scale_to_8_bits(counts(0), 7300, 7900))


def test_a_camera_of_16_bits_is_not_converted_by_opencv(monkeypatch):
    class Capture:
        def __init__(self, *_):
            self.is_set = {}

        def isOpened(self):
            return True

        def get(self, what):
            return float(cv2.VideoWriter_fourcc(*"Y16 ")) if what == cv2.CAP_PROP_FOURCC else 0.0

        def set(self, what, value):
            self.is_set[what] = value

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    assert V4l2Camera("/dev/video0")._open_with_opencv().is_set == {cv2.CAP_PROP_CONVERT_RGB: 0}


GREY = np.full((48, 64), 100, np.uint8)


@pytest.mark.parametrize(
    "picture, depth, words",
    [
        (GREY, None, ""),
        (GREY, 12, "--depth is for pictures of 16 bits"),
        (GREY.astype(np.float32), 12, "--depth is for whole numbers"),
    ],
)
def test_a_depth_without_a_use_is_told_once(picture, depth, words):
    messages = []
    reduction = DepthReduction(depth, messages.append)
    for _ in range(3):
        assert reduction(picture).dtype == np.uint8
    assert len(messages) == bool(words) and all(words in message for message in messages)


@pytest.mark.parametrize(
    "noise, warmer, share", [(4, 400, 0.04), (10, 1000, 0.03), (20, 3000, 0.1)]
)
def test_one_hot_object_before_a_plain_background_is_not_cut_out(noise, warmer, share):
    random = np.random.default_rng(5)
    picture = random.normal(8000, noise, (240, 320))
    rows = int(240 * share)
    picture[60 : 60 + rows] += warmer + random.normal(0, noise, (rows, 320))
    low, high = range_of(picture.astype(np.uint16))
    assert low > 7800 and high > 8000 + 0.8 * warmer
