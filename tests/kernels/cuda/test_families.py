"""The selects of all families, run on the processor, find the box of their definitions.

Maps, boxes, frames, limits and window shapes are random.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cuda import layout
from runtime import decode, geometry
from runtime.decode.anchors import Anchors
from runtime.decode.centre import Centre
from runtime.decode.corners import Corners
from runtime.decode.points import Points
from runtime.errors import NetworkFailed
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.turn import Turn
from tests.support.examples import examples

FAMILIES = {"points": Points, "anchors": Anchors, "centre": Centre, "corners": Corners}
SCORES = ["none", "sigmoid", "softmax"]
SEEDS = st.integers(0, 10**6)
FRAME = (640, 480)

states = st.tuples(st.floats(0, 640), st.floats(0, 480), st.floats(10, 640), st.floats(10, 480))
limits = st.fixed_dictionaries(
    {
        "clip": st.sampled_from(["centre", "position", "corners", "inside", "none"]),
        "box_pixels": st.sampled_from(["exact", "round", "floor"]),
        "min_size": st.sampled_from([1.0, 3.0, 10.0]),
    }
)
windows = st.one_of(
    st.just({}),
    st.just({"crop": "stretched", "exemplar_margin": 0.2, "search_margin": 2.0}),
    st.builds(
        lambda rounding: {
            "crop": "area",
            "exemplar_factor": 2.0,
            "search_factor": 4.0,
            "corner": "s/2",
            "rounding": rounding,
        },
        st.sampled_from(["up", "half_even", "cut", "half_up"]),
    ),
)


def definition(net, maps, state):
    """(cell, score, state) after a frame."""
    moved = np.array(state, np.float64)
    _, scale = geometry.search_window(net, moved)
    cell, score = FAMILIES[net.family](net).select(maps, moved, scale, *FRAME)
    return cell, score, moved


def same(shim, net, maps, state, threads=256, half=False):
    """Compare a frame's cell, score, box and next window with the definition's."""
    turn = Turn(shim, net, threads=threads, frame=FRAME, half=half)
    turn.begin(state)
    pose = turn.select(maps)
    try:
        cell, score, moved = definition(net, maps, state)
    except NetworkFailed:
        assert pose["flags"] & (layout.NO_SCORE | layout.NOT_FINITE)
        assert tuple(pose["state"]) == tuple(state)
        return pose
    if not np.isfinite(moved).all():
        assert pose["flags"] & layout.NOT_FINITE
        return pose
    assert pose["flags"] == 0 and pose["cell"] == cell and pose["sequence"] == 41
    assert abs(pose["score"] - score) < 1e-6
    np.testing.assert_allclose(pose["state"], moved, rtol=0, atol=1e-6)
    window, _ = geometry.search_window(net, pose["state"])
    assert (pose["x"], pose["y"], pose["width"], pose["height"]) == window
    return pose


def random_maps(net, seed, spread=1.0):
    """Random maps of a network: one blob of high scores, and boxes of all sizes."""
    random = np.random.RandomState(seed)
    maps = [random.normal(0, 2, shape) for shape in decode.shapes(net)]
    first = maps[0][0, -1]
    first.flat[random.randint(first.size)] += random.uniform(0, 8)
    if net.score == "none":
        maps[0] = 1 / (1 + np.exp(-maps[0]))
    if net.family == "points":
        maps[1] = np.exp(random.normal(3, 1, maps[1].shape))
    elif net.family == "anchors":
        maps[1] *= spread / 2
    elif net.family == "centre":
        maps[1], maps[2] = (random.uniform(0, 1, values.shape) for values in maps[1:])
    elif net.output in ("box", "scored_box"):
        maps[0] = random.uniform(0.05, 0.95, (1, 1, 4))
    return [values.astype(np.float32) for values in maps]


points = st.fixed_dictionaries(
    {
        "score": st.sampled_from(SCORES),
        "map_size": st.sampled_from([1, 2, 15, 16, 25, 33]),
        "penalty": st.floats(0, 1),
        "window": st.floats(0, 1),
        "lr_power": st.sampled_from([0, 1, 2]),
        "quality": st.sampled_from(["none", "product", "blend"]),
        "inclusive": st.booleans(),
    }
)


@examples(200)
@given(SEEDS, states, limits, windows, points, st.sampled_from([32, 64, 256]))
def test_points(shim, seed, state, kept, looks, numbers, threads):
    net = network(quality_share=0.3, **dict(kept, **dict(looks, **numbers)))
    same(shim, net, random_maps(net, seed), state, threads)


def choices(**values):
    """One of each key's values."""
    return st.fixed_dictionaries({key: st.sampled_from(each) for key, each in values.items()})


anchors = choices(
    map_size=[1, 5, 19, 25],
    ratios=[(1.0,), (0.33, 0.5, 1, 2, 3), (0.5, 2.0)],
    scales=[(8.0,), (4.0, 8.0)],
    score=SCORES,
    window_power=[0.5, 1.0],
)


@examples(80)
@given(SEEDS, states, limits, anchors, st.sampled_from([0.1, 1.0, 30.0]))
def test_anchors(shim, seed, state, kept, numbers, spread):
    net = network(family="anchors", stride=8, **dict(kept, **numbers))
    same(shim, net, random_maps(net, seed, spread), state)


centre = choices(
    map_size=[1, 2, 16, 24],
    score=["sigmoid", "none"],
    min_score=[0.0, 0.5],
    relative_to=["target", "window"],
)


@examples(80)
@given(SEEDS, states, limits, windows, centre)
def test_centre(shim, seed, state, kept, looks, numbers):
    net = network(family="centre", **dict(kept, **dict(looks, **numbers)))
    same(shim, net, random_maps(net, seed), state)


corners = choices(
    map_size=[1, 2, 18, 20],
    output=["two_maps", "one_map", "box", "scored_box"],
    cell_centre=[0.0, 0.5],
)


@examples(60)
@given(SEEDS, states, limits, windows, corners, st.sampled_from([32, 96, 256]))
def test_corners(shim, seed, state, kept, looks, numbers, threads):
    net = network(family="corners", score="sigmoid", **dict(kept, **dict(looks, **numbers)))
    same(shim, net, random_maps(net, seed), state, threads)


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
@given(st.sampled_from(sorted(FAMILIES)), SEEDS, st.floats(0, 1))
def test_what_is_not_finite_never_wins(shim, family, seed, share):
    net = of_family(family)
    maps, random = random_maps(net, seed), np.random.RandomState(seed)
    for values in maps:
        holes = random.uniform(size=values.shape) < share**4
        values[holes] = random.choice([np.nan, np.inf, -np.inf], holes.sum())
    with np.errstate(all="ignore"):
        same(shim, net, maps, (300.0, 200.0, 60.0, 50.0))


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_select_does_not_depend_on_the_order_of_threads(shim, family, order):
    net, told = of_family(family), []
    for number in (0, order):
        with shim.order(number):
            turn = Turn(shim, net, frame=FRAME)
            turn.begin((300.0, 200.0, 60.0, 50.0))
            told.append(turn.select(random_maps(net, 4)).tobytes() + turn.plan.tobytes())
    assert told[0] == told[1]


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("family", ["anchors", "centre", "points"])
def test_of_equal_votes_the_lowest_cell_wins(shim, family, order):
    net = of_family(family)._replace(window=0.0, penalty=0.0)
    random = np.random.RandomState(2)
    with shim.order(order):
        for threads in (32, 96, 256):
            maps = [np.zeros_like(values) for values in random_maps(net, 1)]
            if family == "centre":  # the window is symmetric
                row, column = random.randint(0, 8, 2)
                maps[0][0, 0, [row, row, 15 - row, 15 - row], [column, 15 - column] * 2] = 0.5
            else:
                wanted = maps[0][0, maps[0].shape[1] // 2 :]
                wanted.flat[random.choice(wanted.size, 5, replace=False)] = 4
            if family == "points":
                maps[1][:] = 30
            pose = same(shim, net, maps, (300.0, 200.0, 60.0, 50.0), threads)
            assert pose["flags"] == 0


def test_heat_as_cold_as_can_be_is_no_heat(shim):
    net = network(family="corners", output="two_maps", cell_centre=0.5)
    maps = random_maps(net, 3)
    for values in maps:
        values[values < 1] = -np.inf
        values.flat[7] = -1e30
    same(shim, net, maps, (300.0, 200.0, 60.0, 50.0))
