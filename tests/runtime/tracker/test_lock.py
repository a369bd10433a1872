"""Every public method of a tracker and of targets waits for its turn, or is refused."""

import threading

import numpy as np
import pytest

from hotpath.runtime import load_targets, load_tracker
from hotpath.runtime.errors import BadBox, BadFrame, BadOption, NotReady, UnknownNetwork
from hotpath.runtime.targets.finding import TargetFinder
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import Box
from tests.support import tiny

FRAMES, BOXES = tiny.film(8)
BOX = tuple(BOXES[0])
NEAR = np.array([BOX], float)
TRACKER = {
    "init": lambda t: t.init(FRAMES[0], BOX),
    "update": lambda t: t.update(FRAMES[1]),
    "suggest": lambda t: t.suggest(NEAR),
    "confirm": lambda t: t.confirm(),
    "reject": lambda t: t.reject(),
    "release": lambda t: t.release(),
    "close": lambda t: t.close(),
}
# of the frame protocol, which the methods of several targets call
STEPS = {
    "hold": lambda t: t.target.hold_place(np.array([60.0, 60.0, 30.0, 30.0])),
    "avoid": lambda t: t.target.set_other_boxes(NEAR),
    "propose": lambda t: t.target.follow_candidate(Box(*NEAR[0])),
}
READ = {"state", "box", "can_lose", "title"}  # what changes nothing


def lowest(targets):
    return min(targets._trackers, default=0)


TARGETS = {
    "add": lambda t: t.add(FRAMES[0], BOX),
    "update": lambda t: t.update(FRAMES[1]),
    "update_one": lambda t: t.update_one(lowest(t), FRAMES[1]),
    "first": lambda t: t.first(lowest(t)),
    "doubt": lambda t: t.doubt(lowest(t)),
    "find_with": lambda t: t.find_with(lambda frame: np.zeros((0, 4))),
    "classify": lambda t: t.classify(lowest(t), 1, "car"),
    "restart": lambda t: t.restart(lowest(t), FRAMES[0], BOX),
    "drop": lambda t: t.drop(lowest(t)),
    "numbers": lambda t: t.numbers,
    "suggest": lambda t: t.suggest(lowest(t), NEAR),
    "confirm": lambda t: t.confirm(lowest(t)),
    "reject": lambda t: t.reject(lowest(t)),
    "close": lambda t: t.close(),
}
KINDS = [(load_tracker, Tracker, TRACKER), (load_targets, Targets, TARGETS)]
ONE_EACH = [(load, calls, name) for load, _, calls in KINDS for name in calls]
ONE_EACH += [(load_tracker, STEPS, name) for name in STEPS]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return str(tiny.write_network(tmp_path_factory.mktemp("network")))


def opened(load, network):
    return ready(load(network))


def ready(thing):
    """Let a tracker or targets follow what they follow at the beginning of a test."""
    if isinstance(thing, Tracker):
        thing.init(FRAMES[0], BOX)
        return thing
    for number in thing.numbers:
        thing.drop(number)
    thing.finder = None
    for _ in range(2):
        thing.add(FRAMES[0], BOX)
    return thing


@pytest.fixture(scope="module")
def shared(network):
    """A function of ``load`` that gives the same tracker or targets until they are closed."""
    things = {}

    def get(load):
        if load not in things or things[load]._closed:
            things[load] = opened(load, network)
        return ready(things[load])

    yield get
    for thing in things.values():
        thing.close()


@pytest.mark.parametrize(("load", "kind", "calls"), KINDS)
def test_each_public_method_is_called_here(load, kind, calls):
    assert {name for name in vars(kind) if name[0] != "_"} - READ == set(calls)


@pytest.mark.parametrize(("load", "calls", "name"), ONE_EACH)
def test_a_method_waits_or_is_refused_during_another_threads(shared, load, calls, name):
    thing, answers, ended = shared(load), [], threading.Event()

    def call():
        try:
            calls[name](thing)
        except NotReady:
            answers.append("refused")
        ended.set()

    with thing.lock:
        thread = threading.Thread(target=call)
        thread.start()
        went_in = ended.wait(0.05) and answers != ["refused"]
    thread.join()
    assert not went_in


@pytest.mark.parametrize("ask", ["numbers", "suggest", "confirm", "drop"])
def test_a_finder_that_asks_the_targets_lets_them_close(network, ask):
    """Its function runs in a thread of its own, which ``close`` waits for."""
    targets = opened(load_targets, network)
    looks, closing, ended = threading.Event(), threading.Event(), threading.Event()

    def find(frame):
        if threading.current_thread() is not threading.main_thread():
            looks.set()
            assert closing.wait(20)
            TARGETS[ask](targets)
        return np.zeros((0, 4))

    def close():
        targets.close()
        ended.set()

    targets.finder = TargetFinder(targets, find, every=1, everything=True, background=True)
    for _ in range(3):  # this thread looks in the first frame
        targets.update(FRAMES[1])
    assert looks.wait(20)
    threading.Thread(target=close, daemon=True).start()
    while not targets._closed:
        pass
    closing.set()
    assert ended.wait(20), "close waits for a finder that waits for close"


def test_a_click_of_another_thread_is_followed_from_then_on(network):
    with opened(load_tracker, network) as tracker:
        stop, other = threading.Event(), (5.0, 60.0, 30.0, 30.0)
        still = FRAMES[0].copy()
        still[60:90, 5:35] = (0, 0, 255)

        def loop():
            while not stop.is_set():
                try:
                    tracker.update(still)
                except NotReady:
                    pass

        thread = threading.Thread(target=loop)
        thread.start()
        wrong = 0
        for number in range(20):
            box = (BOX, other)[number % 2]
            tracker.init(still, box)
            wrong += abs(tracker.box.x - box[0]) > 20
        stop.set()
        thread.join()
        assert wrong == 0


@pytest.mark.parametrize("size", [(9, 8), (1, 1), (160, 2), (24, 18), (40, 30)])
@pytest.mark.parametrize("count", [1, 20])
def test_small_frames_change_nothing_that_lasts(network, size, count):
    with opened(load_tracker, network) as tracker:
        tracker.update(FRAMES[1])
        before = tracker.target.state.copy()
        for _ in range(count):
            try:
                tracker.update(np.zeros((size[1], size[0], 3), np.uint8))
            except BadFrame as error:
                assert error.what == "too small"
                assert (tracker.target.state == before).all()
        tracker.target.requests(FRAMES[1], FRAMES[1].shape)
        if min(before[2:]) * size[0] / FRAMES[1].shape[1] < tracker.network.min_size:
            assert np.allclose(tracker.target.state, before)


@pytest.mark.parametrize("load", [load_tracker, load_targets])
def test_wrong_values_are_refused_before_anything_changes(network, load):
    from decimal import Decimal

    thing = opened(load, network)
    state = (thing if load is load_tracker else thing._trackers[0]).state
    for time_s in (Decimal(1), 10**400, "1", object()):
        with pytest.raises(BadOption):
            thing.update(FRAMES[1], time_s)
    for boxes in ([[np.nan, 0, 1, 1]], [[1, 2, 3]], "box", [[10**400] * 4]):
        with pytest.raises(BadBox):
            thing.suggest(*([boxes] if load is load_tracker else [0, boxes]))
    assert (thing if load is load_tracker else thing._trackers[0]).state is state
    if load is load_targets:
        for every in (float("nan"), 0, float("inf"), "1", None):
            with pytest.raises(BadOption):
                thing.find_with(lambda frame: [], every)
        thing.close()
        with pytest.raises(NotReady, match="closed"):
            thing.update(FRAMES[1])
    thing.close()
    with pytest.raises(UnknownNetwork):
        load("")


@pytest.mark.filterwarnings("error")
def test_a_doubt_that_is_an_error_leaves_the_target_as_it_was(network):
    with opened(load_tracker, network) as tracker:
        state = tracker.target.state
        with pytest.raises(UserWarning, match="only 2"):
            tracker.init(FRAMES[0], (50, 50, 2, 2))
        assert tracker.target.state is state and tracker.update(FRAMES[1])
