"""The stand-in for a GPU finds the mistakes that it was made to find."""

import numpy as np
import pytest

from tests.fakes.cuda.shim import Failed, Shim


@pytest.fixture(scope="module")
def shim():
    return Shim()


def test_a_barrier_that_not_all_threads_reach_is_an_error(shim):
    with pytest.raises(Failed):
        shim.launch("bad_barrier", 1, 64, np.zeros(64, np.int32))


def test_a_shuffle_that_not_all_lanes_reach_is_an_error(shim):
    with pytest.raises(Failed):
        shim.launch("bad_shuffle", 1, 32, np.zeros(32, np.int32))


def test_it_goes_on_after_an_error(shim):
    with pytest.raises(Failed):
        shim.launch("bad_barrier", 1, 64, np.zeros(64, np.int32))
    out = np.zeros(64, np.int32)  # more than there are structures
    shim.launch("structure_sizes", 1, 1, out)
    assert out[0] > 0


def test_a_missing_barrier_shows_in_the_result(shim):
    out = np.zeros(64, np.int32)
    shim.launch("bad_race", 1, 64, out)
    assert not np.array_equal(out, 64 - np.arange(64))


def test_a_block_that_no_gpu_takes_is_an_error(shim):
    with pytest.raises(Failed):
        shim.launch("bad_race", 1, 1056, np.zeros(2000, np.int32))
