"""The compiled select of points and centre picks the cell and the box of the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels.cpu import interface
from hotpath.kernels.cpu.select import Select
from hotpath.runtime import decode
from hotpath.runtime.errors import NetworkFailed
from tests.support.described import load_network, names
from tests.support.examples import examples
from tests.support.kernel_networks import network

ODD = (np.nan, np.inf, -np.inf, 0.0, -1.0, -40.0, 1e30)
STATE, FRAME = (300.0, 200.0, 60.0, 50.0), (1280, 720)
FAMILIES = ("centre", "points")
NETWORKS = sorted(name for name in names() if load_network(name).family in FAMILIES)

SEEDS, SPREADS, SHARES = st.integers(0, 10**6), st.floats(0.1, 5), st.floats(0, 1)
STATES = st.tuples(st.floats(-50, 1330), st.floats(-50, 770), st.floats(1, 1280), st.floats(1, 720))
SCALES = st.tuples(st.floats(0.05, 20), st.floats(0.05, 20))


def choices(**values):
    """One of each key's values, or what its strategy draws."""
    return st.fixed_dictionaries(
        {k: st.sampled_from(v) if isinstance(v, list) else v for k, v in values.items()}
    )


LIMITS = choices(
    clip=["centre", "corners", "none", "inside"],
    box_pixels=["exact", "floor", "round"],
    min_size=st.floats(0.5, 100),
)
WINDOWS = st.one_of(
    st.just({}),
    st.just({"crop": "stretched", "exemplar_margin": 0.2, "search_margin": 2.0}),
    choices(
        crop=["area"],
        exemplar_factor=[2.0],
        search_factor=[4.0],
        corner=["(s+1)/2", "s/2", "(s-1)/2"],
        rounding=["up", "half_even", "half_up"],
    ),
)
SCORES = ["none", "sigmoid", "softmax"]
HEADS = {
    "points": choices(
        score=SCORES,
        map_size=[1, 2, 15, 16, 25, 33],
        penalty=SHARES,
        window_influence=SHARES,
        size_lr_power=[0, 1, 2],
    ),
    "centre": choices(
        score=["sigmoid", "none"],
        map_size=[1, 2, 16, 24],
        min_score=SHARES,
        relative_to=["target", "window"],
        vote=["product", "blend"],
        window_influence=SHARES,
        size_lr=[0.0, 0.3, 1.0],
        score_power=[0, 1, 2],
    ),
}


def kinds(family):
    """Networks of a family, with every head, window and limit of a box."""
    parts = st.tuples(LIMITS, WINDOWS, HEADS[family])
    return parts.map(
        lambda chosen: network(family=family, **{k: v for part in chosen for k, v in part.items()})
    )


def random_maps(net, seed, spread=1.0):
    """Random maps of a network: one blob of high scores, and boxes of all sizes."""
    random = np.random.RandomState(seed)
    maps = [random.normal(0, 2 * spread, shape) for shape in decode.shapes(net)]
    first = maps[0][0, -1]
    first.flat[random.randint(first.size)] += random.uniform(0, 8)
    if net.score == "none":
        maps[0] = 1 / (1 + np.exp(-maps[0]))
    if net.family == "points":
        maps[1] = np.exp(random.normal(3, 1, maps[1].shape))
    else:
        maps[1:] = [random.uniform(0, 1, values.shape) for values in maps[1:]]
    return [values.astype(np.float32) for values in maps]


def run(decoder, maps, state, scale):
    state = np.array(state, np.float64)
    best, score = decoder.select(maps, state, scale, *FRAME)
    return best, score, state


def same(kernels, net, maps, state=STATE, scale=(1.5, 1.25)):
    """Check that both give the same cell, score and box, or that both fail."""
    compiled = decode.create(net, kernels)
    assert isinstance(compiled, Select)
    try:
        expected = run(decode.create(net, interface.CpuKernels()), maps, state, scale)
    except NetworkFailed:
        with pytest.raises(NetworkFailed):
            run(compiled, maps, state, scale)
        return
    except (OverflowError, ValueError):  # Python has no whole number that is infinite
        return
    if not np.isfinite(expected[2]).all():
        return  # the tracker refuses it
    best, score, found = run(compiled, maps, state, scale)
    assert isinstance(best, int) and isinstance(score, float)
    assert best == expected[0]
    assert abs(score - expected[1]) < 1e-9
    np.testing.assert_allclose(box(found), box(expected[2]), rtol=1e-12, atol=1e-4)


def box(state):
    return np.array([state[0] - state[2] / 2, state[1] - state[3] / 2, state[2], state[3]])


@pytest.mark.parametrize("name", NETWORKS)
@examples(25)
@given(SEEDS, SPREADS, STATES, SCALES)
def test_every_network_selects_as_its_definition(kernels, name, seed, spread, state, scale):
    net = load_network(name)
    same(kernels, net, random_maps(net, seed, spread), state, scale)


@pytest.mark.parametrize("family", sorted(HEADS))
@examples(300)
@given(st.data(), SEEDS, SPREADS, STATES)
def test_networks_of_every_kind_select_as_their_definition(
    kernels, family, data, seed, spread, state
):
    net = data.draw(kinds(family))
    same(kernels, net, random_maps(net, seed, spread), state, (0.4, 0.7))


@pytest.mark.parametrize("name", ["lighttrack", "siamban", "lightfc"])
@examples(40)
@given(
    SEEDS,
    st.lists(st.tuples(st.integers(0, 2), SEEDS, st.sampled_from(ODD)), max_size=40),
)
def test_odd_values_in_the_maps_change_nothing_but_their_cell(kernels, name, seed, odd):
    net = load_network(name)
    maps = random_maps(net, seed)
    for which, place, value in odd:
        values = maps[which % len(maps)].reshape(-1)
        values[place % values.size] = value
    same(kernels, net, maps)


@pytest.mark.parametrize("name", NETWORKS)
def test_on_ties_the_first_cell_wins(kernels, name):
    net = load_network(name)
    same(kernels, net, [np.full(shape, 0.5, np.float32) for shape in decode.shapes(net)])


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_without_a_number_are_refused_and_the_target_stays(kernels, name):
    net = load_network(name)
    maps = [np.full(shape, np.nan, np.float32) for shape in decode.shapes(net)]
    state = np.array(STATE)
    with pytest.raises(NetworkFailed):
        decode.create(net, kernels).select(maps, state, (1, 1), 640, 480)
    assert tuple(state) == STATE


@pytest.mark.parametrize("name", sorted(set(names()) - set(NETWORKS)))
def test_other_families_select_in_numpy(kernels, name):
    assert decode.create(load_network(name), kernels).settings is None
