"""A source gives every picture that it has, or says how many it leaves out."""

import cv2
import numpy as np
import pytest

from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.sources import open_source
from tests.support.streams import scene
from tests.video.test_web import Files, web_server

av = pytest.importorskip("av")
Image = pytest.importorskip("PIL.Image")
COUNT = 7


def grey(tick):
    return cv2.cvtColor(scene.picture_at(tick), cv2.COLOR_BGR2GRAY)


def by_pillow(path, pictures, **more):
    images = [Image.fromarray(picture) for picture in pictures]
    images[0].save(str(path), save_all=True, append_images=images[1:], **more)


def folder_of_degrees(path):
    path.mkdir()
    for tick in range(COUNT):
        by_pillow(path / f"{tick}.tif", [20 + grey(tick).astype(np.float32) / 9])


def mixed(path):
    path.mkdir()
    for tick in range(2 * COUNT):
        ending = ".gif" if tick % 2 else ".png"
        by_pillow(path / f"{tick:03d}{ending}", [grey(tick // 2)])
    (path / "notes.txt").write_text("no picture\n")


CASES = {  # name -> (what writes it, words of the sentence or "" for none)
    "degrees": (folder_of_degrees, ""),
    "mixed": (mixed, f"{COUNT} pictures of other kinds (.gif) left out"),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_all_pictures_are_given_or_their_number_is_told(tmp_path, name):
    write, words = CASES[name]
    write(tmp_path / name)
    log = []
    with open_source(str(tmp_path / name), log.append) as source:
        frames = list(source)
        assert words in " ".join(source.left_out) and bool(words) == bool(source.left_out)
    assert words in " ".join(log)
    ticks = [scene.tick_of(bgr_of(frame)) for frame in frames]
    assert ticks == list(range(COUNT))


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_the_address_of_a_still_picture_says_that_it_is_one(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    assert cv2.imwrite("a" + ending, scene.picture_at(3))
    with web_server(Files) as address, open_source(address + "a" + ending) as source:
        assert len(list(source)) == 1
        assert "gives one picture" in source.left_out[0]
