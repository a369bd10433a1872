"""The GPU's watch, run on the processor, says what ``runtime.loss`` says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cpu import fallback
from kernels.cuda import layout
from runtime import geometry
from runtime.loss import LossMonitor
from runtime.trackers.gpu import frame_settings
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.shim import Failed, Shim


@pytest.fixture(scope="module")
def shim():
    return Shim()


class OnGpu:
    """As ``Lost``, by the kernel.

    Args:
        shape: (1, channels, cells) of the features, or None.
        threads: of the block.
    """

    def __init__(self, shim, net, shape, threads=256):
        self.shim, self.net, self.threads = shim, net, threads
        self.limits, self.view = (
            layout.limits(frame_settings(net).loss, shape),
            layout.view(frame_settings(net).window),
        )
        self.reference = np.full(shape[1] if shape else 1, np.nan, np.float32)
        self.pose, self.plan = np.zeros(1, layout.POSE), np.zeros(net.search, layout.SITE)

    def begin(self, state, seen):
        self.record = layout.monitor(state)
        self.pose["state"] = state
        if seen is not None:
            self._launch(1, seen)

    def watch(self, state, score, seen):
        """The pose after a frame that select ended in that state."""
        self.pose["state"], self.pose["score"], self.pose["flags"] = state, score, 0
        self._launch(0, seen)
        return self.pose[0]

    def _launch(self, begin, seen):
        seen = np.zeros(0, np.float32) if seen is None else np.ascontiguousarray(seen)
        # an empty array's address would be taken for features
        given = seen if seen.size else _Nothing()
        self.shim.launch("hp_monitor_loss", 1, self.threads, self.limits, self.view, begin, given,
                         self.reference, self.record, self.pose, self.plan)  # fmt: skip


class _Nothing:
    """An argument that is address 0."""

    class ctypes:
        data = 0


def play(shim, net, channels, side, seed, frames=25, threads=256):
    """A target's way by both; compares them frame by frame."""
    random = np.random.RandomState(seed)
    shape = (1, channels, side * side) if channels else None
    host, gpu = LossMonitor(net, fallback.Kernels()), OnGpu(shim, net, shape, threads)
    state = np.array([random.uniform(0, 600), random.uniform(0, 400), random.uniform(10, 200),
                      random.uniform(10, 200)])  # fmt: skip
    home = random.normal(1, 1, shape) if channels else None

    def features(how_much):
        if not channels:
            return None
        return (home * how_much + random.normal(0, 1, shape)).astype(np.float32)

    _, scale = geometry.search_window(net, state)
    seen = features(2.0)
    host.begin(state, seen, scale)
    gpu.begin(state, seen)
    np.testing.assert_array_equal(gpu.reference[:1] if channels else [],
                                  host._reference[:1] if channels else [])  # fmt: skip
    for index in range(frames):
        before = state.copy()
        _, scale = geometry.search_window(net, before)
        scale = scale[0] / host.widened, scale[1] / host.widened
        state[:2] += random.normal(0, 20, 2)
        state[2:] *= np.exp(random.normal(0, 0.1, 2))
        score = float(random.uniform(0, 1) if 8 < index < 16 else random.uniform(0.7, 1))
        seen = features(random.choice([0.0, 0.5, 2.0]))
        pose = gpu.watch(state, score, seen)
        lost = host.watch(state, before, score, seen, scale)  # may bring the state back
        assert bool(pose["flags"] & layout.LOST) == lost
        assert abs(gpu.record["certainty"][0] - host.certainty) < 1e-12
        assert pose["certainty"] == np.float32(gpu.record["certainty"][0])
        assert gpu.record["widened"][0] == host.widened
        assert bool(pose["flags"] & layout.HELD) == (host.certainty < net.hold_below)
        np.testing.assert_array_equal(pose["state"], state)
        window, _ = geometry.search_window(net, state, host.widened)
        assert (pose["x"], pose["y"], pose["side"], pose["side"]) == window


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([0, 1, 3, 48, 300]),
    st.sampled_from([1, 5, 16, 25]),
    st.sampled_from([0.0, 0.3, 0.6, 0.9]),
    st.sampled_from([32, 64, 256]),
)
def test_watch_says_what_its_definition_says(shim, seed, channels, side, hold, threads):
    net = network(lost_below=0.6, hold_below=hold, hold_widen=1.1, hold_limit=1.5)
    play(shim, net, channels, side, seed, threads=threads)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_order_of_threads_does_not_matter(shim, order):
    shim.order(order)
    try:
        play(shim, network(lost_below=0.6, hold_below=0.6), 96, 16, 5)
    finally:
        shim.order(0)


def test_a_frame_in_which_nothing_was_found_changes_nothing(shim):
    net = network(lost_below=0.6, hold_below=0.5)
    gpu = OnGpu(shim, net, (1, 3, 25))
    seen = np.ones((1, 3, 25), np.float32)
    gpu.begin((100.0, 90.0, 40.0, 30.0), seen)
    gpu.pose["flags"] = layout.NO_SCORE
    before = gpu.record.copy(), gpu.pose.copy()
    gpu._launch(0, seen * np.nan)
    assert (gpu.record, gpu.pose) == before


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_features_that_are_no_numbers_are_not_the_target(shim, value):
    net = network(lost_below=0.6)
    gpu = OnGpu(shim, net, (1, 3, 25))
    seen = np.ones((1, 3, 25), np.float32)
    gpu.begin((100.0, 90.0, 40.0, 30.0), seen)
    certainty = 1.0
    for _ in range(5):
        pose = gpu.watch((100.0, 90.0, 40.0, 30.0), 0.99, seen * np.float32(value))
        certainty *= 0.6
        assert abs(gpu.record["certainty"][0] - certainty) < 1e-12
    assert pose["flags"] == layout.LOST


def test_part_of_a_warp_is_refused_by_the_stand_in(shim):
    gpu = OnGpu(shim, network(lost_below=0.6), (1, 3, 25), threads=16)
    gpu.begin((100.0, 90.0, 40.0, 30.0), np.ones((1, 3, 25), np.float32))
    with pytest.raises(Failed):
        gpu.watch((100.0, 90.0, 40.0, 30.0), 0.9, np.ones((1, 3, 25), np.float32))
