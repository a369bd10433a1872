"""A target that comes back elsewhere in the picture is found, at the price that was agreed."""

import functools

import numpy as np
import pytest

from calib.metrics import overlap
from runtime import load_targets, load_tracker
from runtime.networks import load_network
from runtime.presence import EARLY
from runtime.search.search import CHECKS, CONFIRMED, FOLLOWED, NEARLY
from runtime.search.windows import CHECK, COLOURED, HERE, NEAR, WIDE, Window
from runtime.targets.schedule import Together
from runtime.types import FOUND, LOST
from tests.support import tiny

SIDE = 40
GONE = 15
SEARCHED = GONE + FOLLOWED  # about when the search begins
BACK, END = SEARCHED + 14, SEARCHED + 36
THRESHOLDS = {"lost_below": 0.5, "search_lost_below": 0.4, "look_above": 0.3, "found_above": 0.6}


class Elsewhere:
    """A blue square moves at the left, is gone, and comes back far from a grey one as bright."""

    def __init__(self, back=True):
        self.boxes = np.full((END, 4), np.nan)
        self.frames, noise = [], np.random.RandomState(4)
        for index in range(END):
            frame = noise.randint(0, 32, (480, 640, 3), np.uint8)
            if index < GONE:
                self.boxes[index] = (60 + index, 80, SIDE, SIDE)
            else:
                frame[200:240, 300:340] = (130, 130, 130)
            if back and index >= BACK:
                self.boxes[index] = (540 - (index - BACK) / 2, 400, SIDE, SIDE)
            if np.isfinite(self.boxes[index]).all():
                x, y = self.boxes[index, :2].astype(int)
                frame[y : y + SIDE, x : x + SIDE] = (250, 120, 100)
            self.frames.append(frame)


film_of = functools.lru_cache(maxsize=2)(Elsewhere)  # noise takes longer than most of the tests


@pytest.fixture
def toml(tmp_path):
    return tiny.write_network(tmp_path, tiny.watched(**THRESHOLDS))


def begun(toml, back=True, **options):
    """A film, and a tracker that has its target."""
    film, tracker = film_of(back), load_tracker(toml, **options)
    tracker.init(film.frames[0], film.boxes[0])
    return film, tracker


def states_of(tracker, frames):
    return [tracker.update(frame).state for frame in frames]


def lost(toml, back, until):
    """A film, and a tracker without a budget that has seen so many frames of it."""
    film, tracker = begun(toml, back, budget_ms=0.0)
    states_of(tracker, film.frames[1:until])
    return film, tracker


def searching(toml):
    """A film, its tracker and that one's search, which has just started at no presence."""
    film, tracker = begun(toml)
    tracker.recovery.start()
    tracker.recovery.presence.value = 0.0
    return film, tracker, tracker.recovery


def test_a_target_that_is_back_elsewhere_is_found(toml):
    film, tracker = begun(toml)
    tracks = [tracker.update(frame) for frame in film.frames[1:]]
    states = [track.state for track in tracks]
    assert LOST not in states[: GONE - 1]
    assert set(states[GONE + 8 : BACK - 1]) == {LOST}
    assert states.count(FOUND) == 1 and BACK <= states.index(FOUND) < BACK + 40
    first = states.index(FOUND)
    boxes = np.array([track.box for track in tracks[first : first + 15]])
    assert overlap(boxes, film.boxes[first + 1 : first + 16]).min() > 0.5


def test_a_place_that_a_detector_suggests_is_searched_first(toml):
    film, tracker = lost(toml, True, BACK)
    tracker.suggest(np.array([(500.0, 30.0, 40.0, 40.0), film.boxes[BACK]]))
    # the wrong place, the right one, and two frames that confirm it
    assert states_of(tracker, film.frames[BACK : BACK + 4]) == [LOST, LOST, LOST, FOUND]


def test_suggestions_do_nothing_while_a_target_is_tracked(toml):
    film, tracker = begun(toml)
    tracker.suggest(np.array([(500.0, 30.0, 40.0, 40.0)]))
    assert tracker.update(film.frames[1]).state == "tracked"


def test_the_classifier_learns_the_frames_in_which_it_does_not_judge(toml):
    (film, tracker), learnt = begun(toml), []
    tracker._classifier.follow = lambda *given: learnt.append(tracker.presence.since)
    assert set(states_of(tracker, film.frames[1:10])) == {"tracked"}
    assert learnt == [1, 2, 3, 1, 2, 3, 1]  # the fourth and the eighth are judged


def test_a_classifier_that_knows_the_target_learns_one_frame_of_four(toml):
    film, tracker = begun(toml)
    there, updates = film.frames[1:GONE], []
    for frame in 4 * (there + there[::-1]):
        assert tracker.update(frame).state == "tracked"
        updates.append(tracker._classifier.updates)
    # an update takes four frames of learning: of three in four, then of one in four
    assert updates.count(EARLY - 1) < 8
    assert updates.count(EARLY + 1) == 16


def test_a_classifier_that_chooses_the_box_too_goes_on_learning_three_frames_of_four(toml):
    (film, tracker), learnt = begun(toml, online=True), []
    follow_on = tracker._classifier.follow
    tracker._classifier.follow = lambda *given: learnt.append(follow_on(*given))
    there, updates = film.frames[1:GONE], []
    for frame in 4 * (there + there[::-1]):
        assert tracker.update(frame).state == "tracked"
        updates.append(tracker._classifier.updates)
    assert updates[-1] > EARLY and len(learnt) >= 0.74 * len(updates)


class Ahead:
    """Chooses a search's windows by plans of a random length, which are often cut short."""

    def __init__(self, tracker, random):
        self.search, self.random = tracker.recovery, random
        self.windows, self.planned, self.plan = [], 0, []
        self.one_by_one, self.search.next_window = self.search.next_window, self.next_window
        tracker._budget.fits = lambda: len(self.windows) % 7 != 6

    def next_window(self, state, frame):
        if self.random is not None and not self.plan:
            self.plan = self.search.ahead(self.random.randint(1, 7), state, frame)
        if self.plan and self.search.take(self.plan.pop(0), state, 0.0):
            self.planned += 1
        else:
            self.plan = []
            self.one_by_one(state, frame)
        window = self.search._window
        self.windows.append((window.kind, tuple(window.state), window.factor))
        return window


@pytest.mark.parametrize("seed", range(3))
def test_windows_that_are_planned_ahead_are_those_of_one_at_a_time(toml, seed):
    film, told = film_of(seed != 2), []
    for random in (None, np.random.RandomState(seed)):
        tracker = load_tracker(toml)
        chosen, tracks = Ahead(tracker, random), []
        tracker.init(film.frames[0], film.boxes[0])
        for index, frame in enumerate(film.frames[1:]):
            chosen.plan = []  # it was of the last frame
            if index == SEARCHED + 2:
                tracker.suggest(np.array([(500.0, 30.0, 40.0, 40.0), (9.0, 9.0, 30.0, 40.0)]))
            tracks.append(tracker.update(frame))
        told.append((tracks, chosen.windows))
    assert told[0] == told[1]
    assert chosen.planned > 50 and (chosen.planned < len(chosen.windows)) == (seed != 2)
    assert {kind for kind, _, _ in chosen.windows} >= {WIDE, HERE}


@pytest.mark.parametrize("options", [{"recover": False}, {"back": False}])
def test_neither_without_the_search_nor_in_another_colour_is_a_target_found(toml, options):
    film, tracker = begun(toml, **options)
    assert set(states_of(tracker, film.frames[1:])[GONE + 8 :]) == {LOST}


def test_a_target_taken_during_a_search_is_known_as_well_as_any(toml):
    certainties = []
    for until in (SEARCHED + 7, 2):
        film, tracker = lost(toml, False, until)
        assert tracker.recovery.active == (until > 2)
        tracker.init(film.frames[2], film.boxes[2])
        tracks = [tracker.update(frame) for frame in film.frames[3:9]]
        certainties.append((tracks, tracker.presence.value))
    assert certainties[0] == certainties[1]


def test_targets_of_one_batch_are_found_too(toml):
    film, targets = film_of(True), load_targets(toml)
    targets.add(film.frames[0], film.boxes[0])
    targets.add(film.frames[0], film.boxes[0])
    states = [[t.state for t in targets.update(f).values()] for f in film.frames[1:]]
    assert isinstance(targets._schedule, Together)
    for own in zip(*states):
        assert own.count(FOUND) == 1 and own.index(FOUND) >= BACK


def test_a_change_of_the_frames_size_does_not_end_the_search(toml):
    film, tracker = begun(toml)
    frames = film.frames[1 : BACK - 5]
    frames += [np.ascontiguousarray(f[::2, ::2]) for f in film.frames[BACK - 5 :]]
    states = states_of(tracker, frames)
    assert states.count(FOUND) == 1 and BACK <= states.index(FOUND)


@pytest.mark.parametrize("budget_ms, windows", [(0.0, 1), (1e6, 50)])
def test_the_budget_says_how_many_windows_a_frame_searches(toml, budget_ms, windows):
    film, tracker = lost(toml, False, SEARCHED + 4)
    tracker._budget._budget_ms = budget_ms
    seen, search = [], tracker.device._searcher.search

    def counted(features):
        seen.append(features)
        if len(seen) == 50:  # the budget is as good as endless
            tracker._budget._budget_ms = 0.0
        return search(features)

    tracker.device._searcher.search = counted
    assert tracker.update(film.frames[SEARCHED + 4]).state == LOST
    assert len(seen) == windows


def test_a_target_that_shows_itself_in_a_single_frame_is_not_claimed(toml):
    film, tracker = lost(toml, True, SEARCHED + 4)
    empty = film_of(False).frames
    tracker._budget._budget_ms = 30.0
    assert CONFIRMED == 2
    frames = [film.frames[BACK + 18], empty[BACK + 19], empty[BACK + 20]] * 3
    assert set(states_of(tracker, frames)) == {LOST}


def test_the_size_of_a_box_that_swells_before_a_loss_is_not_searched_for(toml):
    film, tracker = begun(toml)
    search, state = tracker.recovery, tracker.state.copy()
    for swollen in (1.3, 1.7, 2.0):
        search.follow(state * (1, 1, swollen, swollen))
    search.start()
    search.presence.value = 0.0
    window = search.next_window(state, film.frames[0])
    assert window.kind == WIDE
    assert SIDE < window.state[2] < 1.25 * SIDE


@pytest.mark.parametrize("below, windows", [(NEARLY - 0.01, CHECKS), (NEARLY + 0.01, 1)])
def test_a_candidate_that_nearly_convinces_is_looked_at_again(toml, below, windows):
    film, tracker, search = searching(toml)
    place = np.array([320.0, 220.0, SIDE, SIDE])
    assert not search._weigh(Window(WIDE, place, 1.5), place, 0.9)
    for _ in range(windows):
        window = search.next_window(tracker.state, film.frames[20])
        assert window.kind == CHECK
        assert not search._weigh(window, place, THRESHOLDS["found_above"] - below)
    assert search.next_window(tracker.state, film.frames[20]).kind != CHECK


def test_another_place_must_be_clearly_better_than_the_followed_box(toml):
    film, tracker, search = searching(toml)
    place, search.presence.value = np.array([320.0, 220.0, SIDE, SIDE]), 0.8
    search._weigh(Window(WIDE, place, 1.5), place, 0.9)
    for now in (0.85, 0.95):
        search._weigh(search.next_window(tracker.state, film.frames[20]), place, now)
        assert search.waits == (now > 0.9)


def test_the_target_s_colours_are_looked_for_before_all_else(toml):
    film, tracker, search = searching(toml)
    chosen = [search.next_window(tracker.state, film.frames[0]) for _ in range(6)]
    assert [window.kind for window in chosen] == [WIDE] * 4 + [HERE, WIDE]
    assert [window.factor for window in chosen[:2]] == [COLOURED, NEAR]


def test_a_place_that_another_target_has_is_not_the_lost_one_s(toml):
    """A window on the target itself: presence is high until another target claims it."""
    film, tracker = begun(toml)
    search, state = tracker.recovery, tracker.state.copy()

    def seen():
        search.restart(state)  # looks there first
        window = search.next_window(state, film.frames[0])
        view = tracker.device.look(film.frames[0], window.state, 1.5)
        search.judge(film.frames[0], view, state)
        return search._candidate

    assert seen() is not None
    search.rivals = np.array([film.boxes[0]])
    assert seen() is None
    search._window = Window(WIDE, state, 1.5)  # all that is proposed there is the other's
    view = tracker.device.look(film.frames[0], state, 1.5)
    found, _ = search.judge(film.frames[0], view, state)
    assert not found and search._candidate is None


def test_why_there_is_no_search_is_said(tmp_path):
    toml = tiny.write_network(tmp_path, tiny.watched(lost_below=0.5))
    said = []
    tracker = load_tracker(toml, recover=True, log=said.append)
    assert not tracker.searches
    assert any("not searched for: no thresholds" in sentence for sentence in said)
    assert load_network(toml).found_above == 0
