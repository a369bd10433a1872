"""An object that stood beside the target is not claimed, however much it looks like it."""

import functools
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hotpath.kernels.planes import Planes
from hotpath.runtime import load_targets, load_tracker
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.jpeg_frames import JpegFrame
from hotpath.runtime.identity.identity import MOST_UNVERIFIED, IdentityPhase
from hotpath.runtime.identity.learner.classifier import Classifier
from hotpath.runtime.tracker import trail as trails
from hotpath.runtime.tracker.target_state import TargetState
from hotpath.runtime.tracker.trail import EVERY, MOST, STEPS, SmallPicture, Trail
from hotpath.runtime.types import LOST, TRACKED, UNSURE, Box, Track
from tests.support import tiny

SIDE, GONE, BACK, END = 24, 16, 70, 110
PLACES = ((40, 40), (250, 180), (50, 190))  # of the target, and of two objects like it


class Shelf:
    """Equal blue squares, of which the first one, the target, is away for a while.

    Args:
        others: how many stay.
        back: whether the target comes back.
    """

    def __init__(self, others=1, back=False):
        self.frames, noise = [], np.random.RandomState(4)
        for index in range(END):
            frame = noise.randint(0, 32, (240, 320, 3), np.uint8)
            is_there = index < GONE or (back and index >= BACK)
            for x, y in PLACES[not is_there : 1 + others]:
                frame[y : y + SIDE, x : x + SIDE] = (250, 120, 100)
            self.frames.append(frame)
        self.box = (*PLACES[0], SIDE, SIDE)


shelf_of = functools.lru_cache(maxsize=4)(Shelf)


@pytest.fixture
def toml(tmp_path):
    return tiny.write_network(tmp_path, tiny.watched(**tiny.LOSSY))


@pytest.fixture
def load(toml, tmp_path):
    """Loads one network, or two of them."""

    def loaded(of_two=False):
        if not of_two:
            return load_tracker(toml)
        (tmp_path / "other").mkdir()
        other = tiny.write_network(tmp_path / "other", tiny.watched(**tiny.LOSSY))
        with open(str(other.with_name("tiny_head.onnx")), "ab") as file:
            file.write(bytes([0x32, 5]) + b"other")  # ONNX's doc_string
        return load_tracker(toml, witness=other.rename(other.with_name("other.toml")) or other)

    return loaded


def followed(tracker, shelf, until=END, since=0):
    """The tracks of the frames of a shelf, before ``until``."""
    if not since:
        tracker.init(shelf.frames[0], shelf.box)
    return [tracker.update(frame) for frame in shelf.frames[max(since, 1) : until]]


def is_at(track, place):
    return np.hypot(track.box.x - place[0], track.box.y - place[1]) < SIDE / 2


def untold(monkeypatch):
    """Nothing is ever known of a candidate."""
    monkeypatch.setattr(Trail, "_follow", lambda trail, small, steps: None)
    monkeypatch.setattr(trails.Candidate, "is_open", False)


@pytest.mark.parametrize("others", [1, 2])
@pytest.mark.parametrize("of_two", [False, True])
def test_an_equal_object_that_stood_beside_the_target_is_not_claimed(load, of_two, others):
    with load(of_two) as tracker:
        tracks = followed(tracker, shelf_of(others))
    assert {track.state for track in tracks[: GONE - 1]} == {TRACKED}
    assert TRACKED not in {track.state for track in tracks[GONE:]}
    assert [track.state for track in tracks[-20:]] == [LOST] * 20


@pytest.mark.parametrize("of_two", [False, True])
def test_without_its_path_it_would_be_claimed(load, of_two, monkeypatch):
    untold(monkeypatch)
    with load(of_two) as tracker:
        tracks = followed(tracker, shelf_of())
    assert any(track.found and is_at(track, PLACES[1]) for track in tracks)


def test_the_target_is_found_when_it_is_put_back(load):
    with load() as tracker:
        tracks = followed(tracker, shelf_of(2, True))
    found = [track for track in tracks if track.found]
    assert found and all(is_at(track, PLACES[0]) for track in found)


def test_an_object_that_came_after_the_loss_is_verified_by_its_looks_alone(load):
    """It is lost where it comes into the picture, so that nothing is known."""
    empty = shelf_of(0)
    with load() as tracker:
        followed(tracker, empty, GONE + 22)
        tracks = followed(tracker, shelf_of(1), since=GONE + 22)
    assert any(track.found and is_at(track, PLACES[1]) for track in tracks)


def test_no_candidate_is_followed_again_and_again(load, monkeypatch):
    begun = []
    with load() as tracker:
        begin = TargetState.begin
        monkeypatch.setattr(
            TargetState, "begin", lambda *given, **named: begun.append(1) or begin(*given, **named)
        )
        followed(tracker, shelf_of(2))
    assert 3 <= len(begun) <= 5  # of the target, and of each; a first box may be far off


def test_a_frame_takes_few_more_calls_of_the_network(load, monkeypatch):
    with load() as tracker:
        shelf, calls, run = shelf_of(2), [], tracker.device.run
        tracker.init(shelf.frames[0], shelf.box)

        def counted(frame, requests):
            calls.append(len(requests))
            return run(frame, requests)

        monkeypatch.setattr(tracker.device, "run", counted)
        most = []
        for frame in shelf.frames[1:]:
            calls.clear()
            tracker.update(frame)
            most.append(sum(calls))
    assert set(most[: GONE - 2]) == {1} and max(most) == 1 + STEPS


def test_what_the_user_confirms_is_not_rejected(load):
    shelf = shelf_of()
    with load() as tracker:
        followed(tracker, shelf, GONE)
        frames = iter(shelf.frames[GONE:])
        while tracker.target.identity.phase != IdentityPhase.TENTATIVE:
            tracker.update(next(frames))
        tracker.confirm()
        tracks = [tracker.update(frame) for frame in frames]
    assert {track.state for track in tracks} == {TRACKED} and is_at(tracks[-1], PLACES[1])


def test_a_place_that_was_rejected_can_be_confirmed(load):
    with load() as tracker:
        followed(tracker, shelf_of(), END - 1)
        assert tracker.target.redetector.rejected
        tracker.target.redetector.confirm()
        assert not tracker.target.redetector.rejected and not tracker.target.redetector.active


def test_a_network_is_not_led_to_what_it_rejected(load):
    from hotpath.runtime.tracker.witness import hand_candidate_over

    with load() as tracker:
        followed(tracker, shelf_of(), END - 1)
        claimed = Track(Box(*PLACES[1], SIDE, SIDE), 0.9)
        hand_candidate_over(tracker, claimed)
        assert tracker.target.identity.phase == IdentityPhase.GONE
        hand_candidate_over(tracker, claimed._replace(box=Box(150, 60, SIDE, SIDE)))
        assert tracker.target.identity.phase == IdentityPhase.TENTATIVE


def test_a_new_target_has_no_trail_of_the_one_before(load):
    shelf = shelf_of()
    with load() as tracker:
        followed(tracker, shelf, END - 1)
        tracker.init(shelf.frames[-1], (*PLACES[1], SIDE, SIDE))
        assert tracker._trail._sure is None and not tracker.target.redetector.rejected
        assert tracker.update(shelf.frames[-1]).state == TRACKED


def test_each_of_several_targets_has_a_trail_and_they_share_the_pictures(toml):
    shelf = shelf_of()
    with load_targets(toml) as targets:
        for x in (0, 4):
            targets.add(shelf.frames[0], (PLACES[0][0] + x, PLACES[0][1], SIDE, SIDE))
        states = [targets.update(frame) for frame in shelf.frames[1:]]
        kept = [tracker._trail._pictures for tracker in targets._trackers.values()]
    claims = [t for tracks in states[GONE:] for t in tracks.values() if t.state == TRACKED]
    assert not claims
    assert any(one is other for one in kept[0] for other in kept[1])


def test_in_frames_of_another_size_nothing_is_known(load):
    shelf = shelf_of()
    with load() as tracker:
        followed(tracker, shelf, GONE + 3)
        tracker.update(cv2.resize(shelf.frames[GONE + 3], (160, 120)))
        assert tracker._trail._sure is None


def kept_by(presences):
    """The trail after frames in which the target has those presences."""
    trail, box = Trail(SimpleNamespace(forget=lambda: None)), Box(10, 10, 20, 20)
    for presence in presences:
        small = SmallPicture(np.zeros((72, 128, 3), np.uint8))
        trail.end_frame(small, Track(box, 0.9, presence=presence), ())
    return trail


def test_the_pictures_are_few_however_long_a_target_is_away():
    trail = kept_by([0.9] + [0.1] * 1000)
    assert MOST / 2 <= len(trail._pictures) < MOST


def test_a_target_that_is_sure_again_begins_another_trail():
    trail = kept_by([0.9] + [0.1] * 20 + [0.9])
    assert not trail._pictures and trail._count == 0


def test_few_pictures_are_made_while_the_target_is_sure(monkeypatch):
    made = []
    monkeypatch.setattr(
        trails, "every_pixel", lambda frame, step: made.append(step) or np.zeros((9, 9, 3))
    )
    kept_by([0.9] * 4 * EVERY)
    assert len(made) == 4


def test_a_candidate_that_is_partly_outside_is_not_followed(load):
    with load() as tracker:
        followed(tracker, shelf_of(), GONE + 2)
        trail, small = tracker._trail, SmallPicture(shelf_of().frames[GONE + 2])
        for x, is_open in ((-35, False), (40, True)):
            trail._match([Box(x, 40, 40, 40)], small)
            assert trail._follow(small, STEPS) is None
            assert trail._candidates[0].is_open is is_open


def in_planes(bgr):
    height, width = bgr.shape[:2]
    planes = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    luma, rest = planes[:height], planes[height:].reshape(2, height // 2, width // 2)
    return PlanarFrame(Planes("I420", [luma, rest[0], rest[1]], width, height))


@pytest.mark.parametrize(
    "of",
    [np.asarray, in_planes, lambda bgr: JpegFrame(cv2.imencode(".jpg", bgr)[1].ravel())],
    ids=["array", "planes", "jpeg"],
)
def test_a_small_picture_is_made_of_any_frame_and_is_its_own(of):
    frame = np.full((720, 1280, 3), 90, np.uint8)
    frame[200:300, 400:600] = 200
    small = SmallPicture(of(frame))
    assert small.pixels.shape == (360, 640, 3)
    assert abs(int(small.pixels[125, 250, 1]) - 200) < 4
    assert small.scaled(Box(400, 200, 200, 100)) == (200, 100, 100, 50)
    assert small.pixels.flags.owndata and small.pixels.flags.c_contiguous


def test_an_unsure_target_is_reported_as_unsure_while_a_candidate_is_followed(load):
    shelf = shelf_of()
    with load() as tracker:
        followed(tracker, shelf, GONE)
        for frame in shelf.frames[GONE:]:
            track = tracker.update(frame)
            if tracker.target.identity.is_traced:
                break
    assert track.state == UNSURE and track.presence <= MOST_UNVERIFIED


# -- among objects that look like the target


class Crowd(Shelf):
    """A shelf on which another equal object appears, after the one beside the target is known."""

    def __init__(self, place):
        super().__init__()
        x, y = place
        for frame in self.frames[BACK:]:
            frame[y : y + SIDE, x : x + SIDE] = (250, 120, 100)


@pytest.mark.parametrize("place, is_claimed", [((160, 60), False), (PLACES[0], True)])
def test_among_twins_only_what_comes_to_the_targets_place_is_verified(load, place, is_claimed):
    with load() as tracker:
        tracks = followed(tracker, Crowd(place))
        assert tracker._trail.has_twin != is_claimed  # it is sure again
    assert any(is_at(track, place) and track.state != LOST for track in tracks[BACK:])
    assert (TRACKED in {track.state for track in tracks[GONE:]}) == is_claimed


def test_the_user_ends_what_a_twin_began(load):
    with load() as tracker:
        tracks = followed(tracker, Crowd((160, 60)), BACK + 20)
        assert tracks[-1].state == UNSURE and tracker._trail.has_twin
        tracker.confirm()
        assert not tracker._trail.has_twin
        assert tracker.update(Crowd((160, 60)).frames[BACK + 20]).state == TRACKED


@pytest.mark.parametrize("of_two", [False, True])
def test_a_target_is_lost_from_the_frame_of_a_refusal_on(load, of_two):
    with load(of_two) as tracker:
        tracks = followed(tracker, shelf_of(2))
        assert tracker._trail.has_twin
    first = next(i for i, track in enumerate(tracks) if i >= GONE and track.state == UNSURE)
    refused = next(i for i in range(first, len(tracks)) if tracks[i].state == LOST)
    assert all(t.state == LOST and t.lost and not t.witnessed for t in tracks[refused:][:4])


def test_a_network_that_was_never_lost_is_followed_back_if_the_other_one_disputes_it(load):
    shelf = Shelf(back=True)
    for index in range(GONE, END):  # the target stays
        shelf.frames[index] = shelf.frames[1]
    with load(True) as tracker:
        followed(tracker, shelf, 12)
        tracker.target.state[:2] = np.add(PLACES[1], SIDE / 2)  # it goes over to the other object
        tracker._before = None  # slowly
        tracks = followed(tracker, shelf, since=12)
    assert tracks[0].state == UNSURE and not tracks[0].witnessed
    assert tracks[-1].state == TRACKED and tracks[-1].witnessed
    assert is_at(tracks[-1], PLACES[0])


@pytest.mark.parametrize("of_two", [False, True])
def test_on_a_live_camera_a_frame_takes_one_more_call_of_the_network(load, of_two, monkeypatch):
    """What the first window shows is learnt in the next frame; the exemplar is smaller."""
    calls = []
    for of_class, name in ((CpuDevice, "run"), (CpuDevice, "exemplar"), (Classifier, "begin")):
        one = getattr(of_class, name)
        monkeypatch.setattr(
            of_class, name, lambda *given, one=one, name=name: calls.append(name) or one(*given)
        )
    with load(of_two) as tracker:
        tracker.device.is_live = True
        shelf, of_frames = shelf_of(2), []
        tracker.init(shelf.frames[0], shelf.box)
        for frame in shelf.frames[1:]:
            calls.clear()
            track = tracker.update(frame)
            of_frames.append(calls[1 + of_two :])
        assert track.state == LOST and tracker._trail.has_twin
    assert max(each.count("run") for each in of_frames) == 1
    walk = [each for each in of_frames if each]
    assert walk[:3] == [["exemplar", "run"], ["begin", "run"], ["run"]]


def test_on_a_live_camera_a_candidate_waits_where_a_wider_window_is_examined(load):
    with load() as tracker:
        tracker.device.is_live = True
        shelf = shelf_of()
        followed(tracker, shelf, GONE)
        frames = iter(shelf.frames[GONE:])
        while not tracker._trail.has_followed:
            tracker.update(next(frames))
        for score, is_followed in ((2.0, False), (0.0, True)):  # below it, the window is wider
            tracker.network.wider_below = score
            tracker.update(next(frames))
            assert tracker._trail.has_followed is is_followed


def test_of_several_targets_one_is_followed_back_at_a_time_on_a_live_camera(toml):
    shelf = shelf_of()
    with load_targets(toml) as targets:
        targets.device.is_live = True
        for x in (0, 4):
            targets.add(shelf.frames[0], (PLACES[0][0] + x, PLACES[0][1], SIDE, SIDE))
        at_once = []
        for frame in shelf.frames[1:]:
            targets.update(frame)
            trails = [tracker._trail for tracker in targets._trackers.values()]
            at_once.append(sum(trail.has_followed for trail in trails))
        assert max(at_once) == 1 and all(trail.has_twin for trail in trails)
