"""The compiled select of SiamFC picks the place and the box of its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels.cpu import plain
from hotpath.runtime import decode
from hotpath.runtime.errors import NetworkFailed
from hotpath.runtime.networks import load_network
from tests.support.examples import examples


def network(**values):
    result = load_network("siamfc_015")
    for key, value in values.items():
        setattr(result, key, value)
    return result


def responses(net, seed, spread):
    """Smooth random responses of each size, with a peak in one of them."""
    random = np.random.RandomState(seed)
    maps = random.randn(net.scales, net.map_size, net.map_size) * spread
    maps[random.randint(net.scales)][tuple(random.randint(net.map_size, size=2))] += 4
    return maps.astype(np.float32)


def run(decoder, maps, state):
    state = np.array(state, np.float64)
    for index, small in enumerate(maps):
        found = decoder.look(index, (small[None, None],))
    best, score = decoder.select(found, state, (1.5, 1.25), 1280, 720)
    return best, score, state, decoder


def same(kernels, net, maps, state):
    compiled = decode.create(net, kernels)
    try:
        best, score, expected, definition = run(decode.create(net, plain.Kernels()), maps, state)
    except NetworkFailed:
        with pytest.raises(NetworkFailed):
            run(compiled, maps, state)
        return
    found = run(compiled, maps, state)
    np.testing.assert_allclose(
        found[3]._responses, definition._responses, rtol=0, atol=1e-5 * max(1, np.abs(maps).max())
    )
    if found[0] != best:  # the rounding of OpenCV's cubic and ours may part two equal places
        votes = np.asarray(definition._responses[int(np.argmax(definition._peaks))], np.float64)
        votes = votes - votes.min()
        votes = (1 - net.window) * votes / (votes.sum() + 1e-16) + net.window * definition.window
        assert votes.flat[best] - votes.flat[found[0]] < 1e-6 * np.abs(votes).max()
        return
    assert abs(found[1] - score) < 1e-5
    np.testing.assert_allclose(found[2], expected, rtol=0, atol=1e-4)


@examples(40)
@given(
    st.integers(0, 10**6),
    st.floats(0.01, 5),
    st.sampled_from([5, 9, 17]),
    st.sampled_from([1, 3, 8]),
    st.sampled_from([1, 3, 5]),
    st.floats(0, 1),
    st.tuples(st.floats(0, 1280), st.floats(0, 720), st.floats(1, 900), st.floats(1, 700)),
)
def test_select_equals_its_definition(kernels, seed, spread, size, upsample, scales, window, state):
    net = network(map_size=size, upsample=upsample, scales=scales, window=window)
    same(kernels, net, responses(net, seed, spread), state)


@examples(30)
@given(
    st.integers(0, 10**6),
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 288), st.sampled_from([np.nan, np.inf])),
        min_size=1,
        max_size=4,
    ),
)
def test_a_size_whose_response_is_not_finite_never_wins(kernels, seed, odd):
    net = network()
    maps = responses(net, seed, 1.0)
    for which, cell, value in odd:
        maps[which].flat[cell] = value
    finite = [bool(np.isfinite(small).all()) for small in maps]
    if not any(finite):
        with pytest.raises(NetworkFailed):
            run(decode.create(net, kernels), maps, (300, 200, 60, 50))
        return
    kept = np.where(np.array(finite)[:, None, None], maps, -9).astype(np.float32)
    expected = run(decode.create(net, kernels), kept, (300, 200, 60, 50))
    found = run(decode.create(net, kernels), maps, (300, 200, 60, 50))
    assert found[:2] == expected[:2]


def test_a_flat_response_leaves_the_target_in_the_middle(kernels):
    net = network()
    maps = np.full((3, 17, 17), 0.25, np.float32)
    for decoder in (decode.create(net, kernels), decode.create(net, plain.Kernels())):
        best, _, state, _ = run(decoder, maps, (300, 200, 60, 50))
        assert divmod(best, 272) == (135, 135)
        assert abs(state[0] - 300) < 1 and abs(state[1] - 200) < 1


def test_certainty_compares_with_the_first_frames_peak(kernels):
    net = network()
    for decoder in (decode.create(net, kernels), decode.create(net, plain.Kernels())):
        maps = np.zeros((3, 17, 17), np.float32)
        maps[:, 8, 8] = 2.0
        decoder.first((maps[1][None, None],))
        maps *= 0.5
        _, score, _, _ = run(decoder, maps, (300, 200, 60, 50))
        assert abs(decoder.certain(score) - 0.5) < 1e-3


def test_what_is_no_response_is_refused(kernels):
    decoder = decode.create(network(), kernels)
    with pytest.raises(ValueError, match="response"):
        decoder.look(0, (np.zeros((1, 1, 16, 17), np.float32),))
    with pytest.raises(ValueError, match="response"):
        decoder.look(3, (np.zeros((1, 1, 17, 17), np.float32),))
    with pytest.raises(ValueError, match="state"):
        decoder.select((), np.zeros(3), (1, 1), 10, 10)
