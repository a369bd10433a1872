"""A film of two trackers side by side: its frames, its sentences."""

import cv2
import numpy as np
import pytest

from calib.research.longterm import beside
from tests.support import tiny


@pytest.fixture
def videos(tmp_path):
    """A film of the target, and another scene."""
    frames, _ = tiny.film(12)
    scene = [np.full((120, 160, 3), 90, np.uint8)] * 3
    for name, pictures in (("video", frames), ("scene", scene)):
        size = pictures[0].shape[1::-1]
        out = cv2.VideoWriter(
            str(tmp_path / (name + ".avi")), cv2.VideoWriter_fourcc(*"MJPG"), 10, size
        )
        for picture in pictures:
            out.write(picture)
        out.release()
    return tmp_path


def options(videos, *more):
    arguments = ["--video", str(videos / "video.avi"), "--scene", str(videos / "scene.avi")]
    arguments += ["--box", "70,60,40,40", "--out", str(videos / "o.webp")]
    return [*arguments, *more]


def test_the_scene_comes_between_two_parts_that_show_other_places(videos):
    given = options(videos, "--hide", "4:5", "--views", "20,80", "--width", "200")
    frames = beside.edited(beside.parser().parse_args(given))
    whole = beside.read(str(videos / "video.avi"))
    assert len(frames) == 12 + 5 and {frame.shape for frame in frames} == {(240, 200, 3)}
    assert (frames[3] == whole[3][:, 20:220]).all()
    assert abs(frames[6].astype(int) - 90).max() < 8
    assert (frames[9] == whole[4][:, 80:280]).all()


@pytest.mark.parametrize(
    "more, sentence",
    [
        (("--hide", "12:5"), "--hide 12:5: the video has 12 frames"),
        (("--hide", "4"), "--hide 4: give 2 whole numbers"),
        (("--hide", "4:5", "--views", "0,200", "--width", "200"), "the video is 320 pixels wide"),
        (("--hide", "4:5", "--scene", "none.avi"), "none.avi: no frame could be read"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(videos, capsys, more, sentence):
    assert beside.main(options(videos, *more)) == 2
    assert sentence in capsys.readouterr().err
