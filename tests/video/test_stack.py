"""Picture files that hold several pictures: an animated PNG is a video, others are refused."""

import struct

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video import encoded
from hotpath.video.sources import open_source
from tests.support.errors import refusal
from tests.support.streams import scene

COUNT = 7


def pictures(deep=False):
    found = [scene.picture_at(tick) for tick in range(COUNT)]
    return [picture.astype(np.uint16) * 16 for picture in found] if deep else found


def write_tiff(path):
    assert cv2.imwritemulti(str(path), pictures())


def write_deep_tiff(path):
    assert cv2.imwritemulti(str(path), pictures(deep=True))


def write_with_pyav(path, codec, form):
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = scene.WIDTH, scene.HEIGHT
        stream.pix_fmt = "rgb24" if codec == "apng" else "bgra"
        stream.options = {"lossless": "1"}
        for picture in pictures():
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))


def write_png(path):
    write_with_pyav(path, "apng", "apng")


def write_webp(path):
    write_with_pyav(path, "libwebp_anim", "webp")


WRITERS = {"a.tif": write_tiff, "b.tiff": write_deep_tiff, "c.png": write_png, "d.webp": write_webp}


def read(source):
    return [bgr_of(frame) for frame in source]


def test_all_pictures_of_an_animated_png_are_frames(tmp_path):
    path = tmp_path / "c.png"
    write_png(path)
    with open_source(str(path)) as source:
        assert [scene.tick_of(frame) for frame in read(source)] == list(range(COUNT))
        assert source.seek(3) and scene.tick_of(bgr_of(source.read())) == 3


def write_imagej(path):
    """As ImageJ writes a stack above 4 GB: one head, and the number in its description."""
    picture, text = pictures()[0][..., 0], b"ImageJ=1.54f\nimages=60\nslices=60\n\0"
    height, width = picture.shape
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 1), (270, 2, len(text), 8), (273, 4, 1, 8 + len(text)), (277, 3, 1, 1)]
    tags += [(278, 4, 1, height), (279, 4, 1, width * height)]
    pixels = picture.tobytes() * COUNT
    head = b"II*\0" + struct.pack("<I", 8 + len(text) + len(pixels)) + text + pixels
    page = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(head + page + bytes(4))


def write_heic(path):
    path.write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(100))


WRITERS.update({"e.tif": write_imagej, "f.heic": write_heic, "g.HEIF": write_heic})


@pytest.mark.parametrize("name", ["a.tif", "b.tiff", "d.webp", "e.tif", "f.heic", "g.HEIF"])
def test_a_file_of_several_pictures_is_refused(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    with refusal(BadSource, "several pictures", where=name):
        open_source(str(path))


@pytest.mark.parametrize("mark", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
@pytest.mark.parametrize("pages", [1, 2])
def test_the_head_of_a_tiff_says_its_size_and_whether_more_follows(mark, pages):
    order, is_big = "<>"[mark[:1] == b"M"], b"+" in mark
    place, count, entry = ("Q", "Q", "HHQI4x") if is_big else ("I", "H", "HHII")
    tags = [struct.pack(order + entry, *tag) for tag in ((256, 4, 1, 70), (257, 4, 1, 50))]
    head = mark + (struct.pack(order + "HH", 8, 0) if is_big else b"")
    head += struct.pack(order + place, 16 if is_big else 8) + struct.pack(order + count, len(tags))
    data = head + b"".join(tags) + struct.pack(order + place, pages - 1)
    assert encoded.size_of(data) == (70, 50) and encoded.holds_several(data) == (pages > 1)
    assert encoded.size_of(data[:20]) is None and not encoded.holds_several(data[:20])


@pytest.mark.parametrize("name", ["a.tif", "c.png", "d.webp"])
def test_a_folder_tells_that_a_file_holds_several(tmp_path, name):
    WRITERS[name](tmp_path / name)
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"x{number}.png"), scene.picture_at(number))
    messages = []
    with open_source(str(tmp_path), messages.append) as source:
        assert len(read(source)) == 3
    assert len(messages) == 1 and f"{name} holds several pictures" in messages[0]


@pytest.mark.parametrize("kind", [".png", ".tif", ".webp", ".jpg", ".bmp"])
def test_one_picture_is_one_frame_without_a_word(tmp_path, kind):
    path = str(tmp_path / ("a" + kind))
    cv2.imwrite(path, scene.picture_at(0))
    messages = []
    with open_source(path, messages.append) as source:
        assert len(read(source)) == 1
    assert not messages
