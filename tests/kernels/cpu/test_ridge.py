"""The compiled ridge regression gives the responses of its definition."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cpu import build, fallback
from runtime import decode
from runtime.networks import load_network


def network(**values):
    result = load_network("dcfnet")
    for key, value in values.items():
        setattr(result, key, value)
    return result


def features(net, seed):
    random = np.random.RandomState(seed)
    return random.randn(1, net.features, net.search, net.search).astype(np.float32)


def run(decoder, first, frames, state=(300.0, 200, 60, 50)):
    """The responses of each frame, and the states."""
    state = np.array(state)
    _, memory = decoder.remember((first,), state)
    responses, states = [], []
    for frame in frames:
        for index in range(len(decoder.factors)):
            taken = decoder.look(index, (np.roll(frame, index, axis=2),), memory)
        responses.append(decoder._responses.copy())
        best, score = decoder.select(taken, state, (1.5, 1.25), 1280, 720)
        decoder.learn((frame,), memory)
        states.append(list(state) + [best, score, decoder.certain(score)])
    return np.array(responses), np.array(states)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([5, 7, 8, 12, 17, 20, 25, 27, 30]),
    st.sampled_from([1, 3, 16, 17, 32, 33]),
    st.sampled_from([1, 3]),
    st.floats(0, 1),
)
def test_responses_are_those_of_the_definition(kernels, seed, side, channels, scales, rate):
    net = network(search=side, features=channels, scales=scales, interpolation=rate)
    first = features(net, seed)
    frames = [np.roll(first, (1, -2), (2, 3)) + 0.1 * features(net, seed + i) for i in (1, 2)]
    found, states = run(decode.create(net, kernels), first, frames)
    wanted, expected = run(decode.create(net, fallback.Kernels()), first, frames)
    limit = 2e-5 * max(1, np.abs(wanted).max())
    np.testing.assert_allclose(found, wanted, rtol=0, atol=limit)
    for response, own, state, others in zip(wanted, found, states, expected):
        if state[4] != others[4]:  # two places are equal but for the rounding of floats
            assert abs(own.max() - response.max()) < limit
            return
        np.testing.assert_allclose(state, others, rtol=0, atol=1e-4)


def test_a_frame_of_the_published_size(kernels):
    net = network()
    first = features(net, 3)
    frames = [np.roll(first, (3, -4), (2, 3)), np.roll(first, (5, 1), (2, 3))]
    found, states = run(decode.create(net, kernels), first, frames)
    wanted, expected = run(decode.create(net, fallback.Kernels()), first, frames)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)
    np.testing.assert_allclose(states, expected, rtol=0, atol=1e-5)


def test_targets_do_not_share_what_is_known_of_them(kernels):
    net = network(search=25, features=4)
    decoder, first, second = decode.create(net, kernels), features(net, 1), features(net, 2)
    _, one = decoder.remember((first,), np.array([300.0, 200, 60, 50]))
    alone = decoder.look(0, (first,), one)[0][0].copy()
    decoder.remember((second,), np.array([300.0, 200, 60, 50]))
    np.testing.assert_array_equal(decoder.look(0, (first,), one)[0][0], alone)


def test_features_of_another_size_are_refused(kernels):
    net = network(search=25, features=4)
    decoder = decode.create(net, kernels)
    _, memory = decoder.remember((features(net, 1),), np.array([300.0, 200, 60, 50]))
    with pytest.raises(ValueError, match="features"):
        decoder.look(0, (np.zeros((1, 4, 25, 24), np.float32),), memory)


GUARDED = """
import sys
import numpy as np
from kernels.cpu import binding, build
from kernels.settings import RidgeSettings
from tests.support.guarded import guarded

kernels = binding.Kernels(build.library((), (sys.argv[1],)))
for side in (1, 2, 3, 5, 7, 8, 15, 17, 31, 33):
    for channels in (1, 2, 3):
        label, window = np.ones((side, side // 2 + 1), complex), np.ones((side, side), np.float32)
        ridge = kernels.ridge(
            RidgeSettings(side, channels, label, window, 1e-4, 0.5, 0.1, 10.0, 1.0, (0, 1), (), ())
        )
        model = ridge.model()
        for at_end in (False, True):
            ridge.follow(guarded((channels, side, side), np.float32, at_end), model, 1.0)
print("read nothing else")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
def test_nothing_is_read_outside_the_features_memory(kernels):
    folder = os.path.dirname(kernels._library.path)
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        cwd=build.HERE + "/../..",
    )
    assert done.stdout == "read nothing else\n", (done.returncode, done.stderr)
