"""The GPU's ridge regression, run on the processor, finds its definition's place and box."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cuda import layout
from kernels.errors import NotOnGpu
from runtime import geometry
from runtime.decode.shared.ridge import Ridge
from runtime.errors import NetworkFailed
from tests.fakes.cuda.arrays import OnArrays
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.shim import Shim

FRAME = (640, 480)
STATE = (300.0, 200.0, 60.0, 50.0)


@pytest.fixture(scope="module")
def shim():
    return Shim()


def ridge(**changes):
    values = {
        "family": "response",
        "filter": "ridge",
        "crop": "stretched",
        "resample": "warp",
        "exemplar_margin": 1.0,
        "search_margin": 1.0,
        "scales": 3,
        "scale_step": 1.0275,
        "scale_penalty": 0.9925,
        "search": 20,
        "lost_below": 0.6,
    }
    values.update(changes)
    return network(**dict(values, exemplar=values["search"]))


def features(net, random):
    """Random features (channels, side, side), smooth, as a network's."""
    shape = net.features, net.search, net.search
    values = random.normal(size=shape)
    for axis in (1, 2):
        values = values + np.roll(values, 1, axis) + np.roll(values, -1, axis)
    return values.astype(np.float32)


class Both:
    """A target that the definition and the kernels follow side by side."""

    def __init__(self, shim, net, first, state=STATE):
        self.net, self.gpu, self.host = net, OnArrays(shim, net, FRAME), Ridge(net)
        self.state = np.array(state, np.float64)
        _, self.memory = self.host.remember((first[None],), self.state)
        self.gpu.begin(state, np.zeros(1, np.float32), first)

    def frame(self, maps, learnt):
        """(pose, cell, score, certainty before the frame) of a frame; the target moves."""
        _, scale = geometry.search_window(self.net, self.state)
        certain = self.host.certain(0.0)
        for index, values in enumerate(maps):
            taken = self.host.look(index, (values[None],), self.memory)
        pose = self.gpu.frame(np.array(maps))
        cell, score = self.host.select(taken, self.state, scale, *FRAME)
        pose = pose.copy()
        window, _ = geometry.search_window(self.net, pose["state"])
        assert abs(self.gpu.plan[self.net.search, 0] - window[0]) <= 1  # its first column
        self.host.learn((learnt[None],), self.memory)
        self.gpu.learn(learnt)
        return pose, cell, score, certain


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([5, 7, 8, 12, 20, 25]),
    st.sampled_from([1, 3, 8, 9, 17]),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([0.01, 0.5, 1.0]),
)
def test_it_equals_its_definition(shim, seed, side, channels, scales, rate):
    net, random = (
        ridge(search=side, features=channels, scales=scales, interpolation=rate),
        np.random.RandomState(seed),
    )
    first = features(net, random)
    both = Both(shim, net, first)
    for _ in range(3):
        shift = random.randint(-side // 4, side // 4 + 1, 2)
        maps = [np.roll(first, shift, (1, 2)) + 0.1 * features(net, random) for _ in range(scales)]
        learnt = np.roll(first, random.randint(-1, 2, 2), (1, 2)) + 0.1 * features(net, random)
        pose, cell, score, _ = both.frame(maps, learnt)
        if pose["cell"] != cell:  # two places are equal but for the rounding of floats
            assert abs(pose["score"] - score) < 1e-4
            return
        assert pose["flags"] & ~layout.LOST == 0
        assert abs(pose["score"] - score) < 1e-5
        np.testing.assert_allclose(pose["state"], both.state, rtol=0, atol=1e-6)


def test_the_certainty_is_the_definitions(shim):
    net, random = ridge(), np.random.RandomState(4)
    first = features(net, random)
    both, certainty = Both(shim, net, first), 1.0
    for strength in (0.1, 1.0, 2.0, 0.1):
        maps = [first + strength * features(net, random) for _ in range(3)]
        _, _, _, certain = both.frame(maps, maps[1])
        certainty += (certain - certainty) * 0.4
        assert abs(both.gpu.monitor["certainty"][0] - certainty) < 1e-5
    assert certainty < 0.99


def test_sizes_without_numbers_never_win(shim):
    net, random = ridge(), np.random.RandomState(7)
    first = features(net, random)
    for broken in ((0,), (1,), (0, 2)):
        both = Both(shim, net, first)
        maps = [first.copy() for _ in range(3)]
        for index in broken:
            maps[index][0, 3, 3] = np.nan
        pose, cell, _, _ = both.frame(maps, first)
        assert pose["cell"] == cell
        np.testing.assert_allclose(pose["state"], both.state, rtol=0, atol=1e-6)


def test_a_frame_without_numbers_teaches_nothing(shim):
    net, random = ridge(), np.random.RandomState(8)
    first = features(net, random)
    both, nothing = Both(shim, net, first), np.full((3,) + first.shape, np.nan, np.float32)
    with pytest.raises(NetworkFailed):
        both.frame(list(nothing), nothing[0])
    both.gpu.learn(nothing[0])
    assert both.gpu.pose["flags"] & layout.NO_SCORE
    assert tuple(both.gpu.pose["state"][0]) == STATE
    pose, cell, score, _ = both.frame([first] * 3, first)
    assert pose["cell"] == cell and abs(pose["score"] - score) < 1e-5


def test_the_order_of_threads_does_not_matter(shim):
    net, random, told = ridge(search=25), np.random.RandomState(5), []
    first, second = features(net, random), features(net, random)
    for order in (0, 1, 5):
        shim.order(order)
        try:
            gpu = OnArrays(shim, net, FRAME)
            gpu.begin(STATE, np.zeros(1, np.float32), first)
            gpu.frame(np.array([second] * 3))
            gpu.learn(second)
            gpu.frame(np.array([first, second, first]))
        finally:
            shim.order(0)
        told.append(gpu.pose.tobytes() + gpu.plan.tobytes())
    assert told[0] == told[1] == told[2]


def test_what_is_uploaded_holds_the_window_to_learn_from(shim):
    net, random = ridge(), np.random.RandomState(6)
    first = features(net, random)
    for state in ((300.0, 200.0, 60.0, 50.0), (20.0, 470.0, 3.0, 2.0)):
        both = Both(shim, net, first, state)
        pose = both.gpu.pose[0].copy()
        size = np.array([pose["width"], pose["height"]])
        for shift in ((10, 10), (9, -9), (-10, 3)):
            moved = Both(shim, net, first, state)
            moved.frame([np.roll(first, shift, (1, 2))] * 3, first)
            window, _ = geometry.search_window(net, moved.state)
            low = np.array(window[:2]) - (pose["x"], pose["y"])
            assert (low >= 0).all() and (low + window[2:] <= size).all()


def test_more_sizes_than_there_is_room_for_are_refused(shim):
    with pytest.raises(NotOnGpu, match="15 sizes"):
        OnArrays(shim, ridge(scales=17), FRAME)
