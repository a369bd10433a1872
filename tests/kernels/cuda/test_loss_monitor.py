"""The GPU's loss monitor, run on the processor, decides what ``runtime.presence`` decides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cpu import interface
from kernels.cuda import layout
from runtime import geometry
from runtime.decode.points import Points
from runtime.presence import Presence, ScoreAndFeatures, thresholds_of
from runtime.types import View
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.turn import Turn
from tests.support.examples import examples

FRAME = (1280, 720)
CERTAINTY = 1e-9  # largest difference from the definition's certainty


def random_maps(net, random, logit, dtype=np.float32):
    """Random maps: a blob with about the score of the logit, and boxes of all sizes."""
    size = net.map_size
    scores = random.normal(-6, 1, (1, 2, size, size))
    scores[0, 0] = 0
    scores[0, 1, size // 2 + random.randint(-2, 2), size // 2 + random.randint(-2, 2)] = logit
    distances = np.exp(random.normal(3, 0.4, (1, 4, size, size)))
    return [values.astype(dtype).astype(np.float32) for values in (scores, distances)]


def play(shim, net, channels, side, seed, frames=25, threads=256, magnitude=1.0, dtype=np.float32):
    """Follow a target by the definitions and by the kernels; compare every frame."""
    random, half = np.random.RandomState(seed), dtype == np.float16
    shape = (1, channels, side * side) if channels else None
    cues = ScoreAndFeatures(net, interface.Kernels())
    host, gpu = (
        Presence(thresholds_of(net, False), cues),
        Turn(shim, net, shape, threads, half=half),
    )
    select = Points(net)
    state = np.append(random.uniform(100, 600, 2), random.uniform(20, 200, 2))
    home = random.normal(1, 1, shape) if channels else None

    def features(strength):
        if not channels:
            return None
        found = (home * strength + random.normal(0, 1, shape)) * magnitude
        return found.astype(dtype).astype(np.float32)

    _, scale = geometry.search_window(net, state)
    first = features(2.0)
    host.begin(None, state, View(state, scale, first))
    gpu.begin(state, first)
    if channels:
        np.testing.assert_allclose(gpu.reference, cues.reference, rtol=2.0**-23)
    for index in range(frames):
        before = state.copy()
        _, scale = geometry.search_window(net, before)
        maps = random_maps(net, random, random.uniform(-4, 0 if 8 < index < 16 else 4), dtype)
        seen = features(random.choice([0.0, 0.5, 2.0]))
        pose = gpu.select(maps, seen)
        cell, score = select.select(maps, state, scale, *FRAME)
        lost = host.watch(None, state, View(before, scale, seen), score) == "lost"
        assert pose["cell"] == cell
        assert abs(gpu.monitor["certainty"][0] - host.value) < CERTAINTY
        assert pose["certainty"] == np.float32(gpu.monitor["certainty"][0])
        assert bool(pose["flags"] & layout.LOST) == lost
        np.testing.assert_allclose(pose["state"], state, rtol=0, atol=1e-6)
        window, _ = geometry.search_window(net, pose["state"])
        assert (pose["x"], pose["y"], pose["width"], pose["height"]) == window


@examples(60)
@given(
    st.integers(0, 10**6),
    st.sampled_from([0, 1, 3, 48, 300]),
    st.sampled_from([1, 5, 16, 25]),
    st.sampled_from([32, 64, 256]),
    st.sampled_from([(1e-6, np.float32), (1, np.float32), (1e6, np.float32), (1, np.float16)]),
)
def test_it_decides_what_its_definition_decides(shim, seed, channels, side, threads, values):
    magnitude, dtype = values
    net = network(lost_below=0.6)
    play(shim, net, channels, side, seed, threads=threads, magnitude=magnitude, dtype=dtype)


def test_a_frame_in_which_nothing_was_found_changes_nothing(shim):
    net = network(lost_below=0.6)
    gpu = Turn(shim, net, (1, 3, 25))
    features = np.ones((1, 3, 25), np.float32)
    gpu.begin((300.0, 190.0, 40.0, 30.0), features)
    before = gpu.monitor.tobytes(), gpu.pose["state"].tobytes()
    maps = random_maps(net, np.random.RandomState(0), 2.0)
    pose = gpu.select((maps[0] * np.float32(np.nan), maps[1]), features)
    assert pose["flags"] == layout.NO_SCORE
    assert (gpu.monitor.tobytes(), gpu.pose["state"].tobytes()) == before


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_features_that_are_no_numbers_are_not_the_target(shim, value):
    net = network(lost_below=0.6)
    gpu = Turn(shim, net, (1, 3, 25))
    features = np.ones((1, 3, 25), np.float32)
    gpu.begin((300.0, 190.0, 40.0, 30.0), features)
    certainty, random = 1.0, np.random.RandomState(0)
    with np.errstate(invalid="ignore"):
        broken = features * np.float32(value)
    for _ in range(5):
        pose = gpu.select(random_maps(net, random, 4.0), broken)
        certainty *= 0.6
        assert abs(gpu.monitor["certainty"][0] - certainty) < 1e-12
    assert pose["flags"] == layout.LOST
