"""Without a search, a lost target is reported by score and features, and found when it is back."""

import csv

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
from hotpath.runtime.identity import CONFIRMED, Identity, rules_of
from hotpath.runtime.networks import load_network
from hotpath.runtime.similarity import ScoreAndFeatures, cells_under
from hotpath.runtime.types import LOST, TRACKED, Seen
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


def test_a_target_that_left_is_lost_until_it_is_back(tmp_path, vanishing):
    toml = write_watched(tmp_path, lost_below=0.5)
    tracks = tracks_of(load_tracker(toml), vanishing)
    assert [track.found for track in tracks].count(True) == 1
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
def test_similarity_is_the_cosine_of_averages(kernels):
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
    watched = Identity(rules_of(network, False), cues)
    features = np.ones((1, 3, 256), np.float32)
    state = np.array([100.0, 100.0, 3.0, 3.0])
    watched.begin(None, state, Seen(state, (1.0, 1.0), features))
    state[:2] += corner
    seen = Seen(np.array([100.0, 100, 3, 3]), (1.0, 1.0), features)
    watched.watch(None, state, seen, 0.9)
    assert watched.phase == CONFIRMED
    assert watched.value == pytest.approx(0.6 + 0.4 * 0.9)


def test_cells_under_the_inner_part_of_the_box_are_compared(tmp_path):
    network = load_network(write_watched(tmp_path, lost_below=0.5))
    seen = Seen(np.zeros(4), (1.0, 1.0), np.zeros((1, 3, 256), np.float32))
    state = np.array([0.0, 0.0, 10.0, 5.0]) * network.stride
    assert cells_under(network, seen, 0.0, network.stride, state) == ((7, 12), (4, 13))
    beside = 0.4 * network.stride  # a box smaller than a cell takes the one that it lies in
    assert cells_under(network, seen, beside, beside, state / 100) == ((8, 9), (8, 9))


def test_opposite_features_say_no_more_than_other_ones(tmp_path):
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
    assert tracker.identity.value > 0.9


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
