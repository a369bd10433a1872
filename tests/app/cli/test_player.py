"""The window's clock and keys, without a window: what each key does to the run."""

import numpy as np
import pytest

from hotpath.app.cli import player as player_module
from hotpath.app.cli.player import Player
from hotpath.runtime.errors import BadBox
from hotpath.video.base import Source


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
        self.box = None

    def wait_key(self, timeout_s):
        if self.keys:
            return self.keys.pop(0)
        player_module.time.now_s += timeout_s
        return None

    def show(self, picture, lines=None):
        self.lines = lines

    def select_box(self, frame, below):
        assert frame.shape[1] == below.shape[1], "the bar stays while a box is drawn"
        if self.box is None:
            raise BadBox("no box was drawn")
        return self.box


class Targets:
    """Records which boxes were added on which frame."""

    def __init__(self):
        self.boxes = []
        self.numbers = (0,)

    def add(self, frame, box):
        self.boxes.append((int(frame[0, 0, 0]), box))
        self.numbers += (len(self.boxes),)
        return len(self.boxes)

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
            player.show(frame, frame, source.given - 1)
    return indices


def begun(*keys, fps=50.0):
    source, window, targets = Recording(fps), Keys(), Targets()
    player = Player(window, source, targets, lambda text: None)
    frame = source.read()
    player.show(frame, frame, 0)
    window.keys = list(keys)
    return player, source, window, targets


def test_a_pause_is_shown_until_it_ends():
    player, source, window, _ = begun(" ")
    player_module.time.now_s += 10.0  # the keys are no longer listed
    player.take_keys()
    player.take_keys()
    assert player.paused and window.lines[0] == "PAUSED"
    window.keys = [" "]
    player.take_keys()
    assert not player.paused and window.lines is None


def test_a_recording_plays_at_its_own_speed_and_plus_and_minus_change_it():
    player, source, _, _ = begun()
    assert 24 <= len(played(player, source, 0.5)) <= 26
    player, source, _, _ = begun("+", fps=25.0)
    assert 24 <= len(played(player, source, 0.5)) <= 26
    player, source, _, _ = begun("-", "-", fps=40.0)
    assert 4 <= len(played(player, source, 0.5)) <= 6


@pytest.mark.parametrize("keys, held_s", [([], 2.0), (["h"], 0.0)])
def test_the_last_frame_stays_for_a_moment_or_until_a_key(keys, held_s):
    player, _, window, _ = begun(*keys)
    window.open = True
    began_s = player_module.time.now_s
    player.hold()
    assert player_module.time.now_s - began_s == pytest.approx(held_s, abs=0.3)
    window.open = False
    player.hold()
    assert player_module.time.now_s - began_s < held_s + 0.3


def test_space_pauses_and_resumes():
    player, source, window, _ = begun(" ")
    assert played(player, source, 0.2) == []
    window.keys = [" "]
    assert played(player, source, 0.3)[0] == 1


def test_single_steps_go_forward_and_back_and_pause():
    player, source, window, _ = begun(".", ".", ".")
    assert played(player, source, 0.2) == [1, 2, 3]
    window.keys = [",", ","]
    assert played(player, source, 0.2) == [2, 1]
    assert player.paused


def test_seeking_goes_by_seconds_and_stays_in_the_recording():
    player, source, window, _ = begun(" ", "l", fps=10.0)
    assert played(player, source, 0.2) == [50]
    window.keys = ["j", "j"]
    assert played(player, source, 0.2) == [0, 0]


def test_a_new_box_replaces_the_target_on_the_frame_that_is_shown_and_none_leaves_it():
    player, source, window, targets = begun(".", ".", "b")
    window.box = (5, 6, 20, 10)
    assert played(player, source, 0.2) == [1, 2]
    assert targets.boxes == [(2, (5, 6, 20, 10))]
    assert targets.numbers == (1,)
    player, source, _, targets = begun(" ", "b")
    played(player, source, 0.1)
    assert targets.numbers == (0,)


def test_the_keys_are_listed_and_can_be_hidden():
    player, source, window, _ = begun()
    listed = "\n".join(window.lines)
    for words in ("pause", "next frame", "previous frame", "forward", "back", "new box", "end"):
        assert words in listed
    window.keys = [" ", "h"]
    played(player, source, 0.1)
    assert window.lines == player_module.PAUSED


@pytest.mark.parametrize("key", [" ", ".", "l", "+"])
def test_a_live_source_is_never_held_up(key):
    source, window = Recording(), Keys(key)
    source.live = True
    player = Player(window, source, Targets(), lambda text: None)
    assert player.next_frame_is_due() and player.next_frame_is_due()
    assert not player.paused
