"""Picture files that hold several pictures give all of them, or a sentence."""

import cv2
import numpy as np
import pytest

from hotpath.runtime.pictures import bgr_of
from hotpath.video.sources import open_source
from hotpath.video.stack import pictures_in
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
    if not hasattr(cv2, "imreadanimation"):
        pytest.skip("this OpenCV reads no animated WebP")
    write_with_pyav(path, "libwebp_anim", "webp")


WRITERS = {"a.tif": write_tiff, "b.tiff": write_deep_tiff, "c.png": write_png, "d.webp": write_webp}


def read(source):
    frames = []
    frame = source.read()
    while frame is not None:
        frames.append(bgr_of(frame))
        frame = source.read()
    return frames


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_all_pictures_of_a_file_are_frames(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    assert pictures_in(path.read_bytes()) == COUNT
    with open_source(str(path)) as source:
        assert [scene.tick_of(frame) for frame in read(source)] == list(range(COUNT))
        assert source.seek(3) and scene.tick_of(bgr_of(source.read())) == 3


@pytest.mark.parametrize("name", ["a.tif", "c.png", "d.webp"])
def test_a_folder_tells_that_a_file_holds_several(tmp_path, name):
    WRITERS[name](tmp_path / name)
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"x{number}.png"), scene.picture_at(number))
    said = []
    with open_source(str(tmp_path), said.append) as source:
        assert len(read(source)) == 3
    assert len(said) == 1 and f"{name} holds {COUNT} pictures" in said[0]


@pytest.mark.parametrize("kind", [".png", ".tif", ".webp", ".jpg", ".bmp"])
def test_one_picture_is_one_frame_without_a_word(tmp_path, kind):
    path = str(tmp_path / ("a" + kind))
    cv2.imwrite(path, scene.picture_at(0))
    said = []
    with open_source(path, said.append) as source:
        assert len(read(source)) == 1
    assert not said


def test_files_that_are_cut_off_count_as_one_picture(tmp_path):
    write_tiff(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    for size in (4, 6, 9, 20):
        assert pictures_in(data[:size]) == 1
    assert pictures_in(b"\x89PNG\r\n\x1a\n\0\0") == 1
