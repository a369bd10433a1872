"""The selects of all families, run on the processor, find the box of their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels.cpu.interface import Kernels
from hotpath.runtime import decode, geometry
from hotpath.runtime.errors import NetworkFailed
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.turn import select
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


def same(shim, net, maps, state=STATE, threads=256, half=False, gap=0):
    """Compare the cell, the score and the box of two windows with the definition's."""
    if half:
        maps = [values.astype(np.float16).astype(np.float32) for values in maps]
    states = [state, tuple(np.array(state) + (3.25, -2.5, 1, 2))]
    for own, seen in zip(states, select(shim, net, maps, states, threads, half, gap)):
        moved = np.array(own, np.float64)
        _, scale = geometry.search_window(net, moved)
        try:
            cell, score = decode.create(net, Kernels()).select(maps, moved, scale, *FRAME)
        except NetworkFailed:
            cell = -1
            score = np.nan
        if not np.isfinite(moved).all() or not np.isfinite(score):
            assert seen.cell == -1 and np.isnan(seen.score) and tuple(seen.state) == tuple(own)
            continue
        assert seen.cell == cell
        assert abs(seen.score - score) < 1e-6
        np.testing.assert_allclose(seen.state, moved, rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", sorted(HEADS))
@examples(200)
@given(
    st.data(),
    SEEDS,
    STATES,
    st.sampled_from([0.1, 1.0, 30.0]),
    st.sampled_from([32, 96, 256]),
    st.booleans(),
    st.sampled_from([0, 7]),
)
def test_select_equals_its_definition(shim, family, data, seed, state, spread, threads, half, gap):
    net = data.draw(kinds(family))
    same(shim, net, random_maps(net, seed, spread), state, threads, half, gap)


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


@pytest.mark.parametrize("half", [0, 1])
def test_every_half_precision_number_is_read_exactly(shim, half):
    values = np.arange(65536).astype(np.uint16).view(np.float16)
    given = values if half else values.astype(np.float32)
    out = np.zeros(65536, np.float32)
    shim.launch("test_read", 1, 1, given, half, 65536, out)
    np.testing.assert_array_equal(out[:-2], values[2:].astype(np.float32))
