"""16-bit pictures of thermal cameras become visible 8-bit ones, and the user is told how."""

import re
import threading

import cv2
import numpy as np
import pytest

from hotpath.video.cameras import Camera
from hotpath.video.depth import NARROWS, RECENT, Reduction, linear, range_of
from hotpath.video.live import LiveSource
from hotpath.video.sources import open_source


def write_thermal(folder, low, high):
    """Gradients between two values as six 16-bit pictures; each is a little brighter."""
    for index in range(6):
        top = low + (high - low) * (index + 1) // 6
        picture = np.linspace(low, top, 64 * 48).reshape(48, 64).astype(np.uint16)
        assert cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    return str(folder)


def frames_and_words(folder, **more):
    messages = []
    with open_source(folder, messages.append, **more) as source:
        return [source.read() for _ in range(source.frames)], " ".join(messages)


@pytest.mark.parametrize("low, high", [(0, 4095), (7000, 9000), (51240, 52180), (0, 65535)])
def test_the_range_fills_eight_bits_with_one_scale_for_all(tmp_path, low, high):
    frames, words = frames_and_words(write_thermal(tmp_path, low, high))
    assert frames[0].min() == 0 and frames[-1].max() == 255
    assert frames[0].max() < frames[2].max() < frames[-1].max()  # brightness is kept
    begin, end = (int(word) for word in re.findall("values ([0-9]+) to ([0-9]+) become", words)[0])
    assert low <= begin < low + 0.01 * (high - low)
    assert low + 0.8 * (high - low) < end < high  # the brightest of six pictures does not count


def test_depth_states_the_bits_that_are_in_use(tmp_path):
    folder = write_thermal(tmp_path, 1000, 3000)
    frames, words = frames_and_words(folder, depth=12)
    assert frames[0].min() == round(1000 * 255 / 4095) and "values 0 to 4095" in words
    assert frames[-1].max() == round(3000 * 255 / 4095) and "do not fit" not in words


def test_values_beyond_the_depth_are_told_once_with_their_bits(tmp_path):
    folder = write_thermal(tmp_path, 1000, 23008)
    frames, words = frames_and_words(folder, depth=12)
    assert frames[-1].max() == 255
    assert len(re.findall("values up to [0-9]+ do not fit in 12 bits", words)) == 1
    assert "--depth out, or give 15" in words
    assert "do not fit" not in frames_and_words(folder, depth=15)[1]


@pytest.mark.parametrize("low, high", [(0, 4095), (7000, 9000), (5, 5)])
def test_the_scale_is_linear_clipped_and_rounded(low, high):
    values = np.arange(65536, dtype=np.uint16)
    exact = np.clip((values - float(low)) * 255 / max(high - low, 1), 0, 255)
    assert np.abs(linear(low, high)(values) - exact).max() <= 0.5 + 1e-9


def test_eight_bit_pictures_need_no_words(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.full((40, 60), 100, np.uint8))
    assert frames_and_words(str(tmp_path))[1] == ""


def letterboxed(scene):
    """In the middle of a black picture, as players show another aspect: most of it is border."""
    picture = np.zeros((scene.shape[0] * 2, scene.shape[1] * 2), scene.dtype)
    picture[30 : 30 + scene.shape[0], 40 : 40 + scene.shape[1]] = scene
    return picture


def labelled(scene):
    """With a text at the greatest value, drawn by Pillow."""
    Image = pytest.importorskip("PIL.Image")
    from PIL import ImageDraw

    mask = Image.new("L", scene.shape[::-1])
    ImageDraw.Draw(mask).text((3, 3), "2026-11-29 24.3 C", fill=255)
    return np.where(np.asarray(mask) > 127, scene.dtype.type(65535), scene)


def rectified(scene):
    """Turned a little, with GDAL's value for no data in the corners."""
    rows, columns = np.mgrid[: scene.shape[0], : scene.shape[1]]
    turned = scene.astype(np.float32) / 100 - 273.15
    turned[rows + columns < 24] = np.finfo(np.float32).min
    turned[rows + columns > sum(scene.shape) - 26] = np.finfo(np.float32).min
    return turned


def with_dead_clusters(scene):
    """Clusters of pixels of many values, more of them than outliers may be."""
    random, picture = np.random.RandomState(5), scene.copy()
    for _ in range(9):
        row, column = random.randint(0, 100), random.randint(0, 140)
        picture[row : row + 4, column : column + 5] = random.randint(52000, 65000)
    return picture


@pytest.mark.parametrize("lie", [letterboxed, labelled, rectified, with_dead_clusters])
def test_what_is_no_scene_takes_no_contrast_away(tmp_path, lie):
    """Pillow writes the pictures."""
    Image = pytest.importorskip("PIL.Image")
    rows, columns = np.mgrid[:120, :160]
    scene = (29000 + 6 * rows + 300 * np.sin(columns / 9)).astype(np.uint16)
    contrasts = []
    for name, picture in (("plain", scene), ("a", lie(scene))):
        is_float = picture.dtype == np.float32
        path = tmp_path / (name + (".tiff" if is_float else ".png"))
        Image.fromarray(picture).save(str(path))
        frame = read_first(str(path))[..., 0].astype(float)
        top, left = (30, 40) if frame.shape != scene.shape else (0, 0)
        contrasts.append(frame[top + 40 : top + 90, left + 40 : left + 120].std())
    assert contrasts[1] > 0.75 * contrasts[0] > 10


def test_a_hot_target_is_a_part_of_the_picture():
    rows, columns = np.mgrid[:120, :160]
    scene = (7300 + 2 * rows).astype(np.uint16)
    scene[50:70, 60:90] = 7900 + columns[50:70, 60:90]
    low, high = range_of(scene)
    assert low <= 7310 and high >= 7980
    scene[50:70, 60:90] += 20000  # a fire: it is brighter than all, and the scene is seen
    low, high = range_of(scene)
    assert high < 8000 and linear(low, high)(scene)[60, 75] == 255
    assert linear(low, high)(scene)[:50].max() < 245


def read_first(path):
    with open_source(path) as source:
        return source.read()


def counts(index, colour=False):
    """A warm disc of 14-bit counts over a scene of few of them: uint16 (48, 64), or BGR."""
    y, x = np.mgrid[:48, :64]
    picture = (7300 + 4 * y).astype(np.uint16)
    picture[(x - 12 - 6 * index) ** 2 + (y - 24) ** 2 < 60] = 7900
    return np.dstack([picture, picture + 9, picture - 5]) if colour else picture


def as_folder(folder, colour=False):
    folder.mkdir()
    for index in range(6):
        cv2.imwrite(str(folder / f"{index}.png"), counts(index, colour))
    return str(folder)


def film(path, codec, form, colour=False, pictures=()):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, form
        for picture in pictures or [counts(index, colour) for index in range(6)]:
            kind = "bgr48le" if colour else "gray16le"
            frame = av.VideoFrame.from_ndarray(picture, format=kind)
            container.mux(stream.encode(frame.reformat(format=form)))
        container.mux(stream.encode(None))
    return str(path)


FILMS = [
    ("a.mkv", "ffv1", "gray16le", False),
    ("a.mov", "png", "gray16be", False),
    ("a.mov", "png", "rgb48be", True),
    ("a.mkv", "ffv1", "gbrp16le", True),
]


@pytest.mark.parametrize("depth", [None, 14])
@pytest.mark.parametrize("name, codec, form, colour", FILMS)
def test_a_film_of_16_bits_is_read_as_a_folder_of_its_pictures(
    tmp_path, name, codec, form, colour, depth
):
    right, words = frames_and_words(as_folder(tmp_path / "folder", colour), depth=depth)
    path = film(tmp_path / name, codec, form, colour)
    found, messages = frames_and_words(path, depth=depth, planes=True)
    assert len(found) == 6 and len(np.unique(right[0])) > (3 if depth else 10)
    for one, other in zip(found, right):
        assert np.array_equal(one, other)
    assert messages.partition(": ")[2] == words.partition(": ")[2] != ""


@pytest.mark.parametrize("kind", ["mono16", "16UC1", "png"])
@pytest.mark.parametrize("depth", [None, 14])
def test_a_bag_of_16_bits_is_read_as_a_folder_of_its_pictures(tmp_path, kind, depth):
    rosbag2 = pytest.importorskip("rosbags.rosbag2")
    from bridges_tests.test_ros import STORE, header, image, ros, theirs

    right, words = frames_and_words(as_folder(tmp_path / "folder"), depth=depth)
    topic = ros.COMPRESSED if kind == "png" else ros.IMAGE
    with rosbag2.Writer(tmp_path / "bag", version=9) as writer:
        place = writer.add_connection("/a", topic, typestore=STORE)
        for index in range(6):
            if kind == "png":
                data = cv2.imencode(".png", counts(index))[1].ravel()
                fields = dict(header=header(5 + index / 10), format="16UC1; png", data=data)
                message = bytes(STORE.serialize_cdr(theirs(topic, **fields), topic))
            else:
                big = int(kind == "16UC1")
                rows = counts(index).astype(">u2" if big else "<u2").view(np.uint8)
                message = image(kind, rows, 64, big, 5 + index / 10)
            writer.write(place, 10**9 + index * 10**8, message)
    found, messages = frames_and_words(str(tmp_path / "bag"), depth=depth)
    for one, other in zip(found, right):
        assert np.array_equal(one, other)
    assert messages.partition(": ")[2] == words.partition(": ")[2] != ""


def films():
    """Films of a warm target that differ in a few values; the first one is clean."""
    dead, shutter, sun, cold = ([counts(n) for n in range(24)] for _ in range(4))
    for picture in dead:
        picture[3, 5] = 65535
    shutter[10][:] = 65535
    for picture in sun[4:]:
        picture[:2, :6] = 40000
    for picture in cold:
        picture[-1, -8:] = 0
    return {"dead pixel": dead, "closed shutter": shutter, "sun": sun, "cold pixels": cold}


@pytest.mark.parametrize("kind", sorted(films()))
@pytest.mark.parametrize("form", ["folder", "film", "live"])
def test_few_values_far_off_take_no_contrast_away(tmp_path, kind, form):
    if form == "live":
        reduced = Reduction(None, print)
        frames = [reduced(picture) for picture in films()[kind]]
    elif form == "folder":
        for index, picture in enumerate(films()[kind]):
            cv2.imwrite(str(tmp_path / f"{index:02d}.png"), picture)
        frames, _ = frames_and_words(str(tmp_path))
    else:
        path = film(tmp_path / "a.mkv", "ffv1", "gray16le", pictures=films()[kind])
        with open_source(path) as source:
            frames = [source.read() for _ in range(24)]
    for index, frame in enumerate(frames):
        if kind == "closed shutter" and index == 10:
            continue
        levels = np.unique(frame[12:36, :12])  # the scene without the target
        assert len(levels) > 10 and levels.max() - levels.min() > 30
        assert frame[24, 12 + 6 * index if index < 8 else 0].max() > (200 if index < 8 else 0)


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


def test_a_live_source_says_its_range():
    device, messages = Deep(), []
    device.asked.release()
    with LiveSource(device, messages.append) as source:
        frames = []
        for _ in range(5):
            frames.append(source.read())
            device.asked.release()
        assert len(messages) == 1 and "values 7300 to 7900 become" in messages[0]
        assert np.array_equal(frames[0][..., 0], linear(7300, 7900)(counts(0)))


def test_a_live_range_widens_soon_and_narrows_slowly():
    wide = counts(0) * np.uint16(3)
    pictures = [counts(0)] * 20 + [wide] * 20 + [counts(0)] * 5 * NARROWS
    messages = []
    reduced = Reduction(None, messages.append)
    frames = [reduced(picture) for picture in pictures]
    assert (frames[20 + RECENT // 4] == 255).all()  # one odd picture would change nothing
    assert 100 < np.median(frames[20 + RECENT]) < 255
    spans = [int(np.ptp(frame)) for frame in frames[40:]]
    assert spans[0] < 20 and spans[NARROWS] < 100 and spans[-1] > 200
    assert max(after - before for before, after in zip(spans, spans[1:])) <= 12
    assert len(messages) > 2 and all("become 0 to 255" in words for words in messages)
    again = Reduction(None, print)
    assert all(np.array_equal(again(picture), frame) for picture, frame in zip(pictures, frames))


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
    assert Camera("/dev/video0")._open_with_opencv().is_set == {cv2.CAP_PROP_CONVERT_RGB: 0}


def test_a_depth_without_a_use_is_told(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.full((40, 60), 100, np.uint8))
    assert "--depth is for pictures of 16 bits" in frames_and_words(str(tmp_path), depth=12)[1]
    path = film(tmp_path / "a.mkv", "ffv1", "gray")
    assert "--depth is for pictures of 16 bits" in frames_and_words(path, depth=12)[1]


@pytest.mark.parametrize("share", [0.006, 0.02])
def test_dead_pixels_take_no_contrast_away(tmp_path, share):
    random = np.random.default_rng(1)
    for index in range(4):
        picture = np.linspace(7000, 7400, 64 * 48).reshape(48, 64).astype(np.uint16)
        picture[random.random(picture.shape) < share] = 65535
        assert cv2.imwrite(str(tmp_path / f"{index}.png"), picture)
    frames, _ = frames_and_words(str(tmp_path))
    assert np.median(frames[0][-4:]) > 230 and 0 < np.median(frames[0][:4]) < 25
