"""The window's clock and keys, without a window: what each key does to the run."""

from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from hotpath.app.cli import player as player_module
from hotpath.app.cli.player import Player
from hotpath.app.links.target_controls import Controls
from hotpath.app.selection import Selection
from hotpath.runtime.errors import BadOption, NoObject, NotReady
from hotpath.runtime.types import Box, Track
from hotpath.video.base import Source, TrackedFrame


class Recording(Source):
    """A recording of 100 frames that holds its index in each pixel."""

    def __init__(self, fps=50.0):
        super().__init__("clip")
        self.fps = fps
        self.frames = 100

    def read(self, timeout_s=1.0):
        if self.given >= self.frames:
            return None
        return self._give(np.full((40, 60, 3), self.given, np.uint8))

    def seek(self, index):
        self.given = min(index, self.frames - 1)
        return True


TRACKS = {0: Track(Box(5, 5, 20, 10), 0.9)}


class Clock:
    """In the place of the module ``time``: a busy machine changes nothing."""

    now_s = 100.0

    def monotonic(self):
        return self.now_s


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(player_module, "time", Clock())


class Keys:
    """A stand-in for the window: returns the keys of a list, and records what was shown."""

    def __init__(self, *keys):
        self.keys = list(keys)
        self.lines = None
        self.place = None  # that the user selects
        self.open, self.touched, self.pressed = True, False, False

    def wait_key(self, timeout_s):
        if self.keys:
            return self.keys.pop(0)
        player_module.time.now_s += timeout_s
        return None

    def show(self, picture, lines=None):
        self.lines = lines

    def select(self, frame, texts, pressed):
        assert pressed == self.pressed and "Esc: back" in texts
        self.pressed = False
        return self.place


class Targets:
    """Records which boxes and points were added on which frame."""

    def __init__(self, refusal=None):
        self.boxes, self.points, self.refusal = [], [], refusal
        self.numbers, self.doubts = (0,), {}
        self.network = SimpleNamespace(name="net")
        self.device = SimpleNamespace(finds_at_points=True)

    def add(self, frame, box=None, time_s=None, point=None, besides=None, snug=False):
        if point is not None and self.refusal:
            raise self.refusal
        (self.points if box is None else self.boxes).append(
            (int(frame[0, 0, 0]), time_s, (point, besides) if box is None else box)
        )
        self.numbers += (max((0, *self.numbers)) + 1,)
        return self.numbers[-1]

    def doubt(self, number):
        return self.doubts.get(number, "")

    def first(self, number):
        return Track(Box(30, 20, 8, 8), 0.9)

    def drop(self, number):
        self.numbers = tuple(n for n in self.numbers if n != number)


def played(player, source, seconds):
    """The indices of the frames that are read within a time."""
    indices = []
    clock = player_module.time
    end_s = clock.now_s + seconds
    while clock.now_s < end_s:
        if player.next_frame_is_due():
            frame = source.read()
            if frame is None:
                break
            indices.append(int(frame[0, 0, 0]))
            show(player, source, TRACKS)
    return indices


def show(player, source, tracks, frame=None):
    """Let the player show the source's last frame with these tracks."""
    index = source.given - 1
    frame = np.full((40, 60, 3), index, np.uint8) if frame is None else frame
    player._controls.write(TrackedFrame(frame, index, source.time_s, tracks))
    player.show(frame.copy())


def player_of(window, source, targets, say=lambda text: None):
    return Player(window, source, Controls(targets, Selection(), Mock()), say)


def begun(*keys, fps=50.0, refusal=None):
    source, window, targets = Recording(fps), Keys(), Targets(refusal)
    player = player_of(window, source, targets)
    source.read()
    show(player, source, TRACKS)
    window.keys = list(keys)
    return player, source, window, targets


def test_a_pause_is_shown_until_it_ends_also_while_the_keys_are_listed():
    player, source, window, _ = begun(" ")
    player.take_keys()
    assert window.lines[0] == "PAUSED" and len(window.lines) > 5
    player_module.time.now_s += 10.0  # the keys are no longer listed
    player.take_keys()
    player.take_keys()
    assert player.paused and window.lines[0] == "PAUSED" and len(window.lines) <= 5
    window.keys = [" "]
    player.take_keys()
    assert not player.paused and window.lines is None


RUN = SimpleNamespace(requested=False)


@pytest.mark.parametrize("keys, held_s", [([], 2.0), (["h"], 0.0)])
def test_the_last_frame_stays_for_a_moment_or_until_a_key(keys, held_s):
    player, _, window, _ = begun(*keys)
    began_s = player_module.time.now_s
    player.hold(RUN, False)
    assert player_module.time.now_s - began_s == pytest.approx(held_s, abs=0.3)
    window.open = False
    player.hold(RUN, True)
    assert player_module.time.now_s - began_s < held_s + 0.3


class Late(Keys):
    """A user who looks at the last frame for a minute, and then does something."""

    def __init__(self, what, run):
        super().__init__()
        self.what, self.run, self.ends_s = what, run, player_module.time.now_s + 60

    def wait_key(self, timeout_s):
        player_module.time.now_s += timeout_s
        if player_module.time.now_s < self.ends_s:
            return None
        self.pressed = self.what == "click"
        self.open = self.what != "close"
        self.run.requested = self.what == "signal"
        return "x" if self.what == "key" else None


@pytest.mark.parametrize("what", ["key", "click", "close", "signal"])
@pytest.mark.parametrize("touched, watched", [(True, False), (False, True), (False, False)])
def test_the_last_frame_stays_until_a_key_a_click_or_the_end(what, touched, watched):
    run = SimpleNamespace(requested=False)
    window, messages = Late(what, run), []
    window.touched = touched
    source = Recording()
    player = player_of(window, source, Targets(), messages.append)
    source.read()
    show(player, source, TRACKS)
    began_s = player_module.time.now_s
    player.hold(run, watched)
    stays = touched or watched
    held_s = player_module.time.now_s - began_s
    assert held_s == pytest.approx(60 if stays else 2, abs=0.3)
    assert (window.lines == player_module.END) == stays == bool(messages)
    window.open = False
    player.hold(run, watched)
    assert len(messages) == stays, "the window is closed already"


@pytest.mark.parametrize(
    "fps, keys, indices",
    [
        (50.0, [" "], []),
        (50.0, [".", ".", ".", ",", ",", "right", "left"], [1, 2, 3, 2, 1, 2, 1]),
        (10.0, [" ", "left"], [0]),  # not before the first frame
    ],
)
def test_a_paused_recording_stands_where_the_keys_say_until_space(fps, keys, indices):
    player, source, window, _ = begun(*keys, fps=fps)
    assert played(player, source, 0.2) == indices and player.paused
    window.keys = [" "]
    assert played(player, source, 0.3)[0] == (indices or [0])[-1] + 1


def test_a_new_box_replaces_the_target_on_the_shown_frame():
    player, source, window, targets = begun(".", ".", "b")
    window.place = (5, 6, 20, 10)
    assert played(player, source, 0.2) == [1, 2]
    assert targets.boxes == [(2, source.time_s, (5, 6, 20, 10))]
    assert targets.numbers == (1,)
    player, source, _, targets = begun(" ", "b")
    played(player, source, 0.1)
    assert targets.numbers == (0,)


@pytest.mark.parametrize("point, besides", [((40.0, 30.0), None), ((6.0, 6.0), Box(5, 5, 20, 10))])
def test_a_click_in_the_film_follows_the_object_there(point, besides):
    player, source, window, targets = begun(".")
    window.place, window.pressed = (*point, 0.0, 0.0), True
    played(player, source, 0.2)
    assert targets.points == [(1, source.time_s, (point, besides))] and targets.numbers == (1,)
    assert "followed" in window.lines[0]
    player_module.time.now_s += 10
    player.take_keys()
    assert window.lines == player_module.PAUSED, "the sentence does not stay"


THREE = {n: Track(Box(20 * n, 5, 15, 10), 0.9, lost=n == 2) for n in range(3)}


@pytest.mark.parametrize(
    "place, selected, replaced",
    [
        ((25.0, 8.0, 0.0, 0.0), None, 1),  # a click in a box
        ((24.0, 6.0, 8.0, 6.0), None, 1),  # a box around the same thing
        ((45.0, 8.0, 0.0, 0.0), 1, 1),  # in the box of a target that is lost
        ((30.0, 35.0, 0.0, 0.0), None, 0),  # beside all of them: the first is selected
        ((30.0, 35.0, 0.0, 0.0), 2, 2),
        ((30.0, 35.0, 0.0, 0.0), 7, None),  # the selected one is gone
    ],
)
def test_a_new_target_replaces_one_of_several(place, selected, replaced):
    player, source, window, targets = begun()
    targets.numbers = tuple(THREE)
    player._controls.selection.number = selected
    show(player, source, THREE)
    window.place, window.pressed = place, True
    player.take_keys()
    left = [n for n in THREE if n != replaced]
    assert targets.numbers == (*left, 3)
    assert window.lines[0].endswith(f"{len(left)} others as before")
    assert (f"in place of {replaced}," in window.lines[0]) == (replaced is not None)


def test_a_target_that_is_drawn_twice_in_a_pause_replaces_itself():
    player, source, window, targets = begun(" ")
    targets.numbers, targets.doubts = (0, 1), {3: "too small"}
    show(player, source, {0: THREE[0], 1: THREE[1]})
    for place, numbers in (((22.0, 6.0, 8.0, 6.0), (0, 2)), ((31.0, 21.0, 4.0, 4.0), (0, 3))):
        window.place, window.pressed = place, True
        player.take_keys()
        player.take_keys()
        assert targets.numbers == numbers
    expected = "Target 3 is followed in place of 2, and 1 other as before: too small"
    assert window.lines[0] == expected


def test_sentences_stand_side_by_side_below_the_picture():
    player, _, window, _ = begun()
    player.notice("target 0: too small", "target 2: too large")
    assert window.lines[:2] == ("target 0: too small", "target 2: too large")
    player.notice("another")
    assert window.lines[:1] == ("another",) and "too large" not in str(window.lines)


@pytest.mark.parametrize(
    "refusal, sentence",
    [
        (NoObject("nothing", what="nothing"), "No object"),
        (NoObject("nothing", what="no other"), "No other object"),
        (BadOption("no head", what="no head"), "nothing with net. Drag a box"),
    ],
)
def test_a_click_that_finds_nothing_leaves_the_target(refusal, sentence):
    player, source, window, targets = begun(refusal=refusal)
    window.place, window.pressed = (40.0, 30.0, 0.0, 0.0), True
    player.take_keys()
    assert sentence in window.lines[0] and targets.numbers == (0,)


@pytest.mark.parametrize("refusal", [None, NotReady("it is gone")])
@pytest.mark.parametrize(
    "key, asked, word, presence, sentence",
    [
        ("\r", "confirm", "tracked", 1.0, "is confirmed"),
        ("n", "reject", "lost", 0.0, "is searched for elsewhere"),
    ],
)
def test_yes_and_no_change_the_word_at_once_also_while_paused(
    key, asked, word, presence, sentence, refusal
):
    player, source, window, targets = begun()
    ask = Mock(side_effect=refusal)
    setattr(targets, asked, ask)
    unsure = Track(Box(5, 5, 20, 10), 0.4, state="unsure")
    show(player, source, {0: unsure})
    before = player._picture.copy()
    window.keys = [key]
    player.take_keys()
    ask.assert_called_once_with(0)
    assert (str(refusal) if refusal else sentence) in window.lines[0]
    track = player._controls.newest.tracks[0]
    if refusal:
        assert track == unsure
        return
    assert (track.state, track.lost, track.presence) == (word, word == "lost", presence)
    assert (player._picture != before).any(), "the box is drawn in its new colour"


def test_a_click_in_an_unsure_box_says_yes_and_a_box_there_is_a_new_target():
    for place, confirmed in (((8.0, 8.0, 0.0, 0.0), True), ((4.0, 4.0, 20.0, 10.0), False)):
        player, source, window, targets = begun()
        targets.confirm = Mock()
        show(player, source, {0: Track(Box(5, 5, 20, 10), 0.4, state="unsure")})
        window.place, window.pressed = place, True
        player.take_keys()
        assert targets.confirm.called is confirmed and (targets.numbers == (0,)) is confirmed
        assert ("is confirmed" in window.lines[0]) is confirmed


def test_the_keys_are_listed_and_can_be_hidden():
    player, source, window, _ = begun()
    listed = "\n".join(window.lines)
    for words in ("pause", "next frame", "previous frame", "select", "end"):
        assert words in listed
    window.keys = [" ", "h"]
    played(player, source, 0.1)
    assert window.lines == player_module.PAUSED


@pytest.mark.parametrize("key", [" ", ".", ","])
def test_a_live_source_is_never_held_up(key):
    source, window = Recording(), Keys(key)
    source.live = True
    player = player_of(window, source, Targets())
    assert player.next_frame_is_due() and player.next_frame_is_due()
    assert not player.paused
