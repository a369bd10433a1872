"""Picture files that hold several pictures give all of them, or a sentence."""

import sys

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.sources import open_source
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


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_all_pictures_of_a_file_are_frames(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    with open_source(str(path)) as source:
        assert [scene.tick_of(frame) for frame in read(source)] == list(range(COUNT))
        assert source.seek(3) and scene.tick_of(bgr_of(source.read())) == 3


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


def test_a_stack_that_is_cut_off_is_refused_as_a_whole(tmp_path):
    write_tiff(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    for size in (4, 6, 9, 20, len(data) // 2):
        (tmp_path / "a.tif").write_bytes(data[:size])
        with pytest.raises(BadSource):
            open_source(str(tmp_path / "a.tif"))


def test_without_pillow_a_stack_names_the_package(tmp_path, monkeypatch):
    write_tiff(tmp_path / "a.tif")
    cv2.imwrite(str(tmp_path / "b.png"), scene.picture_at(0))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(BadSource) as caught:
        open_source(str(tmp_path / "a.tif"))
    assert "pip install pillow" in str(caught.value)
    assert open_source(str(tmp_path / "b.png")).read() is not None


def test_the_durations_of_an_animated_webp_are_its_times(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    pages = [Image.fromarray(picture[..., ::-1]) for picture in pictures()]
    lasts_ms = [40, 40, 200, 40, 1000, 40, 40]
    path = str(tmp_path / "a.webp")
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=lasts_ms, lossless=True)
    right_s = np.cumsum([0] + lasts_ms[:-1]) / 1e3
    with open_source(path) as source:
        times_s = [source.time_s for _ in source]
        assert source.fps == 25 and times_s == pytest.approx(right_s)
        assert source.seek_time(0.3) and source.given == 4
        assert source.seek(2) and scene.tick_of(bgr_of(source.read())) == 2
        assert source.time_s == pytest.approx(0.08)
    with open_source(path, fps=10) as source:
        source.read(), source.read()
        assert source.time_s == pytest.approx(0.1)


def test_previews_in_a_stack_are_no_frames(tmp_path):
    pillow = pytest.importorskip("PIL.TiffImagePlugin")
    path = str(tmp_path / "a.tif")
    with open(path, "w+b") as file, pillow.AppendingTiffWriter(file, True) as writer:
        for number, picture in enumerate(pictures()):
            page = pillow.Image.fromarray(picture[..., ::-1])
            page = page.reduce(4) if number % 2 else page
            page.save(writer, "TIFF")
            writer.newFrame()
    with open_source(path) as source:
        assert [scene.tick_of(frame) for frame in read(source)] == [0, 2, 4, 6]
