"""Two threads may call any two public methods: libraries end the process where both are inside.

Trackers and targets are in ``tests/runtime/tracker/test_lock.py``.
"""

import os
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from hotpath.app.links.base import Context
from hotpath.app.links.run_controller import Controller
from hotpath.app.option_records import LinkOptions, PageOptions
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video import save
from hotpath.video.base import WAITING
from hotpath.video.results import ResultsWriter
from hotpath.video.sources import open_source
from tests.support import tiny
from tests.support.pairs import Kind, assert_takes_turns, link_calls
from tests.support.run_outputs import run_outputs
from tests.support.streams.mjpeg import MjpegServer

FRAMES = 12
PICTURE = np.zeros((48, 64, 3), np.uint8)


def assert_two_threads(kind, *words, **environment):
    assert_takes_turns(__name__, kind, *words, **environment)


# sources


def source(address):
    """A source. Two threads that read a recording get each frame once."""
    given = []

    def read(opened, n):
        frame = opened.read(0.05)
        if frame is not None and frame is not WAITING:
            given.append(bgr_of(frame).tobytes())

    def opened():
        given.clear()
        return open_source(address, planes=True)

    def check(opened, pair):
        if pair == ("read", "read") and not opened.live:
            assert len(given) == len(set(given)) == FRAMES, (len(given), len(set(given)))

    calls = {
        "read": read,
        "seek": lambda opened, n: opened.seek(n % 8),
        "seek_time": lambda opened, n: opened.seek_time(n / 30 % 0.3),
        "period_s": lambda opened, n: opened.period_s,
        "close": lambda opened, n: opened.close(),
    }
    with open_source(address) as first:
        if hasattr(first, "count"):
            calls["count"] = lambda opened, n: opened.count()
    besides = "file_of", "leave_out"  # of a list that does not change; what ``read`` calls
    return Kind(opened, calls, besides, check)


def test_two_threads_in_two_methods_of_a_recording(tmp_path):
    tiny.write_video(tmp_path / "film.avi", tiny.film(FRAMES)[0])
    assert_two_threads("source", str(tmp_path / "film.avi"))


def test_two_threads_in_two_methods_of_a_live_source():
    with MjpegServer() as server:
        assert_two_threads("source", server.address)


# files


def results(folder):
    """Results, whose rows stay whole."""
    path = os.path.join(folder, "rows.csv")

    def check(opened, pair):
        with open(path) as file:
            lines = file.read().splitlines()
        whole = not opened.rows or len(lines) == 1 + opened.rows
        assert whole and all(line.count(",") == 1 for line in lines), lines

    calls = {
        "write": lambda opened, n: opened.write([n, n / 2]),
        "kept": lambda opened, n: opened.kept,
        "close": lambda opened, n: opened.close(),
    }
    return Kind(lambda: ResultsWriter(path, ("frame", "x")), calls, check=check)


def test_two_threads_in_two_methods_of_results(tmp_path):
    assert_two_threads("results", str(tmp_path))


def video(folder):
    """A video, encoded in a thread of its own."""
    path, written = os.path.join(folder, "out.mp4"), []

    def opened():
        written.clear()
        return save.BackgroundVideo(save.Video(path, 25), False, lambda ms: None)

    def write(made, n):
        made.write(PICTURE)
        written.append(n)

    def check(made, pair):
        if written:
            with open_source(path) as opened:
                assert opened.count() == len(written), (opened.count(), len(written))

    calls = {
        "write": write,
        "kept": lambda made, n: made.kept,
        "check": lambda made, n: made.check(),
        "close": lambda made, n: made.close(),
    }
    return Kind(opened, calls, check=check)


def test_two_threads_in_two_methods_of_a_saved_video(tmp_path):
    pytest.importorskip("av")
    assert_two_threads("video", str(tmp_path))


# the page


def page():
    """The page, whose server has a thread of its own, on a run that does nothing."""
    from hotpath.app.links.page import server

    targets, stop = Mock(), SimpleNamespace(requested=False)
    targets.engine.describe.return_value = {"engine": "none"}
    targets.network.name = "tiny"
    live = Mock(live=True, period_s=0.0, gaps=[], dropped=0, captured_at="arrival", frames=None)
    live.name = "cam0"
    options = LinkOptions(results="rows.csv", page=PageOptions(True, port=0))
    run = Controller(options, targets, live, stop, run_outputs(lambda tracked: None))
    context = Context(options, run, 25.0, (64, 48), "tiny", lambda text: None)
    return Kind(lambda: server.open_link(context), link_calls(), ("start",))


def test_two_threads_in_two_methods_of_the_page():
    pytest.importorskip("aiohttp")
    assert_two_threads("page")
