"""Every TOML that comes with the runtime, run on files with a known right answer."""

import numpy as np
import pytest

from hotpath.runtime import decode, engines, load_tracker
from hotpath.runtime.frames.boxes import overlap
from tests.support import blobs, tiny
from tests.support.described import load_network, names

PAIRS = [name for name in names() if not load_network(name).file("head")]


@pytest.mark.parametrize("name", names())
def test_every_toml_is_right_and_says_what_its_family_takes(name):
    network = load_network(name)
    assert network.licence and network.source
    assert all(min(shape) > 0 for shape in decode.shapes(network))


def test_files_that_ship_or_are_downloaded_keep_their_hashes():
    for name in ("kestrel", "lightfc", "nanotrack_v2", "vittrack"):
        assert all(entry.sha256 and not entry.measured_sha256 for entry in load_network(name).files)
    (vittrack,) = load_network("vittrack").files  # not the upload that its author withdrew
    assert vittrack.sha256.startswith("2990f0b7") and "/fef72f8f" in vittrack.url


@pytest.mark.parametrize("engine", engines.installed())
@pytest.mark.parametrize("name", PAIRS)
def test_a_tracker_follows_what_its_network_sees(tmp_path, name, engine):
    tracker = load_tracker(blobs.write_network(tmp_path, name), engine=engine)
    frames, boxes = blobs.film()
    tracker.init(frames[0], boxes[0])
    for frame, box in zip(frames[1:], boxes[1:]):
        track = tracker.update(frame)
        if tracker.network.family == "response":  # sizes are tried in steps of some per cent
            assert overlap(track.box, box) > 0.75
        else:
            np.testing.assert_allclose(track.box, box, atol=1.5)
        assert track.score > 0.3
    tracker.close()


def test_scales_follow_a_target_that_grows(tmp_path):
    frames, boxes = [], []
    for index in range(30):
        w, h = (int(round(side * 1.02**index)) for side in (36, 24))
        x, y = 160 - w // 2, 120 - h // 2
        frames.append(np.zeros((240, 320, 3), np.uint8))
        frames[-1][y : y + h, x : x + w] = 255
        boxes.append((x, y, w, h))
    tracker = load_tracker(blobs.write_network(tmp_path, "siamfc_015"))
    found = tiny.boxes_of(tracker, frames, boxes)
    np.testing.assert_allclose(found[-1, 2:], (w, h), rtol=0.15)


def test_a_target_of_another_exemplar_is_not_found(tmp_path):
    """The exemplar's features reach the maps: a dark exemplar leaves no score."""
    for name in ("siamban", "siamrpnpp_resnet50", "vittrack"):
        tracker = load_tracker(blobs.write_network(tmp_path, name))
        frames, boxes = blobs.film(3)
        tracker.init(np.zeros_like(frames[0]), boxes[0])
        assert tracker.update(frames[1]).score <= 0.5
