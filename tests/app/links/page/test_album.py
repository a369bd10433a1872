"""Pictures and words of the targets, as the page asks for them."""

import time

import cv2
import numpy as np
import pytest

from hotpath.app.links.page import album
from hotpath.app.links.page.album import KEPT_S, Album
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from tests.support import object_scene, pages

FRAME = np.zeros((120, 160, 3), np.uint8)


def tracked(index, state="tracked", found=False, taken=None, colour=0, number=0):
    frame = FRAME + np.uint8(colour)
    track = Track(Box(60, 40, 30, 30), 0.9, state == "lost", state, taken=taken, found=found)
    return TrackedFrame(frame, index, index / 10.0, {number: track})


def brightness(moment):
    return cv2.imdecode(np.frombuffer(moment.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)[5, 5]


@pytest.fixture
def each_frame(monkeypatch):
    """A picture of each frame, instead of one a second."""
    monkeypatch.setattr(album, "EVERY_S", 0.0)


def test_the_frame_of_the_selection_stays_and_the_newest_is_of_now(each_frame):
    kept = Album(live=False)
    kept.select(tracked(3, taken="box", colour=50))
    for index in range(4, 9):
        kept.write(tracked(index, colour=20 * index))
    kept.develop()
    assert kept.selected(0).frame == 3
    assert abs(int(brightness(kept.selected(0))) - 50) < 4
    assert kept.picture(0).frame == 8
    assert abs(int(brightness(kept.picture(0))) - 160) < 4
    assert kept.picture(7) is None


def test_a_recording_keeps_the_picture_of_each_find_beside_the_newest(each_frame):
    kept = Album(live=False)
    for index in range(4, 12):
        kept.write(tracked(index, found=index in (6, 9)))
        kept.develop()
    assert [kept.picture(0, frame).frame for frame in (5, 6, 8, 9, 11)] == [6, 6, 6, 9, 11]


def test_one_picture_a_second_and_one_at_each_find():
    kept = Album(live=True)
    for index in range(50):
        kept.write(tracked(index, found=index == 30))
    kept.develop()
    assert kept.version == 2, "the first frame, and the find"
    assert kept.picture(0).frame == 30
    assert kept.as_json()[0]["finds"] == [[30, 3.0]]


def test_the_frame_at_which_the_run_stands_still_gets_a_picture():
    kept = Album(live=False)
    for index in range(20):
        kept.write(tracked(index))
    kept.develop()
    assert kept.picture(0).frame == 0, "frames still come"
    kept._came_s -= album.STILL_S
    kept.develop()
    assert kept.picture(0).frame == 19
    version = kept.version
    kept.develop()
    assert kept.version == version, "once"


def test_a_moment_of_a_stream_is_the_last_picture_before_it(each_frame):
    kept = Album(live=True)
    for index in (10, 20, 30):
        kept.write(tracked(index))
        kept.develop()
    found = [kept.picture(0, frame).frame for frame in (5, 10, 19, 20, 99)]
    assert found == [10, 10, 10, 20, 30]


def test_a_gap_of_a_stream_shifts_no_picture_to_another_moment(each_frame):
    kept = Album(live=True)
    for index in range(10):
        time_s = index + (60.0 if index >= 5 else 0.0)  # the source was silent for a minute
        kept.write(tracked(index)._replace(time_s=time_s))
        kept.develop()
    found = [kept.picture(0, time_s=time_s).frame for time_s in (0.0, 3.5, 40.0, 65.0, 67.9, 99.0)]
    assert found == [0, 3, 4, 5, 7, 9]


def test_words_are_kept_where_they_begin_and_of_a_stream_the_last_minutes():
    words = ["tracked"] * 3 + ["unsure"] * 2 + ["lost"] * 4 + ["tracked"]
    for live in (False, True):
        kept = Album(live)
        for index, word in enumerate(words):
            kept.write(tracked(index, word))
        (line,) = kept.as_json()
        runs = [[0, 0.0, "tracked"], [3, 0.3, "unsure"], [5, 0.5, "lost"], [9, 0.9, "tracked"]]
        assert line["runs"] == runs
        assert line["last"] == [9, 0.9]
        later = int(10 * KEPT_S) + 20
        kept.write(tracked(later))
        shown = [run[2] for run in kept.as_json()[0]["runs"]]
        assert shown == (["tracked"] if live else ["tracked", "unsure", "lost", "tracked"])


def test_frames_do_not_pile_up_where_no_picture_is_cut_out(each_frame):
    kept = Album(live=True)
    for index in range(500):
        kept.write(tracked(index))
    assert len(kept._waiting) == album.MOST_WAITING
    for number in range(100):
        kept.write(tracked(600, number=number))
    assert len(kept._lines) == album.MOST_TARGETS


@pytest.mark.slow("the shipped network")
def test_a_person_says_no_and_yes_and_the_word_is_there_at_once(tmp_path):
    pytest.importorskip("aiohttp")
    object_scene.write_film(tmp_path / "frames")
    box = ",".join(map(str, object_scene.OBJECT))
    words = "--box", box, "--fps", "10"
    with pages.PagedRun(tmp_path, tmp_path / "frames", *words, network="kestrel") as run:
        run.wait_for(lambda state: state["frame"] > 5)
        run.ask("/api/pause", {"paused": True})
        assert run.state()["can_lose"]
        assert run.ask("/api/reject", {"reject": True})[0] == 204
        (target,) = run.state()["targets"]
        assert (target["state"], target["presence"]) == ("lost", 0.0)
        for name in ("reject", "confirm"):
            assert run.ask("/api/" + name, {name: True})[0] == 422, "it is lost already"
        assert run.ask("/api/reject", {"reject": True, "number": 9})[0] == 404
        assert run.ask("/api/confirm", {"confirm": False})[0] == 400
        begun = run.state()["frame"]
        run.ask("/api/pause", {"paused": False})
        state = run.wait_for(lambda state: state["frame"] > begun + 5)
        assert state["targets"][0]["state"] != "tracked", "the same object is not found at once"
        status, headers, jpeg = run.ask("/api/targets/0/selected")
        assert (status, headers["X-Frame"]) == (200, "0")
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (album.PICTURE_PX, album.PICTURE_PX, 3)
        for wrong in ("frame=x", "time_s=x", "time_s=-1", "time_s=nan", "time_s=inf"):
            assert run.ask(f"/api/targets/0/picture?{wrong}")[0] == 400, wrong
        assert run.ask("/api/targets/0/picture?time_s=0.25")[0] == 200
        assert run.ask("/api/targets/5/picture")[0] == 404
        ends_s = time.monotonic() + 60
        while int(run.ask("/api/targets/0/picture")[1]["X-Frame"]) <= 5:
            assert time.monotonic() < ends_s, "no picture of a later frame"
            time.sleep(0.1)
