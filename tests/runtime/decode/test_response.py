"""SiamFC's select where responses are not finite, flat, or lower than the first one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels import cpu
from hotpath.runtime import decode
from hotpath.runtime.errors import NetworkFailed
from hotpath.runtime.networks import load_network
from tests.support.examples import examples

STATE = 300, 200, 60, 50


def siamese():
    return decode.create(load_network("siamfc_015"), cpu.load())


def responses(seed):
    """Smooth random responses of each size, with a peak in one of them."""
    random = np.random.RandomState(seed)
    maps = random.randn(3, 17, 17)
    maps[random.randint(3)][tuple(random.randint(17, size=2))] += 4
    return maps.astype(np.float32)


def run(decoder, maps):
    state = np.array(STATE, np.float64)
    place, score = decoder.among(
        [(small[None, None],) for small in maps], state, (1.5, 1.25), 1280, 720
    )
    assert tuple(state) == STATE  # it is not changed
    return tuple(place), score


@examples(30)
@given(
    st.integers(0, 10**6),
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 288), st.sampled_from([np.nan, np.inf])),
        min_size=1,
        max_size=4,
    ),
)
def test_a_size_whose_response_is_not_finite_never_wins(seed, odd):
    maps = responses(seed)
    for which, cell, value in odd:
        maps[which].flat[cell] = value
    finite = np.isfinite(maps).all(axis=(1, 2))
    if not any(finite):
        with pytest.raises(NetworkFailed):
            run(siamese(), maps)
        return
    kept = np.where(finite[:, None, None], maps, -9).astype(np.float32)
    assert run(siamese(), maps) == run(siamese(), kept)


def test_a_flat_response_leaves_the_target_in_the_middle():
    state, _ = run(siamese(), np.full((3, 17, 17), 0.25, np.float32))
    assert abs(state[0] - 300) < 1 and abs(state[1] - 200) < 1


def test_a_target_at_the_right_of_a_wide_frame_stays_there():
    """1000 pixels from the left is inside 1280 columns, and outside of 720."""
    flat = [(np.full((1, 1, 17, 17), 0.25, np.float32),)] * 3
    state = np.array([1000.0, 300.0, 60.0, 50.0])
    place, _ = siamese().among(flat, state, (1.5, 1.25), 1280, 720)
    assert abs(place[0] - 1000) < 1


@pytest.mark.parametrize("index", range(3))
def test_the_target_takes_the_size_of_the_highest_response(index):
    maps = np.zeros((3, 17, 17), np.float32)
    maps[index, 8, 8] = 5.0
    (_, _, width, _), _ = run(siamese(), maps)
    assert np.sign(np.round(width - STATE[2], 3)) == index - 1  # the first scale is the smallest
