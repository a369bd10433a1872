"""A target is claimed where two networks claim it, in the same place."""

import math
import threading
import types
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath import boards
from hotpath.runtime import choice, load_targets, load_tracker, loading
from hotpath.runtime.errors import BadBundle, BadOption, HotpathError, NetworkFailed, NotReady
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.identity.identity import (
    AFTER,
    CHANCE,
    MOST_UNVERIFIED,
    REFERENCE,
    IdentityPhase,
)
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.tracker.first_box import DoubtfulBox
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.tracker.witness import (
    AGREE,
    MOST_OF_ONE,
    WitnessedTracker,
    combine_tracks,
)
from hotpath.runtime.types import LOST, STATES, TRACKED, UNSURE, Box, Track
from tests.support import tiny
from tests.support.errors import refusal

HERE, NEAR, THERE = Box(0, 0, 10, 10), Box(1, 0, 10, 10), Box(50, 0, 10, 10)
ODDS_2, ODDS_3 = math.log(2), math.log(3)


@pytest.fixture
def networks(tmp_path):
    """Two TOMLs of the tiny network, which can lose a target."""
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        toml = tiny.write_network(tmp_path / name, tiny.watched(**tiny.LOSSY))
        with open(str(toml.with_name("tiny_head.onnx")), "ab") as file:
            file.write(bytes([0x32, len(name)]) + name.encode())  # ONNX's doc_string
        made.append(toml.with_name(name + ".toml"))
        toml.rename(made[-1])  # which returns nothing before Python 3.8
    return made


@pytest.fixture
def pair(networks):
    with load_tracker(networks[0], witness=networks[1]) as tracker:
        yield tracker


@pytest.fixture
def targets(networks):
    """Several targets, which both networks track."""
    with load_targets(networks[0], witness=networks[1]) as loaded:
        yield loaded


def begun(tracker, frames=20):
    """The film; its first frames are tracked, the others are left."""
    clip = tiny.Vanishing(120)
    tracker.init(clip.frames[0], clip.boxes[0])
    for frame in clip.frames[1:frames]:
        track = tracker.update(frame)
    assert (track.state, track.witnessed) == (TRACKED, True)
    return clip


def astray(tracker, other):
    """A tracker follows another place, far from that of the other one."""
    tracker.target.follow_candidate(Box(250, 200, 40, 40))
    assert (
        overlap(
            tracker.target.box_of(tracker.target.state), other.target.box_of(other.target.state)
        )
        == 0
    )


# -- what two tracks say


@pytest.mark.parametrize("own", STATES)
@pytest.mark.parametrize("other", STATES)
@pytest.mark.parametrize("box", [HERE, THERE])
def test_the_states_of_two_networks_make_one(own, other, box):
    first = Track(HERE, 0.9, own == LOST, own, presence=0.7)
    second = Track(box, 0.8, other == LOST, other, presence=0.9)
    track = combine_tracks(first, second)
    agrees = box is HERE and LOST not in (own, other)
    if own == other == TRACKED and agrees:
        assert track.state == TRACKED and 0.88 < track.presence < 0.89  # (7/3 * 9) ** (2/3)
    else:
        assert track.state == (LOST if own == other == LOST else UNSURE)
        assert track.presence <= MOST_OF_ONE
    assert track.lost == (track.state == LOST)
    assert track.witnessed == agrees
    # the witness is more certain: its box counts where the first network does not claim the target
    takes = box is THERE and own != TRACKED
    if LOST in (own, other):
        takes = own == LOST != other
    assert track.box is (second if takes else first).box


@given(
    st.lists(st.tuples(st.sampled_from(STATES), st.floats(0, 1)), min_size=2, max_size=2),
    st.sampled_from([HERE, THERE]),
    st.tuples(*4 * [st.booleans()]),
)
def test_presence_and_state_of_two_networks_agree_as_documented(tracks, box, flags):
    names = ("is_witness", "is_unbroken", "is_led", "is_chance")
    own, other = (
        Track(each, 0.9, state == LOST, state, presence=presence)
        for each, (state, presence) in zip((HERE, box), tracks)
    )
    track = combine_tracks(own, other, **dict(zip(names, flags)))
    assert track.presence >= 0.4 or track.state != TRACKED
    assert track.presence <= 0.4 or track.state != LOST
    assert track.lost == (track.state == LOST) and not (track.lost and track.witnessed)


def share(odds):
    return 1 / (1 + math.exp(-odds))


@pytest.mark.parametrize(
    "states, box, expected",
    [
        ((TRACKED, TRACKED), HERE, share(2 / 3 * (ODDS_2 + ODDS_3))),
        ((TRACKED, UNSURE), HERE, MOST_OF_ONE),
        ((UNSURE, UNSURE), HERE, MOST_OF_ONE),
        ((TRACKED, UNSURE), THERE, share(ODDS_2 + AFTER)),
        ((UNSURE, UNSURE), THERE, share(ODDS_3 + AFTER)),  # of the witness, which is more certain
        ((TRACKED, LOST), HERE, share(ODDS_2 + AFTER)),
        ((LOST, UNSURE), HERE, share(ODDS_3 + AFTER)),
    ],
)
def test_presence_is_a_sum_in_one_place_and_less_than_ones_own_in_two(states, box, expected):
    first = Track(HERE, 0.9, False, states[0], presence=2 / 3)
    second = Track(box, 0.9, False, states[1], presence=3 / 4)
    track = combine_tracks(first, second)
    assert track.presence == pytest.approx(expected)


def test_the_prior_of_a_loss_counts_once():
    """Two candidates in one place: more than each of them, and nothing stands at the cap."""
    found = [
        combine_tracks(*2 * [Track(HERE, 0.9, False, UNSURE, presence=each)]).presence
        for each in (0.1, 0.2, 0.3, 0.4)
    ]
    assert all(a < b < MOST_OF_ONE for a, b in zip(found, found[1:])) and found[-1] > 0.6
    assert found[0] == pytest.approx(share(4 / 3 * math.log(1 / 9) - AFTER))


@pytest.mark.parametrize(
    "own, other, box, is_unbroken, state",
    [
        ((TRACKED, 0.9), (UNSURE, 0.3), NEAR, True, TRACKED),  # one claim is enough
        ((UNSURE, 0.9), (TRACKED, 0.3), NEAR, True, TRACKED),
        ((TRACKED, 0.9), (UNSURE, 0.3), NEAR, False, UNSURE),  # but not after a loss
        ((TRACKED, 0.9), (UNSURE, 0.3), THERE, True, UNSURE),
        ((UNSURE, 0.9), (UNSURE, 0.9), NEAR, True, UNSURE),
        ((TRACKED, MOST_UNVERIFIED), (TRACKED, MOST_UNVERIFIED), HERE, False, UNSURE),
    ],
)
def test_a_claim_needs_another_one_or_an_unbroken_doubt(own, other, box, is_unbroken, state):
    first = Track(HERE, 0.9, False, own[0], presence=own[1])
    second = Track(box, 0.8, False, other[0], presence=other[1])
    track = combine_tracks(first, second, is_unbroken=is_unbroken)
    assert track.state == state and (own == other or track.presence <= MOST_OF_ONE)


@pytest.mark.parametrize("presence, box", [(0.2, HERE), (0.35, THERE)])
def test_the_box_of_the_more_certain_network_is_reported(presence, box):
    first = Track(HERE, 0.9, False, UNSURE, presence=0.3)
    assert combine_tracks(first, Track(THERE, 0.8, presence=presence)).box is box


def test_presence_does_not_rise_when_both_begin_to_doubt():
    doubts = [Track(HERE, 0.9, False, UNSURE, presence=each) for each in (0.7, 0.72)]
    assert combine_tracks(*doubts, is_unbroken=True).presence == pytest.approx(0.72)
    assert combine_tracks(*doubts).presence == MOST_OF_ONE  # AFTER is in both
    claims = [each._replace(state=TRACKED) for each in doubts]
    assert combine_tracks(*claims, is_unbroken=True).presence > 0.75


def test_candidates_that_are_no_more_than_chance_are_lost(pair):
    begun(pair)
    first, second = (
        Track(box, 0.9, state == LOST, state, presence=0.2)
        for box, state in ((HERE, UNSURE), (THERE, LOST))
    )
    pair.target.identity.propose()
    for similarity, state in ((0.5, UNSURE), (0.99 * CHANCE * REFERENCE, LOST), (-1.0, LOST)):
        pair.target.identity._similarities.extend(30 * [similarity])
        track = pair._tracks_of_both(first, second)
        assert (track.state, track.lost, track.box) == (state, state == LOST, HERE)
        claim = second._replace(state=TRACKED)
        assert pair._tracks_of_both(first, claim).state == UNSURE


MOVED = 10 * (1 - AGREE)  # pixels at which two boxes of ten share AGREE of their areas


@pytest.mark.parametrize(
    "box, state",
    [
        (Box(MOVED * 0.99, 0, 10, 10), TRACKED),
        (Box(MOVED * 1.01, 0, 10, 10), UNSURE),
        (Box(3, 3, 5, 4), TRACKED),  # a part of the target
        (Box(-8, -2, 20, 20), TRACKED),  # more than the target
        (Box(8, 3, 5, 4), UNSURE),  # most of the part is not in it
        (Box(3, 3, 4, 3), UNSURE),  # too small a part
        (Box(20, 20, 10, 10), UNSURE),
        (Box(5, 5, 0, 0), UNSURE),
    ],
)
def test_boxes_agree_if_they_have_enough_in_common(box, state):
    first, second = Track(HERE, 0.9, presence=0.8), Track(box, 0.8, presence=0.8)
    assert combine_tracks(first, second).state == combine_tracks(second, first).state == state


def test_one_claim_is_not_enough_where_the_other_has_lost_the_target(pair):
    begun(pair)
    claims, doubts = Track(HERE, 0.9, presence=0.9), Track(HERE, 0.9, False, UNSURE, presence=0.3)
    assert pair._tracks_of_both(claims, doubts).state == TRACKED
    pair.witness.target.identity.propose()  # follows an object that is not verified
    assert pair._tracks_of_both(claims, doubts).state == UNSURE


def test_boxes_that_fill_the_picture_agree_on_nothing(pair):
    clip = begun(pair)
    height, width = clip.frames[0].shape[:2]
    for side, state, agrees in ((0.88, TRACKED, True), (0.91, UNSURE, False)):  # .77, .83 of it
        box = Box(4, 4, side * width, side * height)
        own, other = Track(box, 0.9, presence=0.9), Track(box, 0.8, presence=0.9)
        for each in (own, own._replace(box=Box(4, 4, width / 2, height))):
            track = pair._tracks_of_both(each, other)
            assert (track.state, track.witnessed) == (state, agrees)
        assert (
            pair.target.identity.is_disputed
            == pair.witness.target.identity.is_disputed
            == (not agrees)
        )
    assert track.presence <= MOST_OF_ONE
    beyond = Box(-2 * width, 0, 2.5 * width, height)  # half of the picture
    assert pair._tracks_of_both(*2 * [Track(beyond, 0.9, presence=0.9)]).state == TRACKED


# -- a run


def test_a_target_of_two_networks_is_lost_and_found_once(pair):
    clip = tiny.Vanishing(120)
    first = pair.init(clip.frames[0], clip.boxes[0], time_s=0.0)
    assert (first.state, first.witnessed, first.box) == (TRACKED, True, tuple(clip.boxes[0]))
    tracks = [pair.update(f, time_s=n / 25) for n, f in enumerate(clip.frames[1:], 1)]
    gone = clip.gone[1:]
    assert {track.state for track, is_gone in zip(tracks, gone) if is_gone} >= {LOST}
    assert all(track.state == TRACKED for track in tracks[: gone.argmax() - 1])
    assert tracks[-1].state == TRACKED and sum(track.found for track in tracks) == 1
    assert tracks[-1].velocity is not None


def test_the_first_network_has_the_boxes_that_it_has_alone(networks, pair):
    clip = tiny.Vanishing(120)
    with load_tracker(networks[0], witness="none") as alone:
        assert type(alone) is Tracker and isinstance(pair, WitnessedTracker)
        alone.init(clip.frames[0], clip.boxes[0])
        pair.init(clip.frames[0], clip.boxes[0])
        for frame in clip.frames[1:30]:
            expected, track = alone.update(frame), pair.update(frame)
            assert track.box == expected.box and expected.witnessed is None
            assert track.presence >= expected.presence


@pytest.mark.parametrize("strays", [0, 1])
def test_while_the_networks_differ_nothing_is_claimed_or_learnt(pair, strays):
    clip, both = begun(pair), (pair, pair.witness)
    assert all(each.target.identity.learns for each in both)
    astray(both[strays], both[1 - strays])
    track = pair.update(clip.frames[20])
    assert (track.state, track.witnessed) == (UNSURE, False)
    assert track.presence <= MOST_OF_ONE
    assert not any(each.target.identity.learns for each in both)
    assert overlap(track.box, clip.boxes[20]) > 0.3  # of the one that claims


@pytest.mark.parametrize("strays", [0, 1])
def test_a_person_who_confirms_the_box_brings_both_there(pair, strays):
    clip, both = begun(pair), (pair, pair.witness)
    astray(both[strays], both[1 - strays])
    assert pair.update(clip.frames[20]).state == UNSURE
    pair.confirm()
    track = pair.update(clip.frames[21])
    assert (track.state, track.witnessed) == (TRACKED, True)
    assert overlap(track.box, clip.boxes[21]) > 0.3


def test_a_person_who_rejects_the_box_takes_it_from_those_that_follow_it(pair):
    clip = begun(pair)
    pair.reject()
    assert pair.target.identity.phase == pair.witness.target.identity.phase == IdentityPhase.GONE
    assert pair.update(clip.frames[20]).state != TRACKED
    begun(pair)
    astray(pair.witness, pair)
    pair.reject()
    assert pair.target.identity.phase == IdentityPhase.GONE != pair.witness.target.identity.phase


def test_what_is_lost_is_neither_confirmed_nor_rejected(pair):
    clip = begun(pair)
    for frame in clip.frames[20:60]:
        track = pair.update(frame)
    assert track.state == LOST
    for decide in (pair.confirm, pair.reject):
        with refusal(NotReady, "lost"):
            decide()


def test_a_box_that_neither_network_follows_is_not_rejected(pair):
    clip = begun(pair)
    Tracker.reject(pair)
    astray(pair.witness, pair)
    pair.update(clip.frames[20])
    pair.target.shown = Track(
        Box(1, 1, 9, 9), 0.5, False, UNSURE, presence=0.1
    )  # where it was last seen
    with refusal(NotReady, "lost"):
        pair.reject()


def test_what_one_network_claims_is_a_candidate_of_one_that_is_lost(pair):
    clip, witness = begun(pair), pair.witness
    astray(witness, pair)
    Tracker.reject(witness)
    assert witness.target.redetector.active
    pair.update(clip.frames[20])
    assert (
        witness.target.identity.phase == IdentityPhase.TENTATIVE
        and not witness.target.redetector.active
    )
    tracks = [pair.update(frame) for frame in clip.frames[21:30]]
    assert (tracks[-1].state, tracks[-1].witnessed) == (TRACKED, True)
    assert not any(track.found for track in tracks)  # the first network had it all the time


def test_a_frame_of_another_size_scales_both(pair):
    clip = begun(pair)
    track = pair.update(np.repeat(np.repeat(clip.frames[20], 2, 0), 2, 1))
    assert (track.state, track.witnessed) == (TRACKED, True)
    assert overlap(track.box, clip.boxes[20] * 2) > 0.3


def runs_of(device, monkeypatch):
    """The list to which each call of a device adds the thread that makes it."""
    calls, run = [], device.run

    def counted(*values):
        calls.append(threading.current_thread())
        return run(*values)

    monkeypatch.setattr(device, "run", counted)
    return calls


def test_two_threads_change_no_track(networks, monkeypatch):
    clip, runs = tiny.Vanishing(120), []
    for threads in (1, 2):
        with load_tracker(networks[0], witness=networks[1], threads=threads) as tracker:
            callers = [runs_of(each.device, monkeypatch) for each in (tracker, tracker.witness)]
            tracker.init(clip.frames[0], clip.boxes[0])
            runs.append([tracker.update(frame) for frame in clip.frames[1:]])
            main, others = threading.current_thread(), set(callers[1][1:])
            assert set(callers[0]) == {main} and (main in others) == (threads == 1)
    assert runs[0] == runs[1]


def test_a_doubtful_box_is_told_once_at_the_users_line(pair):
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        pair.init(np.zeros((240, 320, 3), np.uint8), (100, 100, 40, 40))
    (only,) = [each for each in messages if each.category is DoubtfulBox]
    assert only.filename == __file__


def test_a_target_that_a_network_refuses_begins_in_neither(pair):
    clip = begun(pair)

    def refuse(*_, **__):
        raise BadOption("no")

    pair.witness.init = refuse
    with pytest.raises(BadOption):
        pair.init(clip.frames[0], clip.boxes[0])
    with refusal(NotReady, "no target"):
        pair.update(clip.frames[1])


@pytest.mark.parametrize("fails", ["the network", "the witness"])
@pytest.mark.parametrize("how", ["raises", "gives no number"])
@pytest.mark.parametrize("threads", [1, 2])
def test_both_stay_where_they_were_if_one_network_fails(monkeypatch, networks, fails, how, threads):
    pair = load_tracker(networks[0], witness=networks[1], threads=threads)
    clip = begun(pair)
    device = (pair if fails == "the network" else pair.witness).device
    run, before = device.run, [each.target.state.copy() for each in (pair, pair.witness)]

    def failing(frame, requests):
        if how == "raises":
            raise NetworkFailed("the network failed")
        results, step_ms = run(frame, requests)
        return [each._replace(scores=[float("nan")]) for each in results], step_ms

    with monkeypatch.context() as patch:
        patch.setattr(device, "run", failing)
        for frame in clip.frames[20:24]:
            with pytest.raises(NetworkFailed):
                pair.update(frame)
    for state, each in zip(before, (pair, pair.witness)):
        np.testing.assert_array_equal(state, each.target.state)
    assert pair.update(clip.frames[20]).state == TRACKED
    pair.close()


def test_a_witness_that_finds_no_score_in_its_maps_fails_as_a_network_does(monkeypatch, pair):
    clip = begun(pair)

    def without_score(*shown):
        raise NetworkFailed("no score")

    with monkeypatch.context() as patch, pytest.raises(NetworkFailed):
        patch.setattr(pair.witness.target, "judge", without_score)
        pair.update(clip.frames[20])
    assert pair.update(clip.frames[20]).state == TRACKED


# -- several targets


def test_each_of_several_targets_has_its_witness(networks, targets):
    pictures, boxes = tiny.film(60)
    with load_tracker(networks[0], witness=networks[1]) as single:
        number = targets.add(pictures[0], boxes[0])
        single.init(pictures[0], boxes[0])
        for picture in pictures[1:30]:
            assert targets.update(picture) == {number: single.update(picture)}
    assert targets.first(number).witnessed and targets.step_ms["network"] > 0
    other = targets.add(pictures[29], (10, 10, 40, 40))
    assert set(targets.update(pictures[30])) == {number, other}
    targets.confirm(number)
    targets.suggest(number, np.array([[1, 2, 3, 4]]))
    targets.reject(number)
    assert targets.update(pictures[31])[number].state != TRACKED
    targets.restart(number, pictures[31], boxes[31])
    assert targets.update(pictures[32])[number].state == TRACKED
    assert targets.engine is not targets.witness.engine


@pytest.mark.parametrize("refuses", ["the network", "the witness"])
def test_a_target_whose_new_box_is_refused_is_followed_as_before(monkeypatch, targets, refuses):
    pictures, boxes = tiny.film(6)
    number = targets.add(pictures[0], boxes[0])
    targets.update(pictures[1])
    device = targets.device if refuses == "the network" else targets.witness

    def fail(*_):
        raise NetworkFailed("the network failed")

    with monkeypatch.context() as patch, pytest.raises(NetworkFailed):
        patch.setattr(device, "exemplar", fail)
        targets.restart(number, pictures[1], (10, 10, 40, 40))
    track = targets.update(pictures[2])[number]
    assert (track.state, track.witnessed) == (TRACKED, True)
    assert overlap(track.box, boxes[2]) > 0.3
    targets.restart(number, pictures[2], boxes[2])
    assert targets.update(pictures[3])[number].state == TRACKED


def test_two_targets_of_one_object_are_told_apart_for_each_network(targets):
    pictures, boxes = tiny.film(3)
    for picture in pictures:
        picture[180:220, 240:280] = 220
    _, other = (targets.add(pictures[0], box) for box in (boxes[0], (240, 180, 40, 40)))
    targets.update(pictures[1])
    for tracker in targets._of_devices():
        tracker[other].target.follow_candidate(Box(*map(float, boxes[1])))
        tracker[other].target.identity.confirm()
    tracks = targets.update(pictures[2])
    assert sorted(track.state for track in tracks.values()) == [TRACKED, UNSURE]


def test_only_the_target_for_which_a_network_fails_stays_where_it_was(monkeypatch, targets):
    pictures, boxes = tiny.film(40)
    bad, good = (targets.add(pictures[0], boxes[0]) for _ in range(2))
    for picture in pictures[1:10]:
        targets.update(picture)
    run = targets.witness.run

    def failing(frame, requests):
        results, step_ms = run(frame, requests)
        return [results[0]._replace(scores=[float("nan")]), *results[1:]], step_ms

    monkeypatch.setattr(targets.witness, "run", failing)
    states = {n: [t[n].target.state.copy() for t in targets._of_devices()] for n in (bad, good)}
    with pytest.raises(NetworkFailed):
        targets.update(pictures[10])
    for number, before in states.items():
        after = [trackers[number].target.state for trackers in targets._of_devices()]
        same = [np.array_equal(*each) for each in zip(before, after)]
        assert same == 2 * [number == bad]


def test_a_target_that_is_left_alone_is_confirmed_and_rejected_again(networks):
    pictures, boxes = tiny.film(4)
    for witness in ("none", networks[1]):
        with load_targets(networks[0], witness=witness) as targets:
            rival = targets.add(pictures[0], (10, 10, 40, 40))
            number = targets.add(pictures[0], boxes[0])
            targets.update(pictures[1])
            for exclusion in targets._exclusions:
                exclusion._paths[number].held = 99  # the rival has its object
            with refusal(NotReady, "lost"):
                targets.confirm(number)
            targets.drop(rival)
            assert targets.update(pictures[2])[number].state == TRACKED
            targets.confirm(number)
            targets.reject(number)


# -- loading


@pytest.mark.parametrize(
    "kind",
    ["itself", "the same files", "its INT8 form", "its network", "never loses", "stays"],
)
def test_what_is_no_witness_is_refused(monkeypatch, tmp_path, networks, kind):
    own, other = networks
    if kind == "itself":
        other = own
    elif kind == "the same files":
        for file in own.parent.glob("*.onnx"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        other = tmp_path / "other.toml"
        other.write_text(own.read_text())
    elif kind in ("its INT8 form", "its network"):
        own, other = ("kestrel", "kestrel-int8")[:: 1 if kind == "its INT8 form" else -1]
    elif kind == "never loses":
        (tmp_path / "never").mkdir()
        other = tiny.write_network(tmp_path / "never")
    else:  # where no target is lost, a witness is opened only if it is named
        monkeypatch.setattr(loading, "should_recover", lambda device, options: None)
        with load_tracker(own) as alone:
            assert type(alone) is Tracker
    with refusal(BadOption, "no witness"):
        load_tracker(own, witness=other, precision="fp32")


def test_what_was_opened_before_a_refusal_is_closed(monkeypatch, tmp_path, networks):
    (tmp_path / "never").mkdir()
    never = tiny.write_network(tmp_path / "never")
    opened, closed, create = [], [], loading.create_device

    def watched(*values):
        device = create(*values)
        device.close, device.engine.close = (lambda: closed.append(device)), lambda: None
        opened.append(device)
        return device

    monkeypatch.setattr(loading, "create_device", watched)
    for wrong, count in ((never, 2), (networks[0], 2), ("no such network", 0)):
        del opened[:], closed[:]
        with pytest.raises(HotpathError):
            load_tracker(networks[0], witness=wrong)
        assert len(opened) == count and {*map(id, opened)} == {*map(id, closed)}


def test_the_board_names_the_witness_of_its_own_network(monkeypatch, networks):
    board = boards.load_board(boards.HOST)
    here = board._replace(network="kestrel", witness=str(networks[1]))
    monkeypatch.setattr(choice, "board_here", lambda: here)
    for options, expected in (
        (Options(), "two"),
        (Options(witness="none"), None),
        (Options(witness=False), None),
        (Options(witness="False"), None),  # as a file's false arrives
        (Options(network="kestrel_fast"), None),
        (Options(network="kestrel_fast", witness="kestrel"), "kestrel"),
    ):
        device, witness = loading.open_devices(options._replace(precision="fp32"))
        assert (witness and witness.network.name) == expected
        for each in (device, witness):
            if each is not None:
                each.close()
                each.engine.close()


@pytest.mark.parametrize("is_named", [False, True])
def test_a_bundle_of_the_witness_that_is_missing_is_said(tmp_path, is_named):
    folder = tmp_path / "jetson_nano" / "kestrel-fp16"
    form = dict(precision="fp16", engine="tensorrt", libraries={"tensorrt": "8.2.1"}, built_s=0)
    made = types.SimpleNamespace(
        board="jetson_nano", folder=folder, network={"name": "kestrel"}, **form
    )
    setup = choice.Setup(load_network("kestrel"), bundle=made)
    if is_named:
        with refusal(BadBundle, "no bundle"):
            choice.choose_witness(setup, Options(witness="kestrel_fast"))
        return
    witness, why = choice.choose_witness(setup, Options())
    assert witness is None
    assert why.startswith("without its witness kestrel_fast: there is no bundle")
    built = "built on 1970-01-01, in fp16 on tensorrt 8.2.1"
    sentence = choice.describe_choice(setup, witness, why)
    assert sentence.startswith(f"kestrel runs from {folder}, {built}, without")
    assert "run `make engine BOARD=jetson_nano NETWORK=kestrel_fast " in sentence
    together = f"kestrel and its witness kestrel run from {folder.parent}, {built}"
    assert choice.describe_choice(setup, setup, "") == together


# -- a hop, and a network that was led


@pytest.mark.parametrize("is_sure, state", [(True, LOST), (False, UNSURE)])
def test_a_box_that_hops_alone_is_on_another_object(pair, is_sure, state):
    begun(pair)
    if not is_sure:
        pair.target.shown = pair.target.shown._replace(presence=0.7)
    tracks = [
        Track(each.target.box_of(each.target.state), 0.9, presence=0.9) for each in pair._each
    ]
    assert [track.state for track in pair._with_hops(*tracks)] == [TRACKED, TRACKED]
    pair.target.state = pair.target.state + [
        1.2 * math.sqrt(pair.target.state[2] * pair.target.state[3]),
        0,
        0,
        0,
    ]
    own, other = pair._with_hops(*tracks)
    assert (own.state, other.state) == (state, TRACKED)
    assert pair.witness.target.identity.phase == IdentityPhase.CONFIRMED
    assert pair._trail.has_twin == is_sure
    assert (
        bool(pair.target.redetector.rejected)
        == bool(pair.witness.target.redetector.rejected)
        == is_sure
    )


@pytest.mark.parametrize("steps", [(0.9, 0), (1.2, 1.2)])
def test_a_short_step_and_a_shaken_camera_are_no_hop(pair, steps):
    begun(pair)
    tracks = [
        Track(each.target.box_of(each.target.state), 0.9, presence=0.9) for each in pair._each
    ]
    pair._with_hops(*tracks)
    for tracker, step in zip(pair._each, steps):
        size = math.sqrt(tracker.target.state[2] * tracker.target.state[3])
        tracker.target.state = tracker.target.state + [step * size, 0, 0, 0]
    assert [track.state for track in pair._with_hops(*tracks)] == [TRACKED, TRACKED]


def test_what_one_network_led_the_other_to_is_one_witness(pair):
    clip = begun(pair)
    pair.witness.target.identity.reject()
    claims = Track(pair.box, 0.9, presence=0.9)
    gone = Track(pair.box, 0.9, True, LOST, presence=0.1)
    pair._tracks_of_both(claims, gone)
    assert (
        pair._led == [False, True] and pair.witness.target.identity.phase == IdentityPhase.TENTATIVE
    )
    pair.witness.target.identity.phase, pair.witness.target.identity.probation = (
        IdentityPhase.VERIFIED,
        60,
    )
    led = claims._replace(presence=0.8)
    assert pair._tracks_of_both(claims, led).presence == pytest.approx(0.9)
    pair.witness.target.identity.probation = 0
    pair.witness.target.identity.phase = IdentityPhase.CONFIRMED
    assert pair._tracks_of_both(claims, led).presence > 0.9 and pair._led == [False, False]
    assert pair.update(clip.frames[20]).state == TRACKED


def test_after_claims_in_two_places_neither_leads_the_other(pair):
    begun(pair)
    here = Track(pair.box, 0.9, presence=0.9)
    there = here._replace(box=here.box._replace(x=here.box.x + 100))
    gone = there._replace(state=LOST, lost=True)
    assert pair._tracks_of_both(here, there).state == UNSURE
    pair.witness.target.identity.reject()
    pair._tracks_of_both(here, gone)
    assert pair.witness.target.identity.phase == IdentityPhase.GONE
    pair._tracks_of_both(here._replace(found=True), gone)  # it has verified its own
    assert pair.witness.target.identity.phase == IdentityPhase.TENTATIVE
