"""A target that went is lost until it is back, also where it is not searched for."""

import csv

import numpy as np
import pytest

from hotpath.app import track_command as track
from hotpath.graphs import assemble
from hotpath.runtime import engines, load_targets, load_tracker
from hotpath.runtime.networks import load_network
from hotpath.runtime.types import LOST, TRACKED
from tests.support import tiny
from tests.support.clips import tracks_of

GONE = range(40, 70)


def write_watched(folder, **values):
    """The tiny network with keys of [tracking]; returns the TOML's path."""
    return tiny.write_network(folder, tiny.watched(**values))


@pytest.fixture
def vanishing():
    """The film; its target is painted over from frame 40 to 69."""
    clip = tiny.Vanishing(120)
    assert clip.gone.nonzero()[0].tolist() == list(GONE)
    return clip


def test_a_loss_is_told_without_a_search(tmp_path, vanishing):
    toml = write_watched(tmp_path, **tiny.LOSSY)
    with load_tracker(toml, recover=False) as tracker:
        tracks = tracks_of(tracker, vanishing)
        assert not tracker.searches and not tracker.target.redetector.active
    assert [track.found for track in tracks].count(True) == 1
    lost = np.array([track.lost for track in tracks])
    assert not lost[: GONE[0] - 1].any()
    assert lost[GONE[0] + 8 : GONE[-1]].all()
    assert not lost[GONE[-1] + 10 :].any()
    last = None  # the last box that was followed stands while it is lost
    for each in tracks:
        assert not each.lost or each.box == last
        last = each.box


def test_a_network_without_thresholds_never_says_lost(tmp_path, vanishing):
    with load_tracker(tiny.write_network(tmp_path)) as tracker:
        tracks = tracks_of(tracker, vanishing)
    assert {(track.state, track.presence) for track in tracks} == {(TRACKED, None)}


@pytest.mark.parametrize("recover", [None, False, True])
def test_what_steers_is_told_whether_a_target_can_be_lost(tmp_path, recover):
    (tmp_path / "never").mkdir()
    with load_targets(tiny.write_network(tmp_path / "never"), recover=recover) as targets:
        assert not targets.can_lose
    with load_targets(write_watched(tmp_path, **tiny.LOSSY), recover=recover) as targets:
        assert targets.can_lose
        targets.device.shows_features = False  # as where a graph shows none
        assert not targets.can_lose
        frames, boxes = tiny.film(2)
        targets.add(frames[0], boxes[0])
        assert targets.update(frames[1])[0].presence is None


def test_each_of_several_targets_is_watched_for_itself(tmp_path, vanishing):
    toml = write_watched(tmp_path, **tiny.LOSSY)
    alone = tracks_of(load_tracker(toml, recover=False), vanishing)
    targets = load_targets(toml, recover=False)
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


@pytest.mark.parametrize("name", ["nanotrack_v1", "nanotrack_v3", "kestrel"])
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


def test_results_carry_the_state(tmp_path):
    toml = write_watched(tmp_path, **tiny.LOSSY)
    clip, results = tiny.Vanishing(80), tmp_path / "out.csv"
    folder = tiny.write_pictures(tmp_path / "film", clip)
    words = ["--video", folder, "--network", toml, "--results", results, "--no-show", "--box"]
    assert track.main([*map(str, words), ",".join(map(str, clip.boxes[0]))]) == 0
    with open(results) as file:
        rows = list(csv.DictReader(file))
    states = np.array([row["state"] for row in rows])
    assert states[0] == TRACKED and (states == LOST).any()
    assert [bool(int(row["lost"])) for row in rows] == (states == LOST).tolist()
