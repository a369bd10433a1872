"""The GPU's select, run on the processor: close votes, flags, and a real network's maps."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cuda import layout
from runtime import geometry
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.turn import Turn
from tests.kernels.cuda.test_families import SCORES, random_maps, same
from tests.support.examples import examples

STATE = (400, 300, 60, 50)


def select(shim, net, maps, state, **options):
    """The pose and the plan after one frame; ``options``: of ``Turn``."""
    turn = Turn(shim, net, **options)
    turn.begin(state)
    return turn.select(maps), turn.plan


@examples(60)
@given(st.sampled_from(SCORES), st.integers(0, 10**6), st.floats(0, 1))
def test_votes_that_floats_can_not_tell_apart_are_counted_exactly(shim, score, seed, window):
    net = network(score=score, window=window)
    scores, distances = random_maps(net, seed)
    random = np.random.RandomState(seed)
    cells = random.choice(256, 12, replace=False)
    best = scores[0, -1].max() + np.float32(0.5 if score != "none" else 0)
    scores[0, 0].flat[cells] = scores[0, 0].flat[cells[0]]
    scores[0, -1].flat[cells] = best
    for plane in distances[0]:
        plane.flat[cells] = plane.flat[cells[0]]
    # the last digit of a float, in either direction
    steps = random.choice([-np.inf, np.inf], 12).astype(np.float32)
    distances[0, 0].flat[cells] = np.nextafter(distances[0, 0].flat[cells], steps)
    same(shim, net, (scores, distances), STATE)


@pytest.mark.parametrize("level", [-1.0, 0.0])
def test_votes_need_not_be_above_zero(shim, level):
    net = network(score="none", window=0.0)
    maps = np.full((1, 1, 16, 16), level, np.float32), np.full((1, 4, 16, 16), 30, np.float32)
    maps[0][0, 0, 3, 5:9] = level / 2
    same(shim, net, maps, STATE)
    maps[0][0, 0, :3] = np.nan
    same(shim, net, maps, STATE)


def test_maps_without_a_number_are_flagged_and_leave_the_target_where_it_was(shim):
    net = network()
    maps = np.full((1, 2, 16, 16), np.nan, np.float32), np.ones((1, 4, 16, 16), np.float32)
    pose, _ = select(shim, net, maps, STATE)
    assert pose["flags"] == layout.NO_SCORE and tuple(pose["state"]) == STATE
    infinite = np.zeros((1, 2, 16, 16), np.float32), maps[1] * np.inf
    pose, _ = select(shim, network(window=1.0), infinite, STATE)  # so the middle cell wins
    assert pose["flags"] in (layout.NOT_FINITE, layout.NO_SCORE)
    assert tuple(pose["state"]) == STATE


def test_a_picture_that_lacks_a_part_of_the_search_region_is_flagged(shim):
    net, maps, state = network(), random_maps(network(), 3), STATE
    (x, y, side, _), _ = geometry.search_window(net, np.array(state, np.float64))
    enough, _ = select(shim, net, maps, state, part=(x, y, side, side))
    assert enough["flags"] == 0
    for part in ((x + 1, y, side, side), (x, y, side, side - 1), (0, 0, 10, 10)):
        pose, _ = select(shim, net, maps, state, part=part)
        assert pose["flags"] == layout.NOT_UPLOADED and tuple(pose["state"]) == state


def test_a_window_beyond_the_frame_needs_only_what_the_frame_has(shim):
    net, maps, state = network(), random_maps(network(), 3), (5, 715, 60, 50)
    pose, _ = select(shim, net, maps, state, part=(0, 500, 200, 220))
    assert pose["flags"] == 0


def test_the_next_window_and_plan_are_those_of_the_new_state(shim):
    net = network()
    pose, plan = select(shim, net, random_maps(net, 5), STATE)
    (x, y, side, _), _ = geometry.search_window(net, pose["state"])
    assert (pose["x"], pose["y"], pose["width"], pose["height"]) == (x, y, side, side)
    fresh = Turn(shim, net, threads=32)
    fresh.begin(pose["state"])
    assert plan.tobytes() == fresh.plan.tobytes()


@pytest.mark.parametrize("clip", ["otb-Couple", "otb-David"])
def test_the_default_networks_maps_give_the_same_cell_and_box(shim, clips_dir, clip):
    """Maps of a real network on a real clip; each frame starts from the host's state."""
    pytest.importorskip("onnxruntime")
    from runtime import load_tracker

    tracker, told = load_tracker(engine="onnxruntime"), []
    net, select_on_host = tracker.network, tracker.device.decoder.select

    def compare(maps, state, scale, width, height):
        turn = Turn(shim, net, frame=(width, height))
        turn.begin(state)
        turn.aim(False)
        pose = turn.select(maps)
        cell, score = select_on_host(maps, state, scale, width, height)
        told.append(np.abs(pose["state"] - state).max())
        assert pose["cell"] == cell
        return cell, score

    tracker.device.decoder.select = compare
    paths = sorted((clips_dir / clip / "img").iterdir())[:60]
    first = (clips_dir / clip / "boxes.csv").read_text().splitlines()[1]
    tracker.init(cv2.imread(str(paths[0])), [float(number) for number in first.split(",")[1:]])
    for path in paths[1:]:
        tracker.update(cv2.imread(str(path)))
    tracker.close()
    assert len(told) == 59 and max(told) < 1e-6
