"""The GPU's select of responses, run on the processor, finds its definition's place and box."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cuda import layout, response
from runtime import geometry
from runtime.decode.response import Siamese
from runtime.errors import NetworkFailed
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.shim import Shim
from tests.fakes.cuda.turn import Turn
from tests.support.examples import examples

FRAME = (640, 480)


@pytest.fixture(scope="module")
def shim():
    return Shim()


def siamese(**changes):
    values = {
        "family": "response",
        "scales": 3,
        "scale_step": 1.0375,
        "scale_penalty": 0.9745,
        "scale_lr": 0.59,
        "window": 0.176,
        "stride": 8,
        "map_size": 17,
        "upsample": 4,
        "min_size": 1.0,
    }
    return network(**dict(values, **changes))


def random_responses(net, random):
    """(scales, n, n) float32: a hill of another height at each size, and noise."""
    size, maps = net.map_size, []
    for _ in range(net.scales):
        rows, columns = np.mgrid[:size, :size] - random.uniform(0, size, 2)[:, None, None]
        hill = random.uniform(1, 9) * np.exp(-(rows**2 + columns**2) / 8)
        maps.append(hill + random.normal(-2, 0.5, (size, size)))
    return np.array(maps, np.float32)


def define(decoder, net, maps, state):
    """(cell, score, certainty) of the definition; moves the state."""
    for index, values in enumerate(maps):
        looked = decoder.look(index, (values[None, None],))
    _, scale = geometry.search_window(net, state)
    cell, score = decoder.select(looked, state, scale, *FRAME)
    return cell, score, decoder.certain(score)


def same(shim, net, seed, holes=0.0):
    random = np.random.RandomState(seed)
    state = np.append(random.uniform(0, 480, 2), random.uniform(10, 300, 2))
    decoder, gpu = Siamese(net), Turn(shim, net, frame=FRAME)
    first, maps = random_responses(net, random), random_responses(net, random)
    decoder.first((first[net.scales // 2][None, None],))
    gpu.begin(state, maps=[first])
    broken = random.uniform(size=maps.shape) < holes
    maps[broken] = random.choice([np.nan, np.inf, -np.inf], broken.sum())
    pose, before = gpu.select([maps]), state.copy()
    try:
        with np.errstate(all="ignore"):
            cell, score, certain = define(decoder, net, maps, state)
    except NetworkFailed:
        assert pose["flags"] & (layout.NO_SCORE | layout.NOT_FINITE)
        assert tuple(pose["state"]) == tuple(before)
        return
    side = net.map_size * net.upsample
    found, wanted = (np.array(divmod(int(index), side)) for index in (pose["cell"], cell))
    if not (found == wanted).all():  # OpenCV rounds its cubic otherwise
        assert np.abs(found - wanted).max() <= 1
        return
    assert abs(pose["score"] - score) < 1e-6
    np.testing.assert_allclose(pose["state"], state, rtol=0, atol=1e-6)
    if net.lost_below:
        assert abs(gpu.monitor["certainty"][0] - (1 + (certain - 1) * 0.4)) < 1e-5


@examples(25)
@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([5, 17]),
    st.sampled_from([1, 4, 16]),
    st.sampled_from([0.0, 0.176, 1.0]),
    st.sampled_from([0.0, 0.5]),
)
def test_it_equals_its_definition(shim, seed, scales, size, upsample, influence, lost):
    net = siamese(
        scales=scales, map_size=size, upsample=upsample, window=influence, lost_below=lost
    )
    same(shim, net, seed)


@examples(15)
@given(st.integers(0, 10**6), st.sampled_from([0.001, 0.005, 0.3]))
def test_responses_without_numbers_never_win(shim, seed, share):
    same(shim, siamese(), seed, share)


def test_taps_enlarge_as_opencv_does():
    small = np.random.RandomState(3).normal(size=(17, 17)).astype(np.float32)
    taps, lines = response.cubic_taps(17, 272), np.zeros((272, 17))
    for line, (first, weights) in zip(lines, taps):
        for index, weight in enumerate(weights):
            line[min(max(first + index, 0), 16)] += weight
    wanted = cv2.resize(small, (272, 272), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(lines @ small @ lines.T, wanted, atol=1e-5)
