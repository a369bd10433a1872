"""A folder's frames are the pictures as ``cv2.imread`` gives them; a broken one is named."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadSource
from hotpath.video.folder import read_picture
from hotpath.video.sources import open_source
from tests.support.errors import refusal
from tests.support.streams import scene
from tests.video.test_sources import read_all, write_pictures


def exif(orientation):
    """An APP1 segment that holds nothing but the orientation (1 to 8)."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return segment(0xE1, b"Exif\0\0" + tiff)


def segment(marker, content):
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(picture=None, **options):
    """The bytes of a JPEG."""
    picture = scene.picture_at(3) if picture is None else picture
    flags = [int(value) for pair in options.items() for value in (getattr(cv2, pair[0]), pair[1])]
    return cv2.imencode(".jpg", picture, flags)[1].tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_is_the_one_that_imread_gives(tmp_path, orientation):
    data, path = jpeg(), tmp_path / "a.jpg"
    path.write_bytes(data[:2] + exif(orientation) + data[2:])
    (frame,) = read_all(open_source(tmp_path))
    assert np.array_equal(frame, cv2.imread(str(path)))
    assert (frame.shape[0] > frame.shape[1]) == (orientation >= 5)  # the scene is wide


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".tif", ".webp", ".ppm"])
def test_eight_bit_pictures_are_those_that_imread_gives(tmp_path, ending):
    colour = scene.picture_at(7)
    grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    pictures = [colour]
    pictures += [grey] if ending != ".ppm" else []
    pictures += [np.dstack([colour, grey])] if ending not in (".jpg", ".ppm") else []
    path = str(tmp_path / ("a" + ending))
    for picture in pictures:
        assert cv2.imwrite(path, picture)
        assert np.array_equal(read_picture(path), cv2.imread(path))


@pytest.mark.parametrize("progressive", [False, True])
def test_what_stands_behind_the_end_of_a_picture_is_no_damage(tmp_path, progressive):
    png = cv2.imencode(".png", scene.picture_at(1))[1].tobytes()
    for ending, data in ((".jpg", jpeg(IMWRITE_JPEG_PROGRESSIVE=progressive)), (".png", png)):
        path = tmp_path / ("a" + ending)
        path.write_bytes(data + os.urandom(5000).replace(b"\xff", b"\0"))
        assert np.array_equal(read_picture(path), cv2.imread(str(path)))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_cut_jpeg_is_told_whatever_preview_it_holds(tmp_path, progressive):
    whole = jpeg(IMWRITE_JPEG_PROGRESSIVE=progressive)
    preview = segment(0xE1, b"Exif\0\0" + jpeg(scene.picture_at(3)[:40, :40]))
    whole, path = whole[:2] + preview + whole[2:], tmp_path / "a.jpg"
    path.write_bytes(whole)
    assert read_picture(path) is not None
    for size in [3, 4, len(preview) + 2, len(preview) + 4, -1] + list(range(5, len(whole), 97)):
        path.write_bytes(whole[:size])
        with refusal(BadSource, "cut off"):
            read_picture(path)


@pytest.mark.parametrize("side", [60000, 2**31 - 1])
def test_a_picture_that_opencv_refuses_is_named_and_skipped(tmp_path, side):
    def chunk(name, content):
        checksum = zlib.crc32(name + content) & 0xFFFFFFFF
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    write_pictures(tmp_path / "a", 3)
    bad = sorted((tmp_path / "a").iterdir())[1]
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    messages = []
    with open_source(str(tmp_path / "a"), messages.append) as source:
        assert source.read() is not None and source.read() is not None
        assert (source.given, source.skipped) == (3, 1) and source.read() is None
    (sentence,) = messages
    assert f"frame 1 is skipped: {bad}" in sentence and "\n" not in sentence


def grey(tick):
    return cv2.cvtColor(scene.picture_at(tick), cv2.COLOR_BGR2GRAY)


def ticks_of(folder):
    """The ticks of a folder's frames, and what is said to be left out of them."""
    log = []
    with open_source(str(folder), log.append) as source:
        ticks = [scene.tick_of(frame) for frame in source]
        assert all(any(words in line for line in log) for words in source.left_out)
    return ticks, " ".join(source.left_out)


def test_pictures_of_degrees_are_all_frames(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for tick in range(7):
        degrees = 20 + grey(tick).astype(np.float32) / 9
        image.fromarray(degrees).save(str(tmp_path / f"{tick}.tif"))
    assert ticks_of(tmp_path) == (list(range(7)), "")


def test_pictures_of_other_kinds_are_counted(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for tick in range(14):
        ending = ".gif" if tick % 2 else ".png"
        image.fromarray(grey(tick // 2)).save(str(tmp_path / f"{tick:03d}{ending}"))
    (tmp_path / "notes.txt").write_text("no picture\n")
    ticks, left_out = ticks_of(tmp_path)
    assert ticks == list(range(7)) and "7 pictures of other kinds (.gif) left out" in left_out
