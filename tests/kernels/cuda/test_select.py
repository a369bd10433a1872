"""The GPU's select, run on the processor, picks the cell and the box of its definition."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cuda import layout
from runtime import geometry
from runtime.decode.points import Points
from runtime.errors import NetworkFailed
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.shim import Shim
from tests.fakes.cuda.turn import Turn
from tests.support.examples import examples

PLANES = {"softmax": 2, "sigmoid": 1, "none": 1}


@pytest.fixture(scope="module")
def shim():
    return Shim()


def random_maps(net, seed):
    """Random maps like a network's: one blob of high scores, and boxes of all sizes."""
    random = np.random.RandomState(seed)
    size = net.map_size
    scores = random.normal(0, 2, (1, PLANES[net.score], size, size))
    scores[0, -1, random.randint(size), random.randint(size)] += random.uniform(0, 8)
    if net.score == "none":
        scores = 1 / (1 + np.exp(-scores))
    distances = np.exp(random.normal(3, 1, (1, 4, size, size)))
    return scores.astype(np.float32), distances.astype(np.float32)


def select(shim, net, maps, state, **options):
    """The pose and the plan after one frame; ``options``: of ``Turn``."""
    turn = Turn(shim, net, **options)
    turn.begin(state)
    return turn.select(maps), turn.plan


def definition(net, maps, state, frame=(1280, 720)):
    """(cell, score, state) of the definition."""
    state = np.array(state, np.float64)
    _, scale = geometry.search_window(net, state)
    cell, score = Points(net).select(maps, state, scale, *frame)
    return cell, score, state


def same(shim, net, maps, state, **options):
    try:
        cell, score, moved = definition(net, maps, state)
    except NetworkFailed:
        pose, _ = select(shim, net, maps, state, **options)
        assert pose["flags"] == layout.NO_SCORE and pose["cell"] == -1
        assert tuple(pose["state"]) == tuple(state)
        return
    pose, _ = select(shim, net, maps, state, **options)
    assert pose["flags"] == 0 and pose["cell"] == cell and pose["sequence"] == 41
    assert abs(pose["score"] - score) < 1e-7
    np.testing.assert_allclose(pose["state"], moved, rtol=0, atol=1e-6)


boxes = st.tuples(st.floats(0, 1280), st.floats(0, 720), st.floats(10, 1280), st.floats(10, 720))


@examples(200)
@given(
    st.sampled_from(sorted(PLANES)),
    st.sampled_from([1, 2, 15, 16, 25, 33]),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.floats(0, 1),
    boxes,
    st.sampled_from([32, 64, 256]),
    st.sampled_from([0, 1, 2]),
)
def test_select_equals_its_definition(
    shim, score, size, seed, penalty, window, state, threads, power
):
    net = network(score=score, map_size=size, penalty=penalty, window=window, lr_power=power)
    same(shim, net, random_maps(net, seed), state, threads=threads)


@examples(60)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_what_is_not_finite_never_wins(shim, seed, share):
    net = network()
    scores, distances = random_maps(net, seed)
    random = np.random.RandomState(seed)
    for values in (scores[:, 1:], distances):
        holes = random.uniform(size=values.shape) < share
        values[holes] = random.choice([np.nan, np.inf, -np.inf], holes.sum())
    with np.errstate(all="ignore"):
        try:
            moved = definition(net, (scores, distances), (400, 300, 60, 50))[2]
        except NetworkFailed:
            moved = np.zeros(4)
    if np.isfinite(moved).all():
        same(shim, net, (scores, distances), (400, 300, 60, 50))


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("threads", [32, 96, 256])
def test_of_equal_votes_the_lowest_cell_wins(shim, order, threads):
    net = network(window=0.0)
    random = np.random.RandomState(order)
    shim.order(order)
    try:
        for _ in range(10):
            scores = np.zeros((1, 2, 16, 16), np.float32)
            distances = np.full((1, 4, 16, 16), 30, np.float32)
            cells = random.choice(256, 5, replace=False)
            scores[0, 1].flat[cells] = 4
            pose, _ = select(shim, net, (scores, distances), (400, 300, 60, 50), threads=threads)
            assert pose["cell"] == cells.min()
        scores[:] = 0
        pose, _ = select(shim, net, (scores, distances), (400, 300, 60, 50), threads=threads)
        assert pose["cell"] == 0
    finally:
        shim.order(0)


@examples(60)
@given(st.sampled_from(sorted(PLANES)), st.integers(0, 10**6), st.floats(0, 1))
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
    same(shim, net, (scores, distances), (400, 300, 60, 50))


@pytest.mark.parametrize("level", [-1.0, 0.0])
def test_votes_need_not_be_above_zero(shim, level):
    net = network(score="none", window=0.0)
    maps = np.full((1, 1, 16, 16), level, np.float32), np.full((1, 4, 16, 16), 30, np.float32)
    maps[0][0, 0, 3, 5:9] = level / 2
    same(shim, net, maps, (400, 300, 60, 50))
    maps[0][0, 0, :3] = np.nan
    same(shim, net, maps, (400, 300, 60, 50))


def test_maps_without_a_number_are_flagged_and_leave_the_target_where_it_was(shim):
    net = network()
    maps = np.full((1, 2, 16, 16), np.nan, np.float32), np.ones((1, 4, 16, 16), np.float32)
    pose, _ = select(shim, net, maps, (400, 300, 60, 50))
    assert pose["flags"] == layout.NO_SCORE and tuple(pose["state"]) == (400, 300, 60, 50)


def test_an_infinite_box_that_wins_is_flagged_and_leaves_the_target_where_it_was(shim):
    net = network(window=1.0)  # the window alone decides, so the middle cell wins
    scores, distances = random_maps(net, 1)
    distances[:] = np.inf
    scores[:] = 0
    pose, _ = select(shim, net, (scores, distances), (400, 300, 60, 50))
    assert pose["flags"] in (layout.NOT_FINITE, layout.NO_SCORE)
    assert tuple(pose["state"]) == (400, 300, 60, 50)


def test_a_picture_that_lacks_a_part_of_the_search_region_is_flagged(shim):
    net, maps, state = network(), random_maps(network(), 3), (400, 300, 60, 50)
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
    pose, plan = select(shim, net, random_maps(net, 5), (400, 300, 60, 50))
    (x, y, side, _), _ = geometry.search_window(net, pose["state"])
    assert (pose["x"], pose["y"], pose["width"], pose["height"]) == (x, y, side, side)
    fresh = Turn(shim, net, threads=32)
    fresh.begin(pose["state"])
    assert plan.tobytes() == fresh.plan.tobytes()


@pytest.mark.parametrize("order", [1, 2, 5, 9])
def test_select_does_not_depend_on_the_order_of_threads(shim, order):
    net = network(map_size=25)
    maps = random_maps(net, order)
    first = select(shim, net, maps, (400, 300, 60, 50))
    shim.order(order)
    try:
        again = select(shim, net, maps, (400, 300, 60, 50))
    finally:
        shim.order(0)
    assert first[0].tobytes() == again[0].tobytes() and first[1].tobytes() == again[1].tobytes()


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
