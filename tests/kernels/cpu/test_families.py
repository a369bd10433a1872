"""The compiled select of every network picks the cell and the box of its family's definition."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernels.cpu import interface
from runtime import decode
from runtime.errors import NetworkFailed
from runtime.networks import load_network, names
from tests.support.examples import examples

CLIPS = ("centre", "position", "corners", "inside", "none")
ODD = (np.nan, np.inf, -np.inf, 0.0, -1.0, -40.0, 1e30)


def voting(name):
    """Whether a network's family picks one cell by its maps alone."""
    return load_network(name).family != "response"


NETWORKS = sorted(name for name in names() if voting(name))


def changed(name, **values):
    """A published network with some keys changed."""
    network = load_network(name)
    for key, value in values.items():
        setattr(network, key, value)
    return network


def random_maps(network, seed, spread):
    """Maps of the network's shapes: noise, and a peak in each channel of the first."""
    random = np.random.RandomState(seed)
    shapes = decode.shapes(network)
    maps = [(random.randn(*shape) * spread).astype(np.float32) for shape in shapes]
    if network.family == "points":
        maps[1] = np.exp(random.normal(3, 1, shapes[1])).astype(np.float32)
    if network.family in ("centre", "corners"):
        maps = [np.abs(values) / (3 * spread) for values in maps]
    if len(shapes[0]) == 4:
        for channel in maps[0][0]:
            channel[random.randint(len(channel)), random.randint(len(channel))] += 3
    return [np.ascontiguousarray(values, np.float32) for values in maps]


def run(decoder, maps, state, scale, frame):
    state = np.array(state, np.float64)
    best, score = decoder.select(maps, state, scale, *frame)
    return best, score, state


def same(kernels, network, maps, state, scale=(1.5, 1.25), frame=(1280, 720)):
    """Check that both give the same cell, score and box, or that both fail."""
    compiled = decode.create(network, kernels)
    assert "select" in vars(compiled)
    try:
        expected = run(decode.create(network, interface.Kernels()), maps, state, scale, frame)
    except NetworkFailed:
        with pytest.raises(NetworkFailed):
            run(compiled, maps, state, scale, frame)
        return
    except (OverflowError, ValueError):  # Python has no whole number that is infinite
        return
    if not np.isfinite(expected[2]).all():
        return  # the tracker refuses it
    best, score, found = run(compiled, maps, state, scale, frame)
    assert isinstance(best, int) and isinstance(score, float)
    assert best == expected[0]
    assert abs(score - expected[1]) < 1e-9
    np.testing.assert_allclose(box(found), box(expected[2]), rtol=1e-12, atol=1e-4)


def box(state):
    return np.array([state[0] - state[2] / 2, state[1] - state[3] / 2, state[2], state[3]])


STATES = st.tuples(st.floats(-50, 1330), st.floats(-50, 770), st.floats(1, 1280), st.floats(1, 720))
SCALES = st.tuples(st.floats(0.05, 20), st.floats(0.05, 20))


@pytest.mark.parametrize("name", NETWORKS)
@examples(25)
@given(st.integers(0, 10**6), st.floats(0.1, 5), STATES, SCALES)
def test_every_network_selects_as_its_definition(kernels, name, seed, spread, state, scale):
    network = load_network(name)
    same(kernels, network, random_maps(network, seed, spread), state, scale)


@pytest.mark.parametrize("name", ["ocean", "siamrpnpp", "vittrack", "stark_s50", "stark_lightning"])
@examples(60)
@given(
    st.integers(0, 10**6),
    STATES,
    st.sampled_from(CLIPS),
    st.sampled_from(["exact", "round", "floor"]),
    st.floats(0, 100),
)
def test_every_limit_of_a_box_is_kept(kernels, name, seed, state, clip, pixels, least):
    network = changed(name, clip=clip, box_pixels=pixels, min_size=least)
    same(kernels, network, random_maps(network, seed, 1.0), state, (0.4, 0.7))


@pytest.mark.parametrize(
    "name", ["ocean", "siamban", "siamfcpp", "dasiamrpn", "lightfc", "stark_s50"]
)
@examples(40)
@given(
    st.integers(0, 10**6),
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 10**6), st.sampled_from(ODD)), max_size=40
    ),
)
def test_odd_values_in_the_maps_change_nothing_but_their_cell(kernels, name, seed, odd):
    network = load_network(name)
    maps = random_maps(network, seed, 1.0)
    for which, place, value in odd:
        values = maps[which % len(maps)].reshape(-1)
        values[place % values.size] = value
    same(kernels, network, maps, (300, 200, 60, 50))


@examples(60)
@given(
    st.integers(0, 10**6),
    st.lists(st.floats(0.2, 5), min_size=1, max_size=6),
    st.sampled_from(["softmax", "sigmoid", "none"]),
    st.integers(1, 9),
    st.floats(0, 1),
    st.floats(0, 2),
)
def test_anchors_of_every_kind(kernels, seed, ratios, score, size, window, power):
    network = changed(
        "dasiamrpn", ratios=ratios, score=score, map_size=size, window=window, window_power=power
    )
    same(kernels, network, random_maps(network, seed, 1.0), (300, 200, 60, 50))


@examples(300)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["none", "product", "blend"]),
    st.floats(0, 1),
    st.booleans(),
    st.sampled_from(["softmax", "sigmoid", "none"]),
    st.sampled_from([1, 2, 15, 16, 25]),
    st.sampled_from([0, 1, 2]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_points_of_every_kind(
    kernels, seed, quality, share, inclusive, score, size, power, penalty, window
):
    kind = dict(quality=quality, quality_share=share, inclusive=inclusive, score=score)
    network = changed(
        "ocean", map_size=size, lr_power=power, penalty=penalty, window=window, **kind
    )
    same(kernels, network, random_maps(network, seed, 1.0), (300, 200, 60, 50))


@examples(60)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["target", "window"]),
    st.sampled_from(["half_up", "half_even", "up", "cut"]),
    st.sampled_from(["(s+1)/2", "s/2", "(s-1)/2"]),
    st.sampled_from(["sigmoid", "none"]),
    st.floats(0, 1),
    STATES,
)
@example(0, "window", "up", "s/2", "none", 1.0, (100.5, 50.5, 30.0, 20.0))
def test_centres_of_every_kind(kernels, seed, relative, rounding, corner, score, least, state):
    where = dict(relative_to=relative, rounding=rounding, corner=corner)
    network = changed("vittrack", score=score, min_score=least, **where)
    same(kernels, network, random_maps(network, seed, 1.0), state)


@pytest.mark.parametrize("name", NETWORKS)
def test_on_ties_the_first_cell_wins(kernels, name):
    network = load_network(name)
    maps = [np.full(shape, 0.5, np.float32) for shape in decode.shapes(network)]
    same(kernels, network, maps, (300, 200, 60, 60))


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_without_a_number_are_refused_and_the_target_stays(kernels, name):
    network = load_network(name)
    maps = [np.full(shape, np.nan, np.float32) for shape in decode.shapes(network)]
    state = np.array([300.0, 200, 60, 60])
    with pytest.raises(NetworkFailed):
        decode.create(network, kernels).select(maps, state, (1, 1), 640, 480)
    assert list(state) == [300, 200, 60, 60]


@pytest.mark.parametrize("output", ["two_maps", "one_map"])
def test_both_corners_may_be_in_one_map(kernels, output):
    network = changed("stark_s50", output=output)
    maps = random_maps(network, 5, 2.0)
    same(kernels, network, maps, (300, 200, 60, 60))
    with pytest.raises(ValueError, match="maps"):
        decode.create(network, kernels).select(
            [maps[0][:, :, 1:]] + maps[1:], np.ones(4), (1, 1), 640, 480
        )
