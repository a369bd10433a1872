"""The report of a run: what its file holds, with and without a tracker beside it."""

import math
import re
import shlex
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from hotpath.app.cli.option_parser import command_of, parse, records_of
from hotpath.app.report.charts import COLUMNS, FrameAxis, curve, time_line
from hotpath.app.report.document import ReportFacts, document
from hotpath.app.report.history import (
    DOUBT,
    FIND,
    GIVEN_UP,
    LOSS,
    MOST_PICTURES,
    MOST_UNSURE,
    SELECTED,
    RunHistory,
)
from hotpath.app.report.thumbnails import cut
from hotpath.app.track_command import main
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from tests.support import pages, tiny

SIZE = 320, 240


def frame_at(index):
    """A grey frame with a bright square that moves."""
    frame = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    cv2.rectangle(frame, (20 + index % 200, 100), (60 + index % 200, 140), (20, 200, 250), -1)
    return frame


def tracked_at(index, state="tracked", found=False):
    box = Box(20.0 + index % 200, 100.0, 40.0, 40.0)
    track = Track(
        box,
        0.9,
        lost=state == "lost",
        state=state,
        velocity=(25.0, 0.0),
        presence={"tracked": 0.95, "unsure": 0.5, "lost": 0.03}[state],
        found=found,
    )
    return TrackedFrame(frame_at(index), index, index / 25.0, {0: track})


def story(words):
    """A history of one target, given a word a frame; it is found where "tracked" follows a loss."""
    history, was_lost = RunHistory(), False
    for index, word in enumerate(words):
        history.write(tracked_at(index, word, found=was_lost and word == "tracked"))
        was_lost = word == "lost" or (was_lost and word == "unsure")
    return history


class Addresses(HTMLParser):
    """Collects all that a document would load, and its scripts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.scripts, self.tags = [], 0, []
        self.feed(text)
        self.found += re.findall(r"url\(([^)]{0,30})", text) + re.findall(r"@import.{0,30}", text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attributes)
        loads = ("src", "href", "srcset", "data", "action")
        self.found += [value[:30] for name, value in attributes if name in loads]


def test_a_report_has_pictures_of_selection_losses_and_finds_and_loads_nothing():
    words = ["tracked"] * 20 + ["unsure"] * 5 + ["lost"] * 10 + ["unsure"] * 3 + ["tracked"] * 12
    history = story(words)
    events = history.targets[0].events
    assert [(event.kind, event.frame) for event in events] == [
        (SELECTED, 0),
        (LOSS, 25),
        (FIND, 38),
    ]
    for event in events:
        picture = cv2.imdecode(np.frombuffer(event.picture, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape[0] == picture.shape[1] > 100
    text = document(history, ReportFacts("film.mp4", command="hotpath track film.mp4"))
    page = Addresses(text)
    assert page.found
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.found)
    assert page.scripts == 0
    assert "tracked in 64.0%, unsure in 16.0%, lost in 20.0% of its frames" in text
    assert page.tags.count("svg") == 5  # time line, presence, size, speed, milliseconds


def test_what_an_unsure_box_held_is_shown_after_10_frames_40_and_160():
    words = ["tracked"] * 9 + ["unsure"] * 200 + ["tracked"] * 9 + ["unsure"] * 9
    events = story(words).targets[0].events
    assert [(event.kind, event.frame) for event in events] == [
        (SELECTED, 0),
        *((DOUBT, frame) for frame in (18, 48, 168)),
    ]
    assert all(event.picture and event.whole for event in events)
    text = document(story(words), ReportFacts("film.mp4"))
    assert text.count("still unsure<span> in frame") == 3 and "never lost" not in text


def test_many_doubts_leave_losses_their_pictures():
    words = (["tracked"] * 9 + ["unsure"] * 10) * 90 + ["lost"]
    past = story(words).targets[0]
    assert past.count(DOUBT) == MOST_UNSURE and past.events[-1].kind == LOSS
    assert all(event.picture for event in past.events)


STORIES = {  # name -> (states, (losses, verified again, candidates given up))
    "a candidate after a loss": ("t9 l5 u4 l5 u4 l5 u3 t9", (1, 1, 2)),
    "lost twice": ("t9 l5 u3 t9 l5 t9", (2, 2, 0)),
    "never again": ("t9 u2 l5 u4 l3", (1, 0, 1)),
    "unsure alone": ("t9 u9 t9", (0, 0, 0)),
    "doubted after it was verified": ("t9 l5 u3 t4 u5 l4", (2, 1, 0)),
}


@pytest.mark.parametrize("text, counts", STORIES.values(), ids=STORIES)
def test_losses_are_those_of_the_target_and_candidates_are_named(text, counts):
    words = []
    for part in text.split():
        words += [{"t": "tracked", "u": "unsure", "l": "lost"}[part[0]]] * int(part[1:])
    history = story(words)
    past = history.targets[0]
    assert tuple(past.count(kind) for kind in (LOSS, FIND, GIVEN_UP)) == counts
    text = document(history, ReportFacts("film.mp4"))
    assert text.count("candidate given up<span> in frame") == counts[2]
    assert text.count("<details>") == sum(counts) + 1 == text.count('class="whole"')
    assert "found in frame" not in text and ">frame 0<" in text


def test_a_picture_shows_the_target_in_its_middle_also_at_the_edge_of_the_frame():
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[:20, :20] = (0, 0, 255)
    picture = cv2.imdecode(np.frombuffer(cut(frame, (0, 0, 20, 20), 80), np.uint8), 1)
    assert picture.shape == (80, 80, 3)
    assert picture[40, 40].tolist()[2] > 200, "the target is in the middle"
    assert np.abs(picture[5, 5].astype(int) - 64).max() < 20, "outside of the frame is grey"
    assert picture[70, 70].max() < 40, "the frame around it"
    assert cut(frame, (math.nan, 0, 20, 20), 80) == b""
    assert cut(frame, (10, 10, 1e9, 1e9), 80), "a table's box may be of any size"


def test_a_report_of_many_frames_stays_small_and_keeps_short_losses():
    count = 20000
    words = ["tracked"] * count
    words[7000] = "lost"
    axis = FrameAxis(0, count - 1)
    line = time_line(axis, range(count), [("tracked", "lost").index(w) * 2 for w in words], [])
    assert line.count('class="lost"') == 1, "one lost frame of 20,000 is seen"
    values = np.zeros(count)
    values[12345] = 1.0
    drawn = curve(axis, range(count), values, "presence", top=1.0)
    heights = {float(y) for y in re.findall(r",([\d.]+)", drawn.split("points=")[1])}
    assert len(heights) == 2, "the one high value is seen"
    assert len(drawn) < 40 * COLUMNS


def test_the_report_of_1000_frames_with_many_losses_has_at_most_a_few_megabytes():
    words = (["tracked"] * 3 + ["lost"] * 2) * 200
    history = story(words)
    text = document(history, ReportFacts("film.mp4"))
    assert len(text) < 3e6
    pictures = sum(bool(event.picture) for event in history.targets[0].events)
    assert pictures == MOST_PICTURES + 1
    assert "no picture" in text


def test_the_command_of_a_report_repeats_the_run():
    words = (
        "film.mp4 --box 10,20,30,40 --box -5,2,9,9 --network kestrel_fast --no-recover --threads 2 "
        "--results 'my boxes.csv' --report run.html --publish mqtt://me:secret@10.0.0.1/a"
    )
    told = command_of(records_of(parse(shlex.split(words)), print))
    assert shlex.split(told)[2:] == shlex.split(words.replace("secret", "***"))


def test_the_command_has_the_box_that_was_drawn_and_no_password():
    options = records_of(parse(["rtsp://me:secret@10.0.0.1/live", "--show"]), print)
    command = command_of(options, Box(1.5, 2.0, 30.25, 40.0))
    assert "--box 1.5,2,30.25,40" in command
    assert "secret" not in command
    assert "rtsp://me:***@10.0.0.1/live" in command


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A folder with the tiny network, its film, and the true boxes."""
    folder = tmp_path_factory.mktemp("film")
    tiny.write_network(folder)
    pictures, boxes = tiny.film(12)
    tiny.write_pictures(folder / "frames", pictures)
    return folder, boxes


def track(film, *more):
    pytest.importorskip("onnxruntime")
    folder, boxes = film
    box = ",".join(f"{value:g}" for value in boxes[0])
    words = ["--network", folder / "tiny.toml", folder / "frames", "--box", box, "--fps", 25, *more]
    return main([str(word) for word in words])


def test_a_run_writes_its_report_with_times_and_settings(film, tmp_path, capsys):
    assert track(film, "--report", tmp_path / "run.html", "--quiet", "--json") == 0
    assert '"files": ["{}"]'.format(tmp_path / "run.html") in capsys.readouterr().out
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "Milliseconds of each step" in text
    assert re.search(r"network</text>.*?\d ms \(p95", text, re.S)
    assert "This command repeats the run" in text
    command = re.sub("<[^>]*>", "", re.search("<pre>(.*?)</pre>", text).group(1))
    assert command.startswith("hotpath track ") and " --fps 25 " in command, "copied as text"
    assert re.search(r">--fps</span> 25", text), "no line is broken within two dashes"
    assert not Addresses(text).scripts


def test_an_older_report_stays_where_the_run_fails(film, tmp_path, capsys):
    (tmp_path / "run.html").write_text("older")
    assert track(film, "--report", tmp_path / "run.html", "--box", "9000,1,5,5") == 2
    assert (tmp_path / "run.html").read_text() == "older"
    assert track(film, "--report", tmp_path / "run.pdf") == 2
    assert "name the file .html" in capsys.readouterr().err


@pytest.mark.skipif(bool(pages.no_browser()), reason=str(pages.no_browser()))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_whole_time_line_and_all_bars_in_the_mode_of_the_viewer(tmp_path, scheme):
    steps = [("crop", 0.2, 0.3), ("network", 2.0, 9.9), ("tracking", 3.0, 12.34)]
    history = story(["tracked"] * 50 + ["lost"] * 30 + ["unsure"] * 10 + ["tracked"] * 10)
    path = tmp_path / "run.html"
    path.write_text(document(history, ReportFacts("film.mp4", steps=steps)), encoding="utf-8")
    with pages.browser() as chromium:
        size = {"width": 390, "height": 844}
        page = chromium.new_page(viewport=size, color_scheme=scheme, is_mobile=True)
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        ends = page.evaluate(
            "[...document.querySelectorAll('svg.line rect, svg.bars text')]"
            ".map((e) => e.getBoundingClientRect()).map((r) => [r.left, r.right, r.height])"
        )
        assert len(ends) == 4 + 2 * len(steps)
        for left, right, height in ends:
            assert left >= 0 and right <= 390 and height > 8
        ground, card, ink = page.evaluate(
            "[['body', 'backgroundColor'], ['section:last-child', 'backgroundColor'],"
            " ['svg.bars text', 'fill']].map(([part, key]) =>"
            " getComputedStyle(document.querySelector(part))[key].match(/\\d+/g).map(Number))"
        )
        is_dark = scheme == "dark"
        assert (max(ground) < 60) == (max(card) < 60) == (min(ink) > 120) == is_dark
