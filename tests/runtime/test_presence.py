"""A lost target is reported, and found when it is back."""

import csv
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hotpath.app import __main__ as track
from hotpath.graphs import assemble
from hotpath.kernels import cpu
from hotpath.kernels.cpu import plain
from hotpath.kernels.golden import cosine_similarity
from hotpath.runtime import decode, engines, load_targets, load_tracker
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network, names
from hotpath.runtime.presence import (
    UNPROVEN,
    Presence,
    ScoreAndFeatures,
    Thresholds,
    cells_under,
    thresholds_of,
    word_of,
)
from hotpath.runtime.proof import PROBATION
from hotpath.runtime.search.cues import COLOURED, COLOURS_ALIKE, DENIED, RESIZED, ScoreLooksColour
from hotpath.runtime.types import FOUND, LOST, STATES, SURE, TRACKED, UNSURE, Seen
from hotpath_lab.vanishing import Vanishing
from tests.support import tiny
from tests.support.clips import tracks_of
from tests.support.errors import refusal

GONE = range(40, 70)


def write_watched(folder, **values):
    """The tiny network with keys of [tracking]; returns the TOML's path."""
    return tiny.write_network(folder, tiny.watched(**values))


@pytest.fixture
def vanishing():
    """The film; its target is painted over from frame 40 to 69."""
    clip = Vanishing(tiny.Film(120), "cover")
    assert clip.gone.nonzero()[0].tolist() == list(GONE)
    return clip


def test_a_target_that_went_is_lost_until_it_is_back_and_no_box_changes(tmp_path, vanishing):
    toml = write_watched(tmp_path, lost_below=0.5)
    tracks = tracks_of(load_tracker(toml), vanishing)
    assert [track.state for track in tracks].count(FOUND) == 1
    assert [track.lost for track in tracks] == [track.state == LOST for track in tracks]
    lost = np.array([track.lost for track in tracks])
    assert not lost[: GONE[0] - 1].any()
    assert lost[GONE[0] + 5 : GONE[-1]].all()
    assert not lost[GONE[-1] + 10 :].any()
    plain = tracks_of(load_tracker(tiny.write_network(tmp_path)), vanishing)
    assert not any(track.lost for track in plain)
    followed = [(t.box, p.box) for t, p in zip(tracks, plain) if not t.lost]
    np.testing.assert_array_equal(*zip(*followed))
    last = None  # the last box that was followed stands while it is lost
    for each in tracks:
        assert not each.lost or each.box == last
        last = each.box


def test_each_of_several_targets_is_watched_for_itself(tmp_path, vanishing):
    toml = write_watched(tmp_path, lost_below=0.5)
    alone = tracks_of(load_tracker(toml), vanishing)
    targets = load_targets(toml)
    tracks = []
    for index, frame in enumerate(vanishing):
        frame[200:240, 280:320] = (210, 220, 230)  # a second object, which stays
        if index == 0:
            targets.add(frame, vanishing.boxes[0])
            targets.add(frame, (280, 200, 40, 40))
        else:
            tracks.append(targets.update(frame))
    assert [track[0].lost for track in tracks] == [track.lost for track in alone]
    assert not any(track[1].lost for track in tracks)


@pytest.mark.parametrize("kernels", [cpu.load(), plain.Kernels()], ids=lambda k: k.name)
def test_similarity_is_the_cosine_of_averages_and_zero_of_nothing(kernels):
    noise = np.random.RandomState(3)
    for channels, side in ((48, 16), (3, 5), (96, 22)):
        features = noise.randn(1, channels, side * side).astype(np.float32)
        for _ in range(20):
            rows, columns = np.sort(noise.choice(side + 1, (2, 2), replace=False), axis=1)
            if len({*rows}) < 2 or len({*columns}) < 2:
                continue
            rows, columns = tuple(map(int, rows)), tuple(map(int, columns))
            cells = [
                features[0, :, y * side + x].astype(np.float64)
                for y in range(*rows)
                for x in range(*columns)
            ]
            average = np.mean(cells, axis=0)
            reference = noise.randn(channels).astype(np.float32)
            pooled = np.zeros(channels, np.float32)
            got = kernels.cosine_similarity(features, rows, columns, reference, pooled)
            lengths = np.linalg.norm(average) * np.linalg.norm(reference.astype(np.float64))
            assert got == pytest.approx(average @ reference / lengths, abs=1e-9)
            np.testing.assert_allclose(pooled, average, rtol=1e-5, atol=1e-6)
            wanted = cosine_similarity(features, rows, columns, reference)
            assert wanted == pytest.approx(got, abs=1e-9)
    nothing = np.zeros((1, 4, 9), np.float32)
    assert kernels.cosine_similarity(nothing, (0, 3), (0, 3), np.ones(4, np.float32)) == 0


@pytest.mark.parametrize("corner", [(-500, -500), (500, 500), (0, 0)])
def test_a_box_anywhere_has_at_least_one_cell(tmp_path, corner):
    network = load_network(write_watched(tmp_path, lost_below=0.5))
    cues = ScoreAndFeatures(network, plain.Kernels())
    watched = Presence(thresholds_of(network, False), cues)
    features = np.ones((1, 3, 256), np.float32)
    state = np.array([100.0, 100.0, 3.0, 3.0])
    watched.begin(None, state, Seen(state, (1.0, 1.0), features))
    state[:2] += corner
    seen = Seen(np.array([100.0, 100, 3, 3]), (1.0, 1.0), features)
    assert watched.watch(None, state, seen, 0.9) == TRACKED
    assert watched.value == pytest.approx(0.6 + 0.4 * 0.9)


def test_the_cells_compared_are_those_under_the_inner_part_of_the_box(tmp_path):
    network = load_network(write_watched(tmp_path, lost_below=0.5))
    seen = Seen(np.zeros(4), (1.0, 1.0), np.zeros((1, 3, 256), np.float32))
    state = np.array([0.0, 0.0, 10.0, 5.0]) * network.stride
    assert cells_under(network, seen, 0.0, network.stride, state) == ((7, 12), (4, 13))
    beside = 0.4 * network.stride  # a box smaller than a cell takes the one that it lies in
    assert cells_under(network, seen, beside, beside, state / 100) == ((8, 9), (8, 9))


def test_features_that_are_the_opposite_say_no_more_than_other_ones(tmp_path):
    cues = ScoreAndFeatures(load_network(write_watched(tmp_path, lost_below=0.5)), plain.Kernels())
    state, features = np.array([100.0, 100.0, 40.0, 40.0]), np.ones((1, 3, 256), np.float32)
    cues.begin(None, state, Seen(state, (1.0, 1.0), features))
    assert cues.of(None, state, Seen(state, (1.0, 1.0), -features), 0.9) == 0.0


@pytest.mark.parametrize("name", ["nanotrack_v1", "nanotrack_v3", "kestrel", "fear_xs"])
def test_the_features_of_the_search_region_are_an_output(networks_dir, name):
    network = load_network(name)
    paths = network.locate(networks_dir)
    graphs = assemble.with_search_features(network, assemble.build(network, paths))
    assert graphs.search_features is not None
    for engine_name in engines.installed():
        engine = engines.create(engine_name, network, paths)
        assert engine.search_features.shape[2] == 256
        engine.search_crop[...] = 100.0
        engine.search(engine.exemplar())
        assert np.ptp(engine.search_features) > 0
        engine.close()


@pytest.mark.parametrize(("height", "certain"), [(4.0, 1.0), (2.0, 0.5), (8.0, 1.0), (0.0, 0.0)])
def test_siamfc_is_as_certain_as_its_response_is_high(height, certain):
    network = load_network("siamfc_030")
    decoder = decode.create(network, plain.Kernels())

    def response(height):
        maps = np.zeros((1, 1, network.map_size, network.map_size), np.float32)
        maps[0, 0, 7:10, 7:10] = height
        return (maps,)

    decoder.first(response(4.0))
    assert decoder.certain(0.3) == 0.0  # nothing selected yet
    for index in range(network.scales):
        maps = decoder.look(index, response(height if index == 1 else 0.0))
    _, score = decoder.select(maps, np.array([100.0, 100, 40, 40]), (1.0, 1.0), 640, 480)
    assert decoder.certain(score) == pytest.approx(certain, abs=1e-6)


@pytest.mark.parametrize("name", ["siamfc_015", "lighttrack", "kestrel"])
def test_the_frame_in_which_the_target_was_given_is_certain(networks_dir, name):
    tracker = load_tracker(name, networks_dir=networks_dir)
    noise = np.random.RandomState(1).randint(0, 255, (15, 20, 3)).astype(np.uint8)
    frame = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)
    frame[200:280, 300:360] = (200, 40, 30)
    tracker.init(frame, (300, 200, 60, 80))
    track = tracker.update(frame)
    assert not track.lost
    assert tracker.presence.value > 0.9


@pytest.fixture
def machine(tmp_path):
    """A judge without cues of its own, which is told what to think of each frame."""
    network = load_network(write_watched(tmp_path, lost_below=0.4, unsure_below=0.6))
    return Presence(
        thresholds_of(network, False),
        SimpleNamespace(begin=lambda *_: None, proof=lambda: (1.0, 1.0)),
    )


def told(machine, given):
    states = []
    for lost, value in given:
        machine.assume(machine.state, value)
        states.append(machine.step(lost))
    return states


def test_presence_leads_from_tracked_over_unsure_to_lost_and_back_and_begins_anew(machine):
    given = [(False, 0.9), (False, 0.5), (True, 0.3), (True, 0.2), (False, 0.7), (False, 0.7)]
    assert told(machine, given) == [TRACKED, UNSURE, LOST, LOST, FOUND, TRACKED]
    assert told(machine, [(True, 0.3)]) == [LOST] and machine.lost_frames == 1
    # found is said in one frame even if presence is low
    assert told(machine, [(False, 0.5), (False, 0.5)]) == [FOUND, UNSURE]
    told(machine, [(True, 0.1)])
    machine.begin(None, np.zeros(4), None)
    assert told(machine, [(False, 0.9)]) == [TRACKED]


def test_a_lost_target_needs_more_than_one_that_is_followed():
    judge = Presence(
        Thresholds(0.4, 0.5, 0.5, 0.55),
        SimpleNamespace(of=lambda *_: judge.value, proof=lambda: (1.0, 1.0)),
    )
    for judge.value, state in ((0.45, UNSURE), (0.35, LOST), (0.45, LOST), (0.55, FOUND)):
        assert judge.watch(None, None, None, 0.0) == state


def watched(values, doubts=(0,)):
    """The states of frames in which the cues have these values; returns (states, presence)."""
    cues = SimpleNamespace(of=lambda *_: cues.now, proof=lambda: (1.0, 1.0))
    judge = Presence(Thresholds(0.3, 0.4, 0.4, 0.55), cues, every=4)
    states = []
    for index, cues.now in enumerate(values):
        if index in doubts:
            judge.doubt()
        states.append(judge.watch(None, None, None, 0.0))
    return states, judge


def test_a_place_that_is_doubted_is_claimed_after_two_frames_that_confirm_it():
    states, judge = watched([0.6, 0.5, 0.6, 0.6, 0.6])
    assert states == [LOST, LOST, LOST, FOUND, TRACKED]
    assert watched([0.6, 0.6, 0.6])[0] == [LOST, FOUND, TRACKED]
    assert watched([0.6, 0.6, 0.6], doubts=(0, 1))[0] == [LOST, LOST, FOUND]  # another jump
    assert watched([0.6, 0.6], doubts=())[0] == [TRACKED, TRACKED]


def test_no_search_begins_at_a_place_that_is_doubted_until_presence_is_low():
    states, judge = watched([0.5] * 40)
    assert set(states) == {LOST} and judge.lost_frames == 0
    states, judge = watched([0.0] * 40)
    assert set(states) == {LOST} and judge.lost_frames > 30 and not judge.doubted


@pytest.mark.parametrize("strict, sure", [(0.3, False), (0.8, True)])
def test_presence_after_a_find_is_what_the_strict_proof_of_its_probation_says(strict, sure):
    cues = SimpleNamespace(of=lambda *_: 0.9, proof=lambda: cues.values, values=(0.7, 0.7))
    judge = Presence(Thresholds(0.3, 0.4, 0.4, 0.55, (0.8, 2, 0.2), (10.0, 0.5)), cues)
    for _ in range(5):
        judge.watch(None, None, None, 0.0)
        judge.proof.settle(True)
    assert judge.shown > 0.9  # followed without a loss
    judge.assume(LOST)
    cues.values = 0.7, strict
    while judge.watch(None, None, None, 0.0) == LOST:
        judge.proof.settle(False)
    for _ in range(PROBATION):
        judge.proof.settle(True)
        assert judge.watch(None, None, None, 0.0) == TRACKED
    assert (judge.shown > 0.8) is sure and (judge.shown < 0.2) is not sure
    before, cues.values = judge.shown, (0.7, 1.0 - strict)  # what was learnt from it
    judge.proof.settle(True)
    judge.watch(None, None, None, 0.0)
    assert judge.shown == before


def test_what_is_known_from_elsewhere_ends_a_doubt():
    _, judge = watched([0.5])
    assert judge.doubted
    judge.assume(TRACKED, 0.9)
    assert judge.watch(None, None, None, 0.0) == TRACKED


def test_a_box_whose_colours_may_convince_is_looked_at():
    cues = ScoreLooksColour(None, lambda frame, state: np.full(4, 0.25))
    cues.begin(None, np.zeros(4), None)
    found = cues.best(None, np.zeros((1, 4)), [0.5], np.array([0.5]), 0.6)
    assert found == (0, pytest.approx(2 / 3))


def test_looks_and_colours_of_the_box_that_was_judged_prove():
    asked = []

    def proof(looks, alike, references, ridge):
        asked.append((looks, alike, references))
        return looks, 1.0

    classifier = SimpleNamespace(strangers=SimpleNamespace(proof=proof), ridge=None)
    pictures = [np.array(p) for p in ([1.0, 0.0], [0.64, 0.36], [0.0, 1.0])]
    cues = ScoreLooksColour(classifier, lambda frame, state: pictures.pop(0))
    cues.begin(None, np.zeros(4), None)
    cues.of(None, np.zeros(4), None, 0.9, 0.5)
    cues.best(None, np.zeros((1, 4)), [0.9], np.array([0.9]), 0.1)  # looked at, not judged
    assert cues.proof() == (0.5, 0.5)
    ((looks, alike, references),) = asked
    assert (looks, alike) == (0.5, pytest.approx(0.8)) and references[0].tolist() == [1.0, 0.0]


def cues_of(looks, colours, is_strict=False):
    """Cues of boxes whose looks and colours prove so much."""
    strangers = SimpleNamespace(proof=lambda *_: (looks, colours))
    classifier = SimpleNamespace(strangers=strangers, ridge=None)
    cues = ScoreLooksColour(classifier, lambda frame, state: np.array([1.0, 0.0]), is_strict)
    cues.begin(None, np.zeros(4), None)
    return cues


def test_equal_colours_prove_nothing_and_others_deny_a_strict_proof_more():
    for colours in (0.8, 1.0, np.inf):
        assert cues_of(0.8, colours).proof() == (0.8, 0.8)
    proof, strict = cues_of(0.8, COLOURS_ALIKE).proof()
    assert 0.7 < proof < 0.8 and strict == 0.8
    for colours in (0.0, -1.0):
        proof, strict = cues_of(0.8, colours).proof()
        assert proof == pytest.approx(0.8 - (0.8 - colours) * COLOURED)
        assert strict == pytest.approx(0.8 - (COLOURS_ALIKE - colours) * DENIED)
        assert cues_of(0.8, colours, is_strict=True).proof() == (strict, strict)


def test_another_size_denies_a_strict_proof():
    """A lost target may have grown or shrunk a little, and another object by more."""
    cues = cues_of(0.9, 1.0)
    cues.certain[:] = 50, 50, 20, 10
    proofs = []
    for factor in (1.0, 1.3, 1 / 1.3, 2.0, 0.5, 4.0):
        cues.of(None, np.array([0.0, 0.0, 20 * factor, 10 * factor]), None, 0.9, 0.9)
        proof, strict = cues.proof()
        assert proof == 0.9
        proofs.append(strict)
    alike, larger, smaller, twice, half, more = proofs
    assert alike == larger == smaller == 0.9
    assert twice == pytest.approx(0.9 + RESIZED - np.log(2)) == half and more < twice
    cues.of(None, np.array([0.0, 0.0, 40.0, 5.0]), None, 0.9, 0.9)
    assert cues.proof() == (0.9, 0.9)  # another shape, as wide as it was high


def test_a_target_that_nothing_watches_is_tracked(tmp_path):
    network = load_network(tiny.write_network(tmp_path))
    machine = Presence(thresholds_of(network, False))
    assert machine.watch(None, None, None, 0.0) == TRACKED and machine.value is None


@pytest.mark.parametrize("key, advice", [("doubt_below", "it is"), ("refresh_every", "remove it")])
def test_a_key_of_old_files_is_told_with_what_to_do(tmp_path, key, advice):
    with refusal(BadNetwork, "wrong keys") as caught:
        load_network(write_watched(tmp_path, **{key: 1}))
    assert f"{key} is not a known key; {advice}" in str(caught.value)


def test_results_carry_the_state(tmp_path):
    toml = write_watched(tmp_path, lost_below=0.5)
    clip, results = Vanishing(tiny.Film(80), "cover"), tmp_path / "out.csv"
    folder = tiny.write_pictures(tmp_path / "film", clip)
    words = ["--video", folder, "--network", toml, "--results", results, "--no-show", "--box"]
    assert track.main([*map(str, words), ",".join(map(str, clip.boxes[0]))]) == 0
    with open(results) as file:
        rows = list(csv.DictReader(file))
    states = np.array([row["state"] for row in rows])
    assert states[0] == TRACKED and (states == LOST).any()
    assert [bool(int(row["lost"])) for row in rows] == (states == LOST).tolist()


def test_a_curve_makes_presence_a_probability_and_what_is_not_proven_keeps_it_low():
    cues = SimpleNamespace(of=lambda *_: 0.9, proof=lambda: (0.0, 0.0))
    judge = Presence(Thresholds(0.3, 0.4, 0.4, 0.55, (0.8, 2, 0.0), (10.0, 0.5)), cues)
    judge.value = 0.5
    assert judge.shown == pytest.approx(0.5)
    judge.value = 0.8
    before = judge.shown
    assert before == pytest.approx(1 / (1 + np.exp(-3.0)))
    judge.proof.likely = 0.5  # a find that may be the target or not
    assert judge.shown == pytest.approx(before / 2)
    judge.proof.begin()
    judge.assume(LOST)
    for _ in range(30):  # a suspect that looks good and is not proven
        assert judge.watch(None, None, None, 0.9) == LOST
    assert judge.value > 0.8 and judge.say() == (UNSURE, UNPROVEN)


def test_a_target_is_tracked_by_its_presence_alone():
    for is_like_it in (True, False):
        for before in STATES:
            words = [word_of(p, is_like_it, before) for p in (None, 1.0, 0.5)]
            assert words == [TRACKED if before in SURE else FOUND] * 3
            less = [word_of(p, is_like_it, before) for p in (0.4999, 0.3, 0.0)]
            assert less == [UNSURE if is_like_it else LOST] * 3


@pytest.mark.parametrize("name", [name for name in names() if load_network(name).can_be_found])
def test_a_suspect_that_looks_like_the_target_is_unsure_with_every_networks_thresholds(name):
    """Some curves give a cue at the threshold of lost more than even odds."""
    thresholds = thresholds_of(load_network(name), True)
    judge = Presence(thresholds, SimpleNamespace())
    judge.assume(LOST, thresholds.lost + 0.01)
    assert judge.say()[0] == UNSURE and judge.shown <= UNPROVEN
    judge.value = thresholds.lost - 0.01
    assert judge.say()[0] == LOST


@pytest.mark.parametrize("seed", range(20))
def test_no_frame_is_tracked_below_half_and_each_word_is_that_of_its_presence(seed):
    """Whatever the cues say, and whatever the search and other targets do to a target."""
    rng = np.random.RandomState(seed)
    cues = SimpleNamespace(of=lambda *_: cues.now, proof=lambda: cues.values)
    judge = Presence(Thresholds(0.3, 0.4, 0.4, 0.55, (0.8, 2, 0.4), (12.8, 0.48)), cues, every=4)
    seen, before, level = set(), TRACKED, 0.9
    for _ in range(1500):
        level = rng.choice([0.05, 0.3, 0.5, 0.9]) if rng.rand() < 0.05 else level
        cues.now = float(np.clip(level + rng.normal(0, 0.1), 0, 1))
        cues.values = tuple(np.clip(level + rng.normal(0, 0.2, 2), -1, 1.2))
        event = rng.rand()
        if event < 0.02:
            judge.doubt()
        elif event < 0.04:
            judge.assume(LOST, cues.now)
        judge.watch(None, None, None, 0.9)
        judge.proof.settle(judge.state != LOST)
        word, presence = judge.say()
        assert (word in SURE) == (presence >= 0.5)
        assert (word == FOUND) == (word in SURE and before not in SURE)
        assert word != UNSURE or judge.value >= 0.3
        assert word != LOST or judge.value < 0.3
        before = word
        seen.add(word)
    assert seen == set(STATES)
