"""The page in a real browser: boxes are dragged, results are read from the file."""

import colorsys
import itertools
import re
import time

import numpy as np
import pytest

from hotpath.runtime.frames.boxes import overlap
from tests.support import object_scene, pages
from tests.support.streams.mjpeg import MjpegServer

pytest.importorskip("aiohttp")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(bool(pages.no_browser()), reason=str(pages.no_browser()))
slow = pytest.mark.slow("a browser works for seconds")

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = dict(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
PHONE["device_scale_factor"] = 2
WAIT_MS = 60000


@pytest.fixture(scope="module")
def chromium():
    with pages.browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    return folder, pages.write_world(folder, 400, width=640, height=480, side=80)


@pytest.fixture
def run(world):
    with pages.PagedRun(world[0], world[0] / "frames") as run:
        yield run


class Tab:
    """A tab with the page of a run. At its end it checks that the page reported no error.

    That the run takes over ten seconds to answer (504) is no error: a busy computer does.
    """

    def __init__(self, chromium, link, expect_errors=False, **kind):
        self.context = chromium.new_context(**(kind or DESKTOP))
        self.page = self.context.new_page()
        self.errors = []
        self.expect_errors = expect_errors
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)
        self.page.goto(link, timeout=WAIT_MS)
        self.wait("document.getElementById('picture').width > 300")

    def _note(self, said):
        if said.type == "error" and "status of 504" not in said.text:
            self.errors.append(said.text)

    def wait(self, condition):
        # wait_for_function evaluates text inside the page, which the page forbids
        deadline = time.monotonic() + WAIT_MS / 1e3
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, condition
            time.sleep(0.05)

    def wait_for_text(self, selector, text):
        self.page.locator(selector).filter(has_text=re.compile(text)).wait_for(timeout=WAIT_MS)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.context.close()
        if kind is None and not self.expect_errors:
            assert self.errors == []


PAIR = "document.querySelector('.pair canvas')?.getContext('2d')"
OPAQUE = PAIR + ".getImageData(80, 80, 1, 1).data[3] > 0"


def targets(run, count):
    state = run.wait_for(lambda state: len(state["targets"]) == count)
    return [target["number"] for target in state["targets"]]


def test_a_target_is_chosen_on_the_picture_that_was_seen(chromium, world):
    with pages.PagedRun(world[0], world[0] / "frames") as run, Tab(chromium, run.link) as tab:
        run.ask("/api/pause", {"paused": False})
        run.wait_for(lambda state: state["frame"] > 10)
        overlay = tab.page.locator("#overlay").bounding_box()
        tab.page.mouse.move(overlay["x"] + 300, overlay["y"] + 200)
        tab.page.mouse.down()
        begun = run.state()["frame"]
        tab.page.mouse.move(overlay["x"] + 360, overlay["y"] + 260)
        # by then the buffer would have dropped the frame, if the page did not hold it
        run.wait_for(lambda state: state["frame"] > begun + 100)
        tab.page.mouse.up()
        (number,) = targets(run, 1)
        tab.wait("document.querySelector('.pair img')?.naturalWidth === 160")
        tab.wait(OPAQUE)  # what the box holds now
        frames = sorted(run.boxes(number))
        assert begun - 15 <= frames[0] <= begun + 1
        assert frames[-1] >= begun + 100


def test_a_tap_on_nothing_is_told_and_a_small_drag_is_a_box(chromium, world, run):
    with Tab(chromium, run.link, expect_errors=True) as tab:
        run.ask("/api/pause", {"paused": True})
        pages.drag(tab.page, (100, 100, 2, 2))
        tab.wait_for_text("#toasts", "looks like an object")
        assert not run.state()["targets"]
        pages.drag(tab.page, (100, 100, 7, 7))
        assert targets(run, 1) == [0]


def test_a_senseless_box_is_followed_with_a_warning(chromium, world, run):
    with Tab(chromium, run.link) as tab:
        pages.drag(tab.page, (1, 1, 630, 470))
        tab.wait_for_text("#toasts", "nearly the whole picture; draw a tight box")
        assert targets(run, 1) == [0]


def test_a_tap_selects_a_thing_and_a_tap_on_nothing_is_told(chromium, tmp_path):
    object_scene.write_film(tmp_path / "frames")
    run_of = pages.PagedRun(tmp_path, tmp_path / "frames", network="kestrel")
    with run_of as run, Tab(chromium, run.link, expect_errors=True) as tab:
        run.ask("/api/pause", {"paused": True})
        pages.drag(tab.page, (*object_scene.CENTRE, 0, 0))
        assert targets(run, 1) == [0]
        assert overlap(run.state()["targets"][0]["box"], object_scene.OBJECT) > 0.6
        tab.wait_for_text("#hint", "Tap or drag|Tap in the box")
        # in its box: the next object there, if there is one, without a question
        pages.drag(tab.page, (*object_scene.CENTRE, 0, 0))
        run.wait_for(
            lambda state: (
                [t["number"] for t in state["targets"]] == [1]
                or tab.page.locator("#toasts p").count()
            )
        )
        assert not tab.page.locator("#sure").is_visible()
        tab.page.locator("#add").click()
        pages.drag(tab.page, (20, 20, 0, 0))
        tab.wait_for_text("#toasts", "Nothing at")


def test_a_loose_box_is_tightened_and_the_user_takes_it_back(chromium, tmp_path):
    object_scene.write_film(tmp_path / "frames")
    x, y, w, h = object_scene.OBJECT
    loose = (x - w / 2, y - h / 2, 2 * w, 2 * h)
    run_of = pages.PagedRun(tmp_path, tmp_path / "frames", network="kestrel")
    with run_of as run, Tab(chromium, run.link) as tab:
        run.ask("/api/pause", {"paused": True})
        pages.drag(tab.page, loose)
        targets(run, 1)
        assert overlap(run.state()["targets"][0]["box"], object_scene.OBJECT) > 0.6
        tab.page.locator("#add").click()  # the button is about the tightened target all the same
        tab.page.locator("#toasts button").click()
        run.wait_for(lambda state: [t["number"] for t in state["targets"]] == [1])
        assert overlap(run.boxes(1)[min(run.boxes(1))], loose) > 0.9
        tab.wait_for_text("#status", "Target 1: your own box")


def test_choosing_anew_two_targets_and_a_drop(chromium, world, run):
    with Tab(chromium, run.link) as tab:
        run.ask("/api/pause", {"paused": True})
        pages.drag(tab.page, (20, 20, 60, 60))
        assert targets(run, 1) == [0]
        tab.wait_for_text("#targets", "Target 0")
        pages.drag(tab.page, (200, 20, 60, 60))
        tab.page.get_by_role("button", name="Cancel").click()
        pages.drag(tab.page, world[1][0])
        tab.page.get_by_role("button", name="Replace").click()
        run.wait_for(lambda state: [t["number"] for t in state["targets"]] == [1])
        tab.wait_for_text("#targets", "Target 1")
        assert overlap(run.boxes(1)[0], np.array(world[1][0])) > 0.8
        tab.page.click("#add")
        pages.drag(tab.page, (400, 300, 60, 60))
        assert targets(run, 2) == [1, 2]
        tab.wait("document.querySelectorAll('.target').length === 2")
        tab.page.get_by_label("Drop target 2").click()
        assert targets(run, 1) == [1]
        tab.wait("document.querySelectorAll('.target').length === 1")


def test_pause_and_stop(chromium, world, run):
    with Tab(chromium, run.link) as tab:
        pages.drag(tab.page, world[1][0])
        run.wait_for(lambda state: state["frame"] > 3)
        tab.wait_for_text("#pause", "Pause")
        tab.page.click("#pause")
        stood = run.wait_for(lambda state: state["paused"])["frame"]
        tab.wait_for_text("#mode", "PAUSED")
        assert run.state()["frame"] == stood
        tab.page.click("#pause")
        run.wait_for(lambda state: not state["paused"] and state["frame"] > stood)
        tab.page.click("#stop")
        tab.page.get_by_role("button", name="Cancel").click()
        assert run.state()["frame"] > 0
        assert tab.errors == []
        tab.expect_errors = True  # the browser reports that the server is gone
        tab.page.click("#stop")
        tab.page.get_by_role("button", name="Stop the run").click()
        assert run.wait() == 0
        tab.wait_for_text("#veil", "The run has ended")


@slow
def test_a_live_picture_is_frozen_to_aim(chromium, world):
    with MjpegServer(str(world[0] / "frames"), fps=15) as sender:
        with pages.PagedRun(world[0], sender.address) as run, Tab(chromium, run.link) as tab:
            tab.page.click("#pause")
            tab.wait_for_text("#mode", "FROZEN")
            frozen = run.state()["frame"]
            run.wait_for(lambda state: state["frame"] > frozen + 10)
            pages.drag(tab.page, (100, 100, 80, 80))
            (number,) = targets(run, 1)
            assert min(run.boxes(number)) <= frozen
            tab.wait("document.getElementById('mode').hidden")


@slow
def test_a_finger_on_a_phone(chromium, world, run):
    with Tab(chromium, run.link, **PHONE) as tab:
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
        pages.drag(tab.page, world[1][0], touch=True)
        (number,) = targets(run, 1)
        run.wait_for(lambda state: state["frame"] > 20)
        boxes = run.boxes(number)
        assert overlap(boxes[0], np.array(world[1][0])) > 0.8
        picture, hint = (
            tab.page.eval_on_selector(part, "(e) => e.getBoundingClientRect().toJSON()")
            for part in ("#stage", "#hint")
        )
        assert picture["bottom"] <= hint["top"] < picture["bottom"] + 90
        tab.page.click("#help")
        tab.page.click("#how button")
        small = tab.page.evaluate(
            "[...document.querySelectorAll('button')].filter((b) => b.offsetParent)"
            ".map((b) => b.getBoundingClientRect()).filter((r) => r.width < 44 || r.height < 44)"
            ".length"
        )
        assert small == 0, "a finger needs 44 pixels"
        # a lost target is red in word and bar
        style = "getComputedStyle(document.querySelector('{}')).{}"
        bar = style.format(".target .meter i", "backgroundColor")
        tracked = tab.page.evaluate(bar)
        # in one call: the next state of the run takes the mark away
        word = style.format(".target .word", "color")
        mark = "document.querySelector('.target').dataset.state = 'lost'"
        lost, text = tab.page.evaluate(f"() => {{ {mark}; return [{bar}, {word}]; }}")
        for shade in (lost, text):
            red, green, blue = map(int, re.findall(r"\d+", shade))
            assert red > 180 and max(green, blue) < red / 2
        assert lost != tracked


@slow
@pytest.mark.parametrize("width, height", [(390, 844), (360, 640), (844, 390), (640, 360)])
def test_a_phone_shows_every_figure_without_gaps(chromium, world, run, width, height):
    phone = dict(PHONE, viewport={"width": width, "height": height})
    with Tab(chromium, run.link, **phone) as tab:
        pages.drag(tab.page, world[1][0], touch=True)
        targets(run, 1)
        tab.wait("document.querySelectorAll('.target .word').length === 1")
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.page.locator(".target .word").is_visible()
        assert tab.page.locator("#figures dd").first.is_visible()
        empty = tab.page.evaluate(
            """() => { const outer = document.getElementById('figures').getBoundingClientRect();
            const boxes = [...document.querySelectorAll('#figures > div')]
              .map((b) => b.getBoundingClientRect()).filter((b) => b.width);
            const filled = boxes.reduce((sum, b) => sum + b.width * b.height, 0);
            return 1 - filled / (outer.width * outer.height); }"""
        )
        assert empty < 0.06, "a cell is empty"


@pytest.mark.parametrize("width, height", [(390, 844), (844, 390), (1280, 800)])
def test_no_word_of_the_page_covers_the_picture(chromium, world, run, width, height):
    with Tab(chromium, run.link, **dict(PHONE, viewport={"width": width, "height": height})) as tab:
        tab.wait_for_text("#hint", "Tap the target")
        pages.drag(tab.page, world[1][0], touch=True)
        targets(run, 1)
        run.ask("/api/pause", {"paused": True})
        tab.wait_for_text("#mode", "PAUSED")
        places = tab.page.evaluate(
            "['#stage', '#mode', '#hint'].map((n) => document.querySelector(n)"
            ".getBoundingClientRect().toJSON())"
        )
        stage, *words = places
        for word in words:
            assert word["width"] > 20
            apart = word["top"] >= stage["bottom"] or word["left"] >= stage["right"]
            assert apart, "a target may be there"


def test_no_target_has_the_colour_of_a_warning(chromium, run):
    with Tab(chromium, run.link) as tab:
        shown = tab.page.evaluate(
            "import('/static/view.js').then((m) => [0, 1, 2, 3, 4, 5, 6].map(m.colourOf))"
        )
        assert len(set(shown)) == 6
        for scheme in ("dark", "light"):
            tab.page.emulate_media(color_scheme=scheme)
            style = "getComputedStyle(document.documentElement).getPropertyValue('--{}').trim()"
            warnings = [tab.page.evaluate(style.format(name)) for name in ("warn", "bad")]
            pill = tab.page.evaluate(
                "getComputedStyle(document.querySelector('.mode')).backgroundColor"
            )
            warnings.append("#" + "".join(f"{int(n):02x}" for n in re.findall(r"\d+", pill)))
            for colour, warning in itertools.product(shown, warnings):
                apart = abs(hue(colour) - hue(warning))
                assert min(apart, 1 - apart) > 0.1, (colour, warning)


def hue(text):
    """The hue of #RRGGBB, 0 to 1."""
    red, green, blue = bytes.fromhex(text.lstrip("#"))
    return colorsys.rgb_to_hsv(red, green, blue)[0]


def test_without_the_link_it_is_a_page_that_says_what_to_do(chromium, run):
    page = chromium.new_context(**dict(PHONE)).new_page()
    for address in (run.address, run.address + "/enter?token=old", run.address + "/api/state"):
        answer = page.goto(address)
        assert answer.status == 401
        assert answer.headers["content-type"].startswith("text/html")
        assert "prints its link" in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    status, headers, messages = run.ask("/api/state", Authorization="Bearer wrong")
    assert status == 401 and "open the link" in messages["error"], "a program is answered in JSON"
    page.context.close()


@slow
def test_a_restarted_run_asks_the_page_for_its_new_link(chromium, world):
    first = pages.PagedRun(world[0], world[0] / "frames")
    with first, Tab(chromium, first.link, expect_errors=True) as tab:
        pages.drag(tab.page, world[1][0])
        targets(first, 1)
        first.kill()
        tab.wait_for_text("#veil", "does not answer")
        with pages.PagedRun(world[0], world[0] / "frames", port=first.port) as second:
            tab.wait_for_text("#veil", "pen the link that the run printed")  # it has another token
            tab.page.goto(second.link)
            tab.wait("document.getElementById('veil').hidden")
            tab.wait("document.querySelectorAll('.target').length === 0")
            pages.drag(tab.page, world[1][0])
            targets(second, 1)


def test_everything_usable_has_a_name_and_looks_follow_the_user(chromium, world, run):
    with Tab(chromium, run.link, color_scheme="dark", reduced_motion="reduce", **DESKTOP) as tab:
        pages.drag(tab.page, world[1][0])
        targets(run, 1)
        nameless = tab.page.evaluate(
            "[...document.querySelectorAll('button')].filter((n) =>"
            " !(n.textContent.trim() || n.getAttribute('aria-label'))).length"
        )
        assert nameless == 0
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = tab.page.evaluate(ground)
        tab.page.emulate_media(color_scheme="light")
        light = tab.page.evaluate(ground)
        assert max(map(int, re.findall(r"\d+", dark))) < 60
        assert min(map(int, re.findall(r"\d+", light))) > 200


SIZES = [(390, 844), (844, 390), (360, 640), (1366, 768), (1366, 625), (2560, 1440)]


@slow
def test_an_unsure_target_is_answered_without_scrolling_on_every_screen(chromium, tmp_path):
    object_scene.write_film(tmp_path / "frames", hidden=range(20, 60))
    words = "--box", ",".join(map(str, object_scene.OBJECT)), "--fps", "10"
    with pages.PagedRun(tmp_path, tmp_path / "frames", *words, network="kestrel") as run:
        run.wait_for(lambda state: state["targets"] and state["targets"][0]["state"] == "unsure")
        run.ask("/api/pause", {"paused": True})
        assert run.state()["targets"][0]["state"] == "unsure"
        for width, height in SIZES:
            kind = PHONE if min(width, height) < 500 else DESKTOP
            kind = dict(kind, viewport={"width": width, "height": height})
            with Tab(chromium, run.link, **kind) as tab:
                tab.wait_for_text("#hint", "^It may be another object$")
                tab.page.locator(".answers .yes").wait_for(timeout=WAIT_MS)
                hit = tab.page.evaluate(
                    """() => ['yes', 'no'].map((name) => {
                    const button = document.querySelector(`.answers .${name}`);
                    const { left, right, top, bottom } = button.getBoundingClientRect();
                    // the corners too: whatever covers or cuts them is hit in their place
                    return [[left + 6, top + 6], [right - 6, bottom - 6]].every(([x, y]) =>
                      button.contains(document.elementFromPoint(x, y))); })"""
                )
                assert hit == [True, True], (width, height)
        with Tab(chromium, run.link) as tab:
            tab.page.click(".answers .yes")
            run.wait_for(lambda state: state["targets"][0]["state"] == "tracked")
            tab.wait("document.querySelector('.answers .yes').hidden")


@slow
def test_a_source_that_sends_nothing_is_told_and_its_last_picture_looks_old(chromium, world):
    with MjpegServer(str(world[0] / "frames"), fps=15) as sender:
        with pages.PagedRun(world[0], sender.address) as run, Tab(chromium, run.link) as tab:
            pages.drag(tab.page, (100, 100, 80, 80))
            targets(run, 1)
            tab.wait_for_text("#link", "^connected$")
            grey = "getComputedStyle(document.getElementById('picture')).filter"
            assert tab.page.evaluate(grey) == "none"
            sender.kill()
            tab.wait_for_text("#link", "^no picture$")
            tab.wait_for_text("#mode", "^NO PICTURE$")
            tab.wait_for_text("#hint", r"^Nothing for \d+ s: this is the last picture$")
            assert "grayscale" in tab.page.evaluate(grey)
            sender.start()
            tab.wait_for_text("#link", "^connected$")
            assert tab.page.evaluate(grey) == "none"


@slow
def test_no_and_the_choice_of_a_target(chromium, tmp_path):
    object_scene.write_film(tmp_path / "frames", 400)
    run_of = pages.PagedRun(tmp_path, tmp_path / "frames", network="kestrel")
    with run_of as run, Tab(chromium, run.link) as tab:
        pages.drag(tab.page, object_scene.OBJECT)
        targets(run, 1)
        tab.page.click(".answers .no")
        tab.wait("document.querySelector('.target').dataset.state === 'lost'")
        tab.page.click("#add")
        tab.wait("document.getElementById('add').getAttribute('aria-pressed') === 'true'")
        tab.page.keyboard.press("Escape")
        tab.wait("document.getElementById('add').getAttribute('aria-pressed') === 'false'")
        tab.page.click("#add")
        pages.drag(tab.page, (20, 20, 60, 60))
        one, two = targets(run, 2)
        chosen = "document.querySelector('.target[aria-current=true] .name').textContent"
        tab.wait(f"{chosen} === 'Target {two}'")
        tab.page.locator(".pick", has_text=f"Target {one}").click()
        tab.wait(f"{chosen} === 'Target {one}'")
