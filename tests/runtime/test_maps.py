"""Score maps: where they lie in the frame, and that asking for them changes nothing else."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.runtime import load_targets, load_tracker
from hotpath.runtime.errors import BadOption
from hotpath.runtime.maps import Maps, ScoreMap, drawn_over
from hotpath.runtime.types import Box
from tests.support import tiny
from tests.support.fake_gpu import python

pytest.importorskip("onnxruntime")


def peak(shown):
    """The middle of the best cell, frame pixels."""
    row, column = np.unravel_index(shown.scores.argmax(), shown.scores.shape)
    cell = shown.area.w / shown.scores.shape[1], shown.area.h / shown.scores.shape[0]
    return shown.area.x + (column + 0.5) * cell[0], shown.area.y + (row + 0.5) * cell[1], cell


@pytest.mark.parametrize("kind", ["tiny", "kestrel"])  # families points and centre
def test_the_best_cell_lies_on_the_target_and_the_boxes_stay_the_same(tmp_path, kind):
    name = str(tiny.write_network(tmp_path)) if kind == "tiny" else kind
    frames, boxes = tiny.film(8)
    with_maps, without = (load_tracker(name, engine="onnxruntime", recover=False) for _ in "ab")
    maps = Maps(with_maps.device)
    for tracker in (with_maps, without):
        tracker.init(frames[0], boxes[0])
    errors = []  # in cells
    for frame, truth in zip(frames[1:], boxes[1:]):
        assert with_maps.update(frame) == without.update(frame)
        (shown,) = maps.last
        x, y, cell = peak(shown)
        middle = truth[0] + truth[2] / 2, truth[1] + truth[3] / 2
        errors.append([(x - middle[0]) / cell[0], (y - middle[1]) / cell[1]])
        assert 0 <= shown.scores.min() and shown.scores.max() <= 1
    assert np.abs(errors).max() <= 1.5 and np.abs(np.mean(errors, axis=0)).max() < 0.5, errors


def test_every_window_of_targets_and_of_a_search_has_its_map():
    frames, boxes = tiny.film(40)
    targets = load_targets("kestrel", recover=True, search_windows=3)
    maps = Maps(targets.device)
    for box in (boxes[0], boxes[0] + np.array([3, 2, 0, 0])):
        targets.add(frames[0], box)
    targets.update(frames[1])
    assert len(maps.take()) == 2 and not maps.last  # a frame without targets has none
    targets.update(frames[2])
    kept = maps.last
    number = targets.add(frames[2], boxes[2])  # its first look is no frame of the others
    assert maps.last is kept and len(kept) == 2
    targets.drop(number)
    targets.drop(1)
    counts = set()
    for index in range(22):
        noise = np.random.RandomState(index).randint(0, 255, frames[0].shape).astype(np.uint8)
        targets.update(noise)
        counts.add(len(maps.last))
    assert counts == {1, 3}  # followed, then searched for
    assert max(m.area.w for m in maps.last) > min(m.area.w for m in maps.last)  # wide ones


def test_a_map_colours_only_its_area_and_may_leave_the_picture():
    picture = np.full((60, 80, 3), 120, np.uint8)
    scores = np.zeros((4, 4), np.float32)
    scores[1, 2] = 1.0
    out = drawn_over(picture, [ScoreMap(Box(10.0, 20.0, 40.0, 20.0), scores)])
    changed = np.argwhere((out != picture).any(axis=2))
    assert changed.min(0).tolist() == [20, 10] and changed.max(0).tolist() == [40, 50]
    best, other = out[27, 35], out[33, 35]  # the third column, the second and the third row
    assert best[1] > other[1] and (picture == 120).all()  # yellow is green and red
    half = drawn_over(picture, [ScoreMap(Box(-20.0, -30.0, 40.0, 40.0), scores)], scale=0.5)
    assert (half[:5, :10] != picture[:5, :10]).any() and (half[6:] == picture[6:]).all()
    away = drawn_over(picture, [ScoreMap(Box(500.0, 500.0, 40.0, 40.0), scores)])
    assert (away == picture).all()


def test_a_network_that_gives_a_box_has_no_score_map():
    device = SimpleNamespace(network=SimpleNamespace(family="corners", name="mine"))
    with pytest.raises(BadOption):
        Maps(device)


ON_GPU = """
import json
import numpy as np
from hotpath.runtime.maps import Maps
from tests.support.frame_path import on_gpu

tracker, frame, box = on_gpu()
tracker.init(frame, box)
counters, rows = tracker.engine.device.counters, []
for asked in (False, True):
    maps = Maps(tracker.device) if asked else None
    tracker.update(frame)
    before = counters.read()
    track = tracker.update(frame)
    after = counters.read()
    rows.append({key: after[key] - before[key] for key in after})
(shown,) = maps.last
print(json.dumps([rows, list(track.box), list(shown.area), float(shown.scores.max())]))
"""


def test_on_a_gpu_the_score_map_is_one_more_download_of_a_frame():
    rows, box, area, best = json.loads(python(["-c", ON_GPU]).splitlines()[-1])
    without, with_map = rows
    assert with_map.pop("downloads") == without.pop("downloads") + 1
    for row in rows:
        row.pop("upload_bytes")  # the box moves by less than a pixel
    size = with_map.pop("download_bytes") - without.pop("download_bytes")
    assert 0 < size < 4096 and with_map == without  # the score map alone, and no other wait
    assert area[0] < box[0] and box[0] + box[2] < area[0] + area[2] and best > 0.5
