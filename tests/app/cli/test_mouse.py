"""The first target is selected with the mouse: on a frame that waits, or in a live picture."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.app.cli import mouse
from hotpath.runtime.errors import BadBox, NoObject
from hotpath.video.base import WAITING
from tests.support.errors import refusal

CLICK, BOX = (30.0, 20.0, 0.0, 0.0), (10.0, 5.0, 20.0, 10.0)


def frame(value):
    return np.full((40, 60, 3), value, np.uint8)


class Window:
    """A stand-in: ``places`` are the user's answers, before which he looks at ``looks`` frames."""

    def __init__(self, places, looks=0):
        self.places, self.looks, self.left = list(places), looks, looks
        self.open, self.shown, self.texts, self.selected_on = True, [], [], []

    def __call__(self, title):
        return self

    @property
    def pressed(self):
        return self.left <= 0

    def show(self, picture, texts):
        self.shown.append(int(picture[0, 0, 0]))

    def wait_key(self, timeout_s):
        self.left -= 1
        self.open = self.open and self.places != ["q"]

    def select(self, picture, texts, pressed):
        self.left = self.looks
        self.texts.append(texts)
        self.selected_on.append((int(picture[0, 0, 0]), pressed))
        return self.places.pop(0)

    def close(self):
        self.open = False


class Targets:
    network = SimpleNamespace(name="net")
    device = SimpleNamespace(finds_at_points=True)

    def __init__(self, *refusals):
        self.refusals, self.added = list(refusals), []

    def add(self, picture, box=None, **more):
        if self.refusals:
            raise self.refusals.pop(0)
        self.added.append((int(picture[0, 0, 0]), box or more["point"], more["time_s"]))
        return 0


def select(monkeypatch, window, targets, frames=(), live=False):
    monkeypatch.setattr(mouse, "DesktopWindow", window)
    frames = list(frames)
    source = SimpleNamespace(name="cam0", live=live, time_s=2.5)
    source.read = lambda timeout_s: frames.pop(0) if frames else WAITING
    return mouse.first_target(frame(1), source, targets, False)


@pytest.mark.parametrize("place, added", [(CLICK, CLICK[:2]), (BOX, BOX)])
def test_a_click_or_a_box_on_a_frame_that_waits_is_a_target(monkeypatch, place, added):
    window, targets = Window([place]), Targets()
    assert select(monkeypatch, window, targets)[0] is window and window.open
    assert targets.added == [(1, added, 2.5)]
    assert window.texts == [(mouse.CLICK, mouse.QUIT)]


def test_what_is_refused_is_said_and_may_be_tried_again(monkeypatch):
    window = Window([CLICK, BOX, CLICK])
    targets = Targets(NoObject("none", what="nothing"), BadBox("the box is larger than the frame"))
    select(monkeypatch, window, targets)
    assert [texts[0] for texts in window.texts] == [
        mouse.CLICK,
        "No object found there. " + mouse.DRAG,
        "the box is larger than the frame",
    ]
    assert targets.added == [(1, CLICK[:2], 2.5)]


def test_a_live_picture_goes_on_until_the_button_is_pressed(monkeypatch):
    window, targets = Window([None, CLICK], looks=4), Targets()  # first a click beside it
    frames = [frame(2), WAITING, frame(3), frame(4), frame(5), None, frame(6)]
    _, chosen = select(monkeypatch, window, targets, frames, live=True)
    assert window.selected_on == [(4, True), (6, True)]
    assert chosen[0, 0, 0] == 6 and targets.added == [(6, CLICK[:2], 2.5)]
    assert window.shown == [1, 2, 3, 4, 4, 5, 6]


@pytest.mark.parametrize("live, places", [(False, [None]), (True, ["q"])])
def test_who_leaves_without_a_target_ends_the_run(monkeypatch, live, places):
    window = Window(places, looks=3)
    with refusal(BadBox, "not selected"):
        select(monkeypatch, window, Targets(), [frame(2)], live)
    assert not window.open
