"""A target that comes back elsewhere in the picture is found, whatever else the computer does."""

import ast
import functools
from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.kernels import cpu
from hotpath.runtime import decode, load_targets, load_tracker, loading
from hotpath.runtime.decode.shared.proposals import Proposals
from hotpath.runtime.devices.base import WindowRequest
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.errors import NotReady
from hotpath.runtime.frames import colour
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.identity.guard import EARLY, DistractorGuard
from hotpath.runtime.identity.identity import (
    BEFORE_SEARCH,
    Identity,
    IdentityPhase,
    rules_of,
)
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.search.redetector import Redetector
from hotpath.runtime.search.regions import CHECK, COLOURED, HERE, NEAR, WIDE
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import LOST, UNSURE, WindowResult
from tests.support import ROOT, tiny

FOUND = "found"
SIDE = 40
GONE = 15
SEARCHED = GONE + BEFORE_SEARCH  # about when the search begins
BACK, END = SEARCHED + 14, SEARCHED + 36
THRESHOLDS = tiny.LOSSY


class Elsewhere:
    """A blue square moves at the left, is gone, and comes back far from a grey one as bright."""

    def __init__(self, back=True):
        self.boxes = np.full((END, 4), np.nan)
        self.frames = []
        noise = np.random.RandomState(4)
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


def lose(identity, value):
    """The target is gone, and what is followed has that value."""
    identity.yield_to_other()
    identity.value = value


def begun(toml, back=True, **options):
    """A film, and a tracker that has its target."""
    film, tracker = film_of(back), load_tracker(toml, **options)
    tracker.init(film.frames[0], film.boxes[0])
    return film, tracker


def states_of(tracker, frames):
    return [word_of(tracker.update(frame)) for frame in frames]


def word_of(track):
    """The state, or ``FOUND`` in the first tracked frame after a loss."""
    return FOUND if track.found else track.state


def lost(toml, back, until, **options):
    """A film, and a tracker that has seen so many frames of it."""
    film, tracker = begun(toml, back, **options)
    states_of(tracker, film.frames[1:until])
    return film, tracker


class Begun:
    """A search that has just started, of a target of which nothing is known but what a test says.

    Attributes:
        found: whether the last frame has shown the target.
    """

    def __init__(self, toml):
        network = load_network(toml)
        self.frame, self.state = film_of(True).frames[20], np.array([80.0, 100.0, SIDE, SIDE])
        cues = self._cues = SimpleNamespace(
            colour=np.full(colour.BINS, 1 / colour.BINS),
            chances=lambda: (0.0, None),
            appearance=1.0,
            alike=1.0,
            certain=np.ones(4),
        )
        cues.begin = lambda *given: None
        cues.value = lambda frame, place, result, score, appearance=None: next(self._now)
        cues.best_box = lambda frame, states, scores, appearance, needed: (0, next(self._now))
        guard = self.guard = DistractorGuard(network, cpu.load())
        self.identity = guard.identity = Identity(rules_of(network), cues)
        guard.cues, guard.certain = cues, cues.certain
        guard.classifier = SimpleNamespace(
            begin=lambda *given: None, appearance=lambda result: np.zeros(len(result.scores))
        )
        self.search = Redetector(network, guard, True)
        self._network = network
        guard.begin(self.state, None, None)
        self.search.begin()
        self.search.start()
        lose(self.identity, 0.0)
        self._maps = [np.zeros(shape, np.float32) for shape in decode.shapes(network)]
        self._maps[0][0, 1] = 9.0  # all cells say that they are the target, and how large it is
        self._maps[1][:] = SIDE / 2
        self.found = False

    def step(self, *now):
        """Look at a frame whose window is as good as that; returns the window."""
        self._now = iter(now)
        window = self.search.window(self.state, self.frame)
        result = self._shown(window)
        value, _, self.state = self.search.update(self.frame, result, self.state)
        self.found = value is not None
        return window

    def _shown(self, window):
        places = Proposals(self._network, cpu.load(), window.prior)
        size = self.frame.shape[1::-1]
        found = places.propose(self._maps, window.state, (1.0, 1.0), *size)
        return WindowResult(window.state, (1.0, 1.0), None, None, *found)


def test_a_target_that_is_back_elsewhere_is_found(toml):
    film, tracker = begun(toml)
    tracks = [tracker.update(frame) for frame in film.frames[1:]]
    states = [word_of(track) for track in tracks]
    assert LOST not in states[: GONE - 1]
    assert set(states[GONE + 8 : BACK - 1]) == {LOST}
    assert states.count(FOUND) == 1 and BACK <= states.index(FOUND) < BACK + 40
    first = states.index(FOUND)
    boxes = np.array([track.box for track in tracks[first : first + 15]])
    assert overlap(boxes, film.boxes[first + 1 : first + 16]).min() > 0.5


def test_a_place_that_a_detector_suggests_is_searched_first(toml):
    film, tracker = lost(toml, True, BACK)
    tracker.suggest(np.array([(500.0, 30.0, 40.0, 40.0), film.boxes[BACK]]))
    # the wrong place, the right one, and a candidate that is first followed backwards
    states = states_of(tracker, film.frames[BACK : BACK + 8])
    assert states[:4] == [LOST, LOST, UNSURE, UNSURE] and FOUND in states


def test_suggestions_do_nothing_while_a_target_is_tracked(toml):
    film, tracker = begun(toml)
    tracker.suggest(np.array([(500.0, 30.0, 40.0, 40.0)]))
    assert tracker.update(film.frames[1]).state == "tracked"


def test_a_classifier_that_knows_the_target_learns_one_in_four(toml):
    film, tracker = begun(toml)
    there = film.frames[1:GONE]
    updates = []
    for frame in 4 * (there + there[::-1]):
        assert tracker.update(frame).state == "tracked"
        updates.append(tracker.target.guard.classifier.ridge.updates)
    # an update takes four frames of learning: of three in four, then of one in four
    assert updates.count(EARLY - 1) < 8
    assert updates.count(EARLY + 1) == 16


@pytest.mark.parametrize("options", [{"recover": False}, {"back": False}])
def test_without_search_or_in_another_colour_nothing_is_found(toml, options):
    film, tracker = begun(toml, **options)
    assert set(states_of(tracker, film.frames[1:])[GONE + 8 :]) == {LOST}


def test_a_target_taken_during_a_search_is_known_as_well_as_any(toml):
    certainties = []
    for until in (SEARCHED + 7, 2):
        film, tracker = lost(toml, False, until)
        assert tracker.target.redetector.active == (until > 2)
        tracker.init(film.frames[2], film.boxes[2])
        tracks = [tracker.update(frame) for frame in film.frames[3:9]]
        certainties.append((tracks, tracker.target.identity.value))
    assert certainties[0] == certainties[1]


def test_targets_of_one_batch_are_found_too(toml):
    film, targets = film_of(True), load_targets(toml)
    targets.add(film.frames[0], film.boxes[0])
    targets.add(film.frames[0], film.boxes[0])
    states = [[word_of(t) for t in targets.update(f).values()] for f in film.frames[1:]]
    for own in zip(*states):
        assert own.count(FOUND) == 1 and own.index(FOUND) >= BACK


def test_a_change_of_the_frames_size_does_not_end_the_search(toml):
    film, tracker = begun(toml)
    frames = film.frames[1 : BACK - 5]
    frames += [np.ascontiguousarray(f[::2, ::2]) for f in film.frames[BACK - 5 :]]
    states = states_of(tracker, frames)
    assert states.count(FOUND) == 1 and BACK <= states.index(FOUND)


class Counting(CpuDevice):
    """The processor; it counts the windows of each frame."""

    counts = ()

    def run(self, frame, appearance):
        self.counts += (len(appearance),)
        return super().run(frame, appearance)


def test_a_frame_of_the_search_looks_at_one_window(toml):
    device = Counting(*loading.load(Options(toml)))
    film, tracker = film_of(False), Tracker(device, recover=True)
    tracker.init(film.frames[0], film.boxes[0])
    states_of(tracker, film.frames[1:])
    assert tracker.target.redetector.active and set(device.counts) == {1}


def test_no_decision_reads_a_clock():
    places = [
        ROOT / "hotpath" / "runtime" / "identity" / "identity.py",
        *(ROOT / "hotpath" / "runtime").glob("search/*.py"),
    ]
    places += (ROOT / "hotpath" / "runtime").glob("targets/*.py")
    for path in places:
        tree = ast.parse(path.read_text())
        imports = [
            node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        names = {alias.name for node in imports for alias in node.names}
        names |= {node.module for node in imports if isinstance(node, ast.ImportFrom)}
        assert not names & {"time", "datetime", "timeit"}, path


def test_a_target_seen_in_a_single_frame_is_not_claimed(toml):
    film, tracker = lost(toml, True, SEARCHED + 4)
    empty = film_of(False).frames
    frames = [film.frames[BACK + 18], empty[BACK + 19], empty[BACK + 20]] * 3
    assert set(states_of(tracker, frames)) == {LOST}


def test_a_size_that_swells_before_a_loss_is_not_searched_for(toml):
    film, tracker = begun(toml)
    search, state = tracker.target.redetector, tracker.target.state.copy()
    exemplar = tracker.device.exemplar(film.frames[0], state)
    (result,), _ = tracker.device.run(film.frames[0], [WindowRequest(exemplar, state)])
    for swollen in (1.3, 1.7, 2.0):
        tracker.target.guard.learn(state * (1, 1, swollen, swollen), result)
    search.start()
    lose(tracker.target.identity, 0.0)
    _, window = (search.window(state, film.frames[0]) for _ in range(2))
    assert window.kind == WIDE
    assert SIDE < window.state[2] < 1.25 * SIDE


def test_a_place_is_checked_once_and_found_from_the_value_that_a_target_keeps(toml):
    for above, found in ((-0.01, False), (0.01, True)):
        begun = Begun(toml)
        assert begun.step(0.0).kind == HERE
        assert begun.step(0.9).kind == WIDE
        assert begun.step(begun.identity.rules.unsure + above).kind == CHECK
        assert begun.found is found
        if not found:
            assert begun.step(0.0).kind != CHECK


def test_the_search_looks_where_the_target_was_lost_and_where_its_colours_are(toml):
    film, tracker = begun(toml)
    tracker.target.redetector.start()
    lose(tracker.target.identity, 0.0)
    chosen = [
        tracker.target.redetector.window(tracker.target.state, film.frames[0]) for _ in range(6)
    ]
    assert [window.kind for window in chosen] == [HERE, WIDE, WIDE] * 2
    assert [window.factor for window in chosen[1:3]] == [COLOURED, NEAR]


@pytest.mark.parametrize("value, first", [(0.1, HERE), (0.9, WIDE)])
def test_after_an_object_was_given_up_the_search_looks_elsewhere_first(toml, value, first):
    begun = Begun(toml)
    search, identity = begun.search, begun.identity
    search.active = False
    identity.reject()  # as an object that stays unverified is given up, but for its value
    identity.value = value
    begun.guard.classifier.learn = lambda *given: None
    begun.guard.classifier.ridge = SimpleNamespace(updates=EARLY)
    begun.guard.learn(begun.state, SimpleNamespace(scores=[1.0]))
    search.end_frame()
    assert search.active and search.window(begun.state, begun.frame).kind == first


def test_where_the_followed_box_fails_another_place_is_checked(toml):
    begun = Begun(toml)
    assert begun.step(0.0).kind == HERE
    place = begun.step(0.9)
    again = begun.step(0.9)
    assert (place.kind, again.kind) == (WIDE, CHECK) and begun.found


def test_a_place_that_another_target_has_is_not_the_lost_one_s(toml):
    """A window on the target itself: presence is high until another target claims it."""
    film = film_of(True)
    found = [LOST, UNSURE, UNSURE, FOUND]
    for rivals, states in (([], found), ([film.boxes[1]], [LOST] * 4)):
        film, tracker = begun(toml)
        tracker.target.redetector.restart(tracker.target.state)  # looks there first
        lose(tracker.target.identity, 0.0)
        tracker.target.set_other_boxes(np.reshape(rivals, (-1, 4)))
        assert states_of(tracker, film.frames[1:2] * 4) == states


def test_a_rejected_object_is_not_found_again_and_the_target_is(toml):
    """The user rejects the blue square, which stays in view; later it is another one, elsewhere."""
    film, tracker = begun(toml)
    for frame in film.frames[1:5]:
        tracker.update(frame)
    tracker.reject()
    assert states_of(tracker, film.frames[5:GONE]) == [LOST] * (GONE - 5)
    assert FOUND in states_of(tracker, film.frames[GONE:])


@pytest.mark.parametrize("kind", [HERE, CHECK])
def test_a_rejected_object_is_not_chosen_among_several_places(toml, kind, monkeypatch):
    film, tracker = begun(toml)
    tracker.update(film.frames[1])
    tracker.reject()
    here, elsewhere = tracker.target.state.copy(), tracker.target.state + (200, 0, 0, 0)
    result = WindowResult(here, (1.0, 1.0), states=np.array([here, elsewhere]), scores=(0.9, 0.8))
    monkeypatch.setattr(tracker.target.guard, "choose", lambda result, is_followed: (0, None))
    monkeypatch.setattr(tracker.target.guard.classifier, "appearance", lambda result: np.ones(2))
    place, _, value = tracker.target.redetector._best(film.frames[2], kind, result)
    assert (place, value) == (None, 0.0)


def test_what_was_lost_and_not_rejected_is_found_where_it_is(toml):
    film, tracker = begun(toml)
    for frame in film.frames[1:5]:
        tracker.update(frame)
    lose(tracker.target.identity, 0.0)
    tracker.target.redetector.start()
    assert FOUND in states_of(tracker, film.frames[5:GONE])


def test_a_rejected_object_that_went_away_is_forgotten(toml):
    film, tracker = begun(toml)
    tracker.update(film.frames[1])
    tracker.reject()
    states_of(tracker, film.frames[GONE : GONE + 20])
    assert FOUND in states_of(tracker, film.frames[2:GONE])  # another one, in the same place


@pytest.mark.parametrize("numbered", [False, True])
def test_nothing_can_be_rejected_while_the_target_is_lost(toml, numbered):
    film = film_of(True)
    followed = (load_targets if numbered else load_tracker)(toml)
    (followed.add if numbered else followed.init)(film.frames[0], film.boxes[0])
    numbers = followed.numbers if numbered else ()
    followed.update(film.frames[1])
    followed.reject(*numbers)
    followed.update(film.frames[2])
    with pytest.raises(NotReady, match="lost"):
        followed.reject(*numbers)


def test_a_tracker_that_cannot_lose_a_target_rejects_nothing(tmp_path):
    film, tracker = begun(tiny.write_network(tmp_path))
    with pytest.raises(NotReady, match="cannot lose"):
        tracker.reject()


@pytest.mark.parametrize("probation", [False, True])
def test_nothing_is_learnt_from_a_find_on_probation(toml, probation):
    begun = Begun(toml)
    guard, identity = begun.guard, begun.identity
    learnt = []
    identity.phase, identity.since = IdentityPhase.CONFIRMED, 2
    identity.probation = 9 * probation
    guard.classifier = SimpleNamespace(
        ridge=SimpleNamespace(updates=EARLY, busy=False),
        learn=lambda state, result, tracked: learnt.append(tracked),
    )
    guard.cues.tracked = 0
    guard.learn(begun.state, SimpleNamespace(scores=[1.0]))
    assert learnt == [not probation] and guard.cues.tracked == (not probation)
    identity.since = 1
    assert guard.learns is not probation


@pytest.mark.parametrize("away, dropped", [(0, True), (3 * SIDE, False)])
def test_a_suspect_that_is_another_targets_object_is_dropped(toml, away, dropped):
    begun = Begun(toml)
    search, identity = begun.search, begun.identity
    search.active = False
    identity.phase = IdentityPhase.TENTATIVE  # it is followed, and not verified
    x, y, w, h = begun.state
    search.set_other_boxes(np.array([[x - w / 2 + away, y - h / 2, w, h]]), begun.state)
    assert search.active is dropped and (identity.phase == IdentityPhase.TENTATIVE) is not dropped


def test_why_there_is_no_search_is_said(tmp_path):
    toml = tiny.write_network(tmp_path, tiny.watched(search_lost_below=0.5))
    messages = []
    tracker = load_tracker(toml, recover=True, log=messages.append)
    assert not tracker.searches
    assert any("no thresholds" in sentence for sentence in messages)
    assert load_network(toml).found_above == 0
