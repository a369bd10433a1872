"""The stand-in for a GPU finds the mistakes that it was made to find."""

import numpy as np
import pytest

from tests.fakes.cuda.shim import Failed


def test_what_not_all_threads_reach_is_an_error_and_the_next_launch_runs(shim):
    for kernel, threads in (("bad_shuffle", 32), ("bad_barrier", 64), ("bad_race", 1056)):
        with pytest.raises(Failed):
            shim.launch(kernel, 1, threads, np.zeros(2000, np.int32))
    out = np.zeros(64, np.int32)  # more than there are structures
    shim.launch("structure_sizes", 1, 1, out)
    assert out[0] > 0


def test_a_missing_barrier_shows_in_the_result(shim):
    out = np.zeros(64, np.int32)
    shim.launch("bad_race", 1, 64, out)
    assert not np.array_equal(out, 64 - np.arange(64))
