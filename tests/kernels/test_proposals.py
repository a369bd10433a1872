"""The places of a window by C++ and by the kernel of the GPU are those of the definition.

Both pass the same cases. The kernel runs on the processor (``hotpath_nogpu.cuda.shim``).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.base.errors import NetworkFailed
from hotpath.kernels.cpu import select
from hotpath.kernels.cpu.interface import CpuKernels
from hotpath.kernels.settings import ARGMAX, MOST_PROPOSALS, SelectionPrior
from hotpath.runtime.decode.shared.proposals import Proposals
from hotpath.runtime.devices.gpu import frame_settings
from hotpath.runtime.frames import geometry
from hotpath.runtime.identity.learner.numpy_definition import Pooling
from hotpath.runtime.identity.learner.ridge import samples_of
from hotpath_nogpu.cuda.turn import pool, propose
from tests.kernels.cpu.test_families import (
    FRAME,
    SEEDS,
    STATE,
    STATES,
    kinds,
    random_maps,
)
from tests.support import compiled
from tests.support.examples import examples
from tests.support.kernel_networks import network

FAMILIES = ("points", "centre")
WIDE = SelectionPrior(0.0, 0.0, 3, 0.5, 3)
PRIORS = (
    ARGMAX,
    SelectionPrior(most=7, share=0.2),
    SelectionPrior(most=3, share=0.5),
    WIDE,
    SelectionPrior(1.0),
)


class OnGpu:
    """The kernel, with a number of threads."""

    def __init__(self, shim):
        self.shim = shim

    def __call__(self, net, maps, state, prior, threads=256, half=False, gap=0):
        # the second window shows that none reads another's maps
        states = [tuple(np.array(state) + (3.25, -2.5, 1, 2)), state]
        seen = propose(self.shim, net, maps, states, prior, threads, half, gap)[1]
        count = seen.count
        return np.array(seen.state)[:count], list(seen.score)[:count], list(seen.cell)[:count]


class InCpp:
    """The compiled kernels of the processor."""

    def __call__(self, net, maps, state, prior, threads=0, half=False, gap=0):
        _, scale = geometry.search_window(net, np.array(state, np.float64))
        places = compiled.kernels().new(select.CompiledProposals, frame_settings(net).select, prior)
        try:
            return places.propose(maps, np.array(state, np.float64), scale, *FRAME)
        except NetworkFailed:
            return np.zeros((0, 4)), [], []


@pytest.fixture(params=["c++", "gpu"], scope="module")
def build(request):
    if request.param == "c++":
        return InCpp()
    from hotpath_nogpu.cuda.shim import Shim

    return OnGpu(Shim())


def defined(net, maps, state, prior):
    """The definition's places; a network of the tests is no ``Network``, so it is changed here."""
    changes = {} if prior.size_lr is None else {"size_lr": prior.size_lr}
    if prior.influence is not None:
        changes.update(window_influence=prior.influence, vote="blend")
    net = net._replace(**changes)
    state = np.array(state, np.float64)
    _, scale = geometry.search_window(net, state)
    places = Proposals(net, CpuKernels(), prior._replace(size_lr=None, influence=None))
    try:
        return places.propose(maps, state, scale, *FRAME)
    except NetworkFailed:
        return np.zeros((0, 4)), [], []


def same(build, net, maps, prior, state=STATE, threads=256, half=False, gap=0):
    """Check that cells, scores and boxes are the definition's; returns the cells."""
    if half:
        maps = [values.astype(np.float16).astype(np.float32) for values in maps]
    with np.errstate(all="ignore"):
        try:
            states, scores, cells = defined(net, maps, state, prior)
        except (OverflowError, ValueError):  # Python has no whole number that is infinite
            return None
    found = build(net, maps, state, prior, threads, half, gap)
    assert list(found[2]) == list(cells)
    np.testing.assert_allclose(found[1], scores, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.reshape(found[0], (-1, 4)), states, rtol=1e-9, atol=1e-6)
    return list(cells)


@pytest.mark.parametrize("family", FAMILIES)
@examples(150)
@given(
    st.data(),
    SEEDS,
    STATES,
    st.sampled_from(PRIORS),
    st.sampled_from([0.1, 1.0, 30.0]),
    st.sampled_from([32, 96, 256]),
    st.booleans(),
    st.sampled_from([0, 7]),
)
def test_places_equal_their_definition(
    build, family, data, seed, state, prior, spread, threads, half, gap
):
    net = data.draw(kinds(family))
    same(build, net, random_maps(net, seed, spread), prior, state, threads, half, gap)


def of_family(family, **changes):
    """A network of a family with maps of 16 x 16 cells, and maps of its kind that are flat."""
    net = network(
        family=family, score="none", window_influence=0.0, penalty=0.0, vote="blend", **changes
    )
    maps = random_maps(net, 1)
    maps[0][:] = 0.0
    maps[1][:] = 30 if family == "points" else 0.25
    if family == "centre":
        maps[2][:] = 0.5
    return net, maps


PEAKS = SelectionPrior(most=MOST_PROPOSALS, share=0.2)
families = pytest.mark.parametrize("family", FAMILIES)


def at(row, column):
    return 16 * row + column


@families
def test_a_neighbour_that_equals_a_peak_is_one_too(build, family):
    net, maps = of_family(family)
    maps[0][0, 0, 7, 8] = 0.9
    maps[0][0, 0, 3, 11:13] = 0.7  # two cells side by side
    maps[0][0, 0, 12, 2:4] = 0.5, 0.5000001  # one of them is a little higher
    assert same(build, net, maps, PEAKS) == [at(7, 8), at(3, 11), at(3, 12), at(12, 3)]


@families
def test_peaks_on_the_border_and_in_the_corners_are_peaks(build, family):
    net, maps = of_family(family)
    for value, row, column in ((0.9, 0, 0), (0.8, 0, 15), (0.7, 15, 0), (0.6, 15, 15), (0.5, 8, 0)):
        maps[0][0, 0, row, column] = value
        maps[0][0, 0, 8, 15] = 0.4
    maps[0][0, 0, 7, 15] = 0.3  # beside a peak
    wanted = [at(0, 0), at(0, 15), at(15, 0), at(15, 15), at(8, 0), at(8, 15)]
    assert same(build, net, maps, PEAKS) == wanted


@families
@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_peak_and_hides_none(build, family, nothing):
    net, maps = of_family(family)
    maps[0][0, 0, 7, 8], maps[0][0, 0, 3, 3], maps[0][0, 0, 10, 2] = 0.9, 0.8, 0.7
    maps[0][0, 0, 3, 4] = maps[0][0, 0, 7, 7] = maps[0][0, 0, 15, 15] = nothing
    assert same(build, net, maps, PEAKS) == [at(7, 8), at(3, 3), at(10, 2)]
    maps[1][0, 0, 3, 3] = nothing  # a peak whose box is not finite is left out
    assert same(build, net, maps, PEAKS) == [at(7, 8), at(10, 2)]
    maps[1][0, 0, 7, 8] = nothing
    best = same(build, net, maps, PEAKS)
    assert best in ([], [at(10, 2)])  # a vote of points counts the box, one of centre does not
    maps[0][:] = nothing
    assert same(build, net, maps, PEAKS) == []


@families
def test_where_all_are_equal_the_first_cells_are_the_places(build, family):
    net, maps = of_family(family)
    maps[0][:] = 0.5
    assert same(build, net, maps, PEAKS) == list(range(MOST_PROPOSALS))
    assert same(build, net, maps, WIDE) == [0, 3, 6]
    assert same(build, net, maps, ARGMAX) == [0]


@families
def test_of_more_peaks_than_places_the_highest_are_taken(build, family):
    net, maps = of_family(family)
    cells = [at(2 * row + 1, 3 * column + 1) for row in range(4) for column in range(3)]
    values = np.linspace(0.9, 0.4, len(cells))[np.random.RandomState(5).permutation(len(cells))]
    maps[0][0, 0].flat[cells] = values
    wanted = [cells[index] for index in np.argsort(-values)][:MOST_PROPOSALS]
    assert same(build, net, maps, PEAKS) == wanted
    assert same(build, net, maps, PEAKS._replace(most=3)) == wanted[:3]


@families
@pytest.mark.parametrize("share, count", [(0.2, 3), (0.5, 2), (0.95, 1), (0.0, 7)])
def test_places_reach_a_share_of_the_best(build, family, share, count):
    net, maps = of_family(family)
    maps[0][:] = np.linspace(0, 0.01, 256).reshape(1, 1, 16, 16)
    maps[0][0, 0, 7, 8], maps[0][0, 0, 3, 12], maps[0][0, 0, 12, 2] = 0.8, 0.7, 0.2
    cells = same(build, net, maps, PEAKS._replace(share=share))
    assert len(cells) <= count and cells[:1] == [at(7, 8)]
    if share:
        assert cells == [at(7, 8), at(3, 12), at(12, 2)][:count]


@families
def test_places_of_a_wide_window_are_apart(build, family):
    net, maps = of_family(family)
    for value, row, column in (
        (0.8, 7, 8),
        (0.75, 7, 10),
        (0.7, 3, 12),
        (0.6, 3, 15),
        (0.2, 12, 2),
    ):
        maps[0][0, 0, row, column] = value
    assert same(build, net, maps, WIDE) == [at(7, 8), at(3, 12), at(3, 15)]


@examples(80)
@given(st.sampled_from(FAMILIES), SEEDS, st.floats(0, 1), st.sampled_from(PRIORS))
def test_holes_in_the_maps_never_win(build, family, seed, share, prior):
    net = network(family=family, score="none" if family == "centre" else "softmax")
    maps, random = random_maps(net, seed), np.random.RandomState(seed)
    for values in maps:
        holes = random.uniform(size=values.shape) < share**4
        values[holes] = random.choice([np.nan, np.inf, -np.inf], holes.sum())
    same(build, net, maps, prior)


@pytest.mark.parametrize("level", [-1.0, 0.0])
def test_scores_need_not_be_above_zero(build, level):
    net, maps = of_family("points")
    maps[0][:] = level
    maps[0][0, 0, 3, 5:9] = level / 2
    for prior in PRIORS:
        same(build, net, maps, prior)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("shape, stride", [((5, 16), 16), ((96, 15), 16), ((7, 31), 8)])
def test_pooled_features_are_those_of_the_definition(shape, stride, half):
    from hotpath_nogpu.cuda.shim import Shim

    channels, side = shape
    random = np.random.RandomState(side)
    net = network(stride=stride)
    features = random.normal(0, 2, (1, channels, side * side)).astype(np.float32)
    if half:
        features = features.astype(np.float16).astype(np.float32)
    states = [STATE, (200.0, 190.0, 30.0, 44.0), (90.0, 20.0, 50.0, 40.0)]
    # in the window, at its edges, far outside, smaller than a cell, larger than the window
    moves = [(0, 0, 1, 1), (40, 30, 1.3, 0.8), (-130, 4, 1, 1), (900, -900, 1, 1)]
    moves += [(3, 3, 0.01, 0.01), (0, 0, 20, 20), (17.3, -11.1, 0.6, 2)]
    places = [
        np.array([(x + a, y + b, w * c, h * d) for a, b, c, d in moves[first:]]).reshape(-1, 4)
        for first, (x, y, w, h) in zip((0, 5, 7), states)
    ]
    rows = pool(Shim(), net, features, states, places, half)
    assert len(rows) == 9
    mean, wanted = features[0].mean(axis=1), []
    pooling = Pooling(mean, side, stride, 2, 1.0)
    for state, own in zip(states, places):
        _, scale = geometry.search_window(net, np.array(state))
        if len(own):
            wanted.append(pooling.describe(features, own, np.array(state), scale))
    samples = samples_of(rows, np.tile(mean, 2**2))
    np.testing.assert_allclose(samples, np.concatenate(wanted), rtol=0, atol=3e-5)


def test_features_that_are_not_finite_are_no_numbers():
    from hotpath_nogpu.cuda.shim import Shim

    features = np.ones((1, 3, 256), np.float32)
    features[0, 1, 8 * 16 + 8] = np.inf  # in the middle
    places = np.array([STATE]), np.array([(0.0, 0.0, 5.0, 5.0)])
    rows = pool(Shim(), network(), features, [STATE, STATE], places)
    assert np.isnan(rows[0]).all() and np.isfinite(rows[1]).all()
    assert (pool(Shim(), network(), 0 * features[:, :1], [STATE], places[:1]) == 0).all()
