"""The selects of all families, run on the processor, find the box of their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cpu.interface import Kernels
from kernels.cuda import layout
from runtime import decode, geometry
from runtime.errors import NetworkFailed
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.turn import Turn
from tests.kernels.cpu.test_families import (
    FRAME,
    HEADS,
    SCORES,
    SEEDS,
    STATE,
    STATES,
    kinds,
    random_maps,
)
from tests.support.examples import examples


def select(shim, net, maps, state=STATE, **options):
    """The pose and the plan after one frame; ``options``: of ``Turn``."""
    turn = Turn(shim, net, **options)
    turn.begin(state)
    return turn.select(maps), turn.plan


def same(shim, net, maps, state=STATE, threads=256, half=False):
    """Compare a frame's cell, score, box, next window and plan with the definition's."""
    if half:
        maps = [values.astype(np.float16).astype(np.float32) for values in maps]
    pose, plan = select(shim, net, maps, state, threads=threads, half=half)
    moved = np.array(state, np.float64)
    _, scale = geometry.search_window(net, moved)
    try:
        cell, score = decode.create(net, Kernels()).select(maps, moved, scale, *FRAME)
    except NetworkFailed:
        assert pose["flags"] & (layout.NO_SCORE | layout.NOT_FINITE)
        assert tuple(pose["state"]) == tuple(state)
        return
    if not np.isfinite(moved).all():
        assert pose["flags"] & layout.NOT_FINITE
        return
    assert pose["flags"] == 0 and pose["cell"] == cell and pose["sequence"] == 41
    assert abs(pose["score"] - score) < 1e-6
    np.testing.assert_allclose(pose["state"], moved, rtol=0, atol=1e-6)
    window, _ = geometry.search_window(net, pose["state"])
    assert (pose["x"], pose["y"], pose["width"], pose["height"]) == window
    fresh = Turn(shim, net, threads=32)
    fresh.begin(pose["state"])
    assert plan.tobytes() == fresh.plan.tobytes()


@pytest.mark.parametrize("family", sorted(HEADS))
@examples(200)
@given(
    st.data(),
    SEEDS,
    STATES,
    st.sampled_from([0.1, 1.0, 30.0]),
    st.sampled_from([32, 96, 256]),
    st.booleans(),
)
def test_select_equals_its_definition(shim, family, data, seed, state, spread, threads, half):
    net = data.draw(kinds(family))
    same(shim, net, random_maps(net, seed, spread), state, threads, half)


def of_family(family):
    """A network of a family."""
    return network(
        family=family,
        score="none" if family == "centre" else "softmax",
        ratios=(0.5, 1.0, 2.0),
        scales=(8.0,),
        output="two_maps",
    )


@examples(80)
@given(st.sampled_from(sorted(HEADS)), SEEDS, st.floats(0, 1))
def test_what_is_not_finite_never_wins(shim, family, seed, share):
    net = of_family(family)
    maps, random = random_maps(net, seed), np.random.RandomState(seed)
    for values in maps:
        holes = random.uniform(size=values.shape) < share**4
        values[holes] = random.choice([np.nan, np.inf, -np.inf], holes.sum())
    with np.errstate(all="ignore"):
        same(shim, net, maps)


@pytest.mark.parametrize("family", ["centre", "points"])
def test_an_infinite_box_is_no_box(shim, family):
    net = of_family(family)
    maps = random_maps(net, 1)
    maps[1][:] = np.inf
    same(shim, net, maps)


@pytest.mark.parametrize("family", ["anchors", "centre", "points"])
def test_of_equal_votes_the_lowest_cell_wins(shim, family):
    net = of_family(family)._replace(window=0.0, penalty=0.0)
    random = np.random.RandomState(2)
    for threads in (32, 96, 256) * 3:
        maps = [np.zeros_like(values) for values in random_maps(net, 1)]
        if family == "centre":  # the window is symmetric
            row, column = random.randint(0, 8, 2)
            maps[0][0, 0, [row, row, 15 - row, 15 - row], [column, 15 - column] * 2] = 0.5
        else:
            wanted = maps[0][0, maps[0].shape[1] // 2 :]
            wanted.flat[random.choice(wanted.size, 5, replace=False)] = 4
        if family == "points":
            maps[1][:] = 30
        same(shim, net, maps, threads=threads)


@examples(60)
@given(st.sampled_from(SCORES), SEEDS, st.floats(0, 1))
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
    same(shim, net, (scores, distances))


@pytest.mark.parametrize("level", [-1.0, 0.0])
def test_votes_need_not_be_above_zero(shim, level):
    net = network(score="none", window=0.0)
    maps = np.full((1, 1, 16, 16), level, np.float32), np.full((1, 4, 16, 16), 30, np.float32)
    maps[0][0, 0, 3, 5:9] = level / 2
    same(shim, net, maps)
    maps[0][0, 0, :3] = np.nan
    same(shim, net, maps)


def test_heat_as_cold_as_can_be_is_no_heat(shim):
    net = network(family="corners", output="two_maps", cell_centre=0.5)
    maps = random_maps(net, 3)
    for values in maps:
        values[values < 1] = -np.inf
        values.flat[7] = -1e30
    same(shim, net, maps)


def test_a_picture_must_have_what_the_frame_has_of_the_search_region(shim):
    net = network()
    maps = random_maps(net, 3)
    (x, y, side, _), _ = geometry.search_window(net, np.array(STATE))
    for part in ((x + 1, y, side, side), (x, y, side, side - 1), (x, y, side - 1, side)):
        pose, _ = select(shim, net, maps, part=part)
        assert pose["flags"] == layout.NOT_UPLOADED and tuple(pose["state"]) == STATE
    at_the_edge = (5, 715, 60, 50), (0, 500, 200, 220)
    for state, part in ((STATE, (x, y, side, side)), at_the_edge):
        assert select(shim, net, maps, state, part=part)[0]["flags"] == 0


@pytest.mark.parametrize("half", [0, 1])
def test_every_half_precision_number_is_read_exactly(shim, half):
    values = np.arange(65536).astype(np.uint16).view(np.float16)
    given = values if half else values.astype(np.float32)
    out = np.zeros(65536, np.float32)
    shim.launch("test_read", 1, 1, given, half, 65536, out)
    np.testing.assert_array_equal(out[:-2], values[2:].astype(np.float32))
