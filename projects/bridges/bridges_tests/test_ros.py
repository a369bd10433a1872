"""Pictures and boxes of ROS 2, with rosbags' messages and bags; the fake rclpy speaks for ROS."""

import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import hotpath_bridges
from hotpath.runtime.errors import BadOutput, BadSource, NoCamera
from hotpath.runtime.types import Box, Track
from hotpath.video.base import WAITING, Header, TrackedFrame
from hotpath.video.sources import open_source
from hotpath_bridges import ros
from hotpath_bridges.ros_link import RosLink

rosbags = pytest.importorskip("rosbags.rosbag2")
from bridges_tests import fake_ros as fakes  # noqa: E402
from bridges_tests.fake_ros import STORE  # noqa: E402
from tests.support.errors import refusal  # noqa: E402

NODE = "hotpath_bridges.ros_node"
PROJECT = pathlib.Path(__file__).resolve().parents[1]
PICTURE = np.random.default_rng(0).integers(0, 255, (6, 10, 3), np.uint8)


def theirs(kind, **fields):
    return STORE.types[kind](**fields)


def header(stamp_s=5.25):
    time = theirs("builtin_interfaces/msg/Time", sec=int(stamp_s), nanosec=int(stamp_s % 1 * 1e9))
    return theirs("std_msgs/msg/Header", stamp=time, frame_id="camera")


def image(encoding, rows, width, big=0, stamp_s=5.25, padding=3):
    """A sensor_msgs/Image of rows (h, bytes), in CDR."""
    rows = np.pad(rows.reshape(len(rows), -1), ((0, 0), (0, padding)))
    height = len(rows) * 2 // 3 if encoding == "nv12" else len(rows)
    layout = dict(height=height, width=width, is_bigendian=big, step=rows.shape[1])
    data = rows.ravel().astype(np.uint8)
    message = theirs(ros.IMAGE, header=header(stamp_s), encoding=encoding, data=data, **layout)
    return bytes(STORE.serialize_cdr(message, ros.IMAGE))


def read(kind, data, planes=False):
    return ros.picture_in(kind, STORE.deserialize_cdr(data, kind), planes)


@pytest.mark.parametrize(
    ("encoding", "rows", "wanted"),
    [
        ("bgr8", PICTURE, PICTURE),
        ("rgb8", PICTURE[..., ::-1], PICTURE),
        ("bgra8", np.dstack([PICTURE, PICTURE[..., :1]]), PICTURE),
        ("rgba8", np.dstack([PICTURE[..., ::-1], PICTURE[..., :1]]), PICTURE),
        ("mono8", PICTURE[..., 0], np.repeat(PICTURE[..., :1], 3, 2)),
    ],
)
def test_a_picture_of_rosbags_is_read(encoding, rows, wanted):
    given, frame = read(ros.IMAGE, image(encoding, np.ascontiguousarray(rows), 10))
    assert given == Header(5, 250_000_000, "camera") and np.array_equal(frame, wanted)


@pytest.mark.parametrize(
    ("encoding", "rows", "code"),
    [
        ("yuv422_yuy2", (6, 20), cv2.COLOR_YUV2BGR_YUY2),
        ("uyvy", (6, 20), cv2.COLOR_YUV2BGR_UYVY),
        ("nv12", (9, 10), cv2.COLOR_YUV2BGR_NV12),
    ],
)
def test_planes_are_those_of_opencv(encoding, rows, code):
    data = np.random.default_rng(1).integers(16, 235, rows, np.uint8)
    shaped = data if encoding == "nv12" else data.reshape(6, 10, 2)
    _, frame = read(ros.IMAGE, image(encoding, data, 10), planes=True)
    apart = frame.bgr().astype(int) - cv2.cvtColor(shaped, code)
    assert np.abs(apart).max() <= 1


@pytest.mark.parametrize("big", [0, 1])
def test_sixteen_bits_keep_their_values_in_either_order(big):
    values = np.array([[0, 65535]], ">u2" if big else "<u2")
    _, frame = read(ros.IMAGE, image("mono16", values.view(np.uint8), 2, big, padding=2))
    assert frame.dtype == np.uint16 and frame.tolist() == [
        [0, 65535]
    ]  # ``DepthReduction`` scales them


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (".jpg", "jpg"),
        (".png", "png"),
        (".png", "jpeg"),
        (".png", "rgb8; jpeg compressed bgr8"),
        (".webp", "jpg"),
        (".jpg", "png"),
        (".jpg", ""),
    ],
)
def test_the_bytes_decide_how_a_compressed_picture_is_read(kind, word, planes):
    data = cv2.imencode(kind, cv2.resize(PICTURE, (64, 48)))[1].ravel()
    message = theirs(ros.COMPRESSED, header=header(), format=word, data=data)
    _, frame = read(ros.COMPRESSED, bytes(STORE.serialize_cdr(message, ros.COMPRESSED)), planes)
    frame = frame if isinstance(frame, np.ndarray) else frame.bgr()
    apart = frame.astype(int) - cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert np.abs(apart).mean() < (9 if kind == ".jpg" else 1e-9)  # decoders of JPEG differ


def test_what_can_not_be_read_is_told():
    with refusal(BadSource, "unknown encoding"):
        read(ros.IMAGE, image("bayer_rggb8", PICTURE[..., 0], 10))
    with refusal(BadSource, "wrong size"):
        read(ros.IMAGE, image("bgr8", PICTURE[:, :4], 10, padding=0))
    with refusal(BadSource, "wrong size"):
        read(ros.IMAGE, image("nv12", np.zeros((9, 12), np.uint8), 11))


@pytest.mark.parametrize(
    "step, words",
    [(30, "has a step of 30 bytes, and its rows have 36"), (40, "has 216 bytes instead of 236")],
)
def test_a_wrong_step_is_named_as_one(step, words):
    message = SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=0), frame_id=""),
        **dict(encoding="bgr8", width=12, height=6, step=step, is_bigendian=0, data=bytes(216)),
    )
    with pytest.raises(BadSource, match=words):
        ros.picture_in(ros.IMAGE, message, False)


BAD = {"short": {"data": b"12"}, "unknown": {"encoding": "x"}, "no size": {"width": 0}}


class Bus:
    """What ``open_bus`` gives, of which each picture in ``bad`` is wrong; it counts the joins."""

    Image = CompressedImage = None

    def __init__(self, bad, how):
        self.bad, self.how, self.joined, self.sent = bad, how, 0, -1

    def __call__(self):
        self.joined += 1
        return self, self

    def reader(self, *_, **__):
        return None

    def take(self, _, timeout_s):
        time.sleep(0.02)
        self.sent += 1
        stamp = SimpleNamespace(sec=10 + self.sent // 50, nanosec=self.sent % 50 * 2 * 10**7)
        fields = dict(encoding="mono8", width=8, height=4, step=8, is_bigendian=0)
        fields["data"] = bytes([self.sent % 256]) * 32
        fields.update(BAD[self.how] if self.bad(self.sent) else {})
        return SimpleNamespace(header=SimpleNamespace(stamp=stamp, frame_id="c"), **fields)

    def close(self):
        pass


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize("bad", [lambda n: n % 10 == 9, lambda n: n < 4, lambda n: 9 < n < 20])
def test_bad_pictures_of_a_topic_are_left_out_and_the_topic_is_kept(monkeypatch, how, bad):
    bus, found = Bus(bad, how), []
    monkeypatch.setattr(ros, "open_bus", bus)
    with open_source("ros:/cam") as source:
        while bus.sent < 40:
            frame = source.read(0.2)
            found += [] if frame is WAITING else [int(frame[0, 0, 0])]
        assert source.skipped == sum(map(bad, range(40))) * (not bad(0)) and not source.gaps
    assert bus.joined == 1 and not any(map(bad, found)) and len(found) > 20


def test_a_topic_without_any_good_picture_says_what_is_wrong(monkeypatch):
    monkeypatch.setattr(ros, "READ_S", 0.2)
    monkeypatch.setattr(ros, "open_bus", Bus(lambda n: True, "unknown"))
    with pytest.raises(BadSource, match="pictures of ROS in 'x' are not read"):
        open_source("ros:/cam")


@pytest.mark.parametrize("bad, skipped", [({2}, 1), ({1, 2, 5}, 3), ({1, 2, 3}, None)])
def test_damaged_pictures_of_a_bag_are_left_out_and_counted(tmp_path, bad, skipped):
    pictures = numbered(0) + numbered(4)
    for n in bad:
        pictures[n] = (*pictures[n][:2], image("bgr8", PLAIN[:, :4], 10, padding=0))
    write_bag(tmp_path / "bag", "MCAP", pictures)
    with open_source(str(tmp_path / "bag")) as source:
        if skipped is None:
            with pytest.raises(BadSource, match="broke at frame 1 .* bytes"):
                list(source)
        else:
            found = [int(frame[0, 0, 0]) for frame in source]
            assert found == sorted(set(range(8)) - bad) and source.skipped == skipped


def write_bag(path, plugin, pictures, version=9):
    """Write a bag; ``pictures`` are (topic, seconds of arrival, CDR of an ``Image``)."""
    storage = rosbags.StoragePlugin[plugin]
    with rosbags.Writer(path, version=version, storage_plugin=storage) as writer:
        topics = {}
        for name, at, data in pictures:
            if name not in topics:
                topics[name] = writer.add_connection(name, ros.IMAGE, typestore=STORE)
            writer.write(topics[name], int(at * 1e9), data)
        words = writer.add_connection("/words", "std_msgs/msg/String", typestore=STORE)
        text = STORE.serialize_cdr(theirs("std_msgs/msg/String", data="x"), "std_msgs/msg/String")
        writer.write(words, int(11e9), text)
    return path


@pytest.fixture
def fake_ros(monkeypatch, tmp_path):
    """The module ``rclpy`` of ``bridges_tests.fake_ros``, on a bus of this test."""
    for name, module in fakes.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, NODE, raising=False)
    monkeypatch.delattr(hotpath_bridges, "ros_node", raising=False)
    monkeypatch.setenv("FAKE_ROS", str(tmp_path))
    yield importlib.import_module(NODE)
    monkeypatch.delitem(sys.modules, NODE)
    monkeypatch.delattr(hotpath_bridges, "ros_node")


@pytest.fixture(params=["MCAP", "SQLITE3"])
def bag(request, tmp_path):
    """A bag with two topics of pictures and one of something else."""
    pictures = []
    for number in range(5):
        at = 10 + 0.1 * number**2
        picture = np.full((6, 10, 3), 10 * number, np.uint8)
        late = at + 0.02 * number  # when it was received; stamps count where there are any
        pictures.append(("/a", late, image("bgr8", picture, 10, stamp_s=at)))
        pictures.append(("/b", at, image("bgr8", picture + 1, 10, stamp_s=0)))
    return write_bag(tmp_path / "bag", request.param, pictures)


def test_a_bag_of_before_iron_has_no_definitions_and_is_read(tmp_path):
    pictures = [("/a", 1, image("bgr8", PICTURE, 10))]
    write_bag(tmp_path / "bag", "SQLITE3", pictures, version=8)
    with open_source(f"{tmp_path}/bag#/a") as source:
        assert np.array_equal(source.read(), PICTURE)


def test_a_bag_gives_its_frames_and_their_times(bag):
    names = [f"{bag}#/a", f"{bag}#/b", *(f"{path}#/b" for path in bag.glob("*.mcap"))]
    for name in names:
        with open_source(name) as source:
            assert source.header is None
            frames, times, headers = [], [], []
            for _ in range(source.frames):
                frames.append(int(source.read()[0, 0, 0]))
                times.append(source.time_s)
                headers.append(source.header)
            assert source.read() is None
        stamps = [10 + 0.1 * n**2 if name[-1] == "a" else 0.0 for n in range(5)]
        assert headers == [Header(int(at), int(at % 1 * 1e9), "camera") for at in stamps]
        assert frames == [int(name[-1] == "b") + 10 * n for n in range(5)] and source.frames == 5
        assert np.allclose(times, [0.1 * n**2 for n in range(5)], atol=1e-6)
    for topic in ("", "#/words"):
        with refusal(BadSource, "several topics"):
            open_source(f"{bag}{topic}")


def test_a_damaged_bag_gives_what_it_can_and_a_sentence(bag, tmp_path):
    (file,) = [path for path in bag.iterdir() if path.suffix != ".yaml"]
    whole = file.read_bytes()
    told = 0
    for number in range(40):
        damaged = bytearray(whole)
        for place in np.random.default_rng(number).integers(0, len(whole), 10).tolist():
            damaged[place] ^= 0x55
        file.write_bytes(bytes(damaged))
        try:
            with open_source(f"{bag}#/a") as source:
                list(source)
        except BadSource:
            told += 1
    assert told > 10
    (tmp_path / "x.mcap").write_bytes(b"nothing")
    with refusal(BadSource, "not a bag"):
        open_source(str(tmp_path / "x.mcap"))


def test_a_peer_asks_for_a_target_and_gets_its_boxes(tmp_path):
    paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    environment = dict(os.environ, ROS_DOMAIN_ID="7", FAKE_ROS=str(tmp_path), PYTHONPATH=paths)
    command = [sys.executable, "-m", "bridges_tests.ros_peer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            arguments = ["--video", "ros:/camera/image_raw", "--publish", "ros:/tracks"]
            arguments += ["--frames", "90", "--no-show"]
            run = [sys.executable, "-m", "bridges_tests.fake_ros", *arguments]
            done = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=120)
        finally:
            process.kill()
        lines = [json.loads(line) for line in process.stdout]
    assert done.returncode == 0, done.stderr
    assert "/tracks/box takes a target" in done.stderr
    assert done.stderr.count("node hotpath_") == 2
    states = [line["state"] for line in lines if "state" in line]
    assert states[0]["targets"] == [] and states[-1]["targets"][0]["state"] == "tracked"
    assert len(states[-1]["targets"][0]["velocity"]) == 2
    synchronised = [line["picture"] for line in lines if "detections" in line]
    assert len(synchronised) > 10 and all(synchronised)  # each has the stamp of a picture sent
    found = [(line["detections"][0], line["left"]) for line in lines if line.get("detections")]
    assert len(found) > 10
    for (x, y, width, _, score), left in found[5:]:
        assert abs(y - 34) < 6 and 5 < width < 40 and score > 0.3
        assert 20 <= x <= 60, left


def test_a_lost_target_is_not_on_the_bus_nor_a_closed_link(fake_ros, tmp_path):
    end = fake_ros.End(0)
    reader = end.reader("/own", fake_ros.Detection2DArray)
    link = RosLink("ros:/own", SimpleNamespace(newest=None, holds={}), print)
    captured_s = time.monotonic() - 60
    unix_s = time.time() - 60
    found = None
    tracks = {3: Track(Box(1, 2, 4, 8), 0.75), 5: Track(Box(9, 9, 9, 9), 0.1, True, "lost")}
    while found is None:  # until both ends know each other
        link.write(TrackedFrame(PICTURE, 7, 0.0, tracks, captured_s))
        found = end.take(reader, 0.1)
    link.close()
    assert not list((tmp_path / "0" / "own+box").iterdir())
    end.close()
    (one,) = found.detections
    assert one.id == "3" and one.bbox.center.position.y == 6.0
    assert abs(found.header.stamp.sec + found.header.stamp.nanosec * 1e-9 - unix_s) < 30  # of 60


def test_boxes_have_the_header_of_their_picture(fake_ros):
    """A TimeSynchronizer pairs equal stamps; a bag under use_sim_time has a clock of its own."""
    headers = [Header(7, 1, "front_optical"), Header(0, 0, ""), Header(2**31 - 1, 999_999_999, "x")]
    end = fake_ros.End(0)
    reader = end.reader("/own", fake_ros.Detection2DArray)
    link = RosLink("ros:/own", SimpleNamespace(newest=None, holds={}), print)
    tracks = {0: Track(Box(1, 2, 4, 8), 0.75)}
    for header in headers:
        found = None
        while found is None:
            link.write(TrackedFrame(PICTURE, 7, 0.0, tracks, time.monotonic(), header))
            found = end.take(reader, 0.1)
        for each in (found.header, found.detections[0].header):
            assert Header(each.stamp.sec, each.stamp.nanosec, each.frame_id) == header
    link.close()
    end.close()


def test_a_silent_topic_is_told(monkeypatch, fake_ros):
    monkeypatch.setattr(ros, "READ_S", 0.1)
    with pytest.raises(BadSource, match="no picture came"):
        open_source("ros:/nobody/sends/this")
    for spec in ("ros:camera", "ros:/front camera", "ros:/", "ros:/a//b", "ros:/1"):
        with refusal(BadSource, "no topic"):
            open_source(spec)
    monkeypatch.setenv("ROS_DOMAIN_ID", "many")
    with refusal(NoCamera, "wrong domain"):
        open_source("ros:/camera/image_raw")
    for address in ("ros:tracks", "ros:/tracks/", "ros:/my tracks", "ros:/a#b"):
        with refusal(BadOutput, "no topic"):
            RosLink(address, None, print)


def test_a_folder_of_pictures_with_metadata_is_no_bag(tmp_path):
    (tmp_path / "metadata.yaml").write_text("camera: front")
    cv2.imwrite(str(tmp_path / "0.png"), PICTURE)
    with open_source(str(tmp_path)) as source:
        assert np.array_equal(source.read(), PICTURE)


def write_ros_1(path):
    """A bag of ROS 1 with five grey pictures, by rosbags."""
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    kinds, image = store.types, "sensor_msgs/msg/Image"
    writer = Writer(path)
    with writer:
        connection = writer.add_connection("/cam", image, typestore=store)
        for number in range(5):
            stamp = kinds["builtin_interfaces/msg/Time"](sec=10, nanosec=number * 10**8)
            header = kinds["std_msgs/msg/Header"](seq=number, stamp=stamp, frame_id="")
            picture = kinds[image](
                header=header,
                height=48,
                width=64,
                encoding="mono8",
                is_bigendian=0,
                step=64,
                data=np.full(48 * 64, 9 * number, np.uint8),
            )
            data = store.serialize_ros1(picture, image)
            writer.write(connection, 10**10 + number * 10**8, bytes(data))


def test_a_bag_of_ros_1_gives_its_frames(tmp_path):
    write_ros_1(tmp_path / "a.bag")
    with open_source(str(tmp_path / "a.bag")) as source:
        assert [int(source.read()[0, 0, 0]) for _ in range(5)] == [0, 9, 18, 27, 36]
        assert source.time_s == pytest.approx(0.4) and source.read() is None


@pytest.mark.parametrize("name, advice", [("a.bag", "rosbag reindex"), ("a.mcap", "mcap recover")])
def test_a_bag_that_was_not_closed_gets_what_to_do(tmp_path, name, advice):
    write_ros_1(tmp_path / "a.bag")
    content = {"a.bag": (tmp_path / "a.bag").read_bytes()[:3000], "a.mcap": b"\x89MCAP0\r\n" * 2}
    cut = content[name][:-5] + b"\0" * 90
    (tmp_path / name).write_bytes(cut)
    with pytest.raises(BadSource, match=advice) as told:
        open_source(str(tmp_path / name))
    assert "Error(" not in str(told.value)


def test_a_topic_without_ros_is_told_in_our_own_words(monkeypatch):
    forget_ros(monkeypatch, "rclpy")
    with pytest.raises(NoCamera) as caught:
        ros.open_bus()
    assert "ROS 2" in str(caught.value) and "setup.bash" in str(caught.value)
    assert "No module" not in str(caught.value)


def test_a_ros_of_another_python_is_told_as_such(tmp_path, monkeypatch):
    forget_ros(monkeypatch)
    (tmp_path / "rclpy").mkdir()
    (tmp_path / "rclpy" / "__init__.py").write_text("import rclpy._rclpy_pybind11\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with refusal(NoCamera, "no ROS"):
        ros.open_bus()


def forget_ros(monkeypatch, *absent):
    """Forget what an earlier test imported, and let these libraries be absent."""

    class Absent:
        def find_spec(name, path=None, target=None):
            if name in absent:
                raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(sys, "meta_path", [Absent, *sys.meta_path])
    for name in list(sys.modules):
        if name.split(".")[0] == "rclpy":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "hotpath_bridges.ros_node", raising=False)
    monkeypatch.delattr(hotpath_bridges, "ros_node", raising=False)


PLAIN = np.zeros((6, 10, 3), np.uint8)


def numbered(first):
    """Four pictures for ``write_bag``, each with its number."""
    numbers = range(first, first + 4)
    return [("/a", 1 + 0.1 * number, image("bgr8", PLAIN + number, 10)) for number in numbers]


@pytest.mark.parametrize("plugin", ["MCAP", "SQLITE3"])
def test_a_folder_without_metadata_is_opened_by_its_files(tmp_path, plugin):
    folder = write_bag(tmp_path / "bag", plugin, numbered(0))
    (folder / "metadata.yaml").unlink()
    (file,) = write_bag(tmp_path / "more", plugin, numbered(4)).glob("more*")
    shutil.copy(str(file), str(folder / ("bag_1" + file.suffix)))
    for spec in (f"{folder}#/a", str(folder)):
        with open_source(spec) as source:
            assert [int(source.read()[0, 0, 0]) for _ in range(source.frames)] == list(range(8))


@pytest.mark.parametrize("encoding", ["theora", "bayer_rggb8"])
def test_pictures_of_an_unknown_kind_are_no_damage(tmp_path, encoding):
    unread = ("/a", 1, image(encoding, PLAIN, 10))
    write_bag(tmp_path / "bag", "MCAP", [unread, *numbered(1)])
    with open_source(str(tmp_path / "bag")) as source:
        for _ in range(2):  # nothing behind it is given as if it came next
            with pytest.raises(BadSource, match=f"pictures of ROS in '{encoding}'") as caught:
                source.read()
    assert "damaged" not in str(caught.value)
