"""Bags of ROS that unpack or compute without an end are refused."""

import bz2
import shutil
import sqlite3

import numpy as np
import pytest

from hotpath.runtime.errors import BadSource
from hotpath.video.sources import open_source
from hotpath_bridges import bag_budget, ros

rosbags = pytest.importorskip("rosbags.rosbag2")
from bridges_tests.fake_ros import STORE  # noqa: E402
from bridges_tests.test_ros import image, write_ros_1  # noqa: E402
from tests.support import malformed  # noqa: E402
from tests.support.errors import refusal  # noqa: E402

ZEROS = 200 << 20
PICTURE = np.full((6, 10, 3), 7, np.uint8)


def packed(kind, data):
    if kind == "bz2":
        return bz2.compress(data)
    if kind == "lz4":
        return pytest.importorskip("lz4.frame").compress(data)
    return pytest.importorskip("rosbags.rosbag2.storage_mcap").zstd.compress(data)


@pytest.mark.parametrize("kind", ["lz4", "zstd"])
@pytest.mark.parametrize("stated", [ZEROS, 1 << 40, 4096])
def test_a_chunk_that_unpacks_to_too_much_is_refused(tmp_path, kind, stated):
    content = packed(kind, bytes(ZEROS))
    (tmp_path / "a.mcap").write_bytes(malformed.mcap(content, stated, kind.encode()))
    with refusal(BadSource, "too large"):
        open_source(str(tmp_path / "a.mcap"))


@pytest.mark.parametrize("kind", ["BZ2", "LZ4"])
def test_a_chunk_of_ros_1_that_unpacks_to_too_much_is_refused(tmp_path, kind):
    from rosbags.rosbag1 import Writer

    write_ros_1(tmp_path / "a.bag", Writer.CompressionFormat[kind], bytes(ZEROS))
    with open_source(str(tmp_path / "a.bag")) as source:
        with pytest.raises(BadSource, match="unpacks to more than 96 MiB"):
            list(source)


@pytest.mark.parametrize("mode", ["MESSAGE", "FILE"])
def test_a_message_or_a_file_that_unpacks_to_too_much_is_refused(tmp_path, mode, monkeypatch):
    monkeypatch.setattr(bag_budget, "UNPACKED_MIB", 1)
    monkeypatch.setattr(bag_budget, "RATIO", 10)
    writer = rosbags.Writer(
        tmp_path / "bag", version=9, storage_plugin=rosbags.StoragePlugin.SQLITE3
    )
    writer.set_compression(rosbags.CompressionMode[mode], rosbags.CompressionFormat.ZSTD)
    with writer:
        topic = writer.add_connection("/a", ros.IMAGE, typestore=STORE)
        writer.write(topic, 10**9, image("bgr8", np.zeros((2000, 3000, 3), np.uint8), 3000))
    with pytest.raises(BadSource, match="unpacks to more than"):
        with open_source(str(tmp_path / "bag")) as source:
            source.read()


FOR_EVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x)"
DATABASES = {
    "a view": f"DROP TABLE schema; CREATE VIEW schema(schema_version, d) AS {FOR_EVER}, 1 FROM c",
    "a computed column": "ALTER TABLE messages RENAME TO old; CREATE TABLE messages(id INTEGER "
    "PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB AS (hex(zeroblob(400000000)))); "
    "INSERT INTO messages SELECT id, topic_id, timestamp FROM old",
    "a slow pattern": "ALTER TABLE messages RENAME TO old; CREATE TABLE messages(id INTEGER "
    "PRIMARY KEY, topic_id INTEGER, data BLOB, timestamp INTEGER AS (printf('%.*c', 60, 'a') LIKE "
    f"'{'%a' * 24}b')); INSERT INTO messages SELECT id, topic_id, data FROM old",
}


@pytest.mark.parametrize("name", sorted(DATABASES))
def test_a_database_that_computes_for_ever_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(bag_budget, "QUERY_S", 1)
    write(tmp_path / "bag", "SQLITE3")
    (path,) = (tmp_path / "bag").glob("*.db3")
    with sqlite3.connect(str(path)) as database:
        database.executescript(DATABASES[name])
    database.close()
    with pytest.raises(BadSource):
        with open_source(str(tmp_path / "bag")) as source:
            list(source)


def write(path, plugin, count=4, first=0):
    """A bag of pictures, each with its number."""
    storage = rosbags.StoragePlugin[plugin]
    with rosbags.Writer(path, version=9, storage_plugin=storage) as writer:
        topic = writer.add_connection("/a", ros.IMAGE, typestore=STORE)
        for number in range(first, first + count):
            writer.write(topic, 10**9 + number * 10**8, image("bgr8", PICTURE * 0 + number, 10))
    return path


@pytest.mark.parametrize("plugin", ["MCAP", "SQLITE3"])
def test_a_folder_without_metadata_is_opened_by_its_files(tmp_path, plugin):
    folder = write(tmp_path / "bag", plugin)
    (folder / "metadata.yaml").unlink()
    (file,) = write(tmp_path / "more", plugin, first=4).glob("more*")
    shutil.copy(str(file), str(folder / ("bag_1" + file.suffix)))
    for spec in (f"{folder}#/a", str(folder)):
        with open_source(spec) as source:
            assert [int(source.read()[0, 0, 0]) for _ in range(source.frames)] == list(range(8))


@pytest.mark.parametrize("encoding", ["theora", "bayer_rggb8"])
def test_pictures_of_an_unknown_kind_are_no_damage(tmp_path, encoding):
    with rosbags.Writer(
        tmp_path / "bag", version=9, storage_plugin=rosbags.StoragePlugin.MCAP
    ) as writer:
        topic = writer.add_connection("/a", ros.IMAGE, typestore=STORE)
        writer.write(topic, 10**9, image(encoding, PICTURE, 10))
    with open_source(str(tmp_path / "bag")) as source:
        with pytest.raises(BadSource, match=f"pictures of ROS in '{encoding}'") as caught:
            source.read()
    assert "damaged" not in str(caught.value)
